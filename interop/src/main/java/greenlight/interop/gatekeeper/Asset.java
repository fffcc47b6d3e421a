package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.write.objectmapper.HollowInline;

/** A live track. */
final class Asset {
    @HollowInline
    final String kind;
    @HollowInline
    final String language;

    Asset(String kind, String language) {
        this.kind = kind;
        this.language = language;
    }
}
