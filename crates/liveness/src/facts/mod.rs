//! Facts about all videos, kept up record by record.
//!
//! The inputs' records come in through the `set_` methods, in any order and any number; a
//! [`Facts::refresh`] then brings the rows up to date. A row holds, per subject, the number of a
//! shared value: its own record's, and the effective one after inheritance (`schemas/README.md`:
//! a season or episode stands under its parent's record of a key that it lacks). Work follows what
//! changed, and the order in which records came leaves no trace: facts built at once and facts
//! kept up over many changes are equal.

pub(crate) mod families;
pub(crate) mod names;
pub(crate) mod policies;
pub(crate) mod pool;
mod refresh;
pub(crate) mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use families::Families;
pub use names::{Name, Names};
pub use policies::Policies;
use pool::Pool;
pub use values::{
    Artwork, Countries, Hold, Need, OPEN, Policy, Rating, Speech, Streams, Text, TitleFact, Track,
    Window,
};

use crate::country::Country;
use crate::language::{Fallback, Language, Languages};
use crate::record::{Kind, TrackKind};

/// The row of a video; stays the video's as long as it has any record.
pub type Slot = u32;

/// No record of a subject: what an own id says then.
pub(crate) const ABSENT: u32 = u32::MAX;
/// No parent row.
pub(crate) const NO_SLOT: Slot = u32::MAX;

/// The numbers of a row's values, one per subject.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Ids {
    pub(crate) rights: u32,
    pub(crate) ratings: u32,
    pub(crate) texts: u32,
    pub(crate) tracks: u32,
    pub(crate) artwork: u32,
    pub(crate) streams: u32,
    pub(crate) holds: u32,
}

/// All that decides about a played video.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    /// The effective values.
    pub(crate) ids: Ids,
    /// The effective tracks with the original language.
    pub(crate) speech: u32,
    /// Whether a parent is missing or of another kind, here or above.
    pub(crate) orphan: bool,
}

/// No value of any subject.
const NOTHING: Ids = Ids {
    rights: pool::EMPTY,
    ratings: pool::EMPTY,
    texts: pool::EMPTY,
    tracks: pool::EMPTY,
    artwork: pool::EMPTY,
    streams: pool::EMPTY,
    holds: pool::EMPTY,
};

/// One video.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) video: i64,
    pub(crate) title: Option<TitleFact>,
    /// The row that `title.parent` names, whatever that is.
    pub(crate) parent: Slot,
    /// Whether a parent is missing or of another kind, here or above.
    pub(crate) orphan: bool,
    pub(crate) own: Ids,
    pub(crate) effective: Ids,
    /// The effective tracks with the original language.
    pub(crate) speech: u32,
    /// The number of the played video's [`Key`].
    pub(crate) key: u32,
    pub(crate) hours_viewed: Option<i64>,
    /// The number of the refresh that looked at it last.
    pub(crate) refreshed: u64,
}

impl Row {
    /// Whether it is played itself, as far as anybody knows.
    pub(crate) fn is_played(&self) -> bool {
        self.title.is_none_or(|title| title.kind.is_playable())
    }

    /// All that decides about it if it is played.
    pub(crate) fn to_key(&self) -> Key {
        Key {
            ids: self.effective,
            speech: self.speech,
            orphan: self.orphan,
        }
    }
}

/// The shared values, by subject.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    pub(crate) rights: Pool<Arc<[Window]>>,
    pub(crate) ratings: Pool<Arc<[Rating]>>,
    pub(crate) texts: Pool<Arc<[Text]>>,
    pub(crate) tracks: Pool<Arc<[Track]>>,
    pub(crate) artwork: Pool<Arc<[Artwork]>>,
    pub(crate) streams: Pool<Streams>,
    pub(crate) holds: Pool<Arc<[Hold]>>,
    pub(crate) speech: Pool<Speech>,
    pub(crate) keys: Pool<Key>,
}

/// Changes of one subject that wait for the next refresh: row, key, new value.
type Staged<K, V> = Vec<(Slot, K, Option<V>)>;

/// The facts about all videos, and what all countries ask.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The language tags of the facts.
    pub languages: Languages,
    /// The other names of the facts.
    pub names: Names,
    pub(crate) rows: Vec<Row>,
    pub(crate) pools: Pools,
    pub(crate) children: HashMap<Slot, Vec<Slot>>,
    slots: HashMap<i64, Slot>,
    free: Vec<Slot>,
    holds: HashMap<Arc<str>, Slot>,
    dirty: Vec<Slot>,
    titles: Vec<(Slot, Option<TitleFact>)>,
    rights: Vec<(Slot, Option<u32>)>,
    ratings: Vec<(Slot, Option<u32>)>,
    streams: Vec<(Slot, Option<u32>)>,
    hours_viewed: Vec<(Slot, Option<i64>)>,
    texts: Staged<Language, Text>,
    tracks: Staged<(TrackKind, Language), Track>,
    artwork: Staged<Language, Artwork>,
    held: Staged<Arc<str>, Hold>,
    policies: BTreeMap<Country, Policy>,
    compiled: Policies,
    policies_stamp: u64,
    policies_changed: bool,
    roots: Vec<Slot>,
    structure_changed: bool,
    families: Families,
    /// How often the facts were brought up to date.
    refreshes: u64,
}

impl Facts {
    /// No facts yet.
    pub fn new(fallback: Fallback) -> Self {
        let no_tracks: Arc<[Track]> = Arc::from([]);
        Self {
            languages: Languages::new(fallback),
            names: Names::default(),
            rows: Vec::new(),
            pools: Pools {
                rights: Pool::new(Arc::from([])),
                ratings: Pool::new(Arc::from([])),
                texts: Pool::new(Arc::from([])),
                tracks: Pool::new(Arc::clone(&no_tracks)),
                artwork: Pool::new(Arc::from([])),
                streams: Pool::new(Streams::default()),
                holds: Pool::new(Arc::from([])),
                speech: Pool::new(Speech {
                    tracks: no_tracks,
                    original: None,
                    kids: false,
                }),
                keys: Pool::new(Key {
                    ids: NOTHING,
                    speech: pool::EMPTY,
                    orphan: false,
                }),
            },
            children: HashMap::new(),
            slots: HashMap::new(),
            free: Vec::new(),
            holds: HashMap::new(),
            dirty: Vec::new(),
            titles: Vec::new(),
            rights: Vec::new(),
            ratings: Vec::new(),
            streams: Vec::new(),
            hours_viewed: Vec::new(),
            texts: Vec::new(),
            tracks: Vec::new(),
            artwork: Vec::new(),
            held: Vec::new(),
            policies: BTreeMap::new(),
            compiled: Policies::default(),
            policies_stamp: 0,
            policies_changed: false,
            roots: Vec::new(),
            structure_changed: false,
            families: Families::default(),
            refreshes: 0,
        }
    }

    /// Sets or removes a record of `titles`.
    pub fn set_title(&mut self, video: i64, title: Option<TitleFact>) {
        let slot = self.slot_or_new(video);
        self.titles.push((slot, title));
    }

    fn place_title(&mut self, slot: Slot, title: Option<TitleFact>) {
        let before = self.rows[slot as usize].title;
        if before == title {
            return;
        }
        let parent_of = |title: Option<TitleFact>| title.and_then(|title| title.parent);
        if parent_of(before) != parent_of(title) {
            self.unlink(slot);
            if let Some(parent) = parent_of(title) {
                let parent = self.slot_or_new(parent);
                self.children.entry(parent).or_default().push(slot);
                self.rows[slot as usize].parent = parent;
            }
        }
        let place_of = |title: Option<TitleFact>| title.map(|title| (title.kind, title.parent));
        if place_of(before) != place_of(title) {
            self.structure_changed = true;
            // Of another kind it is no part of its parent any more, though it still names it.
            self.dirty_parent(slot);
        }
        self.rows[slot as usize].title = title;
        self.dirty.push(slot);
    }

    /// Sets or removes a record of `rights`; the windows in any order.
    pub fn set_rights(&mut self, video: i64, windows: Option<Vec<Window>>) {
        let slot = self.slot_or_new(video);
        let id = windows.map(|mut windows| {
            windows.sort();
            self.pools.rights.acquire(Arc::from(windows))
        });
        self.rights.push((slot, id));
    }

    /// Sets or removes a record of `ratings`; the countries' ratings in any order.
    pub fn set_ratings(&mut self, video: i64, ratings: Option<Vec<Rating>>) {
        let slot = self.slot_or_new(video);
        let id = ratings.map(|mut ratings| {
            ratings.sort();
            self.pools.ratings.acquire(Arc::from(ratings))
        });
        self.ratings.push((slot, id));
    }

    /// Sets a record of `texts`.
    pub fn set_text(&mut self, video: i64, text: Text) {
        let slot = self.slot_or_new(video);
        self.texts.push((slot, text.language, Some(text)));
    }

    /// Removes a record of `texts`.
    pub fn remove_text(&mut self, video: i64, language: Language) {
        let slot = self.slot_or_new(video);
        self.texts.push((slot, language, None));
    }

    /// Sets a record of `assets`.
    pub fn set_track(&mut self, video: i64, track: Track) {
        let slot = self.slot_or_new(video);
        let key = (track.kind, track.language);
        self.tracks.push((slot, key, Some(track)));
    }

    /// Removes a record of `assets`.
    pub fn remove_track(&mut self, video: i64, kind: TrackKind, language: Language) {
        let slot = self.slot_or_new(video);
        self.tracks.push((slot, (kind, language), None));
    }

    /// Sets a record of `artwork`.
    pub fn set_artwork(&mut self, video: i64, artwork: Artwork) {
        let slot = self.slot_or_new(video);
        self.artwork.push((slot, artwork.language, Some(artwork)));
    }

    /// Removes a record of `artwork`.
    pub fn remove_artwork(&mut self, video: i64, language: Language) {
        let slot = self.slot_or_new(video);
        self.artwork.push((slot, language, None));
    }

    /// Sets or removes a record of `streams`.
    pub fn set_streams(&mut self, video: i64, streams: Option<Streams>) {
        let slot = self.slot_or_new(video);
        let id = streams.map(|streams| self.pools.streams.acquire(streams));
        self.streams.push((slot, id));
    }

    /// Sets a record of `holds`; it may name another video than before.
    pub fn set_hold(&mut self, video: i64, hold: Hold) {
        let slot = self.slot_or_new(video);
        let id = hold.hold.clone();
        if let Some(before) = self.holds.insert(id.clone(), slot)
            && before != slot
        {
            self.held.push((before, id.clone(), None));
        }
        self.held.push((slot, id, Some(hold)));
    }

    /// Removes a record of `holds`.
    pub fn remove_hold(&mut self, hold: &str) {
        if let Some((id, slot)) = self.holds.remove_entry(hold) {
            self.held.push((slot, id, None));
        }
    }

    /// Sets or removes a record of `popularity`, in hours viewed.
    pub fn set_popularity(&mut self, video: i64, hours_viewed: Option<i64>) {
        let slot = self.slot_or_new(video);
        self.hours_viewed.push((slot, hours_viewed));
    }

    /// Sets or removes a record of `policies`. The countries that have one are those evaluated.
    pub fn set_policy(&mut self, country: Country, policy: Option<Policy>) {
        let before = match &policy {
            Some(policy) => self.policies.insert(country, policy.clone()),
            None => self.policies.remove(&country),
        };
        self.policies_changed |= before != policy;
    }

    /// What all countries ask, as of the last refresh.
    pub fn policies(&self) -> &Policies {
        &self.compiled
    }

    /// Grows with every change of the policies.
    pub(crate) fn policies_stamp(&self) -> u64 {
        self.policies_stamp
    }

    /// The rows from which all others are reached, by video: movies, shows, and what lacks its
    /// parent. As of the last refresh.
    pub fn roots(&self) -> &[Slot] {
        &self.roots
    }

    /// All videos, family by family. As of the last refresh.
    pub(crate) fn families(&self) -> &Families {
        &self.families
    }

    /// How often the facts were brought up to date.
    pub(crate) fn refreshes(&self) -> u64 {
        self.refreshes
    }

    /// The row of a video that `titles` has.
    pub fn slot(&self, video: i64) -> Option<Slot> {
        let slot = *self.slots.get(&video)?;
        self.rows[slot as usize].title.map(|_| slot)
    }

    /// The video of a row.
    pub fn video(&self, slot: Slot) -> i64 {
        self.rows[slot as usize].video
    }

    /// The kind of a row's video; `None` where `titles` has no record of it.
    pub fn kind(&self, slot: Slot) -> Option<Kind> {
        self.rows[slot as usize].title.map(|title| title.kind)
    }

    /// How many hours a video was viewed, by itself or, where it has no figure, by what it
    /// belongs to; 0 if nobody counted.
    pub fn hours_viewed(&self, slot: Slot) -> i64 {
        self.lineage(slot)
            .find_map(|slot| self.rows[slot as usize].hours_viewed)
            .unwrap_or(0)
    }

    /// The rows of a video's seasons or episodes.
    pub fn children(&self, slot: Slot) -> impl Iterator<Item = Slot> + '_ {
        self.children
            .get(&slot)
            .into_iter()
            .flatten()
            .copied()
            .filter(move |&child| self.parent(child) == Some(slot))
    }

    /// The row that a video belongs to; `None` where that is missing or of the wrong kind.
    pub fn parent(&self, slot: Slot) -> Option<Slot> {
        let row = &self.rows[slot as usize];
        let wanted = row.title?.kind.parent()?;
        let parent = self.rows.get(row.parent as usize)?;
        (parent.title?.kind == wanted).then_some(row.parent)
    }

    /// A row, then what it belongs to, nearest first.
    pub fn lineage(&self, slot: Slot) -> impl Iterator<Item = Slot> + '_ {
        std::iter::successors(Some(slot), |&at| self.parent(at))
    }

    /// How many videos `titles` has.
    pub fn videos(&self) -> usize {
        self.rows.iter().filter(|row| row.title.is_some()).count()
    }

    pub(crate) fn row(&self, slot: Slot) -> &Row {
        &self.rows[slot as usize]
    }

    fn slot_or_new(&mut self, video: i64) -> Slot {
        if let Some(&slot) = self.slots.get(&video) {
            return slot;
        }
        let row = Row {
            video,
            title: None,
            parent: NO_SLOT,
            orphan: false,
            own: Ids {
                rights: ABSENT,
                ratings: ABSENT,
                texts: pool::EMPTY,
                tracks: pool::EMPTY,
                artwork: pool::EMPTY,
                streams: ABSENT,
                holds: pool::EMPTY,
            },
            effective: NOTHING,
            speech: pool::EMPTY,
            key: pool::EMPTY,
            hours_viewed: None,
            refreshed: self.refreshes,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.rows[slot as usize] = row;
                slot
            }
            None => {
                self.rows.push(row);
                (self.rows.len() - 1) as Slot
            }
        };
        self.slots.insert(video, slot);
        slot
    }

    fn dirty_parent(&mut self, slot: Slot) {
        let parent = self.rows[slot as usize].parent;
        if parent != NO_SLOT {
            self.dirty.push(parent);
        }
    }

    fn unlink(&mut self, slot: Slot) {
        let parent = std::mem::replace(&mut self.rows[slot as usize].parent, NO_SLOT);
        if let Some(children) = self.children.get_mut(&parent) {
            children.retain(|&child| child != slot);
            if children.is_empty() {
                self.children.remove(&parent);
            }
            self.dirty.push(parent);
        }
    }
}
