//! Access to one LIST, SET or MAP record, without allocation.

use super::Ordinal;
use super::layout::SIZE;
use super::page::PageView;
use crate::codec::bits;
use crate::codec::hash::hash_int;

/// One LIST record.
#[derive(Clone, Copy)]
pub struct ListView<'a> {
    page: PageView<'a>,
    start: u32,
    end: u32,
}

impl<'a> ListView<'a> {
    pub(crate) fn new(page: PageView<'a>, row: u32) -> Self {
        let (start, end) = page.elements(row);
        Self { page, start, end }
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The element at `index`, `None` behind the end.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Ordinal> {
        (index < self.len()).then(|| self.page.element(self.start + index as u32) as Ordinal)
    }

    /// The elements in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Ordinal> + Clone + use<'a> {
        let page = self.page;
        (self.start..self.end).map(move |index| page.element(index) as Ordinal)
    }
}

/// One SET record.
#[derive(Clone, Copy)]
pub struct SetView<'a> {
    table: Table<'a>,
}

impl<'a> SetView<'a> {
    pub(crate) fn new(page: PageView<'a>, row: u32, by_ordinal: bool) -> Self {
        Self {
            table: Table::new(page, row, by_ordinal),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.table.size as usize
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.table.size == 0
    }

    /// The elements in the order of their buckets.
    pub fn iter(&self) -> impl Iterator<Item = Ordinal> + Clone + use<'a> {
        self.buckets().map(|(_, element)| element)
    }

    /// Appends the elements in the order of their buckets: faster than [`iter`](Self::iter) for all of them.
    pub(crate) fn append_to(&self, elements: &mut Vec<Ordinal>) {
        self.table.append_keys(elements);
    }

    /// The elements, ascending.
    pub(crate) fn to_ascending(self) -> Vec<Ordinal> {
        if let Some(elements) = self.table.keys_by_bits() {
            return elements;
        }
        let mut elements = Vec::new();
        self.append_to(&mut elements);
        elements.sort_unstable();
        elements
    }

    /// Bits of a bucket.
    #[inline]
    pub(crate) fn bucket_bits(&self) -> u32 {
        self.table.page.layout.element_bits()
    }

    /// Whether both sets have as many buckets, with the same ordinals in them.
    #[inline]
    pub(crate) fn has_buckets_of(&self, other: &SetView<'_>) -> bool {
        self.table.has_buckets_of(&other.table)
    }

    /// The bits of all buckets, a word at a time, with how many bits of each count.
    pub(crate) fn bucket_words(&self) -> impl Iterator<Item = (u64, u32)> + use<'a> {
        self.table.words()
    }

    /// Calls `each` with the bits of every bucket; all ones are a free one.
    #[inline]
    pub(crate) fn each_stored(&self, each: impl FnMut(u64)) {
        self.table.each_key(each);
    }

    /// The buckets in use and their elements, ascending by bucket.
    pub fn buckets(&self) -> impl Iterator<Item = (u32, Ordinal)> + Clone + use<'a> {
        self.table.buckets().map(|(bucket, key, _)| (bucket, key))
    }

    /// Number of buckets, free ones included.
    pub fn bucket_count(&self) -> u32 {
        self.table.count
    }

    /// Whether the record of that ordinal is an element. Probes where elements are placed by ordinal; with a hash key
    /// it looks at every bucket.
    pub fn contains(&self, element: Ordinal) -> bool {
        self.table.find(element).is_some()
    }
}

/// One MAP record.
#[derive(Clone, Copy)]
pub struct MapView<'a> {
    table: Table<'a>,
}

impl<'a> MapView<'a> {
    pub(crate) fn new(page: PageView<'a>, row: u32, by_ordinal: bool) -> Self {
        Self {
            table: Table::new(page, row, by_ordinal),
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.table.size as usize
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.table.size == 0
    }

    /// The entries, key and value, in the order of their buckets.
    pub fn iter(&self) -> impl Iterator<Item = (Ordinal, Ordinal)> + Clone + use<'a> {
        self.buckets().map(|(_, key, value)| (key, value))
    }

    /// The buckets in use with key and value, ascending by bucket.
    pub fn buckets(&self) -> impl Iterator<Item = (u32, Ordinal, Ordinal)> + Clone + use<'a> {
        self.table.buckets()
    }

    /// Number of buckets, free ones included.
    pub fn bucket_count(&self) -> u32 {
        self.table.count
    }

    /// The value at the key of that ordinal. Probes where keys are placed by ordinal; with a hash key it looks at every
    /// bucket.
    pub fn get(&self, key: Ordinal) -> Option<Ordinal> {
        self.table.find(key)
    }
}

/// Sets whose elements take no more bits are put in order as bits.
const BITS_WIDTH: u32 = 10;

/// The hash table of a set or map.
#[derive(Clone, Copy)]
struct Table<'a> {
    page: PageView<'a>,
    start: u32,
    count: u32,
    size: u32,
    by_ordinal: bool,
}

impl<'a> Table<'a> {
    fn new(page: PageView<'a>, row: u32, by_ordinal: bool) -> Self {
        let (start, end) = page.elements(row);
        Self {
            page,
            start,
            count: end - start,
            size: page.slot(row, SIZE) as u32,
            by_ordinal,
        }
    }

    /// Key and value of a bucket in use.
    #[inline]
    fn bucket(&self, bucket: u32) -> Option<(Ordinal, Ordinal)> {
        let width = u32::from(self.page.layout.elements[0]);
        let stored = self.page.element(self.start + bucket);
        let key = stored & bits::mask(width);
        let value = stored.checked_shr(width).unwrap_or(0);
        (key != bits::mask(width)).then_some((key as Ordinal, value as Ordinal))
    }

    fn buckets(self) -> impl Iterator<Item = (u32, Ordinal, Ordinal)> + Clone + use<'a> {
        (0..self.count).filter_map(move |bucket| {
            let (key, value) = self.bucket(bucket)?;
            Some((bucket, key, value))
        })
    }

    /// The first bit of the buckets.
    #[inline]
    fn first_bit(&self) -> usize {
        let layout = self.page.layout;
        layout.row_bits as usize * 64 + self.start as usize * layout.element_bits() as usize
    }

    /// The buckets where each is a byte, as in sets of few things, such as countries.
    #[inline]
    fn bytes(&self) -> Option<&'a [u8]> {
        if self.page.layout.elements != [8, 0] {
            return None;
        }
        let bytes: &[u8] = bytemuck::cast_slice(self.page.words);
        let first = self.first_bit() / 8;
        Some(
            bytes
                .get(first..first + self.count as usize)
                .unwrap_or_default(),
        )
    }

    fn has_buckets_of(&self, other: &Table<'_>) -> bool {
        if self.count != other.count || self.page.layout.elements != other.page.layout.elements {
            return false;
        }
        if let (Some(bytes), Some(others)) = (self.bytes(), other.bytes()) {
            return bytes == others;
        }
        self.words().eq(other.words())
    }

    /// The bits of all buckets, a word at a time, with how many bits of each count.
    fn words(self) -> impl Iterator<Item = (u64, u32)> + use<'a> {
        let length = self.count as usize * self.page.layout.element_bits() as usize;
        (0..length).step_by(64).map(move |at| {
            let width = (length - at).min(64) as u32;
            let word = bits::get(self.page.words, self.first_bit() + at, width);
            (word, width)
        })
    }

    /// Calls `each` with the stored key of every bucket; all ones are a free one.
    #[inline]
    fn each_key(&self, mut each: impl FnMut(u64)) {
        if let Some(bytes) = self.bytes() {
            bytes.iter().for_each(|&key| each(u64::from(key)));
            return;
        }
        let layout = self.page.layout;
        let width = u32::from(layout.elements[0]);
        let step = layout.element_bits() as usize;
        let mut at = self.first_bit();
        for _ in 0..self.count {
            each(bits::get(self.page.words, at, width));
            at += step;
        }
    }

    fn append_keys(&self, keys: &mut Vec<Ordinal>) {
        let free = bits::mask(u32::from(self.page.layout.elements[0]));
        // Which buckets are free nobody can guess, so each is written, and the next goes over a free one.
        let mut length = keys.len();
        keys.resize(length + self.count as usize, 0);
        self.each_key(|key| {
            keys[length] = key as Ordinal;
            length += usize::from(key != free);
        });
        keys.truncate(length);
    }

    /// The keys, ascending, without sorting: as bits, if these are few. `None` too where a key stands there twice, as some of
    /// Java's sets have them.
    fn keys_by_bits(&self) -> Option<Vec<Ordinal>> {
        let width = u32::from(self.page.layout.elements[0]);
        if width > BITS_WIDTH || self.size < 8 {
            return None;
        }
        let free = bits::mask(width);
        let mut words = [0_u64; (1 << BITS_WIDTH) / 64];
        // Which buckets are free nobody can guess.
        self.each_key(|key| words[key as usize / 64] |= u64::from(key != free) << (key % 64));
        let words = &words[..(free as usize / 64) + 1];
        let count: u32 = words.iter().map(|word| word.count_ones()).sum();
        if count != self.size {
            return None;
        }
        let mut keys = Vec::with_capacity(count as usize);
        for (first, &word) in (0..).step_by(64).zip(words) {
            let mut rest = word;
            while rest != 0 {
                keys.push(first + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        Some(keys)
    }

    fn find(&self, key: Ordinal) -> Option<Ordinal> {
        if !self.by_ordinal {
            return self
                .buckets()
                .find_map(|(_, found, value)| (found == key).then_some(value));
        }
        let mask = self.count.wrapping_sub(1);
        let first = hash_int(key as i32) as u32;
        for step in 0..self.count {
            let (found, value) = self.bucket(first.wrapping_add(step) & mask)?;
            if found == key {
                return Some(value);
            }
        }
        None
    }
}
