package greenlight.interop;

import com.netflix.hollow.api.consumer.HollowConsumer;
import com.netflix.hollow.api.consumer.fs.HollowFilesystemBlobRetriever;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** A directory of blobs with stock file names, seen as a stock consumer sees it: subdirectories do not count. */
final class BlobDirectory {
    private final Path path;
    private final Set<String> parts;

    BlobDirectory(String path, Set<String> parts) {
        this.path = Path.of(path);
        this.parts = parts;
        if (!Files.isDirectory(this.path)) {
            throw new IllegalArgumentException("no directory of blobs at " + path);
        }
    }

    Path path() {
        return path;
    }

    HollowFilesystemBlobRetriever retriever() {
        return new HollowFilesystemBlobRetriever(path, parts);
    }

    /** A stock consumer that never leaves the chain by itself. */
    HollowConsumer follower(Transitions transitions) {
        return consumer(transitions, Integer.MAX_VALUE);
    }

    /** A stock consumer that takes the snapshot for every step. */
    HollowConsumer jumper(Transitions transitions) {
        return consumer(transitions, 0);
    }

    private HollowConsumer consumer(Transitions transitions, int deltasMax) {
        return HollowConsumer.withBlobRetriever(retriever())
                .withRefreshListener(transitions)
                .withDoubleSnapshotConfig(new HollowConsumer.DoubleSnapshotConfig() {
                    @Override
                    public boolean allowDoubleSnapshot() {
                        return true;
                    }

                    @Override
                    public int maxDeltasBeforeDoubleSnapshot() {
                        return deltasMax;
                    }
                })
                .build();
    }

    /** Versions with a snapshot, ascending. */
    TreeSet<Long> snapshots() throws IOException {
        TreeSet<Long> versions = new TreeSet<>();
        for (String name : names("snapshot-")) {
            if (name.matches("snapshot-[0-9]+")) {
                versions.add(Long.parseLong(name.substring("snapshot-".length())));
            }
        }
        return versions;
    }

    /** Versions that a snapshot or a delta leads to, ascending. */
    TreeSet<Long> versions() throws IOException {
        TreeSet<Long> versions = snapshots();
        for (String name : names("delta-")) {
            if (name.matches("delta-[0-9]+-[0-9]+")) {
                versions.add(Long.parseLong(name.substring(name.lastIndexOf('-') + 1)));
            }
        }
        return versions;
    }

    private List<String> names(String prefix) throws IOException {
        List<String> names = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(path, prefix + "*")) {
            for (Path entry : entries) {
                names.add(entry.getFileName().toString());
            }
        }
        return names;
    }
}
