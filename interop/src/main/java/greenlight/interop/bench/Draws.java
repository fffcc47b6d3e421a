package greenlight.interop.bench;

/**
 * Stateless random draws: a splitmix64 hash of (stream, a, b). The Rust side has the same function, so that both
 * sides make the same records without exchanging them.
 */
final class Draws {
    private static final long GAMMA = 0x9e3779b97f4a7c15L;
    private static final long SEED = 0x67726565_6e6c6974L;

    private Draws() {}

    static long draw(long stream, long a, long b) {
        return mix(mix(mix(SEED + stream * GAMMA) + a * GAMMA) + b * GAMMA);
    }

    /** A draw in 0..n, n up to 2^31. */
    static int below(long draw, int n) {
        return (int) ((draw >>> 33) % n);
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
