package greenlight.interop.gatekeeper;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The ISO 3166-1 alpha-2 codes; a country's bit is its place among them. */
final class Countries {
    static final String[] CODES = codes();
    private static final Map<String, Integer> BITS = bits();
    static final Mask ALL = all();

    private Countries() {}

    /** The bit of a code; -1 for one that is not known. */
    static int bit(String code) {
        return BITS.getOrDefault(code, -1);
    }

    private static String[] codes() {
        String[] codes = Locale.getISOCountries();
        Arrays.sort(codes);
        return codes;
    }

    private static Map<String, Integer> bits() {
        Map<String, Integer> bits = new HashMap<>();
        for (String code : CODES) {
            bits.put(code, bits.size());
        }
        return bits;
    }

    private static Mask all() {
        Mask all = Mask.EMPTY;
        for (int country = 0; country < CODES.length; country++) {
            all = all.or(Mask.of(country));
        }
        return all;
    }

    static List<String> codes(Mask mask) {
        List<String> codes = new ArrayList<>(mask.size());
        for (int country = 0; country < CODES.length; country++) {
            if (mask.has(country)) {
                codes.add(CODES[country]);
            }
        }
        return codes;
    }
}
