package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.write.objectmapper.HollowInline;

/** A live track. */
final class Asset {
    /** Where Hollow's object mapper notes the ordinal, so that it serializes the object once in a cycle. */
    @SuppressWarnings("unused")
    private long __assigned_ordinal = -1;

    @HollowInline
    final String kind;
    @HollowInline
    final String language;

    Asset(String kind, String language) {
        this.kind = kind;
        this.language = language;
    }
}
