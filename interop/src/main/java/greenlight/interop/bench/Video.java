package greenlight.interop.bench;

import com.netflix.hollow.core.write.objectmapper.HollowInline;
import com.netflix.hollow.core.write.objectmapper.HollowPrimaryKey;
import com.netflix.hollow.core.write.objectmapper.HollowTransient;
import java.util.List;
import java.util.Set;

/** The rights-like root record of the benches. */
@HollowPrimaryKey(fields = "id")
final class Video {
    final long id;
    @HollowInline
    final String title;
    final List<Window> windows;
    final Set<Subtitle> subtitles;
    /** Which of the shared subtitle sets, for the writer that knows their ordinals. */
    @HollowTransient
    final int subtitleSet;

    Video(long id, String title, List<Window> windows, Set<Subtitle> subtitles, int subtitleSet) {
        this.id = id;
        this.title = title;
        this.windows = windows;
        this.subtitles = subtitles;
        this.subtitleSet = subtitleSet;
    }
}
