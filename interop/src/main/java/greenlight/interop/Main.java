package greenlight.interop;

import greenlight.interop.bench.Bench;
import greenlight.interop.bench.IngestBench;
import greenlight.interop.gatekeeper.GatekeeperBench;
import java.util.Arrays;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.Logger;

/** The door to every mode, so that tests and benches start one jar. */
public final class Main {
    private Main() {}

    private static final String USAGE = String.join("\n",
            "usage: java -jar interop.jar MODE ...",
            "  consume DIR [--versions V,V,...] [--forward-back] [--parts P,P] follow a chain, one JSON line per step",
            "  liveness DIR                                                   live pairs of each version, first to last and back",
            "  reach DIR VERSION                                              can a stock consumer get to the version?",
            "  produce DIR [--seed S] [--versions N]                          write a random chain with a stock producer",
            "  bench                                                          the peer of the benches, driven over stdin",
            "  ingest BOOTSTRAP TOPIC SCHEMA DIR KEYS CYCLES RECORDS          the peer of the ingest bench",
            "  gatekeeper INPUTS OUTPUT PARENT_LOCALES                        a gatekeeper on stock Hollow, driven over stdin");

    /**
     * Runs one mode.
     *
     * @param args the mode and its arguments
     * @throws Exception what the mode failed with; the exit code is then 1
     */
    public static void main(String[] args) throws Exception {
        LogManager.getLogManager().reset();
        Logger.getLogger("").setLevel(Level.OFF);
        if (args.length == 0) {
            System.err.println(USAGE);
            System.exit(2);
        }
        String[] rest = Arrays.copyOfRange(args, 1, args.length);
        switch (args[0]) {
            case "consume" -> Consume.run(rest);
            case "liveness" -> LivenessCount.run(rest);
            case "reach" -> Reach.run(rest);
            case "produce" -> Produce.run(rest);
            case "bench" -> Bench.run(rest);
            case "ingest" -> IngestBench.run(rest);
            case "gatekeeper" -> GatekeeperBench.run(rest);
            default -> {
                System.err.println(USAGE);
                System.exit(2);
            }
        }
        // Hollow's executors may still hold idle threads.
        System.out.flush();
        System.exit(0);
    }
}
