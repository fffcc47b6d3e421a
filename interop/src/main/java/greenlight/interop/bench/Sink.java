package greenlight.interop.bench;

import java.io.OutputStream;
import java.util.Arrays;

/** Memory that a blob is written to; kept between runs, so that growing it is not measured. */
final class Sink extends OutputStream {
    private byte[] bytes = new byte[1 << 20];
    private int length;

    @Override
    public void write(int b) {
        reserve(1);
        bytes[length++] = (byte) b;
    }

    @Override
    public void write(byte[] from, int offset, int count) {
        reserve(count);
        System.arraycopy(from, offset, bytes, length, count);
        length += count;
    }

    private void reserve(int count) {
        if (length + count > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, length + count));
        }
    }

    Sink reset() {
        length = 0;
        return this;
    }

    int length() {
        return length;
    }

    byte[] toByteArray() {
        return Arrays.copyOf(bytes, length);
    }
}
