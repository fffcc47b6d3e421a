package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.write.objectmapper.HollowInline;

/** A country, by code. */
final class Country {
    @HollowInline
    final String code;

    Country(String code) {
        this.code = code;
    }
}
