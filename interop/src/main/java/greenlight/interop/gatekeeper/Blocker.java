package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.write.objectmapper.HollowInline;

/** A rule that holds back, by code. */
final class Blocker {
    /** Where Hollow's object mapper notes the ordinal, so that it serializes the object once in a cycle. */
    @SuppressWarnings("unused")
    private long __assigned_ordinal = -1;

    @HollowInline
    final String code;

    Blocker(String code) {
        this.code = code;
    }
}
