package greenlight.interop.gatekeeper;

import java.util.ArrayList;
import java.util.List;

/** One video: its own records, what it has from above, and what was decided about it last. */
final class Video {
    static final int MOVIE = 0;
    static final int SHOW = 1;
    static final int SEASON = 2;
    static final int EPISODE = 3;

    static final Facts.Keyed<Integer> NO_TEXTS = new Facts.Keyed<>(new int[0], new Integer[0]);
    static final Facts.Keyed<Boolean> NO_TRACKS = new Facts.Keyed<>(new int[0], new Boolean[0]);
    static final Facts.Keyed<Boolean> NO_ARTWORK = new Facts.Keyed<>(new int[0], new Boolean[0]);
    static final Facts.Hold[] NO_HOLDS = new Facts.Hold[0];

    final long id;
    /** -1 where titles has no record of it. */
    int kind = -1;
    long parentId;
    boolean namesParent;
    int original = -1;
    boolean kids;
    List<Video> children = new ArrayList<>(0);

    Facts.Rights ownRights;
    Facts.Ratings ownRatings;
    Facts.Keyed<Integer> ownTexts = NO_TEXTS;
    Facts.Keyed<Boolean> ownTracks = NO_TRACKS;
    Facts.Keyed<Boolean> ownArtwork = NO_ARTWORK;
    Facts.Hold[] ownHolds = NO_HOLDS;
    boolean hasStreams;

    /** What it belongs to; null where that is missing or of the wrong kind. */
    Video parent;
    boolean orphan;
    Facts.Rights rights = Facts.Rights.NONE;
    Facts.Ratings ratings = Facts.Ratings.NONE;
    Facts.Keyed<Integer> texts = NO_TEXTS;
    Facts.Keyed<Boolean> artwork = NO_ARTWORK;
    Facts.Speech speech;
    Facts.Hold[] holds = NO_HOLDS;

    /** What was decided last; null if nothing was. */
    Outcome outcome;
    boolean isDirty;

    Video(long id) {
        this.id = id;
    }

    boolean isPlayed() {
        return kind == MOVIE || kind == EPISODE;
    }

    /** The kind of its parent; -1 for what stands alone. */
    int parentKind() {
        return switch (kind) {
            case SEASON -> SHOW;
            case EPISODE -> SEASON;
            default -> -1;
        };
    }

    /** Whether everything that decides about a played video is the same as of another. */
    boolean sameFacts(Video other) {
        return rights == other.rights
                && ratings == other.ratings
                && texts == other.texts
                && artwork == other.artwork
                && speech == other.speech
                && holds == other.holds
                && hasStreams == other.hasStreams
                && orphan == other.orphan;
    }
}
