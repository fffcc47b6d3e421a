//! Random catalogues, and the plain definition of liveness to hold the evaluator to.

pub(crate) mod oracle;
pub(crate) mod small;
pub(crate) mod world;

use liveness::{Group, TrackSet};
use oracle::{Next, Tracks, Verdict};

/// The verdict of a group, as the oracle gives it.
pub(crate) fn verdict_of(group: &Group) -> Verdict {
    Verdict {
        live: group.live,
        blockers: group.blockers.codes().map(str::to_owned).collect(),
        tracks: tracks_of(&group.tracks),
    }
}

/// What comes next in a group, as the oracle gives it.
pub(crate) fn next_of(group: &Group) -> Option<Next> {
    group.next.as_ref().map(|next| Next {
        at: next.at,
        live: next.live,
        tracks: tracks_of(&next.tracks),
    })
}

fn tracks_of(tracks: &TrackSet) -> Tracks {
    let tracks = tracks.iter();
    tracks
        .map(|track| (track.kind, track.language.to_string()))
        .collect()
}

/// Splitmix64: small, seeded, the same everywhere.
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())].clone()
    }

    /// A subset, each member with the given chance.
    pub(crate) fn some(
        &mut self,
        among: &[&str],
        percent: usize,
    ) -> std::collections::BTreeSet<String> {
        let mut some = std::collections::BTreeSet::new();
        for member in among {
            if self.chance(percent) {
                some.insert((*member).to_owned());
            }
        }
        some
    }
}
