package greenlight.interop;

import com.netflix.hollow.api.consumer.HollowConsumer;
import com.netflix.hollow.api.consumer.fs.HollowFilesystemAnnouncementWatcher;
import com.netflix.hollow.api.objects.generic.GenericHollowObject;
import com.netflix.hollow.core.read.engine.HollowReadStateEngine;
import com.netflix.hollow.core.read.engine.HollowTypeReadState;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/**
 * A stock consumer of the {@code liveness} dataset: opens the directory at its first version, follows it to the
 * announced one and back, and counts the live video × country pairs of each.
 */
final class LivenessCount {
    private LivenessCount() {}

    static void run(String[] args) throws IOException {
        Arguments arguments = new Arguments(args, Set.of());
        BlobDirectory directory = new BlobDirectory(arguments.at(0, "DIR"), Set.of());

        HollowFilesystemAnnouncementWatcher watcher = new HollowFilesystemAnnouncementWatcher(directory.path());
        long announced = watcher.getLatestVersion();
        List<Long> versions = new ArrayList<>(directory.versions());
        versions.removeIf(version -> version > announced);
        if (versions.isEmpty()) {
            throw new IllegalStateException("no version up to the announced one, " + announced + ", in " + directory.path());
        }

        Transitions transitions = new Transitions();
        HollowConsumer consumer = directory.follower(transitions);
        List<Long> steps = new ArrayList<>(versions);
        for (long version : steps) {
            step("forward", consumer, version, transitions);
        }
        Collections.reverse(steps);
        for (long version : steps) {
            step("back", consumer, version, transitions);
        }

        HollowConsumer latest = HollowConsumer.withBlobRetriever(directory.retriever())
                .withAnnouncementWatcher(watcher)
                .withRefreshListener(transitions)
                .build();
        latest.triggerRefresh();
        print("announced", announced, latest, transitions);
    }

    private static void step(String mode, HollowConsumer consumer, long version, Transitions transitions) {
        consumer.triggerRefreshTo(version);
        print(mode, version, consumer, transitions);
    }

    private static void print(String mode, long wanted, HollowConsumer consumer, Transitions transitions) {
        HollowReadStateEngine engine = consumer.getStateEngine();
        HollowTypeReadState records = engine.getTypeState("Liveness");
        if (records == null) {
            throw new IllegalStateException("the dataset has no type Liveness, but " + engine.getAllTypes());
        }
        long live = 0;
        long pairs = 0;
        BitSet populated = records.getPopulatedOrdinals();
        for (int ordinal = populated.nextSetBit(0); ordinal >= 0; ordinal = populated.nextSetBit(ordinal + 1)) {
            GenericHollowObject record = new GenericHollowObject(engine, "Liveness", ordinal);
            for (GenericHollowObject group : record.getList("groups").objects()) {
                int countries = group.getSet("countries").size();
                pairs += countries;
                if (group.getBoolean("live")) {
                    live += countries;
                }
            }
        }
        Consume.state(engine)
                .put("mode", mode)
                .put("wanted", wanted)
                .put("version", consumer.getCurrentVersionId())
                .put("by", transitions.drain())
                .put("videos", (long) populated.cardinality())
                .put("pairs", pairs)
                .put("live", live)
                .print();
    }
}
