package greenlight.interop.bench;

import com.netflix.hollow.core.schema.HollowListSchema;
import com.netflix.hollow.core.schema.HollowObjectSchema;
import com.netflix.hollow.core.schema.HollowObjectSchema.FieldType;
import com.netflix.hollow.core.schema.HollowSetSchema;
import com.netflix.hollow.core.write.HollowBlobWriter;
import com.netflix.hollow.core.write.HollowListTypeWriteState;
import com.netflix.hollow.core.write.HollowListWriteRecord;
import com.netflix.hollow.core.write.HollowObjectTypeWriteState;
import com.netflix.hollow.core.write.HollowObjectWriteRecord;
import com.netflix.hollow.core.write.HollowSetTypeWriteState;
import com.netflix.hollow.core.write.HollowSetWriteRecord;
import com.netflix.hollow.core.write.HollowWriteStateEngine;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/**
 * The fastest way to write the model that stock Hollow offers: write records by hand instead of the object mapper's
 * reflection, ordinals of the shared sets looked up once per cycle, two threads adding.
 *
 * <p>The incremental cycle keeps reference counts, so that it finds orphans without Hollow's walk over the dataset.
 */
final class Writer {
    final HollowWriteStateEngine engine = new HollowWriteStateEngine();
    private final HollowObjectTypeWriteState countryState;
    private final HollowSetTypeWriteState countrySetState;
    private final HollowObjectTypeWriteState subtitleState;
    private final HollowSetTypeWriteState subtitleSetState;
    private final HollowObjectTypeWriteState windowState;
    private final HollowListTypeWriteState windowsState;
    private final HollowObjectTypeWriteState videoState;
    private final HollowObjectSchema windowSchema = new HollowObjectSchema("Window", 3);
    private final HollowObjectSchema videoSchema = new HollowObjectSchema("Video", 4, "id");
    private final int threads;
    private int[] countrySets;
    private int[] subtitleSets;

    private Counts windowCounts;
    private Counts listCounts;
    private int[] videoOrdinals;
    private int[] listOrdinals;
    private int[][] windowOrdinals;

    Writer(long targetShardBytes, int threads) {
        this.threads = threads;
        engine.setTargetMaxTypeShardSize(targetShardBytes);
        HollowObjectSchema country = new HollowObjectSchema("Country", 1);
        country.addField("code", FieldType.STRING);
        HollowObjectSchema subtitle = new HollowObjectSchema("Subtitle", 1);
        subtitle.addField("language", FieldType.STRING);
        windowSchema.addField("start", FieldType.LONG);
        windowSchema.addField("end", FieldType.LONG);
        windowSchema.addField("countries", FieldType.REFERENCE, "SetOfCountry");
        videoSchema.addField("id", FieldType.LONG);
        videoSchema.addField("title", FieldType.STRING);
        videoSchema.addField("windows", FieldType.REFERENCE, "ListOfWindow");
        videoSchema.addField("subtitles", FieldType.REFERENCE, "SetOfSubtitle");
        countryState = new HollowObjectTypeWriteState(country);
        countrySetState = new HollowSetTypeWriteState(new HollowSetSchema("SetOfCountry", "Country", "code"));
        subtitleState = new HollowObjectTypeWriteState(subtitle);
        subtitleSetState = new HollowSetTypeWriteState(new HollowSetSchema("SetOfSubtitle", "Subtitle", "language"));
        windowState = new HollowObjectTypeWriteState(windowSchema);
        windowsState = new HollowListTypeWriteState(new HollowListSchema("ListOfWindow", "Window"));
        videoState = new HollowObjectTypeWriteState(videoSchema);
        engine.addTypeState(countryState);
        engine.addTypeState(countrySetState);
        engine.addTypeState(subtitleState);
        engine.addTypeState(subtitleSetState);
        engine.addTypeState(windowState);
        engine.addTypeState(windowsState);
        engine.addTypeState(videoState);
    }

    /** Adds all videos; {@code order} permutes them. */
    void addAll(Model model, int[] order) {
        addSets(model);
        int count = model.videos.length;
        Parallel.run(threads, thread -> {
            Adder adder = new Adder();
            int from = (int) ((long) count * thread / threads);
            int to = (int) ((long) count * (thread + 1) / threads);
            for (int i = from; i < to; i++) {
                adder.add(model.videos[order == null ? i : order[i]]);
            }
        });
    }

    /** Adds all videos with every record that they refer to, as if nothing were known of what they share. */
    void addAllTrees(Model model) {
        int count = model.videos.length;
        Parallel.run(threads, thread -> {
            Adder adder = new TreeAdder();
            int from = (int) ((long) count * thread / threads);
            int to = (int) ((long) count * (thread + 1) / threads);
            for (int i = from; i < to; i++) {
                adder.add(model.videos[i]);
            }
        });
    }

    private void addSets(Model model) {
        HollowObjectWriteRecord country = new HollowObjectWriteRecord(countryState.getSchema());
        HollowSetWriteRecord set = new HollowSetWriteRecord();
        countrySets = new int[model.countrySets.size()];
        for (int i = 0; i < countrySets.length; i++) {
            set.reset();
            for (Country member : model.countrySets.get(i)) {
                country.reset();
                country.setString("code", member.code);
                set.addElement(countryState.add(country));
            }
            countrySets[i] = countrySetState.add(set);
        }
        HollowObjectWriteRecord subtitle = new HollowObjectWriteRecord(subtitleState.getSchema());
        subtitleSets = new int[model.subtitleSets.size()];
        for (int i = 0; i < subtitleSets.length; i++) {
            set.reset();
            for (Subtitle member : model.subtitleSets.get(i)) {
                subtitle.reset();
                subtitle.setString("language", member.language);
                set.addElement(subtitleState.add(subtitle));
            }
            subtitleSets[i] = subtitleSetState.add(set);
        }
    }

    /** Reusable records of one thread. */
    private class Adder {
        private final HollowObjectWriteRecord window = new HollowObjectWriteRecord(windowSchema);
        private final HollowListWriteRecord list = new HollowListWriteRecord();
        private final HollowObjectWriteRecord record = new HollowObjectWriteRecord(videoSchema);
        private final int[] lastWindows = new int[3];
        private int lastList;

        int add(Video video) {
            list.reset();
            List<Window> windows = video.windows;
            for (int i = 0; i < windows.size(); i++) {
                Window w = windows.get(i);
                window.reset();
                window.setLong("start", w.start);
                window.setLong("end", w.end);
                window.setReference("countries", countries(w));
                lastWindows[i] = windowState.add(window);
                list.addElement(lastWindows[i]);
            }
            lastList = windowsState.add(list);
            record.reset();
            record.setLong("id", video.id);
            record.setString("title", video.title);
            record.setReference("windows", lastList);
            record.setReference("subtitles", subtitles(video));
            return videoState.add(record);
        }

        int countries(Window w) {
            return countrySets[w.countrySet];
        }

        int subtitles(Video video) {
            return subtitleSets[video.subtitleSet];
        }

        int[] windows(int count) {
            return Arrays.copyOf(lastWindows, count);
        }
    }

    /** Adds the members of every set, and the set, each time that it occurs. */
    private final class TreeAdder extends Adder {
        private final HollowObjectWriteRecord country = new HollowObjectWriteRecord(countryState.getSchema());
        private final HollowObjectWriteRecord subtitle = new HollowObjectWriteRecord(subtitleState.getSchema());
        private final HollowSetWriteRecord set = new HollowSetWriteRecord();

        @Override
        int countries(Window w) {
            set.reset();
            for (Country member : w.countries) {
                country.reset();
                country.setString("code", member.code);
                set.addElement(countryState.add(country));
            }
            return countrySetState.add(set);
        }

        @Override
        int subtitles(Video video) {
            set.reset();
            for (Subtitle member : video.subtitles) {
                subtitle.reset();
                subtitle.setString("language", member.language);
                set.addElement(subtitleState.add(subtitle));
            }
            return subtitleSetState.add(set);
        }
    }

    /** How many live records refer to each ordinal. */
    private static final class Counts {
        private int[] counts = new int[1024];

        /** Whether this is the first reference. */
        boolean add(int ordinal) {
            if (ordinal >= counts.length) {
                counts = Arrays.copyOf(counts, Math.max(ordinal + 1, counts.length * 2));
            }
            return counts[ordinal]++ == 0;
        }

        boolean drop(int ordinal) {
            return --counts[ordinal] == 0;
        }
    }

    /** Adds everything once and starts the books of the incremental cycles. */
    void addAllCounted(Model model) {
        addSets(model);
        int count = model.videos.length;
        windowCounts = new Counts();
        listCounts = new Counts();
        videoOrdinals = new int[count];
        listOrdinals = new int[count];
        windowOrdinals = new int[count][];
        Adder adder = new Adder();
        for (int i = 0; i < count; i++) {
            keep(i, adder, model.videos[i]);
        }
    }

    private void keep(int i, Adder adder, Video video) {
        videoOrdinals[i] = adder.add(video);
        listOrdinals[i] = adder.lastList;
        windowOrdinals[i] = adder.windows(video.windows.size());
        if (listCounts.add(adder.lastList)) {
            for (int window : windowOrdinals[i]) {
                windowCounts.add(window);
            }
        }
    }

    /** Populates a cycle by its changes alone. */
    void change(Model model, int[] changed) {
        engine.addAllObjectsFromPreviousCycle();
        Adder adder = new Adder();
        for (int i : changed) {
            int video = videoOrdinals[i];
            int list = listOrdinals[i];
            int[] windows = windowOrdinals[i];
            keep(i, adder, model.videos[i]);
            if (videoOrdinals[i] != video) {
                videoState.removeOrdinalFromThisCycle(video);
            }
            if (listCounts.drop(list)) {
                windowsState.removeOrdinalFromThisCycle(list);
                for (int window : windows) {
                    if (windowCounts.drop(window)) {
                        windowState.removeOrdinalFromThisCycle(window);
                    }
                }
            }
        }
    }

    void snapshot(Sink sink) throws IOException {
        new HollowBlobWriter(engine).writeSnapshot(sink);
    }

    void delta(Sink sink) throws IOException {
        new HollowBlobWriter(engine).writeDelta(sink);
    }

    void reverseDelta(Sink sink) throws IOException {
        new HollowBlobWriter(engine).writeReverseDelta(sink);
    }
}
