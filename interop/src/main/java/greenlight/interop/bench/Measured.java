package greenlight.interop.bench;

/**
 * One measurement.
 *
 * @param value in the row's unit: milliseconds, nanoseconds per lookup, or bytes
 * @param check made from the results, so that they are consumed and can be compared
 */
record Measured(double value, long check) {
    static double millis(long startNanos) {
        return (System.nanoTime() - startNanos) / 1e6;
    }
}
