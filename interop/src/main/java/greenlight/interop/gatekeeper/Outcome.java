package greenlight.interop.gatekeeper;

import java.util.Arrays;

/** What was decided about a video: groups of countries with one verdict, and what will be live from when on. */
final class Outcome {
    /**
     * Countries with one and the same verdict; {@code nextAt} is {@link Groups#NEVER} and {@code nextTracks} null where
     * nothing changes by itself.
     */
    record Group(
            Mask countries,
            boolean live,
            int blockers,
            Tracks.TrackSet tracks,
            long nextAt,
            boolean nextLive,
            Tracks.TrackSet nextTracks) {}

    /** Where a video and its tracks are live from an instant on. */
    record Moment(long at, Mask live, Tracks.Part[] tracks) {
        boolean isLike(Moment other) {
            return live.same(other.live) && Arrays.equals(tracks, other.tracks);
        }

        /** The countries whose verdict is another one at another moment. */
        Mask differs(Moment other) {
            Mask differs = live.xor(other.live);
            Mask both = live.and(other.live);
            Mask with = Mask.EMPTY;
            Mask same = Mask.EMPTY;
            for (Tracks.Part part : tracks) {
                with = with.or(part.countries());
                for (Tracks.Part there : other.tracks) {
                    if (part.tracks() == there.tracks()) {
                        same = same.or(part.countries().and(there.countries()));
                    }
                }
            }
            for (Tracks.Part there : other.tracks) {
                with = with.or(there.countries());
            }
            return differs.or(both.and(with).minus(same));
        }
    }

    final Group[] groups;
    /** The first is the evaluation's. */
    final Moment[] moments;

    Outcome(Group[] groups, Moment[] moments) {
        this.groups = groups;
        this.moments = moments;
    }

    Mask live() {
        return moments[0].live;
    }

    boolean same(Outcome other) {
        return this == other || Arrays.equals(groups, other.groups);
    }

    Mask blockedBy(int rule) {
        Mask blocked = Mask.EMPTY;
        for (Group group : groups) {
            if ((group.blockers >>> rule & 1) == 1) {
                blocked = blocked.or(group.countries);
            }
        }
        return blocked;
    }

    Moment at(long instant) {
        int at = 0;
        while (at + 1 < moments.length && moments[at + 1].at <= instant) {
            at++;
        }
        return moments[at];
    }
}
