package greenlight.interop.gatekeeper;

import com.netflix.hollow.api.consumer.HollowConsumer;
import com.netflix.hollow.api.consumer.fs.HollowFilesystemBlobRetriever;
import com.netflix.hollow.api.custom.HollowAPI;
import com.netflix.hollow.core.read.engine.HollowReadStateEngine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/** Decides what may go live, cycle by cycle: ten stock consumers in, one stock producer out. */
final class Gatekeeper {
    static final String[] INPUTS = {
        "titles", "rights", "ratings", "texts", "assets", "artwork", "streams", "policies", "holds", "popularity"
    };
    private static final String[] TYPES = {
        "Title", "Rights", "Ratings", "Text", "Asset", "Artwork", "Streams", "Policy", "Hold", "Popularity"
    };
    private static final int THREADS = 2;
    /** Families that a thread takes at a time. */
    private static final int CHUNK = 256;

    private final HollowConsumer[] consumers = new HollowConsumer[INPUTS.length];
    private final long[] versions = new long[INPUTS.length];
    private final Catalogue catalogue;
    private final Output output;
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS, task -> {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    });

    /** Milliseconds of the last cycle: refresh with the changed facts, what depends on them, evaluation, publishing. */
    final double[] phases = new double[4];

    Gatekeeper(Path inputs, Path output, Path parentLocales, boolean verifies) throws IOException {
        for (int i = 0; i < INPUTS.length; i++) {
            HollowFilesystemBlobRetriever retriever = new HollowFilesystemBlobRetriever(inputs.resolve(INPUTS[i]));
            consumers[i] = HollowConsumer.withBlobRetriever(retriever)
                    .withRefreshListener(new Taker(INPUTS[i], TYPES[i]))
                    .build();
            versions[i] = Long.MIN_VALUE;
        }
        Languages languages = new Languages(parentLocales);
        catalogue = new Catalogue(languages);
        this.output = new Output(output, languages, verifies);
    }

    Output output() {
        return output;
    }

    /** Moves the inputs to these versions, evaluates everything at an instant, and publishes; how many pairs are live. */
    long cycle(long now, long[] to) throws Exception {
        long start = System.nanoTime();
        List<Callable<Void>> refreshes = new ArrayList<>();
        for (int i = 0; i < INPUTS.length; i++) {
            if (versions[i] != to[i]) {
                HollowConsumer consumer = consumers[i];
                long version = to[i];
                versions[i] = version;
                refreshes.add(() -> {
                    consumer.triggerRefreshTo(version);
                    return null;
                });
            }
        }
        all(refreshes);
        start = lap(0, start);
        catalogue.refresh();
        start = lap(1, start);
        List<Video> changed = new ArrayList<>();
        long[] sums = evaluate(now, changed);
        start = lap(2, start);
        output.publish(changed, catalogue.takeRemoved());
        lap(3, start);
        return sums[0];
    }

    /** Evaluates everything at an instant: how many pairs are live, and a sum over all verdicts. */
    long[] evaluate(long now, List<Video> changed) throws Exception {
        Video[] roots = catalogue.roots;
        AtomicInteger next = new AtomicInteger();
        List<Callable<Evaluation>> tasks = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            tasks.add(() -> {
                Evaluation evaluation = new Evaluation(catalogue.policies, catalogue.rules, catalogue.tracks, now);
                for (int from = next.getAndAdd(CHUNK); from < roots.length; from = next.getAndAdd(CHUNK)) {
                    for (int root = from; root < Math.min(from + CHUNK, roots.length); root++) {
                        evaluation.family(roots[root]);
                    }
                }
                return evaluation;
            });
        }
        long[] sums = new long[2];
        for (Evaluation evaluation : all(tasks)) {
            sums[0] += evaluation.live;
            sums[1] += evaluation.check;
            changed.addAll(evaluation.changed);
        }
        return sums;
    }

    /** Takes the changed records after every step of a consumer; one consumer at a time. */
    private final class Taker extends HollowConsumer.AbstractRefreshListener {
        private final String input;
        private final String type;
        private boolean isFirst = true;

        Taker(String input, String type) {
            this.input = input;
            this.type = type;
        }

        @Override
        public void snapshotUpdateOccurred(HollowAPI api, HollowReadStateEngine state, long version) {
            if (!isFirst) {
                throw new IllegalStateException(input + " came by a second snapshot");
            }
            take(state);
        }

        @Override
        public void deltaUpdateOccurred(HollowAPI api, HollowReadStateEngine state, long version) {
            take(state);
        }

        private void take(HollowReadStateEngine state) {
            synchronized (catalogue) {
                catalogue.take(input, new Records(state, type), isFirst);
            }
            isFirst = false;
        }
    }

    private <T> List<T> all(List<Callable<T>> tasks) throws InterruptedException, ExecutionException {
        List<T> results = new ArrayList<>();
        for (Future<T> task : threads.invokeAll(tasks)) {
            results.add(task.get());
        }
        return results;
    }

    private long lap(int phase, long start) {
        long now = System.nanoTime();
        phases[phase] = (now - start) / 1e6;
        return now;
    }

    static long[] parse(String[] words, int from) {
        return Arrays.stream(words, from, words.length).mapToLong(Long::parseLong).toArray();
    }
}
