package greenlight.interop.bench;

import com.netflix.hollow.core.index.HollowPrimaryKeyIndex;
import com.netflix.hollow.core.memory.pool.ArraySegmentRecycler;
import com.netflix.hollow.core.memory.pool.RecyclingRecycler;
import com.netflix.hollow.core.memory.pool.WastefulRecycler;
import com.netflix.hollow.core.read.HollowBlobInput;
import com.netflix.hollow.core.read.engine.HollowBlobReader;
import com.netflix.hollow.core.read.engine.HollowReadStateEngine;
import com.netflix.hollow.core.read.engine.object.HollowObjectTypeReadState;
import com.netflix.hollow.tools.diff.HollowDiff;
import com.netflix.hollow.tools.diff.HollowTypeDiff;
import com.netflix.hollow.tools.diff.count.HollowFieldDiff;
import java.io.IOException;
import java.util.BitSet;

/** Loading, delta application, look-ups, memory and diffs. */
final class ReadRows {
    private static final int LOOKUPS = 1_000_000;
    private static final boolean RECYCLE = Boolean.getBoolean("bench.recycle");

    private final int videos;
    private final Blobs blobs;
    private String prepared = "";

    private byte[] snapshot;
    private byte[][] deltas;
    private byte[][] reverseDeltas;
    private HollowReadStateEngine engine;
    private HollowReadStateEngine other;
    private HollowPrimaryKeyIndex index;
    private long[] keys;
    private int[] order;

    ReadRows(int videos, Blobs blobs) {
        this.videos = videos;
        this.blobs = blobs;
    }

    Measured run(String row) throws IOException {
        if (!prepared.equals(row)) {
            clear();
            prepare(row);
            prepared = row;
        }
        return switch (row) {
            case "load" -> load();
            case "delta", "delta-percent" -> applyDeltas();
            case "lookup-independent" -> independent();
            case "lookup-dependent" -> dependent();
            case "memory" -> memory();
            case "diff-within", "diff-across" -> diff();
            default -> throw new IllegalArgumentException("no row " + row);
        };
    }

    private void clear() {
        snapshot = null;
        deltas = null;
        reverseDeltas = null;
        engine = null;
        other = null;
        index = null;
        keys = null;
        order = null;
    }

    private void prepare(String row) throws IOException {
        switch (row) {
            case "load" -> snapshot = blobs.read("tenth/snapshot-0");
            case "memory" -> { }
            case "delta" -> chain("tenth", Blobs.DELTAS);
            case "delta-percent" -> chain("percent", 1);
            case "lookup-independent", "lookup-dependent" -> {
                engine = read(blobs.read("tenth/snapshot-0"));
                index = new HollowPrimaryKeyIndex(engine, "Video", "id");
                keys = new long[videos];
                order = new int[LOOKUPS];
                for (int i = 0; i < videos; i++) {
                    keys[i] = Model.id(i);
                }
                for (int i = 0; i < LOOKUPS; i++) {
                    order[i] = Draws.below(Draws.draw(30, i, 0), videos);
                }
            }
            case "diff-within" -> {
                engine = read(blobs.read("percent/snapshot-0"));
                other = read(blobs.read("percent/snapshot-1"));
            }
            case "diff-across" -> {
                engine = read(blobs.read("percent/snapshot-0"));
                other = read(blobs.read("other/snapshot-1"));
            }
            default -> throw new IllegalArgumentException("no row " + row);
        }
    }

    private void chain(String name, int length) throws IOException {
        engine = read(blobs.read(name + "/snapshot-0"));
        index = new HollowPrimaryKeyIndex(engine, "Video", "id");
        index.listenForDeltaUpdates();
        deltas = new byte[length][];
        reverseDeltas = new byte[length][];
        for (int i = 0; i < length; i++) {
            deltas[i] = blobs.read(name + "/delta-" + i + "-" + (i + 1));
            reverseDeltas[i] = blobs.read(name + "/reversedelta-" + (i + 1) + "-" + i);
        }
    }

    private static HollowReadStateEngine read(byte[] bytes) throws IOException {
        ArraySegmentRecycler recycler = RECYCLE ? new RecyclingRecycler() : WastefulRecycler.DEFAULT_INSTANCE;
        HollowReadStateEngine engine = new HollowReadStateEngine(true, recycler);
        new HollowBlobReader(engine).readSnapshot(HollowBlobInput.serial(bytes));
        return engine;
    }

    private Measured load() throws IOException {
        long start = System.nanoTime();
        engine = read(snapshot);
        index = new HollowPrimaryKeyIndex(engine, "Video", "id");
        double millis = Measured.millis(start);
        return new Measured(millis, index.getMatchingOrdinal(Model.id(videos - 1)));
    }

    /** The mean over the chain's deltas; the way back is not measured. */
    private Measured applyDeltas() throws IOException {
        HollowBlobReader reader = new HollowBlobReader(engine);
        long start = System.nanoTime();
        for (byte[] delta : deltas) {
            reader.applyDelta(HollowBlobInput.serial(delta));
        }
        double millis = Measured.millis(start) / deltas.length;
        long check = index.getMatchingOrdinal(Model.id(videos / 2));
        for (int i = deltas.length - 1; i >= 0; i--) {
            reader.applyDelta(HollowBlobInput.serial(reverseDeltas[i]));
        }
        return new Measured(millis, check);
    }

    private Measured independent() {
        HollowObjectTypeReadState type = (HollowObjectTypeReadState) engine.getTypeState("Video");
        int field = type.getSchema().getPosition("subtitles");
        long sum = 0;
        long start = System.nanoTime();
        for (int i : order) {
            sum += type.readOrdinal(index.getMatchingOrdinal(keys[i]), field);
        }
        return new Measured((System.nanoTime() - start) / (double) LOOKUPS, sum);
    }

    /** Each key follows from the field just read. */
    private Measured dependent() {
        HollowObjectTypeReadState type = (HollowObjectTypeReadState) engine.getTypeState("Video");
        int field = type.getSchema().getPosition("subtitles");
        long sum = 0;
        int next = 0;
        long start = System.nanoTime();
        for (int i = 0; i < LOOKUPS; i++) {
            int value = type.readOrdinal(index.getMatchingOrdinal(keys[next]), field);
            sum += value;
            next = (order[i] + value) % videos;
        }
        return new Measured((System.nanoTime() - start) / (double) LOOKUPS, sum);
    }

    private Measured memory() throws IOException {
        engine = null;
        index = null;
        long before = liveBytes();
        engine = read(blobs.read("tenth/snapshot-0"));
        index = new HollowPrimaryKeyIndex(engine, "Video", "id");
        index.listenForDeltaUpdates();
        long after = liveBytes();
        return new Measured(after - before, index.getMatchingOrdinal(Model.id(0)));
    }

    private static long liveBytes() {
        Runtime runtime = Runtime.getRuntime();
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return runtime.totalMemory() - runtime.freeMemory();
    }

    private Measured diff() {
        long start = System.nanoTime();
        HollowDiff diff = new HollowDiff(engine, other, false);
        HollowTypeDiff videoDiff = diff.addTypeDiff("Video", "id");
        diff.calculateDiffs();
        BitSet changed = new BitSet();
        for (HollowFieldDiff field : videoDiff.getFieldDiffs()) {
            for (int i = 0; i < field.getNumDiffs(); i++) {
                changed.set(field.getFromOrdinal(i));
            }
        }
        return new Measured(Measured.millis(start), changed.cardinality());
    }
}
