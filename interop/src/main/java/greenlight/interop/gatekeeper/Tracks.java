package greenlight.interop.gatekeeper;

import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Sets of live tracks. Equal ones are one object, so that they compare by identity, and so are unions made before. */
final class Tracks {
    /** A set of tracks, by sorted key. */
    static final class TrackSet {
        final int[] tracks;
        /** The same as records, once they were written. */
        volatile Set<Asset> assets;
        private final ConcurrentHashMap<TrackSet, TrackSet> unions = new ConcurrentHashMap<>(2);
        private final int hash;

        private TrackSet(int[] tracks) {
            this.tracks = tracks;
            hash = Arrays.hashCode(tracks);
        }
    }

    /** Countries with the same live tracks. */
    record Part(TrackSet tracks, Mask countries) {}

    /** Parts that do not overlap, none of them empty, by first country. */
    static final class Parts {
        static final Part[] NONE = {};
        private Part[] parts = new Part[4];
        private int count;

        /** Adds countries, of which none is in yet, to those with the same tracks. */
        void add(TrackSet tracks, Mask countries) {
            if (tracks == NOTHING || countries.isEmpty()) {
                return;
            }
            for (int i = 0; i < count; i++) {
                if (parts[i].tracks == tracks) {
                    parts[i] = new Part(tracks, parts[i].countries.or(countries));
                    return;
                }
            }
            push(tracks, countries);
        }

        /** Adds what is live besides. */
        void unite(Part[] others, Tracks sets) {
            for (Part other : others) {
                Mask rest = other.countries;
                int before = count;
                for (int i = 0; i < before && !rest.isEmpty(); i++) {
                    Part part = parts[i];
                    Mask inside = part.countries.and(rest);
                    if (inside.isEmpty()) {
                        continue;
                    }
                    rest = rest.minus(inside);
                    TrackSet united = sets.union(part.tracks, other.tracks);
                    if (united != part.tracks) {
                        Mask outside = part.countries.minus(inside);
                        parts[i] = new Part(united, inside);
                        if (!outside.isEmpty()) {
                            push(part.tracks, outside);
                        }
                    }
                }
                if (!rest.isEmpty()) {
                    push(other.tracks, rest);
                }
            }
        }

        private void push(TrackSet tracks, Mask countries) {
            if (count == parts.length) {
                parts = Arrays.copyOf(parts, 2 * count);
            }
            parts[count++] = new Part(tracks, countries);
        }

        Part[] take() {
            if (count == 0) {
                return NONE;
            }
            Parts merged = new Parts();
            for (int i = 0; i < count; i++) {
                merged.add(parts[i].tracks, parts[i].countries);
            }
            Part[] taken = Arrays.copyOf(merged.parts, merged.count);
            Arrays.sort(taken, (one, other) -> Integer.compare(one.countries.first(), other.countries.first()));
            return taken;
        }
    }

    static final TrackSet NOTHING = new TrackSet(new int[0]);

    private record Key(int[] tracks, int hash) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Key key && Arrays.equals(tracks, key.tracks);
        }

        @Override
        public int hashCode() {
            return hash;
        }
    }

    private final ConcurrentHashMap<Key, TrackSet> sets = new ConcurrentHashMap<>();

    /** The set of sorted tracks. */
    TrackSet of(int[] tracks) {
        if (tracks.length == 0) {
            return NOTHING;
        }
        TrackSet set = new TrackSet(tracks);
        TrackSet known = sets.putIfAbsent(new Key(tracks, set.hash), set);
        return known == null ? set : known;
    }

    private TrackSet union(TrackSet one, TrackSet other) {
        if (one == other || other == NOTHING) {
            return one;
        }
        TrackSet known = one.unions.get(other);
        if (known == null) {
            int[] all = Arrays.copyOf(one.tracks, one.tracks.length + other.tracks.length);
            System.arraycopy(other.tracks, 0, all, one.tracks.length, other.tracks.length);
            known = of(Arrays.stream(all).sorted().distinct().toArray());
            one.unions.put(other, known);
        }
        return known;
    }
}
