package greenlight.interop.gatekeeper;

import com.netflix.hollow.api.producer.HollowProducer;
import com.netflix.hollow.api.producer.fs.HollowFilesystemAnnouncer;
import com.netflix.hollow.api.producer.fs.HollowFilesystemPublisher;
import com.netflix.hollow.api.producer.fs.HollowInMemoryBlobStager;
import com.netflix.hollow.core.write.HollowBlobWriter;
import com.netflix.hollow.core.write.HollowWriteStateEngine;
import com.netflix.hollow.core.write.objectmapper.MemoizedList;
import com.netflix.hollow.core.write.objectmapper.MemoizedSet;
import com.netflix.hollow.core.write.objectmapper.RecordPrimaryKey;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Publishes verdicts with the stock incremental producer. Sets and lists that several verdicts share are memoized ones, which
 * Hollow's object mapper serializes once in a cycle.
 */
final class Output {
    private final HollowProducer.Incremental producer;
    private final Country[] countries = new Country[Countries.CODES.length];
    private final Blocker[] blockers = new Blocker[Rules.CODES.length];
    private final Map<Mask, Set<Country>> countrySets = new HashMap<>();
    private final Map<Integer, Set<Blocker>> blockerSets = new HashMap<>();
    private final Map<Integer, Asset> assets = new HashMap<>();
    private final Languages languages;
    private long version = 1_000_000;

    Output(Path directory, Languages languages, boolean verifies) throws IOException {
        this.languages = languages;
        Files.createDirectories(directory);
        HollowProducer.Builder<?> builder = HollowProducer.withPublisher(new HollowFilesystemPublisher(directory))
                .withAnnouncer(new HollowFilesystemAnnouncer(directory))
                .withVersionMinter(() -> ++version)
                .withBlobStager(new HollowInMemoryBlobStager())
                .withNumStatesBetweenSnapshots(20);
        if (!verifies) {
            builder.noIntegrityCheck();
        }
        producer = builder.buildIncremental();
        producer.initializeDataModel(Liveness.class);
        for (int country = 0; country < countries.length; country++) {
            countries[country] = new Country(Countries.CODES[country]);
        }
        for (int rule = 0; rule < blockers.length; rule++) {
            blockers[rule] = new Blocker(Rules.CODES[rule]);
        }
    }

    /** Publishes what changed. */
    void publish(Iterable<Video> changed, Iterable<Long> removed) {
        if (!changed.iterator().hasNext() && !removed.iterator().hasNext()) {
            return;
        }
        producer.runIncrementalCycle(state -> {
            Map<Outcome, List<Group>> lists = new IdentityHashMap<>();
            for (Video video : changed) {
                state.addOrModify(new Liveness(video.id, lists.computeIfAbsent(video.outcome, this::groups)));
            }
            for (long video : removed) {
                state.delete(new RecordPrimaryKey("Liveness", new Object[] {video}));
            }
        });
    }

    /** Writes the newest state as one snapshot. */
    void snapshot(Path file) throws IOException {
        HollowWriteStateEngine engine = producer.getWriteEngine();
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
            new HollowBlobWriter(engine).writeSnapshot(out);
        }
    }

    private List<Group> groups(Outcome outcome) {
        List<Group> groups = new MemoizedList<>(outcome.groups.length);
        for (Outcome.Group group : outcome.groups) {
            boolean changes = group.nextAt() != Groups.NEVER;
            groups.add(new Group(
                    group.live(),
                    countrySets.computeIfAbsent(group.countries(), this::countries),
                    blockerSets.computeIfAbsent(group.blockers(), this::blockers),
                    assets(group.tracks()),
                    changes ? group.nextAt() : null,
                    changes ? group.nextLive() : null,
                    changes ? assets(group.nextTracks()) : null));
        }
        return groups;
    }

    private Set<Country> countries(Mask mask) {
        Set<Country> set = new MemoizedSet<>();
        for (int country = 0; country < countries.length; country++) {
            if (mask.has(country)) {
                set.add(countries[country]);
            }
        }
        return set;
    }

    private Set<Asset> assets(Tracks.TrackSet tracks) {
        if (tracks.assets == null) {
            Set<Asset> set = new MemoizedSet<>();
            for (int track : tracks.tracks) {
                set.add(assets.computeIfAbsent(
                        track, unknown -> new Asset(Rules.kindName(track), languages.tag(Rules.language(track)))));
            }
            tracks.assets = set;
        }
        return tracks.assets;
    }

    private Set<Blocker> blockers(int bits) {
        Set<Blocker> set = new MemoizedSet<>();
        for (int rule = 0; rule < blockers.length; rule++) {
            if ((bits >>> rule & 1) == 1) {
                set.add(blockers[rule]);
            }
        }
        return set;
    }
}
