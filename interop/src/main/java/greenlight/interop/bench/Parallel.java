package greenlight.interop.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/** Runs a task on a fixed number of threads and waits for all of them. */
final class Parallel {
    private Parallel() {}

    static void run(int threads, IntConsumer task) {
        List<Thread> started = new ArrayList<>();
        Throwable[] failure = new Throwable[1];
        for (int i = 0; i < threads; i++) {
            int thread = i;
            Thread worker = new Thread(() -> task.accept(thread));
            worker.setUncaughtExceptionHandler((t, thrown) -> failure[0] = thrown);
            worker.start();
            started.add(worker);
        }
        for (Thread worker : started) {
            try {
                worker.join();
            } catch (InterruptedException interrupted) {
                throw new IllegalStateException(interrupted);
            }
        }
        if (failure[0] != null) {
            throw new IllegalStateException(failure[0]);
        }
    }
}
