package greenlight.interop;

import com.netflix.hollow.api.consumer.HollowConsumer;
import java.io.IOException;
import java.util.Set;
import java.util.TreeSet;

/**
 * Asks whether a stock consumer can get to a version: from nothing, and from every version that the directory
 * has. A candidate that was never accepted must not be reachable either way.
 */
final class Reach {
    private Reach() {}

    static void run(String[] args) throws IOException {
        Arguments arguments = new Arguments(args, Set.of());
        BlobDirectory directory = new BlobDirectory(arguments.at(0, "DIR"), Set.of());
        long wanted = Long.parseLong(arguments.at(1, "VERSION"));

        boolean reachable = reaches(directory.follower(new Transitions()), wanted);
        TreeSet<Long> from = new TreeSet<>();
        for (long version : directory.versions()) {
            HollowConsumer consumer = directory.follower(new Transitions());
            if (version != wanted && reaches(consumer, version) && reaches(consumer, wanted)) {
                from.add(version);
            }
        }
        new Json()
                .put("wanted", wanted)
                .put("reachable", reachable || !from.isEmpty())
                .put("from_nothing", reachable)
                .put("from", from)
                .put("versions", directory.versions())
                .print();
    }

    private static boolean reaches(HollowConsumer consumer, long version) {
        try {
            consumer.triggerRefreshTo(version);
        } catch (RuntimeException noWay) {
            return false;
        }
        return consumer.getCurrentVersionId() == version;
    }
}
