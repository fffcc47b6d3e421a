//! Values shared by number.
//!
//! Most videos share their facts with others (the episodes of a season, titles licensed alike), so
//! a row holds numbers and the values lie here once. Whoever memoises answers per value asks which
//! values are newer than its last look; a freed number that is used again counts as newer.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Distinct values with reference counts; value 0 is the empty one and always there.
#[derive(Clone, Debug)]
pub(crate) struct Pool<T> {
    values: Vec<T>,
    counts: Vec<u32>,
    stamps: Vec<u64>,
    hashes: Vec<u64>,
    free: Vec<u32>,
    ids: HashTable<u32>,
    hasher: DefaultHashBuilder,
    stamp: u64,
}

/// The number of a pool's empty value.
pub(crate) const EMPTY: u32 = 0;

impl<T: Eq + Hash + Clone> Pool<T> {
    pub(crate) fn new(empty: T) -> Self {
        let mut pool = Self {
            values: Vec::new(),
            counts: Vec::new(),
            stamps: Vec::new(),
            hashes: Vec::new(),
            free: Vec::new(),
            ids: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            stamp: 0,
        };
        pool.acquire(empty);
        pool
    }

    /// The number of a value, which counts one more reference.
    pub(crate) fn acquire(&mut self, value: T) -> u32 {
        let hash = self.hasher.hash_one(&value);
        let (values, hashes) = (&self.values, &self.hashes);
        let is_same = |&id: &u32| hashes[id as usize] == hash && values[id as usize] == value;
        if let Some(&id) = self.ids.find(hash, is_same) {
            return self.share(id);
        }
        self.stamp += 1;
        let id = match self.free.pop() {
            Some(id) => {
                self.values[id as usize] = value;
                self.counts[id as usize] = 1;
                self.stamps[id as usize] = self.stamp;
                self.hashes[id as usize] = hash;
                id
            }
            None => {
                self.values.push(value);
                self.counts.push(1);
                self.stamps.push(self.stamp);
                self.hashes.push(hash);
                (self.values.len() - 1) as u32
            }
        };
        let hashes = &self.hashes;
        self.ids.insert_unique(hash, id, |&id| hashes[id as usize]);
        id
    }

    /// One more reference to a number that is in use.
    pub(crate) fn share(&mut self, id: u32) -> u32 {
        self.share_many(id, 1);
        id
    }

    /// So many more.
    pub(crate) fn share_many(&mut self, id: u32, more: u32) {
        if id != EMPTY {
            self.counts[id as usize] += more;
        }
    }

    /// One reference less; the last one frees the number.
    pub(crate) fn release(&mut self, id: u32) {
        self.release_many(id, 1);
    }

    /// So many less.
    pub(crate) fn release_many(&mut self, id: u32, less: u32) {
        if id == EMPTY {
            return;
        }
        let count = &mut self.counts[id as usize];
        *count -= less;
        if *count > 0 {
            return;
        }
        let hash = self.hashes[id as usize];
        if let Ok(entry) = self.ids.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        self.values[id as usize] = self.values[EMPTY as usize].clone();
        self.free.push(id);
    }

    pub(crate) fn get(&self, id: u32) -> &T {
        &self.values[id as usize]
    }

    /// How many numbers there are, free ones included.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether a number is referred to.
    pub(crate) fn is_used(&self, id: u32) -> bool {
        id == EMPTY || self.counts[id as usize] > 0
    }

    /// All values by number; a free number has the empty one.
    pub(crate) fn values(&self) -> &[T] {
        &self.values
    }

    /// The newest stamp given out.
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }

    /// The numbers whose value is newer than a stamp.
    pub(crate) fn newer(&self, stamp: u64) -> impl Iterator<Item = (u32, &T)> {
        (0u32..)
            .zip(self.values.iter().zip(&self.stamps))
            .filter(move |(_, (_, at))| **at > stamp)
            .map(|(id, (value, _))| (id, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shared_freed_and_stamped_again() {
        let mut pool = Pool::new(String::new());
        let a = pool.acquire("a".into());
        assert_eq!(pool.acquire("a".into()), a);
        let seen = pool.stamp();
        assert_eq!(pool.newer(seen).count(), 0);
        pool.release(a);
        assert_eq!(pool.get(a), "a");
        pool.release(a);
        let b = pool.acquire("b".into());
        assert_eq!(b, a);
        assert_eq!(pool.newer(seen).map(|(id, _)| id).collect::<Vec<_>>(), [b]);
        assert_eq!(pool.acquire(String::new()), EMPTY);
    }
}
