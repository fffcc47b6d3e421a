package greenlight.interop;

import java.util.Collection;
import java.util.Map;

/** Just enough JSON to print results: a line is an object, written in the order of the calls. */
final class Json {
    private final StringBuilder out = new StringBuilder("{");

    Json put(String name, Object value) {
        if (out.length() > 1) {
            out.append(',');
        }
        quote(name);
        out.append(':');
        write(value);
        return this;
    }

    void print() {
        System.out.println(out + "}");
    }

    private void write(Object value) {
        if (value == null || value instanceof Boolean || value instanceof Integer || value instanceof Long) {
            out.append(value);
        } else if (value instanceof Map<?, ?> map) {
            out.append('{');
            String separator = "";
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(separator);
                quote(entry.getKey().toString());
                out.append(':');
                write(entry.getValue());
                separator = ",";
            }
            out.append('}');
        } else if (value instanceof Collection<?> items) {
            out.append('[');
            String separator = "";
            for (Object item : items) {
                out.append(separator);
                write(item);
                separator = ",";
            }
            out.append(']');
        } else {
            quote(value.toString());
        }
    }

    private void quote(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
