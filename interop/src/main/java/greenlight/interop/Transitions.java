package greenlight.interop;

import com.netflix.hollow.api.consumer.HollowConsumer;
import java.util.ArrayList;
import java.util.List;

/** Remembers which blobs a consumer loaded since it was last asked, so that a test can tell a delta from a jump. */
final class Transitions extends HollowConsumer.AbstractRefreshListener {
    private final List<String> taken = new ArrayList<>();

    @Override
    public void blobLoaded(HollowConsumer.Blob transition) {
        taken.add(transition.getBlobType().getType());
    }

    List<String> drain() {
        List<String> result = new ArrayList<>(taken);
        taken.clear();
        return result;
    }
}
