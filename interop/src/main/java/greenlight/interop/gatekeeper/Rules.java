package greenlight.interop.gatekeeper;

import java.util.Arrays;
import java.util.function.IntPredicate;

/** Which countries the rules block, with their parameters at the defaults (docs/liveness.md). */
final class Rules {
    static final String[] CODES = {
        "rights.no-window", "hold.active", "rating.missing", "rating.too-high", "text.no-title", "text.no-synopsis",
        "subtitles.missing", "subtitles.not-licensed", "dub.missing", "dub.not-licensed", "artwork.missing",
        "streams.missing", "family.no-parent", "family.no-children", "family.none-live"
    };
    static final int NO_WINDOW = 0;
    static final int HOLD = 1;
    static final int RATING_MISSING = 2;
    static final int RATING_TOO_HIGH = 3;
    static final int NO_TITLE = 4;
    static final int NO_SYNOPSIS = 5;
    static final int SUBTITLES_MISSING = 6;
    static final int SUBTITLES_NOT_LICENSED = 7;
    static final int DUB_MISSING = 8;
    static final int DUB_NOT_LICENSED = 9;
    static final int ARTWORK_MISSING = 10;
    static final int STREAMS_MISSING = 11;
    static final int NO_PARENT = 12;
    static final int NO_CHILDREN = 13;
    static final int NONE_LIVE = 14;

    static final int TITLE = 1;
    static final int SYNOPSIS = 2;
    static final String[] TRACKS = {"subtitles", "dub", "captions", "description"};
    static final int SUBTITLES = 0;
    static final int DUB = 1;
    private static final int KINDS = 4;

    private final Policies policies;
    private final Languages languages;

    Rules(Policies policies, Languages languages) {
        this.policies = policies;
        this.languages = languages;
    }

    /** The key of a track. */
    static int track(int kind, int language) {
        return language * KINDS + kind;
    }

    static String kindName(int track) {
        return TRACKS[track % KINDS];
    }

    static int language(int track) {
        return track / KINDS;
    }

    void ask(Facts.Ratings ratings) {
        Mask rated = Mask.EMPTY;
        Mask above = Mask.EMPTY;
        Mask own = Mask.EMPTY;
        Mask ownAbove = Mask.EMPTY;
        for (Facts.Rating rating : ratings.ratings) {
            Mask accepting = policies.accepting(rating.system());
            rated = rated.or(accepting);
            Mask over = Mask.EMPTY;
            for (Policies.Limit limit : policies.limits) {
                if (rating.age() > limit.age()) {
                    over = over.or(limit.countries());
                }
            }
            over = over.and(accepting);
            above = above.or(over);
            if (accepting.has(rating.country())) {
                Mask country = Mask.of(rating.country());
                own = own.or(country);
                ownAbove = ownAbove.or(over.and(country));
            }
        }
        ratings.missing = policies.ratingRequired.minus(rated);
        ratings.tooHigh = above.minus(own).or(ownAbove);
    }

    void askTexts(Facts.Keyed<Integer> texts) {
        texts.first = lacking(policies.title, want -> falls(want, have -> has(texts, have, TITLE)));
        texts.second = lacking(policies.synopsis, want -> falls(want, have -> has(texts, have, SYNOPSIS)));
    }

    void askArtwork(Facts.Keyed<Boolean> artwork) {
        artwork.first = lacking(policies.artwork, want -> falls(want, have -> isTrue(artwork.get(have))));
    }

    void ask(Facts.Speech speech) {
        speech.subtitlesMissing = cannotFollow(speech, null);
        speech.dubMissing = lacksDub(speech, null);
    }

    /** Where the licensed tracks are not enough to follow; {@code licensed} is sorted, null: all. */
    Mask cannotFollow(Facts.Speech speech, int[] licensed) {
        return lacking(
                policies.subtitles,
                want -> spoken(speech, want) || heard(speech, SUBTITLES, want, licensed) || heard(speech, DUB, want, licensed));
    }

    /** Where children do not understand the licensed tracks. */
    Mask lacksDub(Facts.Speech speech, int[] licensed) {
        return speech.kids
                ? lacking(policies.kidsDub, want -> spoken(speech, want) || heard(speech, DUB, want, licensed))
                : Mask.EMPTY;
    }

    /** The tracks that are live under a licence, by what countries offer. */
    Tracks.Part[] offers(Facts.Speech speech, int[] licensed, Tracks sets) {
        Tracks.Parts parts = new Tracks.Parts();
        for (Policies.Demand offer : policies.offered) {
            int[] found = new int[speech.tracks.keys.length];
            int count = 0;
            for (int i = 0; i < speech.tracks.keys.length; i++) {
                int track = speech.tracks.keys[i];
                int kind = track % KINDS;
                int language = track / KINDS;
                boolean belongs = kind > DUB && spoken(speech, language);
                if (speech.tracks.values[i]
                        && (belongs || isLicensed(language, licensed))
                        && isLicensed(language, offer.languages())) {
                    found[count++] = track;
                }
            }
            parts.add(sets.of(Arrays.copyOf(found, count)), offer.countries());
        }
        return parts.take();
    }

    private boolean spoken(Facts.Speech speech, int want) {
        return speech.original >= 0 && languages.serves(speech.original, want);
    }

    private boolean heard(Facts.Speech speech, int kind, int want, int[] licensed) {
        return isTrue(speech.tracks.get(track(kind, want))) && isLicensed(want, licensed);
    }

    private boolean isLicensed(int language, int[] licensed) {
        return licensed == null || falls(language, at -> Arrays.binarySearch(licensed, at) >= 0);
    }

    private boolean falls(int want, IntPredicate has) {
        for (int at = want; at >= 0; at = languages.fallback(at)) {
            if (has.test(at)) {
                return true;
            }
        }
        return false;
    }

    private static boolean has(Facts.Keyed<Integer> texts, int language, int what) {
        Integer text = texts.get(language);
        return text != null && (text & what) != 0;
    }

    private static boolean isTrue(Boolean value) {
        return value != null && value;
    }

    private static Mask lacking(Policies.Demand[] demands, IntPredicate has) {
        Mask lacking = Mask.EMPTY;
        for (Policies.Demand demand : demands) {
            boolean met = demand.all();
            for (int language : demand.languages()) {
                if (has.test(language) != demand.all()) {
                    met = !demand.all();
                    break;
                }
            }
            if (!met) {
                lacking = lacking.or(demand.countries());
            }
        }
        return lacking;
    }
}
