package greenlight.interop.bench;

import com.netflix.hollow.core.write.objectmapper.HollowTransient;
import java.util.Set;

/** A time in which a video may be shown in some countries; times are UTC milliseconds. */
final class Window {
    final long start;
    final long end;
    final Set<Country> countries;
    /** Which of the shared country sets, for the writer that knows their ordinals. */
    @HollowTransient
    final int countrySet;

    Window(long start, long end, Set<Country> countries, int countrySet) {
        this.start = start;
        this.end = end;
        this.countries = countries;
        this.countrySet = countrySet;
    }
}
