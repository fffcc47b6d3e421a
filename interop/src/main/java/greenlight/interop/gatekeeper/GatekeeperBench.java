package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.read.HollowBlobInput;
import com.netflix.hollow.core.read.engine.HollowBlobReader;
import com.netflix.hollow.core.read.engine.HollowReadStateEngine;
import com.netflix.hollow.tools.diff.HollowDiff;
import com.netflix.hollow.tools.diff.HollowTypeDiff;
import com.netflix.hollow.tools.diff.count.HollowFieldDiff;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;

/**
 * The Java gatekeeper of the bench: stays warm, and does what lines on standard input ask for. A reply is
 * {@code ok VALUE CHECK}: the time (or the bytes) and a number made from the results, which are thus consumed.
 */
public final class GatekeeperBench {
    private final Gatekeeper gatekeeper;
    private HollowReadStateEngine one;
    private HollowReadStateEngine other;

    private GatekeeperBench(Gatekeeper gatekeeper) {
        this.gatekeeper = gatekeeper;
    }

    /**
     * Serves until standard input ends.
     *
     * @param args the directory of the inputs' blobs, that of the output, the file of CLDR's parent locales, and
     *     {@code --no-integrity-check} for a producer that does not read its blobs back
     * @throws Exception what a command failed with
     */
    public static void run(String[] args) throws Exception {
        boolean verifies = args.length < 4 || !args[3].equals("--no-integrity-check");
        Gatekeeper gatekeeper = new Gatekeeper(Path.of(args[0]), Path.of(args[1]), Path.of(args[2]), verifies);
        GatekeeperBench bench = new GatekeeperBench(gatekeeper);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println("ok " + bench.command(line.trim().split(" ")));
        }
    }

    private String command(String[] words) throws Exception {
        long start = System.nanoTime();
        switch (words[0]) {
            case "cycle": {
                long live = gatekeeper.cycle(Long.parseLong(words[1]), Gatekeeper.parse(words, 2));
                return millis(start) + " " + live;
            }
            case "phase":
                return gatekeeper.phases[Integer.parseInt(words[1])] + " 0";
            case "evaluate": {
                long[] sums = gatekeeper.evaluate(Long.parseLong(words[1]), new ArrayList<>());
                return millis(start) + " " + sums[0];
            }
            case "snapshot":
                gatekeeper.output().snapshot(Path.of(words[1]));
                return millis(start) + " 0";
            case "memory":
                return liveBytes() + " 0";
            case "load":
                one = read(words[1]);
                other = read(words[2]);
                return millis(start) + " 0";
            case "diff":
                return diff();
            default:
                throw new IllegalArgumentException("no command " + words[0]);
        }
    }

    private static double millis(long start) {
        return (System.nanoTime() - start) / 1e6;
    }

    private static long liveBytes() {
        Runtime runtime = Runtime.getRuntime();
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return runtime.totalMemory() - runtime.freeMemory();
    }

    private static HollowReadStateEngine read(String snapshot) throws IOException {
        HollowReadStateEngine engine = new HollowReadStateEngine();
        try (HollowBlobInput input = HollowBlobInput.serial(Files.newInputStream(Path.of(snapshot)))) {
            new HollowBlobReader(engine).readSnapshot(input);
        }
        return engine;
    }

    /** How many videos differ, by all their fields. */
    private String diff() {
        long start = System.nanoTime();
        HollowDiff diff = new HollowDiff(one, other, false);
        HollowTypeDiff videos = diff.addTypeDiff("Liveness", "video");
        diff.calculateDiffs();
        BitSet changed = new BitSet();
        for (HollowFieldDiff field : videos.getFieldDiffs()) {
            for (int i = 0; i < field.getNumDiffs(); i++) {
                changed.set(field.getFromOrdinal(i));
            }
        }
        return millis(start) + " " + changed.cardinality();
    }
}
