//! The bytes of the records that are being written: what a record refers to is written behind what there is of it so far, added, and
//! cut off again. Behind all of them there is room, so that what is short is written as one word or line of fixed size of
//! which only the length counts: nothing is called, and nothing depends on how long it is.

use hollow::codec::varint;
use std::ops::Range;

/// Bytes that grow.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// The bytes, and room behind them.
    room: Vec<u8>,
    len: usize,
}

impl Out {
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The bytes from there on.
    #[inline]
    pub(super) fn from(&self, start: usize) -> &[u8] {
        self.room.get(start..self.len).unwrap_or_default()
    }

    /// Puts what begins at `start` into the order of these ranges, which cover it.
    pub(super) fn reorder(&mut self, start: usize, ranges: &[Range<usize>]) {
        let end = self.len;
        self.reserve(end - start);
        for range in ranges {
            self.room.copy_within(range.clone(), self.len);
            self.len += range.len();
        }
        self.room.copy_within(end..self.len, start);
        self.len -= end - start;
    }

    /// What is behind: there is always so much. What is written there counts with [`advance`](Self::advance).
    #[inline]
    pub(super) fn room<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.reserve(N);
        self.room.get_mut(self.len..)?.first_chunk_mut()
    }

    /// Counts the first bytes of the [`room`](Self::room).
    #[inline]
    pub(super) fn advance(&mut self, len: usize) {
        self.len = (self.len + len).min(self.room.len());
    }

    /// Appends the first `len` bytes of `chunk`.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, chunk: &[u8; N], len: usize) {
        loop {
            let room = self.room.get_mut(self.len..);
            if let Some(room) = room.and_then(<[u8]>::first_chunk_mut::<N>) {
                *room = *chunk;
                self.len += len.min(N);
                return;
            }
            self.grow(N);
        }
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.put(&[byte], 1);
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.room[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Appends a number as records have it: the most significant group first.
    #[inline]
    pub(super) fn vlong(&mut self, value: u64) {
        if value < 0x80 {
            return self.push(value as u8);
        }
        let mut bytes = [0; 10];
        let len = varint::vlong_len(value);
        let (mut rest, mut more) = (value, 0);
        for byte in bytes[..len].iter_mut().rev() {
            *byte = more | (rest & 0x7f) as u8;
            (rest, more) = (rest >> 7, 0x80);
        }
        self.put(&bytes, len);
    }

    /// Appends an ordinal or a length.
    #[inline]
    pub(super) fn vint(&mut self, value: u32) {
        let (line, len) = stored_ordinal(value);
        self.put(&line.to_le_bytes(), len);
    }

    #[inline]
    fn reserve(&mut self, more: usize) {
        if self.room.len() - self.len < more {
            self.grow(more);
        }
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        const LEAST: usize = 256;
        let wanted = self.room.len().saturating_mul(2).max(self.len + more);
        self.room.resize(wanted.max(LEAST), 0);
    }
}

/// An ordinal or a length as records have it, the first byte lowest, and how many bytes that are.
#[inline]
pub(super) fn stored_ordinal(value: u32) -> (u64, usize) {
    // A byte for each group of seven bits, all of which but the last say that more follow.
    let value = u64::from(value);
    let halves = value & 0x0fff_ffff | (value & 0xf000_0000) << 4;
    let pairs = halves & 0x3fff_0000_3fff | (halves & 0x0fff_c000) << 2;
    let groups = pairs & 0x007f_007f_007f | (pairs & 0x3f80_3f80_3f80) << 1;
    let len = varint::vlong_len(value);
    let marked = groups | 0x8080_8080_8000;
    ((marked << (64 - 8 * len)).swap_bytes(), len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_appended_is_there(parts: Vec<(Vec<u8>, u64)>, shift in 0_u32..64) {
            let (mut out, mut expected) = (Out::default(), Vec::new());
            for (bytes, number) in parts {
                let number = number >> shift;
                out.extend(&bytes);
                out.vlong(number);
                out.vint(number as u32);
                out.push(7);
                out.put(b"abcdefgh", bytes.len() % 9);
                expected.extend_from_slice(&bytes);
                varint::write_vlong(&mut expected, number);
                varint::write_vint(&mut expected, number as u32);
                expected.push(7);
                expected.extend_from_slice(&b"abcdefgh"[..bytes.len() % 9]);
                prop_assert_eq!(out.from(0), &expected[..]);
                prop_assert_eq!(out.len(), expected.len());
            }
            out.truncate(3);
            prop_assert_eq!(out.from(0), &expected[..expected.len().min(3)]);
            out.clear();
            prop_assert!(out.from(0).is_empty());
        }

        #[test]
        fn parts_change_places(first: Vec<u8>, a: Vec<u8>, b: Vec<u8>, c: Vec<u8>) {
            let mut out = Out::default();
            let mut put = |bytes: &[u8]| {
                let start = out.len();
                out.extend(bytes);
                start..out.len()
            };
            let start = put(&first).end;
            let ranges = [put(&a), put(&b), put(&c)];
            let [a_at, b_at, c_at] = ranges;
            out.reorder(start, &[c_at, a_at, b_at]);
            prop_assert_eq!(out.from(0), [first, c, a, b].concat());
        }
    }
}
