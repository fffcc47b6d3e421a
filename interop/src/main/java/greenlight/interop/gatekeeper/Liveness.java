package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.write.objectmapper.HollowPrimaryKey;
import java.util.List;

/** The output's root record: a video and its groups of countries. */
@HollowPrimaryKey(fields = "video")
final class Liveness {
    final long video;
    final List<Group> groups;

    Liveness(long video, List<Group> groups) {
        this.video = video;
        this.groups = groups;
    }
}
