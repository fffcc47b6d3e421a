package greenlight.interop.gatekeeper;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Language tags as small numbers, with what each falls back to (CLDR's parent locales). */
final class Languages {
    private final Map<String, String> parents = new HashMap<>();
    private final Map<String, Integer> numbers = new HashMap<>();
    private final List<Integer> fallbacks = new ArrayList<>();
    private final List<String> tags = new ArrayList<>();

    Languages(Path parentLocales) throws IOException {
        List<String> lines = Files.readAllLines(parentLocales);
        for (String line : lines.subList(1, lines.size())) {
            String[] pair = line.split(",");
            parents.put(canonical(pair[0]), canonical(pair[1]));
        }
    }

    /** The number of a tag. */
    int of(String tag) {
        Integer known = numbers.get(tag);
        if (known != null) {
            return known;
        }
        String canonical = canonical(tag);
        known = numbers.get(canonical);
        if (known == null) {
            String parent = parents.get(canonical);
            if (parent == null) {
                int cut = canonical.lastIndexOf('-');
                parent = cut < 0 ? null : canonical.substring(0, cut);
            }
            int fallback = parent == null || parent.equals("und") ? -1 : of(parent);
            known = fallbacks.size();
            fallbacks.add(fallback);
            tags.add(canonical);
            numbers.put(canonical, known);
        }
        numbers.put(tag, known);
        return known;
    }

    /** The tag of a number. */
    String tag(int language) {
        return tags.get(language);
    }

    /** What a language falls back to; -1 at the end. */
    int fallback(int language) {
        return fallbacks.get(language);
    }

    /** Whether {@code have} is {@code want} or something that it falls back to. */
    boolean serves(int have, int want) {
        for (int at = want; at >= 0; at = fallback(at)) {
            if (at == have) {
                return true;
            }
        }
        return false;
    }

    private static String canonical(String tag) {
        StringBuilder out = new StringBuilder();
        for (String part : tag.split("[-_]")) {
            if (out.length() == 0) {
                out.append(part.toLowerCase(Locale.ROOT));
                continue;
            }
            out.append('-');
            switch (part.length()) {
                case 4 -> out.append(Character.toUpperCase(part.charAt(0))).append(part.substring(1).toLowerCase(Locale.ROOT));
                case 2 -> out.append(part.toUpperCase(Locale.ROOT));
                default -> out.append(part.toLowerCase(Locale.ROOT));
            }
        }
        return out.toString();
    }
}
