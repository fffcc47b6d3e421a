package greenlight.interop.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * The blobs that both sides read, written by stock Hollow under stock names: {@code tenth/} is a chain with 0.1 % of
 * the videos changed per version, {@code quarter/} one with a quarter of that, {@code percent/} one with 1 %;
 * {@code other/} is the last state of {@code percent/} as another chain has it, with other ordinals.
 */
final class Blobs {
    static final int DELTAS = 8;
    private static final long SHARD_BYTES = Long.getLong("bench.shard", 16L << 20);

    private final Path directory;

    Blobs(Path directory) {
        this.directory = directory;
    }

    byte[] read(String name) throws IOException {
        return Files.readAllBytes(directory.resolve(name));
    }

    /** Writes what is missing. */
    void prepare(int videos) throws IOException {
        Path done = directory.resolve("complete");
        if (Files.exists(done)) {
            return;
        }
        chain("tenth", videos, videos / 1_000, DELTAS);
        chain("quarter", videos, videos / 4_000, DELTAS);
        chain("percent", videos, videos / 100, 1);

        Model model = new Model(videos, true);
        model.advance(1, videos / 100);
        Writer other = new Writer(SHARD_BYTES, 1);
        int[] order = new int[videos];
        for (int i = 0; i < videos; i++) {
            order[i] = videos - 1 - i;
        }
        other.addAll(model, order);
        Sink sink = new Sink();
        other.snapshot(sink);
        write("other/snapshot-1", sink);
        write("complete", new Sink());
    }

    private void chain(String name, int videos, int changes, int deltas) throws IOException {
        Model model = new Model(videos, true);
        Writer writer = new Writer(SHARD_BYTES, 1);
        Sink sink = new Sink();
        writer.addAll(model, null);
        writer.snapshot(sink);
        write(name + "/snapshot-0", sink);
        for (int version = 1; version <= deltas; version++) {
            writer.engine.prepareForNextCycle();
            model.advance(version, changes);
            writer.addAll(model, null);
            int before = version - 1;
            writer.delta(sink.reset());
            write(name + "/delta-" + before + "-" + version, sink);
            writer.reverseDelta(sink.reset());
            write(name + "/reversedelta-" + version + "-" + before, sink);
        }
        writer.snapshot(sink.reset());
        write(name + "/snapshot-" + deltas, sink);
    }

    private void write(String name, Sink sink) throws IOException {
        Path path = directory.resolve(name);
        Files.createDirectories(path.getParent());
        Path temporary = path.resolveSibling(path.getFileName() + ".tmp");
        Files.write(temporary, sink.toByteArray());
        Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
    }
}
