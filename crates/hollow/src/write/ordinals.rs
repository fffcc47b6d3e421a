//! Which ordinal a new record gets.
//!
//! Ordinals are what makes two producers of the same data write the same bytes, so the rule is explicit and undoable:
//! a cycle takes ordinals in the order in which records are added, a rolled back cycle gives back exactly what it
//! took, and an ordinal that a record leaves in one cycle is free from the next cycle on (format 9.2), so that the
//! additions and the removals of one delta never meet.
//!
//! Two orders exist. [`OrdinalOrder::SmallestFirst`] depends on the set of populated ordinals alone: a writer that
//! was restarted goes on with the very same ordinals as one that was not. [`OrdinalOrder::Java`] is Hollow's own
//! (format 9.2 to 9.5), where the first cycle after a restore takes the largest free ordinals first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Ordinal;

/// The first ordinal that the format cannot hold (format 9.2: ordinals are below 2^29).
pub(crate) const ORDINAL_LIMIT: Ordinal = 1 << 29;

/// The order in which free ordinals are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrdinalOrder {
    /// The smallest free ordinal first, after a restore as well. A function of the populated ordinals alone.
    #[default]
    SmallestFirst,
    /// Hollow's order: smallest first in a running chain, largest first in the first cycle after a restore, and a
    /// `next` ordinal that never goes down (`FreeOrdinalTracker`).
    Java,
}

/// Free ordinals of one type: those left by removed records, then `next`, `next + 1` and so on.
#[derive(Debug)]
pub(crate) struct FreeOrdinals {
    free: Free,
    next: Ordinal,
    next_at_begin: Ordinal,
    /// What the open cycle took out of `free`, in order.
    taken: Vec<Ordinal>,
}

#[derive(Debug)]
enum Free {
    /// Smallest first.
    Smallest(Smallest),
    /// Hollow's stack: the next one to take is the last.
    Stack(Vec<Ordinal>),
}

/// Ordinals of which the smallest is taken first: most from the end of a sorted run, the few that came since it was sorted from
/// a heap.
#[derive(Debug, Default)]
struct Smallest {
    /// Descending.
    run: Vec<Ordinal>,
    since: BinaryHeap<Reverse<Ordinal>>,
}

impl Smallest {
    fn new(ordinals: impl Iterator<Item = Ordinal>) -> Self {
        let mut free = Self::default();
        free.give(ordinals);
        free
    }

    fn take(&mut self) -> Option<Ordinal> {
        match (self.run.last(), self.since.peek()) {
            (Some(run), Some(Reverse(since))) if since < run => {}
            (Some(_), _) => return self.run.pop(),
            _ => {}
        }
        self.since.pop().map(|Reverse(ordinal)| ordinal)
    }

    fn give(&mut self, ordinals: impl Iterator<Item = Ordinal>) {
        self.since.extend(ordinals.map(Reverse));
        // Sorting costs by all that is free, and is due when as much has come.
        if self.since.len() > self.run.len() / 4 {
            let since = self.since.drain().map(|Reverse(ordinal)| ordinal);
            self.run.extend(since);
            self.run.sort_unstable_by_key(|&ordinal| Reverse(ordinal));
        }
    }

    #[cfg(test)]
    fn iter(&self) -> impl Iterator<Item = Ordinal> {
        let since = self.since.iter().map(|Reverse(ordinal)| *ordinal);
        self.run.iter().copied().chain(since)
    }
}

impl FreeOrdinals {
    pub(crate) fn new(order: OrdinalOrder) -> Self {
        Self::restored(order, 0, std::iter::empty())
    }

    /// Goes on after a restore: `next` is one above the highest populated ordinal, `unpopulated` the ordinals below
    /// it that hold no record, ascending.
    pub(crate) fn restored(
        order: OrdinalOrder,
        next: Ordinal,
        unpopulated: impl Iterator<Item = Ordinal>,
    ) -> Self {
        let free = match order {
            OrdinalOrder::SmallestFirst => Free::Smallest(Smallest::new(unpopulated)),
            OrdinalOrder::Java => Free::Stack(unpopulated.collect()),
        };
        Self {
            free,
            next,
            next_at_begin: next,
            taken: Vec::new(),
        }
    }

    /// Takes an ordinal for a new record. `None` when the format's limit is reached.
    pub(crate) fn take(&mut self) -> Option<Ordinal> {
        let free = match &mut self.free {
            Free::Smallest(free) => free.take(),
            Free::Stack(stack) => stack.pop(),
        };
        if let Some(ordinal) = free {
            self.taken.push(ordinal);
            return Some(ordinal);
        }
        if self.next >= ORDINAL_LIMIT {
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }

    /// Ends the cycle for good: `freed` become free, to be taken in the next cycle. With `focus_shards` above 1 the
    /// free ordinals are grouped by shard, the shards with the most of them first (format 9.3).
    pub(crate) fn commit(&mut self, freed: impl Iterator<Item = Ordinal>, focus_shards: u32) {
        self.taken.clear();
        self.next_at_begin = self.next;
        match &mut self.free {
            Free::Smallest(free) => free.give(freed),
            Free::Stack(stack) => {
                stack.extend(freed);
                sort_stack(stack, focus_shards);
            }
        }
    }

    /// Ends the cycle as if it had not been.
    pub(crate) fn rollback(&mut self) {
        self.next = self.next_at_begin;
        match &mut self.free {
            Free::Smallest(free) => free.give(self.taken.drain(..)),
            Free::Stack(stack) => stack.extend(self.taken.drain(..).rev()),
        }
    }

    /// All free ordinals below `next`, ascending; for the tests.
    #[cfg(test)]
    pub(crate) fn to_sorted(&self) -> (Vec<Ordinal>, Ordinal) {
        let mut all: Vec<Ordinal> = match &self.free {
            Free::Smallest(free) => free.iter().collect(),
            Free::Stack(stack) => stack.clone(),
        };
        all.sort_unstable();
        (all, self.next)
    }
}

/// Orders Hollow's stack: the smallest on top, or with focus on shards, see [`FreeOrdinals::commit`].
fn sort_stack(stack: &mut [Ordinal], focus_shards: u32) {
    if focus_shards <= 1 {
        stack.sort_unstable_by_key(|&ordinal| Reverse(ordinal));
        return;
    }
    let mut holes = vec![0_u32; focus_shards as usize];
    let mask = focus_shards - 1;
    for ordinal in stack.iter() {
        holes[(ordinal & mask) as usize] += 1;
    }
    // Ascending in the order of taking, then turned around, since the top of the stack is its end.
    stack.sort_unstable_by_key(|&ordinal| {
        let shard = ordinal & mask;
        (Reverse(holes[shard as usize]), shard, ordinal)
    });
    stack.reverse();
}

/// The ordinals of a type: one [`FreeOrdinals`], or four of them under Hollow's partitioned ordinal map (format 9.4).
#[derive(Debug)]
pub(crate) struct OrdinalAllocator {
    partitions: Vec<FreeOrdinals>,
}

/// Number of tables of a partitioned ordinal map, as a power of two.
const PARTITION_BITS: u32 = 2;

impl OrdinalAllocator {
    pub(crate) fn new(order: OrdinalOrder, partitioned: bool) -> Self {
        let count = if partitioned { 1 << PARTITION_BITS } else { 1 };
        Self {
            partitions: (0..count).map(|_| FreeOrdinals::new(order)).collect(),
        }
    }

    /// Goes on from the populated ordinals of a state, ascending.
    pub(crate) fn restored<I: Iterator<Item = Ordinal>>(
        order: OrdinalOrder,
        partitioned: bool,
        populated: impl Fn() -> I,
    ) -> Self {
        let bits = if partitioned { PARTITION_BITS } else { 0 };
        let partitions = (0..1_u32 << bits)
            .map(|partition| {
                let own = populated()
                    .filter(|o| o & ((1 << bits) - 1) == partition)
                    .map(|o| o >> bits);
                let mut next = 0;
                let mut holes = Vec::new();
                for ordinal in own {
                    holes.extend(next..ordinal);
                    next = ordinal + 1;
                }
                FreeOrdinals::restored(order, next, holes.into_iter())
            })
            .collect();
        Self { partitions }
    }

    /// Takes an ordinal; `murmur` is only asked for the record's hash where tables are partitioned by it.
    pub(crate) fn take(&mut self, murmur: impl FnOnce() -> u32) -> Option<Ordinal> {
        if let [only] = &mut self.partitions[..] {
            return only.take();
        }
        let partition = murmur() & ((1 << PARTITION_BITS) - 1);
        let local = self.partitions[partition as usize].take()?;
        let ordinal = local << PARTITION_BITS | partition;
        (ordinal < ORDINAL_LIMIT && local < ORDINAL_LIMIT >> PARTITION_BITS).then_some(ordinal)
    }

    pub(crate) fn commit(
        &mut self,
        freed: impl Iterator<Item = Ordinal> + Clone,
        focus_shards: u32,
    ) {
        if let [only] = &mut self.partitions[..] {
            return only.commit(freed, focus_shards);
        }
        let mask = (1 << PARTITION_BITS) - 1;
        for (partition, ordinals) in (0_u32..).zip(&mut self.partitions) {
            let own = freed
                .clone()
                .filter(|o| o & mask == partition)
                .map(|o| o >> PARTITION_BITS);
            ordinals.commit(own, 1);
        }
    }

    pub(crate) fn rollback(&mut self) {
        self.partitions.iter_mut().for_each(FreeOrdinals::rollback);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(free: &mut FreeOrdinals, count: usize) -> Vec<Ordinal> {
        (0..count)
            .map(|_| free.take().expect("below the limit"))
            .collect()
    }

    #[test]
    fn a_left_ordinal_is_taken_in_the_next_cycle_smallest_first() {
        for order in [OrdinalOrder::SmallestFirst, OrdinalOrder::Java] {
            let mut free = FreeOrdinals::new(order);
            assert_eq!(take(&mut free, 5), [0, 1, 2, 3, 4]);
            free.commit([3, 1].into_iter(), 1);
            assert_eq!(take(&mut free, 3), [1, 3, 5]);
        }
    }

    #[test]
    fn after_a_restore_the_orders_differ_for_one_cycle() {
        let populated = [0, 2, 5];
        let mut ours = OrdinalAllocator::restored(OrdinalOrder::SmallestFirst, false, || {
            populated.into_iter()
        });
        let mut java =
            OrdinalAllocator::restored(OrdinalOrder::Java, false, || populated.into_iter());
        let two = |a: &mut OrdinalAllocator| [a.take(|| 0), a.take(|| 0)];
        assert_eq!(two(&mut ours), [Some(1), Some(3)]);
        assert_eq!(two(&mut java), [Some(4), Some(3)]);
        java.commit([0].into_iter(), 1);
        assert_eq!(two(&mut java), [Some(0), Some(1)]);
    }

    #[test]
    fn rollback_gives_back_exactly_what_was_taken() {
        for order in [OrdinalOrder::SmallestFirst, OrdinalOrder::Java] {
            let mut free = FreeOrdinals::restored(order, 8, [2, 4, 7].into_iter());
            let first = take(&mut free, 5);
            free.rollback();
            assert_eq!(free.to_sorted(), (vec![2, 4, 7], 8));
            assert_eq!(take(&mut free, 5), first);
        }
    }

    #[test]
    fn a_restarted_writer_goes_on_like_one_that_was_not() {
        let mut running = FreeOrdinals::new(OrdinalOrder::SmallestFirst);
        take(&mut running, 10);
        running.commit([9, 8, 3].into_iter(), 1);
        let mut restarted = FreeOrdinals::restored(OrdinalOrder::SmallestFirst, 8, [3].into_iter());
        assert_eq!(take(&mut running, 6), take(&mut restarted, 6));
    }

    #[test]
    fn holes_can_be_focused_in_the_fewest_shards() {
        let mut free = FreeOrdinals::new(OrdinalOrder::Java);
        take(&mut free, 16);
        free.commit([0, 1, 5, 9, 2, 6, 3].into_iter(), 4);
        assert_eq!(take(&mut free, 8), [1, 5, 9, 2, 6, 0, 3, 16]);
    }

    #[test]
    fn partitions_have_ordinals_of_their_own() {
        let mut ordinals = OrdinalAllocator::new(OrdinalOrder::Java, true);
        assert_eq!(ordinals.take(|| 7), Some(3));
        assert_eq!(ordinals.take(|| 4), Some(0));
        assert_eq!(ordinals.take(|| 3), Some(7));
        ordinals.commit([3].into_iter(), 1);
        assert_eq!(ordinals.take(|| 3), Some(3));
    }

    #[test]
    fn the_format_has_a_limit() {
        let mut free = FreeOrdinals::restored(
            OrdinalOrder::SmallestFirst,
            ORDINAL_LIMIT - 1,
            std::iter::empty(),
        );
        assert_eq!(free.take(), Some(ORDINAL_LIMIT - 1));
        assert_eq!(free.take(), None);
    }
}
