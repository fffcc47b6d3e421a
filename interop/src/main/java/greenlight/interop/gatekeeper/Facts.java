package greenlight.interop.gatekeeper;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The facts as values: what records say, with codes and tags as numbers. Values are shared where they are inherited. */
final class Facts {
    private Facts() {}

    /** One licence window. {@code languages} is null where all are licensed. */
    record Window(long start, long end, Mask countries, int[] languages) {
        boolean isOpen(long at) {
            return start <= at && at < end;
        }
    }

    /** A hold. */
    record Hold(String id, Mask countries, long from, long until) {
        boolean isActive(long at) {
            return from <= at && at < until;
        }
    }

    /** One country's rating; {@code age} is -1 where it names none. */
    record Rating(int country, int system, int age) {}

    /** The licence windows. */
    static final class Rights {
        static final Rights NONE = new Rights(new Window[0]);
        final Window[] windows;
        final boolean limitsLanguages;

        Rights(Window[] windows) {
            this.windows = windows;
            boolean limits = false;
            for (Window window : windows) {
                limits |= window.languages() != null;
            }
            limitsLanguages = limits;
        }
    }

    /** All ratings, and what the rules say about them. */
    static final class Ratings {
        static final Ratings NONE = new Ratings(new Rating[0]);
        final Rating[] ratings;
        Mask missing;
        Mask tooHigh;

        Ratings(Rating[] ratings) {
            this.ratings = ratings;
        }
    }

    /** Values by key, sorted; with what up to two rules say about all of them. */
    static final class Keyed<T> {
        final int[] keys;
        final T[] values;
        Mask first;
        Mask second;

        Keyed(int[] keys, T[] values) {
            this.keys = keys;
            this.values = values;
        }

        /** The value of a key; null where there is none. */
        T get(int key) {
            int at = Arrays.binarySearch(keys, key);
            return at < 0 ? null : values[at];
        }

        /** With another value of one key; null removes it. */
        Keyed<T> with(int key, T value) {
            int at = Arrays.binarySearch(keys, key);
            if (at >= 0 && value != null) {
                T[] changed = values.clone();
                changed[at] = value;
                return new Keyed<>(keys, changed);
            }
            if (at >= 0 == (value != null)) {
                return this;
            }
            int place = at < 0 ? -at - 1 : at;
            int size = keys.length + (value == null ? -1 : 1);
            int[] newKeys = new int[size];
            T[] newValues = Arrays.copyOf(values, size);
            System.arraycopy(keys, 0, newKeys, 0, place);
            if (value == null) {
                System.arraycopy(keys, place + 1, newKeys, place, size - place);
                System.arraycopy(values, place + 1, newValues, place, size - place);
            } else {
                System.arraycopy(keys, place, newKeys, place + 1, size - place - 1);
                System.arraycopy(values, place, newValues, place + 1, size - place - 1);
                newKeys[place] = key;
                newValues[place] = value;
            }
            return new Keyed<>(newKeys, newValues);
        }

        /** What a child has: its own value of a key, else that from above. */
        Keyed<T> over(Keyed<T> above) {
            if (keys.length == 0 || this == above) {
                return above;
            }
            if (above.keys.length == 0) {
                return this;
            }
            Keyed<T> merged = above;
            for (int i = 0; i < keys.length; i++) {
                merged = merged.with(keys[i], values[i]);
            }
            return merged;
        }
    }

    /** Tracks as they sound in a video: which language it was made in, and for whom. */
    static final class Speech {
        final Keyed<Boolean> tracks;
        final int original;
        final boolean kids;
        Mask subtitlesMissing;
        Mask dubMissing;
        /** What is live under which licence, as far as somebody asked. */
        Map<List<Integer>, Tracks.Part[]> offers;

        Speech(Keyed<Boolean> tracks, int original, boolean kids) {
            this.tracks = tracks;
            this.original = original;
            this.kids = kids;
        }

        /** What is live under a licence (sorted languages; null: all), by what countries offer. One thread at a time. */
        Tracks.Part[] offers(int[] licensed, Rules rules, Tracks sets) {
            List<Integer> key = licensed == null ? null : Arrays.stream(licensed).boxed().toList();
            if (offers == null) {
                offers = new HashMap<>(2);
            }
            return offers.computeIfAbsent(key, unknown -> rules.offers(this, licensed, sets));
        }
    }
}
