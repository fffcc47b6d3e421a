package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.read.engine.list.HollowListTypeReadState;
import com.netflix.hollow.core.read.engine.object.HollowObjectTypeReadState;
import com.netflix.hollow.core.read.iterator.HollowMapEntryOrdinalIterator;
import com.netflix.hollow.core.read.iterator.HollowOrdinalIterator;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.IntUnaryOperator;

/** The facts about all videos, kept up with the records that came and went. */
final class Catalogue {
    private static final String READY = "ready";
    private static final String[] KINDS = {"movie", "show", "season", "episode"};

    private final Languages languages;
    private final Map<String, Integer> systems = new HashMap<>();
    private final Map<Long, Video> videos = new HashMap<>();
    private final Map<String, Video> held = new HashMap<>();
    private final TreeMap<Integer, Policies.Policy> policiesByCountry = new TreeMap<>();
    private final Map<Mask, Mask> masks = new HashMap<>();
    private final Map<Facts.Rating, Facts.Rating> knownRatings = new HashMap<>();
    private final List<Video> dirty = new ArrayList<>();
    private final List<Long> removed = new ArrayList<>();
    private boolean policiesChanged = true;
    private boolean structureChanged = true;

    Policies policies;
    Rules rules;
    final Tracks tracks = new Tracks();
    /** Videos that belong to no other. */
    Video[] roots = {};

    Catalogue(Languages languages) {
        this.languages = languages;
    }

    /** The videos that titles has no longer. */
    List<Long> takeRemoved() {
        List<Long> taken = new ArrayList<>(removed);
        removed.clear();
        return taken;
    }

    /** Takes what changed in an input. */
    void take(String input, Records records, boolean isFirst) {
        switch (input) {
            case "titles" -> titles(records, isFirst);
            case "rights" -> rights(records, isFirst);
            case "ratings" -> ratings(records, isFirst);
            case "texts" -> texts(records, isFirst);
            case "assets" -> assets(records, isFirst);
            case "artwork" -> artwork(records, isFirst);
            case "streams" -> streams(records, isFirst);
            case "policies" -> policies(records, isFirst);
            case "holds" -> holds(records, isFirst);
            default -> { }
        }
    }

    /** Brings everything that depends on changed records up to date. */
    void refresh() {
        if (policiesChanged) {
            policies = new Policies(policiesByCountry.values());
            rules = new Rules(policies, languages);
        }
        if (structureChanged) {
            List<Video> found = new ArrayList<>();
            for (Video video : videos.values()) {
                Video parent = video.namesParent ? videos.get(video.parentId) : null;
                video.parent = parent != null && parent.kind >= 0 && parent.kind == video.parentKind() ? parent : null;
                if (video.kind >= 0 && video.parent == null) {
                    found.add(video);
                }
            }
            roots = found.toArray(Video[]::new);
            Arrays.sort(roots, (one, other) -> Long.compare(one.id, other.id));
        }
        if (policiesChanged) {
            // What the rules said is forgotten; each shared value is asked about once.
            for (Video video : videos.values()) {
                video.ratings.missing = null;
                video.texts.first = null;
                video.artwork.first = null;
                if (video.speech != null) {
                    video.speech.subtitlesMissing = null;
                    video.speech.offers = null;
                }
            }
            Facts.Ratings.NONE.missing = null;
            Video.NO_TEXTS.first = null;
            Video.NO_ARTWORK.first = null;
            for (Video root : roots) {
                derive(root);
            }
        } else {
            for (Video video : dirty) {
                if (video.isDirty) {
                    derive(top(video));
                }
            }
        }
        for (Video video : dirty) {
            video.isDirty = false;
        }
        dirty.clear();
        policiesChanged = false;
        structureChanged = false;
    }

    /** The highest dirty video above one. */
    private static Video top(Video video) {
        Video top = video;
        for (Video at = video.parent; at != null; at = at.parent) {
            top = at.isDirty ? at : top;
        }
        return top;
    }

    /** Takes a video's values anew from its own records and from above, and those of what hangs from it. */
    private void derive(Video video) {
        Video above = video.parent;
        video.orphan = above == null ? video.parentKind() >= 0 : above.orphan;
        video.rights = video.ownRights != null ? video.ownRights : above != null ? above.rights : Facts.Rights.NONE;
        video.ratings = video.ownRatings != null ? video.ownRatings : above != null ? above.ratings : Facts.Ratings.NONE;
        video.texts = above == null ? video.ownTexts : video.ownTexts.over(above.texts);
        video.artwork = above == null ? video.ownArtwork : video.ownArtwork.over(above.artwork);
        video.holds = above == null ? video.ownHolds : join(video.ownHolds, above.holds);
        Facts.Keyed<Boolean> tracks = above == null || above.speech == null
                ? video.ownTracks
                : video.ownTracks.over(above.speech.tracks);
        boolean sameSpeech = above != null
                && above.speech != null
                && above.speech.tracks == tracks
                && above.speech.original == video.original
                && above.speech.kids == video.kids;
        if (sameSpeech) {
            video.speech = above.speech;
        } else if (video.speech == null
                || video.speech.tracks != tracks
                || video.speech.original != video.original
                || video.speech.kids != video.kids) {
            video.speech = new Facts.Speech(tracks, video.original, video.kids);
        }
        if (video.ratings.missing == null) {
            rules.ask(video.ratings);
            video.ratings.missing = shared(video.ratings.missing);
            video.ratings.tooHigh = shared(video.ratings.tooHigh);
        }
        if (video.texts.first == null) {
            rules.askTexts(video.texts);
            video.texts.first = shared(video.texts.first);
            video.texts.second = shared(video.texts.second);
        }
        if (video.artwork.first == null) {
            rules.askArtwork(video.artwork);
            video.artwork.first = shared(video.artwork.first);
        }
        if (video.speech.subtitlesMissing == null) {
            rules.ask(video.speech);
            video.speech.subtitlesMissing = shared(video.speech.subtitlesMissing);
            video.speech.dubMissing = shared(video.speech.dubMissing);
        }
        video.isDirty = false;
        for (Video child : video.children) {
            if (child.parent == video) {
                derive(child);
            }
        }
    }

    private static Facts.Hold[] join(Facts.Hold[] own, Facts.Hold[] above) {
        if (own.length == 0) {
            return above;
        }
        if (above.length == 0) {
            return own;
        }
        Facts.Hold[] all = Arrays.copyOf(own, own.length + above.length);
        System.arraycopy(above, 0, all, own.length, above.length);
        return all;
    }

    private Mask shared(Mask mask) {
        Mask known = masks.putIfAbsent(mask, mask);
        return known == null ? mask : known;
    }

    private Video touch(long id) {
        Video video = videos.computeIfAbsent(id, Video::new);
        if (!video.isDirty) {
            video.isDirty = true;
            dirty.add(video);
        }
        return video;
    }

    private void titles(Records records, boolean isFirst) {
        HollowObjectTypeReadState root = records.root;
        int id = records.field("video");
        int kind = records.field("kind");
        int parent = records.field("parent");
        int original = records.field("originalLanguage");
        int kids = records.field("kids");
        // Most records that go are replaced, and the families stay as they are.
        Set<Long> kept = new HashSet<>();
        records.changes(isFirst, ordinal -> { }, ordinal -> kept.add(root.readLong(ordinal, id)));
        records.changes(
                isFirst,
                ordinal -> {
                    long video = root.readLong(ordinal, id);
                    if (!kept.contains(video)) {
                        title(touch(video), -1, Long.MIN_VALUE);
                        touch(video).outcome = null;
                        removed.add(video);
                    }
                },
                ordinal -> {
                    Video video = touch(root.readLong(ordinal, id));
                    String language = root.readString(ordinal, original);
                    video.original = language == null ? -1 : languages.of(language);
                    video.kids = Boolean.TRUE.equals(root.readBoolean(ordinal, kids));
                    int named = Arrays.asList(KINDS).indexOf(root.readString(ordinal, kind));
                    title(video, named, root.readLong(ordinal, parent));
                });
    }

    /** Gives a video its kind and parent; {@code Long.MIN_VALUE} is Hollow's null. */
    private void title(Video video, int kind, long parentId) {
        boolean namesParent = parentId != Long.MIN_VALUE;
        if (video.namesParent && !(namesParent && video.parentId == parentId)) {
            videos.get(video.parentId).children.remove(video);
            touch(video.parentId);
        }
        if (namesParent && !(video.namesParent && video.parentId == parentId)) {
            videos.computeIfAbsent(parentId, Video::new).children.add(video);
        }
        if (video.kind != kind) {
            for (Video child : video.children) {
                touch(child.id);
            }
        }
        structureChanged |= video.kind != kind || video.namesParent != namesParent || namesParent && video.parentId != parentId;
        video.kind = kind;
        video.namesParent = namesParent;
        video.parentId = parentId;
    }

    private void rights(Records records, boolean isFirst) {
        HollowObjectTypeReadState root = records.root;
        HollowObjectTypeReadState windows = records.object("Window");
        HollowListTypeReadState lists = records.list("ListOfWindow");
        int id = records.field("video");
        int list = records.field("windows");
        int start = windows.getSchema().getPosition("start");
        int end = windows.getSchema().getPosition("end");
        int countries = windows.getSchema().getPosition("countries");
        int licensed = windows.getSchema().getPosition("languages");
        records.changes(
                isFirst,
                ordinal -> touch(root.readLong(ordinal, id)).ownRights = null,
                ordinal -> {
                    List<Facts.Window> found = new ArrayList<>();
                    HollowOrdinalIterator each = lists.ordinalIterator(root.readOrdinal(ordinal, list));
                    for (int at = each.next(); at != HollowOrdinalIterator.NO_MORE_ORDINALS; at = each.next()) {
                        long until = windows.readLong(at, end);
                        found.add(new Facts.Window(
                                windows.readLong(at, start),
                                until == Long.MIN_VALUE ? Long.MAX_VALUE : until,
                                countries(records, windows.readOrdinal(at, countries)),
                                tags(records, windows.readOrdinal(at, licensed))));
                    }
                    Video video = touch(root.readLong(ordinal, id));
                    video.ownRights = new Facts.Rights(found.toArray(Facts.Window[]::new));
                });
    }

    private void ratings(Records records, boolean isFirst) {
        HollowObjectTypeReadState root = records.root;
        HollowObjectTypeReadState values = records.object("Rating");
        HollowObjectTypeReadState strings = records.object("String");
        int id = records.field("video");
        int map = records.field("ratings");
        int system = values.getSchema().getPosition("system");
        int age = values.getSchema().getPosition("minimumAge");
        records.changes(
                isFirst,
                ordinal -> touch(root.readLong(ordinal, id)).ownRatings = null,
                ordinal -> {
                    List<Facts.Rating> found = new ArrayList<>();
                    HollowMapEntryOrdinalIterator each = records.entries("MapOfStringToRating", root.readOrdinal(ordinal, map));
                    while (each.next()) {
                        int country = Countries.bit(strings.readString(each.getKey(), 0));
                        if (country >= 0) {
                            int minimum = values.readInt(each.getValue(), age);
                            found.add(rating(country, values.readString(each.getValue(), system), minimum));
                        }
                    }
                    Video video = touch(root.readLong(ordinal, id));
                    video.ownRatings = new Facts.Ratings(found.toArray(Facts.Rating[]::new));
                });
    }

    private Facts.Rating rating(int country, String system, int minimumAge) {
        int number = systems.computeIfAbsent(system, unknown -> systems.size());
        Facts.Rating rating = new Facts.Rating(country, number, minimumAge == Integer.MIN_VALUE ? -1 : minimumAge);
        Facts.Rating known = knownRatings.putIfAbsent(rating, rating);
        return known == null ? rating : known;
    }

    private void texts(Records records, boolean isFirst) {
        HollowObjectTypeReadState root = records.root;
        int id = records.field("video");
        int language = records.field("language");
        int title = records.field("title");
        int synopsis = records.field("synopsisLength");
        int status = records.field("status");
        records.changes(
                isFirst,
                ordinal -> {
                    Video video = touch(root.readLong(ordinal, id));
                    video.ownTexts = video.ownTexts.with(languages.of(root.readString(ordinal, language)), null);
                },
                ordinal -> {
                    Video video = touch(root.readLong(ordinal, id));
                    int has = 0;
                    if (root.isStringFieldEqual(ordinal, status, READY)) {
                        String text = root.readString(ordinal, title);
                        has |= text != null && !text.isEmpty() ? Rules.TITLE : 0;
                        has |= root.readInt(ordinal, synopsis) > 0 ? Rules.SYNOPSIS : 0;
                    }
                    video.ownTexts = video.ownTexts.with(languages.of(root.readString(ordinal, language)), has);
                });
    }

    private void assets(Records records, boolean isFirst) {
        HollowObjectTypeReadState root = records.root;
        int id = records.field("video");
        int kind = records.field("kind");
        int language = records.field("language");
        int status = records.field("status");
        IntUnaryOperator key = ordinal -> {
            int named = Arrays.asList(Rules.TRACKS).indexOf(root.readString(ordinal, kind));
            return Rules.track(named, languages.of(root.readString(ordinal, language)));
        };
        records.changes(
                isFirst,
                ordinal -> {
                    Video video = touch(root.readLong(ordinal, id));
                    video.ownTracks = video.ownTracks.with(key.applyAsInt(ordinal), null);
                },
                ordinal -> {
                    Video video = touch(root.readLong(ordinal, id));
                    boolean ready = root.isStringFieldEqual(ordinal, status, READY);
                    video.ownTracks = video.ownTracks.with(key.applyAsInt(ordinal), ready);
                });
    }

    private void artwork(Records records, boolean isFirst) {
        HollowObjectTypeReadState root = records.root;
        int id = records.field("video");
        int language = records.field("language");
        int formats = records.field("formats");
        int status = records.field("status");
        records.changes(
                isFirst,
                ordinal -> {
                    Video video = touch(root.readLong(ordinal, id));
                    video.ownArtwork = video.ownArtwork.with(languages.of(root.readString(ordinal, language)), null);
                },
                ordinal -> {
                    Video video = touch(root.readLong(ordinal, id));
                    int[] count = new int[1];
                    records.strings(root.readOrdinal(ordinal, formats), "SetOfString", format -> count[0]++);
                    boolean ready = root.isStringFieldEqual(ordinal, status, READY) && count[0] > 0;
                    video.ownArtwork = video.ownArtwork.with(languages.of(root.readString(ordinal, language)), ready);
                });
    }

    private void streams(Records records, boolean isFirst) {
        HollowObjectTypeReadState root = records.root;
        int id = records.field("video");
        int profiles = records.field("profiles");
        int status = records.field("status");
        records.changes(
                isFirst,
                ordinal -> touch(root.readLong(ordinal, id)).hasStreams = false,
                ordinal -> {
                    int[] count = new int[1];
                    records.strings(root.readOrdinal(ordinal, profiles), "SetOfString", profile -> count[0]++);
                    boolean ready = root.isStringFieldEqual(ordinal, status, READY) && count[0] > 0;
                    touch(root.readLong(ordinal, id)).hasStreams = ready;
                });
    }

    private void holds(Records records, boolean isFirst) {
        HollowObjectTypeReadState root = records.root;
        int hold = records.field("hold");
        int id = records.field("video");
        int countries = records.field("countries");
        int from = records.field("from");
        int until = records.field("until");
        records.changes(
                isFirst,
                ordinal -> release(root.readString(ordinal, hold)),
                ordinal -> {
                    String name = root.readString(ordinal, hold);
                    release(name);
                    int set = root.readOrdinal(ordinal, countries);
                    long end = root.readLong(ordinal, until);
                    Video video = touch(root.readLong(ordinal, id));
                    Facts.Hold found = new Facts.Hold(
                            name,
                            set < 0 ? Countries.ALL : countries(records, set),
                            root.readLong(ordinal, from),
                            end == Long.MIN_VALUE ? Long.MAX_VALUE : end);
                    video.ownHolds = join(video.ownHolds, new Facts.Hold[] {found});
                    held.put(name, video);
                });
    }

    private void release(String hold) {
        Video video = held.remove(hold);
        if (video != null) {
            touch(video.id);
            video.ownHolds = Arrays.stream(video.ownHolds)
                    .filter(other -> !other.id().equals(hold))
                    .toArray(Facts.Hold[]::new);
            video.ownHolds = video.ownHolds.length == 0 ? Video.NO_HOLDS : video.ownHolds;
        }
    }

    private void policies(Records records, boolean isFirst) {
        HollowObjectTypeReadState root = records.root;
        int country = records.field("country");
        int ratingSystems = records.field("ratingSystems");
        int required = records.field("ratingRequired");
        int age = records.field("maximumAge");
        int pictures = records.field("artworkLanguages");
        int offered = records.field("trackLanguages");
        records.changes(
                isFirst,
                ordinal -> {
                    policiesChanged = true;
                    policiesByCountry.remove(Countries.bit(root.readString(ordinal, country)));
                },
                ordinal -> {
                    policiesChanged = true;
                    int bit = Countries.bit(root.readString(ordinal, country));
                    if (bit < 0) {
                        return;
                    }
                    List<Integer> counting = new ArrayList<>();
                    records.strings(
                            root.readOrdinal(ordinal, ratingSystems),
                            "SetOfString",
                            system -> counting.add(systems.computeIfAbsent(system, unknown -> systems.size())));
                    List<Integer> artwork = new ArrayList<>();
                    records.strings(
                            root.readOrdinal(ordinal, pictures), "ListOfString", tag -> artwork.add(languages.of(tag)));
                    int maximumAge = root.readInt(ordinal, age);
                    policiesByCountry.put(
                            bit,
                            new Policies.Policy(
                                    bit,
                                    ints(counting),
                                    Boolean.TRUE.equals(root.readBoolean(ordinal, required)),
                                    maximumAge == Integer.MIN_VALUE ? -1 : maximumAge,
                                    need(records, root.readOrdinal(ordinal, records.field("title"))),
                                    need(records, root.readOrdinal(ordinal, records.field("synopsis"))),
                                    need(records, root.readOrdinal(ordinal, records.field("subtitles"))),
                                    need(records, root.readOrdinal(ordinal, records.field("kidsDub"))),
                                    ints(artwork),
                                    offered < 0 ? null : tags(records, root.readOrdinal(ordinal, offered))));
                });
    }

    private Policies.Need need(Records records, int ordinal) {
        HollowObjectTypeReadState needs = records.object("LanguageNeed");
        String how = needs.readString(ordinal, needs.getSchema().getPosition("need"));
        int[] tags = tags(records, needs.readOrdinal(ordinal, needs.getSchema().getPosition("languages")));
        return new Policies.Need("all".equals(how), Arrays.stream(tags).boxed().toList());
    }

    private Mask countries(Records records, int set) {
        long[] words = new long[4];
        records.strings(set, "SetOfString", code -> {
            int bit = Countries.bit(code);
            if (bit >= 0) {
                words[bit >> 6] |= 1L << (bit & 63);
            }
        });
        return shared(new Mask(words[0], words[1], words[2], words[3]));
    }

    /** The numbers of a set of tags, sorted; null where there is no set. */
    private int[] tags(Records records, int set) {
        if (set < 0) {
            return null;
        }
        List<Integer> tags = new ArrayList<>();
        records.strings(set, "SetOfString", tag -> tags.add(languages.of(tag)));
        int[] sorted = ints(tags);
        Arrays.sort(sorted);
        return sorted;
    }

    private static int[] ints(List<Integer> numbers) {
        return numbers.stream().mapToInt(Integer::intValue).toArray();
    }
}
