package greenlight.interop.bench;

import static greenlight.interop.bench.Draws.below;
import static greenlight.interop.bench.Draws.draw;

import com.netflix.hollow.core.write.objectmapper.MemoizedSet;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The dataset of the benches: videos as a function of index and revision, over shared country and subtitle sets. */
final class Model {
    private static final long DAY_MS = 86_400_000L;
    private static final long FIRST_START_MS = 1_420_070_400_000L;
    private static final int COUNTRIES = 250;
    private static final int COUNTRY_SETS = 500;
    private static final int LANGUAGES = 61;
    private static final int SUBTITLE_SETS = 2_000;
    private static final int WORDS = 1_000;

    final List<Set<Country>> countrySets = new ArrayList<>();
    final List<Set<Subtitle>> subtitleSets = new ArrayList<>();
    final Video[] videos;
    private final String[] words = new String[WORDS];

    /**
     * Makes the videos of the first state.
     *
     * @param count how many
     * @param memoized whether Hollow may remember the ordinals of the shared sets, for its object mapper
     */
    Model(int count, boolean memoized) {
        Country[] countries = new Country[COUNTRIES];
        for (int i = 0; i < COUNTRIES; i++) {
            countries[i] = new Country(code('A', i));
        }
        for (int set = 0; set < COUNTRY_SETS; set++) {
            Set<Country> members = memoized ? new MemoizedSet<>() : new HashSet<>();
            for (int i = 0; i < COUNTRIES; i++) {
                if (i == set % COUNTRIES || below(draw(1, set, i), 20) <= set % 10) {
                    members.add(countries[i]);
                }
            }
            countrySets.add(members);
        }
        Subtitle[] languages = new Subtitle[LANGUAGES];
        for (int i = 0; i < LANGUAGES; i++) {
            languages[i] = new Subtitle(code('a', i));
        }
        for (int set = 0; set < SUBTITLE_SETS; set++) {
            Set<Subtitle> members = memoized ? new MemoizedSet<>() : new HashSet<>();
            for (int i = 0; i < LANGUAGES; i++) {
                if (i == set % LANGUAGES || below(draw(6, set, i), 16) <= set % 7) {
                    members.add(languages[i]);
                }
            }
            subtitleSets.add(members);
        }
        for (int word = 0; word < WORDS; word++) {
            StringBuilder text = new StringBuilder();
            int length = 3 + below(draw(19, word, 0), 7);
            for (int i = 0; i < length; i++) {
                text.append((char) ('a' + below(draw(20, word, i), 26)));
            }
            words[word] = text.toString();
        }
        videos = new Video[count];
        for (int i = 0; i < count; i++) {
            videos[i] = video(i, 0);
        }
    }

    private static String code(char first, int i) {
        return String.valueOf(new char[] {(char) (first + i / 26), (char) (first + i % 26)});
    }

    static long id(int video) {
        return 80_000_000L + video * 7L + below(draw(3, video, 0), 7);
    }

    /** The video's record as of a revision; revision 0 is the first state. */
    Video video(int video, int revision) {
        int count = 1 + below(draw(4, video, revision), 3);
        List<Window> windows = new ArrayList<>(count);
        for (int w = 0; w < count; w++) {
            long start = FIRST_START_MS + below(draw(5 + w, video, revision), 3_650) * DAY_MS;
            long end = start + (30 + below(draw(8 + w, video, revision), 1_000)) * DAY_MS;
            int set = below(draw(11 + w, video, revision), COUNTRY_SETS);
            windows.add(new Window(start, end, countrySets.get(set), set));
        }
        int subtitlesAs = below(draw(14, video, revision), 4) == 0 ? revision : 0;
        int subtitleSet = below(draw(15, video, subtitlesAs), SUBTITLE_SETS);
        int titleAs = below(draw(16, video, revision), 8) == 0 ? revision : 0;
        return new Video(id(video), title(video, titleAs), windows, subtitleSets.get(subtitleSet), subtitleSet);
    }

    private String title(int video, int revision) {
        int count = 2 + below(draw(17, video, revision), 4);
        StringBuilder title = new StringBuilder();
        for (int i = 0; i < count; i++) {
            if (i > 0) {
                title.append(' ');
            }
            title.append(words[below(draw(21 + i, video, revision), WORDS)]);
        }
        return title.toString();
    }

    /** The distinct videos that a cycle changes, in the order of drawing. */
    int[] changed(int cycle, int count) {
        BitSet seen = new BitSet(videos.length);
        int[] changed = new int[count];
        int found = 0;
        for (int k = 0; found < count; k++) {
            int video = below(draw(18, cycle, k), videos.length);
            if (!seen.get(video)) {
                seen.set(video);
                changed[found++] = video;
            }
        }
        return changed;
    }

    /** Changes the cycle's videos in place and returns which they are. */
    int[] advance(int cycle, int count) {
        int[] changed = changed(cycle, count);
        for (int video : changed) {
            videos[video] = video(video, cycle);
        }
        return changed;
    }
}
