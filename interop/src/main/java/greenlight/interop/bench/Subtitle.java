package greenlight.interop.bench;

import com.netflix.hollow.core.write.objectmapper.HollowInline;

/** A subtitle, by language. */
final class Subtitle {
    @HollowInline
    final String language;

    Subtitle(String language) {
        this.language = language;
    }
}
