package greenlight.interop.gatekeeper;

/** A set of countries: one bit each in four words. Short-lived ones stay on the stack, long-lived ones are shared. */
record Mask(long a, long b, long c, long d) {
    static final Mask EMPTY = new Mask(0, 0, 0, 0);

    static Mask of(int country) {
        long bit = 1L << (country & 63);
        return switch (country >> 6) {
            case 0 -> new Mask(bit, 0, 0, 0);
            case 1 -> new Mask(0, bit, 0, 0);
            case 2 -> new Mask(0, 0, bit, 0);
            default -> new Mask(0, 0, 0, bit);
        };
    }

    Mask or(Mask other) {
        return new Mask(a | other.a, b | other.b, c | other.c, d | other.d);
    }

    Mask and(Mask other) {
        return new Mask(a & other.a, b & other.b, c & other.c, d & other.d);
    }

    Mask minus(Mask other) {
        return new Mask(a & ~other.a, b & ~other.b, c & ~other.c, d & ~other.d);
    }

    Mask xor(Mask other) {
        return new Mask(a ^ other.a, b ^ other.b, c ^ other.c, d ^ other.d);
    }

    boolean isEmpty() {
        return (a | b | c | d) == 0;
    }

    boolean same(Mask other) {
        return a == other.a && b == other.b && c == other.c && d == other.d;
    }

    int size() {
        return Long.bitCount(a) + Long.bitCount(b) + Long.bitCount(c) + Long.bitCount(d);
    }

    boolean has(int country) {
        return (word(country >> 6) >>> (country & 63) & 1) == 1;
    }

    /** The first country; 256 where there is none. */
    int first() {
        if (a != 0) {
            return Long.numberOfTrailingZeros(a);
        }
        if (b != 0) {
            return 64 + Long.numberOfTrailingZeros(b);
        }
        return c != 0 ? 128 + Long.numberOfTrailingZeros(c) : 192 + Long.numberOfTrailingZeros(d);
    }

    private long word(int index) {
        return switch (index) {
            case 0 -> a;
            case 1 -> b;
            case 2 -> c;
            default -> d;
        };
    }
}
