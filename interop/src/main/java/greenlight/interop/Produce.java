package greenlight.interop;

import com.netflix.hollow.api.consumer.HollowConsumer;
import com.netflix.hollow.api.producer.HollowProducer;
import com.netflix.hollow.api.producer.fs.HollowFilesystemAnnouncer;
import com.netflix.hollow.api.producer.fs.HollowFilesystemPublisher;
import com.netflix.hollow.api.producer.fs.HollowInMemoryBlobStager;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A stock producer writes a random chain: random schemas, adds, removes, changes, resharding, and a second producer
 * that restores the first one's state half way. Prints one JSON line per version, as a stock consumer reads it.
 */
final class Produce {
    /** All versions have as many digits, since the stock retriever matches deltas by a prefix of the name. */
    private static final long FIRST_VERSION = 1_000_001;

    private Produce() {}

    static void run(String[] args) throws IOException {
        Arguments arguments = new Arguments(args, Set.of());
        Path path = Path.of(arguments.at(0, "DIR"));
        long seed = arguments.number("--seed", 1);
        long versions = arguments.number("--versions", 200);
        Files.createDirectories(path);

        RandomModel model = new RandomModel(seed);
        AtomicLong minted = new AtomicLong(FIRST_VERSION - 1);
        HollowProducer producer = producer(path, minted, seed);
        producer.initializeDataModel(model.schemas());

        BlobDirectory directory = new BlobDirectory(path.toString(), Set.of());
        HollowConsumer consumer = directory.follower(new Transitions());
        for (long cycle = 0; cycle < versions; cycle++) {
            if (cycle == versions / 2 && cycle > 0) {
                long last = consumer.getCurrentVersionId();
                producer = producer(path, minted, seed);
                producer.initializeDataModel(model.schemas());
                producer.restore(last, directory.retriever());
            }
            model.step();
            long before = consumer.getCurrentVersionId();
            long version = producer.runCycle(state -> model.addTo(state.getStateEngine()));
            if (version == before) {
                continue;
            }
            consumer.triggerRefreshTo(version);
            Consume.state(consumer.getStateEngine()).put("version", version).print();
        }
    }

    private static HollowProducer producer(Path path, AtomicLong minted, long seed) {
        return HollowProducer.withPublisher(new HollowFilesystemPublisher(path))
                .withAnnouncer(new HollowFilesystemAnnouncer(path))
                .withBlobStager(new HollowInMemoryBlobStager())
                .withVersionMinter(minted::incrementAndGet)
                .withTargetMaxTypeShardSize(512)
                // Hollow does not take the two together.
                .withTypeResharding(seed % 4 != 0)
                .withFocusHoleFillInFewestShards(seed % 4 == 0)
                .build();
    }
}
