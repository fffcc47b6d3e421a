//! A set of tracks by name, as verdicts hold it.
//!
//! Thousands of sets are made of a few hundred names, so a set holds the places of its names in a directory that it shares with
//! the others of its interner; sets of other directories, or read back from a state, compare by the names.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::interner::Bits;
use crate::record::TrackKind;

/// A track of some video.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrackName {
    /// Subtitles, dub, captions or description.
    pub kind: TrackKind,
    /// The language's tag.
    pub language: Arc<str>,
}

/// Names of tracks in their order.
#[derive(Default)]
pub(super) struct Directory {
    names: Box<[TrackName]>,
    /// The hash of each name; a set's is their sum.
    hashes: Box<[u64]>,
}

impl Directory {
    /// Of names that are in order.
    pub(super) fn new(names: Vec<TrackName>) -> Self {
        let hash = |name: &TrackName| {
            let mut hasher = Xxh3::new();
            hasher.update(&[name.kind as u8]);
            hasher.update(name.language.as_bytes());
            hasher.digest()
        };
        Self {
            hashes: names.iter().map(hash).collect(),
            names: names.into_boxed_slice(),
        }
    }
}

/// A set of tracks, sorted; cheap to clone and to compare.
#[derive(Clone, Default)]
pub struct TrackSet(Option<Arc<Content>>);

/// At least one track.
struct Content {
    hash: u64,
    directory: Arc<Directory>,
    /// The names' places, ascending.
    places: Box<[u32]>,
    /// What the interner of its facts knows it by; nothing for a set that it did not make.
    bits: Box<Bits>,
}

impl Content {
    fn names(&self) -> impl ExactSizeIterator<Item = &TrackName> {
        let names = &self.directory.names;
        self.places.iter().map(|&place| &names[place as usize])
    }
}

impl TrackSet {
    /// The set of some tracks, in any order.
    pub fn new(mut tracks: Vec<TrackName>) -> Self {
        tracks.sort_unstable();
        tracks.dedup();
        let places = (0..tracks.len() as u32).collect();
        Self::of_places(&Arc::new(Directory::new(tracks)), places, &[])
    }

    /// The set of the names at some places, ascending.
    pub(super) fn of_places(directory: &Arc<Directory>, places: Box<[u32]>, bits: &Bits) -> Self {
        if places.is_empty() {
            return Self::default();
        }
        let hashes = places.iter().map(|&place| directory.hashes[place as usize]);
        Self(Some(Arc::new(Content {
            hash: hashes.fold(0, u64::wrapping_add),
            directory: Arc::clone(directory),
            places,
            bits: Box::from(bits),
        })))
    }

    /// The tracks, by kind and language.
    pub fn iter(&self) -> impl Iterator<Item = &TrackName> {
        self.0.iter().flat_map(|content| content.names())
    }

    /// Whether there is no track.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many tracks there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |content| content.places.len())
    }

    /// Whether a track is in the set.
    pub fn contains(&self, track: &TrackName) -> bool {
        self.0.as_ref().is_some_and(|content| {
            let names = &content.directory.names;
            let order = |&place: &u32| names[place as usize].cmp(track);
            content.places.binary_search_by(order).is_ok()
        })
    }

    pub(super) fn bits(&self) -> &Bits {
        self.0.as_ref().map_or(&[], |content| &content.bits)
    }

    /// Whether it is the other set in memory: what is equal of one interner is.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        }
    }

    /// Whether nobody else has these tracks in memory.
    pub(super) fn is_unshared(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|content| Arc::strong_count(content) == 1)
    }
}

impl PartialEq for TrackSet {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                Arc::ptr_eq(a, b)
                    || (a.hash == b.hash
                        && match Arc::ptr_eq(&a.directory, &b.directory) {
                            true => a.places == b.places,
                            false => a.names().eq(b.names()),
                        })
            }
            _ => false,
        }
    }
}

impl Eq for TrackSet {}

impl Hash for TrackSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.as_ref().map_or(0, |content| content.hash));
    }
}

impl fmt::Debug for TrackSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tags: &[&str]) -> TrackSet {
        let track = |tag: &&str| TrackName {
            kind: TrackKind::Dub,
            language: Arc::from(*tag),
        };
        TrackSet::new(tags.iter().map(track).collect())
    }

    #[test]
    fn sets_of_equal_tracks_are_equal() {
        assert_eq!(set(&["fr", "de"]), set(&["de", "fr", "fr"]));
        assert_ne!(set(&["fr"]), set(&["de"]));
        assert!(TrackSet::default().is_empty());
    }

    #[test]
    fn a_set_is_found_whatever_directory_it_is_of() {
        let whole = set(&["de", "es", "fr"]);
        let directory = whole.0.as_ref().map(|content| content.directory.clone());
        let part = TrackSet::of_places(&directory.unwrap(), Box::from([0, 2]), &[]);
        assert_eq!(part, set(&["fr", "de"]));
        assert_ne!(part, set(&["de", "es"]));
        assert_eq!(part.len(), 2);
        let is_in = |tag: &str| set(&[tag]).iter().all(|track| part.contains(track));
        assert!(is_in("de") && is_in("fr") && !is_in("es"));
    }
}
