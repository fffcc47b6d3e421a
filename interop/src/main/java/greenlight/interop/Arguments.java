package greenlight.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Command line of one mode: positional arguments, `--name value` pairs and flags. */
final class Arguments {
    private final List<String> positional = new ArrayList<>();
    private final Map<String, String> named = new HashMap<>();

    Arguments(String[] args, Set<String> flags) {
        for (int i = 0; i < args.length; i++) {
            if (!args[i].startsWith("--")) {
                positional.add(args[i]);
            } else if (flags.contains(args[i])) {
                named.put(args[i], "true");
            } else if (i + 1 < args.length) {
                named.put(args[i], args[++i]);
            } else {
                throw new IllegalArgumentException(args[i] + " needs a value");
            }
        }
    }

    String at(int index, String what) {
        if (index >= positional.size()) {
            throw new IllegalArgumentException("missing argument: " + what);
        }
        return positional.get(index);
    }

    boolean has(String flag) {
        return named.containsKey(flag);
    }

    long number(String name, long otherwise) {
        String text = named.get(name);
        return text == null ? otherwise : Long.parseLong(text);
    }

    /** Comma-separated values; empty when the option is absent. */
    Set<String> list(String name) {
        Set<String> values = new TreeSet<>();
        if (named.containsKey(name)) {
            values.addAll(List.of(named.get(name).split(",")));
        }
        return values;
    }
}
