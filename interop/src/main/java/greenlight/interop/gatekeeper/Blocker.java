package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.write.objectmapper.HollowInline;

/** A rule that holds back, by code. */
final class Blocker {
    @HollowInline
    final String code;

    Blocker(String code) {
        this.code = code;
    }
}
