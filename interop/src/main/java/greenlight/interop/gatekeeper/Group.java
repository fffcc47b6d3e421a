package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.write.objectmapper.HollowHashKey;
import com.netflix.hollow.core.write.objectmapper.HollowInline;
import java.util.Set;

/** Countries with one and the same verdict. The sets are without hash keys, as ours are. */
final class Group {
    final boolean live;
    @HollowHashKey(fields = {})
    final Set<Country> countries;
    @HollowHashKey(fields = {})
    final Set<Blocker> blockers;
    @HollowHashKey(fields = {})
    final Set<Asset> assets;
    @HollowInline
    final Long nextAt;
    @HollowInline
    final Boolean nextLive;
    @HollowHashKey(fields = {})
    final Set<Asset> nextAssets;

    Group(
            boolean live,
            Set<Country> countries,
            Set<Blocker> blockers,
            Set<Asset> assets,
            Long nextAt,
            Boolean nextLive,
            Set<Asset> nextAssets) {
        this.live = live;
        this.countries = countries;
        this.blockers = blockers;
        this.assets = assets;
        this.nextAt = nextAt;
        this.nextLive = nextLive;
        this.nextAssets = nextAssets;
    }
}
