package greenlight.interop;

import com.netflix.hollow.api.consumer.HollowConsumer;
import com.netflix.hollow.core.read.engine.HollowReadStateEngine;
import com.netflix.hollow.core.read.engine.HollowTypeReadState;
import com.netflix.hollow.tools.checksum.HollowChecksum;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * A stock consumer follows a chain and prints what it sees at each version: checksum, records per type, header
 * tags, and the blobs that brought it there.
 */
final class Consume {
    private Consume() {}

    static void run(String[] args) throws IOException {
        Arguments arguments = new Arguments(args, Set.of("--forward-back"));
        BlobDirectory directory = new BlobDirectory(arguments.at(0, "DIR"), arguments.list("--parts"));
        List<Long> versions = new ArrayList<>();
        for (String version : arguments.list("--versions")) {
            versions.add(Long.parseLong(version));
        }
        Collections.sort(versions);
        if (versions.isEmpty()) {
            versions.addAll(directory.versions());
        }

        walk("forward", directory, versions, false);
        if (arguments.has("--forward-back")) {
            List<Long> back = new ArrayList<>(versions);
            Collections.reverse(back);
            walk("back", directory, back, false);
            versions.retainAll(directory.snapshots());
            walk("jump", directory, versions, true);
        }
    }

    private static void walk(String mode, BlobDirectory directory, List<Long> versions, boolean jump) {
        Transitions transitions = new Transitions();
        HollowConsumer consumer = jump ? directory.jumper(transitions) : directory.follower(transitions);
        for (long version : versions) {
            consumer.triggerRefreshTo(version);
            state(consumer.getStateEngine())
                    .put("mode", mode)
                    .put("wanted", version)
                    .put("version", consumer.getCurrentVersionId())
                    .put("by", transitions.drain())
                    .print();
        }
    }

    /** The fields that describe a state whatever way led to it. */
    static Json state(HollowReadStateEngine engine) {
        Map<String, Integer> counts = new TreeMap<>();
        Map<String, Integer> shards = new TreeMap<>();
        Map<String, String> checksums = new TreeMap<>();
        for (HollowTypeReadState type : engine.getTypeStates()) {
            counts.put(type.getSchema().getName(), type.getPopulatedOrdinals().cardinality());
            shards.put(type.getSchema().getName(), type.numShards());
            checksums.put(type.getSchema().getName(), hex(type.getChecksum(type.getSchema())));
        }
        return new Json()
                .put("checksum", hex(HollowChecksum.forStateEngine(engine)))
                .put("checksums", checksums)
                .put("counts", counts)
                .put("shards", shards)
                .put("tags", new TreeMap<>(engine.getHeaderTags()));
    }

    private static String hex(HollowChecksum checksum) {
        return String.format("%08x", checksum.intValue());
    }
}
