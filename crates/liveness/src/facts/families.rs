//! All videos in one order: families one after the other, children before their parents.
//!
//! Whoever looks at every video walks memory from front to back, and meets a season's episodes just
//! before the season. Positions change only when titles do.

use super::{Facts, Row, Slot};

/// No parent: the position of what is above a root.
pub(crate) const NO_PLACE: u32 = u32::MAX;

/// What has no key.
pub(crate) const COLLECTS: u32 = u32::MAX;

/// How many videos a chunk has at least: families are not torn apart.
const CHUNK: usize = 4096;

#[derive(Clone, Debug, Default)]
pub(crate) struct Families {
    /// The rows by position.
    pub(crate) slots: Vec<Slot>,
    /// The position of the parent, by position.
    pub(crate) parents: Vec<u32>,
    /// The number of the key by position; of shows and seasons [`COLLECTS`].
    pub(crate) keys: Vec<u32>,
    /// The number of the refresh that looked at it last, by position.
    pub(crate) refreshed: Vec<u64>,
    /// The position by row.
    places: Vec<u32>,
    /// Where chunks of whole families end.
    pub(crate) chunks: Vec<usize>,
    /// Ids and positions, by id.
    pub(crate) by_video: Vec<(i64, u32)>,
    /// Grows with every change of the order.
    pub(crate) generation: u64,
}

impl Families {
    /// The order of what hangs from the roots.
    pub(super) fn of(facts: &Facts, generation: u64) -> Self {
        let mut families = Self {
            generation,
            ..Self::default()
        };
        families.places.resize(facts.rows.len(), NO_PLACE);
        let mut chunk = 0;
        for &root in facts.roots() {
            families.add(facts, root);
            if families.slots.len() >= chunk + CHUNK {
                chunk = families.slots.len();
                families.chunks.push(chunk);
            }
        }
        if families.slots.len() > chunk {
            families.chunks.push(families.slots.len());
        }
        families.by_video = (0u32..)
            .zip(&families.slots)
            .map(|(place, &slot)| (facts.video(slot), place))
            .collect();
        families.by_video.sort_unstable();
        families
    }

    /// Takes in a row that was looked at and stays where it is.
    pub(super) fn refresh(&mut self, slot: Slot, row: &Row) {
        let place = self.places.get(slot as usize);
        let place = place.map_or(usize::MAX, |&place| place as usize);
        let (Some(key), Some(refreshed)) =
            (self.keys.get_mut(place), self.refreshed.get_mut(place))
        else {
            return;
        };
        *refreshed = row.refreshed;
        if *key != COLLECTS {
            *key = row.key;
        }
    }

    fn add(&mut self, facts: &Facts, slot: Slot) -> u32 {
        let children: Vec<u32> = facts
            .children(slot)
            .map(|child| self.add(facts, child))
            .collect();
        let place = self.slots.len() as u32;
        let row = facts.row(slot);
        self.places[slot as usize] = place;
        self.keys.push(match row.is_played() {
            true => row.key,
            false => COLLECTS,
        });
        self.refreshed.push(row.refreshed);
        for child in children {
            self.parents[child as usize] = place;
        }
        self.slots.push(slot);
        self.parents.push(NO_PLACE);
        place
    }
}
