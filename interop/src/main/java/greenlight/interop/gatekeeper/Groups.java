package greenlight.interop.gatekeeper;

import java.util.Arrays;

/** Countries in groups of one verdict, split further by everything that is said about some of them. */
final class Groups {
    static final long NEVER = Long.MIN_VALUE;

    /** A group as it is so far. */
    private static final class Draft {
        Mask countries;
        boolean live;
        int blockers;
        Tracks.TrackSet tracks = Tracks.NOTHING;
        long nextAt = NEVER;
        boolean nextLive;
        Tracks.TrackSet nextTracks;

        Draft(Mask countries) {
            this.countries = countries;
        }

        Draft(Draft other, Mask countries) {
            this.countries = countries;
            live = other.live;
            blockers = other.blockers;
            tracks = other.tracks;
            nextAt = other.nextAt;
            nextLive = other.nextLive;
            nextTracks = other.nextTracks;
        }
    }

    /** What to say about the countries of a set. */
    interface Mark {
        void on(int group);
    }

    private Draft[] drafts = new Draft[8];
    private int count;

    Groups(Mask markets) {
        if (!markets.isEmpty()) {
            drafts[count++] = new Draft(markets);
        }
    }

    void now(Outcome.Moment now) {
        split(now.live(), i -> drafts[i].live = true);
        for (Tracks.Part part : now.tracks()) {
            split(part.countries(), i -> drafts[i].tracks = part.tracks());
        }
    }

    void blocked(Mask set, int blocker) {
        split(set, i -> drafts[i].blockers |= blocker);
    }

    /** The countries whose next change this is. */
    void next(Mask set, Outcome.Moment then) {
        split(set, i -> {
            drafts[i].nextAt = then.at();
            drafts[i].nextTracks = Tracks.NOTHING;
        });
        split(set.and(then.live()), i -> drafts[i].nextLive = true);
        for (Tracks.Part part : then.tracks()) {
            split(set.and(part.countries()), i -> drafts[i].nextTracks = part.tracks());
        }
    }

    /** The groups by their first country. */
    Outcome.Group[] take() {
        Outcome.Group[] groups = new Outcome.Group[count];
        for (int i = 0; i < count; i++) {
            Draft draft = drafts[i];
            groups[i] = new Outcome.Group(
                    draft.countries,
                    draft.live,
                    draft.blockers,
                    draft.tracks,
                    draft.nextAt,
                    draft.nextLive,
                    draft.nextTracks);
        }
        Arrays.sort(groups, (one, other) -> Integer.compare(one.countries().first(), other.countries().first()));
        return groups;
    }

    /** Splits every group into the countries of a set, which are marked, and the others. */
    private void split(Mask set, Mark mark) {
        int groups = set.isEmpty() ? 0 : count;
        for (int i = 0; i < groups; i++) {
            Draft draft = drafts[i];
            Mask inside = draft.countries.and(set);
            if (inside.isEmpty()) {
                continue;
            }
            Mask outside = draft.countries.minus(set);
            if (!outside.isEmpty()) {
                if (count == drafts.length) {
                    drafts = Arrays.copyOf(drafts, 2 * count);
                }
                drafts[count++] = new Draft(draft, outside);
                draft.countries = inside;
            }
            mark.on(i);
        }
    }
}
