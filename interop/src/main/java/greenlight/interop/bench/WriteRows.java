package greenlight.interop.bench;

import com.netflix.hollow.api.producer.HollowProducer;
import com.netflix.hollow.api.producer.fs.HollowInMemoryBlobStager;
import com.netflix.hollow.core.write.HollowBlobWriter;
import com.netflix.hollow.core.write.HollowWriteStateEngine;
import com.netflix.hollow.core.write.objectmapper.HollowObjectMapper;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;

/** Full and incremental cycles, by hand-written records and by what Hollow's users mostly use. */
final class WriteRows {
    private static final long SHARD_BYTES = Long.getLong("bench.shard", 16L << 20);
    private static final int THREADS = Integer.getInteger("bench.threads", 2);

    private final int videos;
    private Model model;
    private final Sink snapshot = new Sink();
    private final Sink delta = new Sink();
    private int cycle;
    private String prepared = "";

    private Writer writer;
    private HollowWriteStateEngine mapperEngine;
    private HollowObjectMapper mapper;
    private HollowProducer.Incremental producer;

    WriteRows(int videos) {
        this.videos = videos;
    }

    Measured run(String row, int changes) throws IOException {
        if (!prepared.equals(row)) {
            writer = null;
            mapperEngine = null;
            mapper = null;
            producer = null;
            model = null;
            model = new Model(videos, !row.startsWith("write-full-tree"));
            cycle = 0;
            prepare(row);
            prepared = row;
        }
        cycle++;
        int[] changed = model.advance(cycle, changes);
        return switch (row) {
            case "write-full" -> full();
            case "write-full-mapper", "write-full-tree-mapper" -> fullByMapper();
            case "write-full-tree" -> fullTree();
            case "write-incremental" -> incremental(changed);
            case "write-incremental-producer" -> incrementalByProducer(changed);
            default -> throw new IllegalArgumentException("no row " + row);
        };
    }

    /** Brings a write state to its first version, not measured. */
    private void prepare(String row) throws IOException {
        switch (row) {
            case "write-full" -> {
                writer = new Writer(SHARD_BYTES, THREADS);
                writer.addAll(model, null);
                writer.snapshot(snapshot.reset());
            }
            case "write-full-tree" -> {
                writer = new Writer(SHARD_BYTES, THREADS);
                writer.addAllTrees(model);
                writer.snapshot(snapshot.reset());
            }
            case "write-full-mapper", "write-full-tree-mapper" -> {
                mapperEngine = new HollowWriteStateEngine();
                mapperEngine.setTargetMaxTypeShardSize(SHARD_BYTES);
                mapper = new HollowObjectMapper(mapperEngine);
                mapper.initializeTypeState(Video.class);
                addByMapper();
                new HollowBlobWriter(mapperEngine).writeSnapshot(snapshot.reset());
            }
            case "write-incremental" -> {
                writer = new Writer(SHARD_BYTES, THREADS);
                writer.addAllCounted(model);
                writer.snapshot(snapshot.reset());
            }
            case "write-incremental-producer" -> {
                AtomicLong version = new AtomicLong();
                HollowProducer.Publisher nowhere = new HollowProducer.Publisher() {
                    @Override
                    public void publish(HollowProducer.PublishArtifact artifact) {}
                };
                producer = HollowProducer.withPublisher(nowhere)
                        .withBlobStager(new HollowInMemoryBlobStager())
                        .withVersionMinter(version::incrementAndGet)
                        .withNumStatesBetweenSnapshots(Integer.MAX_VALUE)
                        .withTargetMaxTypeShardSize(SHARD_BYTES)
                        .noIntegrityCheck()
                        .buildIncremental();
                producer.initializeDataModel(Video.class);
                producer.runIncrementalCycle(state -> {
                    for (Video video : model.videos) {
                        state.addOrModify(video);
                    }
                });
            }
            default -> throw new IllegalArgumentException("no row " + row);
        }
    }

    private Measured full() throws IOException {
        long start = System.nanoTime();
        writer.engine.prepareForNextCycle();
        writer.addAll(model, null);
        writer.snapshot(snapshot.reset());
        writer.delta(delta.reset());
        return new Measured(Measured.millis(start), snapshot.length() + (long) delta.length());
    }

    private Measured fullTree() throws IOException {
        long start = System.nanoTime();
        writer.engine.prepareForNextCycle();
        writer.addAllTrees(model);
        writer.snapshot(snapshot.reset());
        writer.delta(delta.reset());
        return new Measured(Measured.millis(start), snapshot.length() + (long) delta.length());
    }

    private Measured fullByMapper() throws IOException {
        long start = System.nanoTime();
        mapperEngine.prepareForNextCycle();
        addByMapper();
        HollowBlobWriter blobs = new HollowBlobWriter(mapperEngine);
        blobs.writeSnapshot(snapshot.reset());
        blobs.writeDelta(delta.reset());
        return new Measured(Measured.millis(start), snapshot.length() + (long) delta.length());
    }

    private void addByMapper() {
        int count = model.videos.length;
        Parallel.run(THREADS, thread -> {
            int from = (int) ((long) count * thread / THREADS);
            int to = (int) ((long) count * (thread + 1) / THREADS);
            for (int i = from; i < to; i++) {
                mapper.add(model.videos[i]);
            }
        });
    }

    private Measured incremental(int[] changed) throws IOException {
        long start = System.nanoTime();
        writer.engine.prepareForNextCycle();
        writer.change(model, changed);
        writer.delta(delta.reset());
        long check = delta.length();
        writer.reverseDelta(delta.reset());
        return new Measured(Measured.millis(start), check + delta.length());
    }

    private Measured incrementalByProducer(int[] changed) {
        long start = System.nanoTime();
        long version = producer.runIncrementalCycle(state -> {
            for (int video : changed) {
                state.addOrModify(model.videos[video]);
            }
        });
        return new Measured(Measured.millis(start), version);
    }
}
