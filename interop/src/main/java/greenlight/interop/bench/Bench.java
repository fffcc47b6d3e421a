package greenlight.interop.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The Java peer: stays warm, and runs one row each time that a line on standard input asks for it. A reply is
 * {@code ok VALUE CHECK}: the time (or the bytes) and a number made from the results, which are thus consumed.
 */
public final class Bench {
    private final int videos;
    private final Blobs blobs;
    private WriteRows writes;
    private ReadRows reads;

    private Bench(int videos, Path directory) {
        this.videos = videos;
        this.blobs = new Blobs(directory);
    }

    /**
     * Serves until standard input ends.
     *
     * @param args the number of videos and the directory of the blobs
     * @throws IOException when the blobs cannot be read or written
     */
    public static void run(String[] args) throws IOException {
        Bench bench = new Bench(Integer.parseInt(args[0]), Path.of(args[1]));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.trim().split(" ");
            int argument = words.length > 1 ? Integer.parseInt(words[1]) : 0;
            Measured measured = bench.row(words[0], argument);
            System.out.println("ok " + measured.value() + " " + Long.toUnsignedString(measured.check()));
        }
    }

    private Measured row(String row, int argument) throws IOException {
        switch (row) {
            case "prepare":
                blobs.prepare(videos);
                return new Measured(0, 0);
            case "drop":
                writes = null;
                reads = null;
                System.gc();
                return new Measured(0, 0);
            default:
                break;
        }
        if (row.startsWith("write-")) {
            reads = null;
            if (writes == null) {
                writes = new WriteRows(videos);
            }
            return writes.run(row, argument);
        }
        writes = null;
        if (reads == null) {
            reads = new ReadRows(videos, blobs);
        }
        return reads.run(row);
    }
}
