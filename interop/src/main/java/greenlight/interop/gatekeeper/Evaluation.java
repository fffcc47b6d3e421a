package greenlight.interop.gatekeeper;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Evaluates families at one instant. One per thread. */
final class Evaluation {
    private static final int RULES = Rules.CODES.length;

    private final Policies policies;
    private final Rules rules;
    private final Tracks tracks;
    private final long now;
    private final Mask[] blocked = new Mask[RULES];
    private Mask subtitlesNotLicensed;
    private Mask dubNotLicensed;
    private Video previous;
    /** Pairs that are live. */
    long live;
    /** A sum over all verdicts, so that none can be left out. */
    long check;
    final List<Video> changed = new ArrayList<>();

    Evaluation(Policies policies, Rules rules, Tracks tracks, long now) {
        this.policies = policies;
        this.rules = rules;
        this.tracks = tracks;
        this.now = now;
    }

    /** Evaluates a video and what hangs from it. */
    void family(Video video) {
        for (Video child : video.children) {
            if (child.parent == video) {
                family(child);
            }
        }
        Outcome outcome;
        if (!video.isPlayed()) {
            outcome = collection(video);
        } else if (previous != null && previous.sameFacts(video)) {
            outcome = previous.outcome;
        } else {
            outcome = played(video);
            previous = video;
        }
        if (video.outcome == null || !video.outcome.same(outcome)) {
            changed.add(video);
        }
        video.outcome = outcome;
        Mask here = outcome.live();
        live += here.size();
        check = Long.rotateLeft(check, 3) ^ here.a() ^ here.b() ^ here.c() ^ here.d() ^ outcome.groups.length;
    }

    private Outcome played(Video video) {
        Mask markets = policies.markets;
        Mask lasting = video.orphan || !video.hasStreams
                ? markets
                : video.ratings.missing
                        .or(video.ratings.tooHigh)
                        .or(video.texts.first)
                        .or(video.texts.second)
                        .or(video.speech.subtitlesMissing)
                        .or(video.speech.dubMissing)
                        .or(video.artwork.first)
                        .and(markets);
        blocked[Rules.RATING_MISSING] = video.ratings.missing;
        blocked[Rules.RATING_TOO_HIGH] = video.ratings.tooHigh;
        blocked[Rules.NO_TITLE] = video.texts.first;
        blocked[Rules.NO_SYNOPSIS] = video.texts.second;
        blocked[Rules.SUBTITLES_MISSING] = video.speech.subtitlesMissing;
        blocked[Rules.DUB_MISSING] = video.speech.dubMissing;
        blocked[Rules.ARTWORK_MISSING] = video.artwork.first;
        blocked[Rules.STREAMS_MISSING] = video.hasStreams ? Mask.EMPTY : markets;
        blocked[Rules.NO_PARENT] = video.orphan ? markets : Mask.EMPTY;
        blocked[Rules.NO_CHILDREN] = Mask.EMPTY;
        blocked[Rules.NONE_LIVE] = Mask.EMPTY;
        Mask closed = markets.minus(open(video.rights, now));
        Mask held = held(video.holds, now);
        licences(video, now);
        blocked[Rules.NO_WINDOW] = closed;
        blocked[Rules.HOLD] = held;
        blocked[Rules.SUBTITLES_NOT_LICENSED] = subtitlesNotLicensed;
        blocked[Rules.DUB_NOT_LICENSED] = dubNotLicensed;
        Mask live = markets.minus(lasting.or(closed).or(held).or(subtitlesNotLicensed).or(dubNotLicensed));
        List<Outcome.Moment> moments = new ArrayList<>();
        moments.add(moment(video, now, live));
        if (!lasting.same(markets)) {
            for (long instant : boundaries(video)) {
                licences(video, instant);
                Mask then = open(video.rights, instant)
                        .and(markets)
                        .minus(lasting.or(held(video.holds, instant)).or(subtitlesNotLicensed).or(dubNotLicensed));
                addIfNew(moments, moment(video, instant, then));
            }
        }
        return assemble(moments);
    }

    /** Adds a moment unless everything is as before. */
    private static void addIfNew(List<Outcome.Moment> moments, Outcome.Moment moment) {
        if (!moments.get(moments.size() - 1).isLike(moment)) {
            moments.add(moment);
        }
    }

    private Outcome.Moment moment(Video video, long at, Mask live) {
        if (live.isEmpty() || video.speech.tracks.keys.length == 0) {
            return new Outcome.Moment(at, live, Tracks.Parts.NONE);
        }
        Tracks.Parts parts = new Tracks.Parts();
        regions(video.rights, at, live, (licensed, region) -> {
            for (Tracks.Part part : video.speech.offers(licensed, rules, tracks)) {
                parts.add(part.tracks(), part.countries().and(region));
            }
        });
        return new Outcome.Moment(at, live, parts.take());
    }

    /** A show or season: live where one of its children is, blocked by what blocks all of them. */
    private Outcome collection(Video video) {
        Mask markets = policies.markets;
        List<Outcome> children = new ArrayList<>(video.children.size());
        Mask live = Mask.EMPTY;
        int count = 0;
        int instants = 0;
        for (Video child : video.children) {
            if (child.parent != video) {
                continue;
            }
            count++;
            Outcome outcome = child.outcome;
            if (children.isEmpty() || children.get(children.size() - 1) != outcome) {
                children.add(outcome);
                live = live.or(outcome.live());
                instants += outcome.moments.length - 1;
            }
        }
        for (int rule = 0; rule < RULES; rule++) {
            Mask shared = children.isEmpty() ? Mask.EMPTY : markets;
            for (int i = 0; i < children.size() && !shared.isEmpty(); i++) {
                shared = shared.and(children.get(i).blockedBy(rule));
            }
            blocked[rule] = shared;
        }
        blocked[Rules.HOLD] = blocked[Rules.HOLD].or(held(video.holds, now));
        if (video.orphan) {
            blocked[Rules.NO_PARENT] = markets;
        }
        blocked[Rules.NO_CHILDREN] = count == 0 ? markets : blocked[Rules.NO_CHILDREN];
        blocked[Rules.NONE_LIVE] = count == 0 ? Mask.EMPTY : blocked[Rules.NONE_LIVE].or(markets.minus(live));

        long[] all = new long[instants];
        int filled = 0;
        for (Outcome child : children) {
            for (int i = 1; i < child.moments.length; i++) {
                all[filled++] = child.moments[i].at();
            }
        }
        Arrays.sort(all);
        List<Outcome.Moment> moments = new ArrayList<>();
        moments.add(united(children, now));
        for (int i = 0; i < instants; i++) {
            if (i == 0 || all[i] != all[i - 1]) {
                addIfNew(moments, united(children, all[i]));
            }
        }
        return assemble(moments);
    }

    /** What is live at an instant for one of some children. */
    private Outcome.Moment united(List<Outcome> children, long at) {
        if (children.size() == 1) {
            Outcome.Moment only = children.get(0).at(at);
            return new Outcome.Moment(at, only.live(), only.tracks());
        }
        Mask live = Mask.EMPTY;
        Tracks.Parts parts = new Tracks.Parts();
        for (Outcome child : children) {
            Outcome.Moment then = child.at(at);
            live = live.or(then.live());
            parts.unite(then.tracks(), tracks);
        }
        return new Outcome.Moment(at, live, parts.take());
    }

    private static Mask open(Facts.Rights rights, long instant) {
        Mask open = Mask.EMPTY;
        for (Facts.Window window : rights.windows) {
            if (window.isOpen(instant)) {
                open = open.or(window.countries());
            }
        }
        return open;
    }

    private static Mask held(Facts.Hold[] holds, long instant) {
        Mask held = Mask.EMPTY;
        for (Facts.Hold hold : holds) {
            if (hold.isActive(instant)) {
                held = held.or(hold.countries());
            }
        }
        return held;
    }

    /** Where tracks are at hand that open windows do not license. */
    private void licences(Video video, long instant) {
        subtitlesNotLicensed = Mask.EMPTY;
        dubNotLicensed = Mask.EMPTY;
        if (!video.rights.limitsLanguages) {
            return;
        }
        regions(video.rights, instant, policies.markets, (licensed, region) -> {
            if (licensed != null) {
                subtitlesNotLicensed = subtitlesNotLicensed.or(rules.cannotFollow(video.speech, licensed).and(region));
                dubNotLicensed = dubNotLicensed.or(rules.lacksDub(video.speech, licensed).and(region));
            }
        });
        subtitlesNotLicensed = subtitlesNotLicensed.minus(video.speech.subtitlesMissing);
        dubNotLicensed = dubNotLicensed.minus(video.speech.dubMissing);
    }

    /** Takes the languages licensed in a region, sorted; null: all. */
    private interface Region {
        void take(int[] licensed, Mask region);
    }

    /** Cuts countries into the regions that have the same open windows. */
    private static void regions(Facts.Rights rights, long instant, Mask among, Region each) {
        if (!rights.limitsLanguages) {
            each.take(null, among);
            return;
        }
        Mask unlimited = Mask.EMPTY;
        Mask limited = Mask.EMPTY;
        for (Facts.Window window : rights.windows) {
            if (window.isOpen(instant)) {
                if (window.languages() == null) {
                    unlimited = unlimited.or(window.countries());
                } else {
                    limited = limited.or(window.countries());
                }
            }
        }
        Mask rest = limited.minus(unlimited).and(among);
        Mask all = among.minus(rest);
        if (!all.isEmpty()) {
            each.take(null, all);
        }
        while (!rest.isEmpty()) {
            int country = rest.first();
            Mask region = rest;
            int[] licensed = new int[0];
            for (Facts.Window window : rights.windows) {
                if (!window.isOpen(instant)) {
                    continue;
                }
                if (window.countries().has(country)) {
                    region = region.and(window.countries());
                    int[] more = window.languages();
                    int size = licensed.length;
                    licensed = Arrays.copyOf(licensed, size + more.length);
                    System.arraycopy(more, 0, licensed, size, more.length);
                } else {
                    region = region.minus(window.countries());
                }
            }
            each.take(Arrays.stream(licensed).sorted().distinct().toArray(), region);
            rest = rest.minus(region);
        }
    }

    /** The instants after now at which a window or a hold begins or ends. */
    private long[] boundaries(Video video) {
        Facts.Window[] windows = video.rights.windows;
        long[] instants = new long[2 * (windows.length + video.holds.length)];
        int count = 0;
        for (Facts.Window window : windows) {
            count = boundary(instants, count, window.start());
            count = boundary(instants, count, window.end());
        }
        for (Facts.Hold hold : video.holds) {
            count = boundary(instants, count, hold.from());
            count = boundary(instants, count, hold.until());
        }
        Arrays.sort(instants, 0, count);
        int distinct = 0;
        for (int i = 0; i < count; i++) {
            if (i == 0 || instants[i] != instants[i - 1]) {
                instants[distinct++] = instants[i];
            }
        }
        return Arrays.copyOf(instants, distinct);
    }

    private int boundary(long[] instants, int count, long instant) {
        if (instant > now && instant != Long.MAX_VALUE) {
            instants[count++] = instant;
        }
        return count;
    }

    /** Groups the markets by what is live, by what will be next, and by what blocks them. */
    private Outcome assemble(List<Outcome.Moment> moments) {
        Outcome.Moment now = moments.get(0);
        Groups groups = new Groups(policies.markets);
        groups.now(now);
        Mask settled = Mask.EMPTY;
        for (int i = 1; i < moments.size(); i++) {
            Mask changes = moments.get(i).differs(now).minus(settled);
            settled = settled.or(changes);
            groups.next(changes, moments.get(i));
        }
        for (int rule = 0; rule < RULES; rule++) {
            groups.blocked(blocked[rule].and(policies.markets), 1 << rule);
        }
        return new Outcome(groups.take(), moments.toArray(Outcome.Moment[]::new));
    }
}
