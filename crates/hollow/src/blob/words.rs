//! Packed words as they lie in a blob: big-endian, at any byte alignment.

use crate::codec::{Cursor, bits};
use crate::error::{Error, Result};

/// Borrowed words. Bits behind the last word read as 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words<'a>(&'a [[u8; 8]]);

impl<'a> Words<'a> {
    /// Reads a `longs`: a count and that many words.
    pub(crate) fn read(cursor: &mut Cursor<'a>, what: &'static str) -> Result<Self> {
        let at = cursor.at();
        let count = cursor.vlong()?;
        Self::take(cursor, at, count, what)
    }

    /// Takes `count` words; `at` is where the count stood.
    pub(crate) fn take(
        cursor: &mut Cursor<'a>,
        at: usize,
        count: u64,
        what: &'static str,
    ) -> Result<Self> {
        let bytes = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(8))
            .ok_or(Error::Truncated { at, what })?;
        Ok(Self(cursor.take(bytes, what)?.as_chunks().0))
    }

    /// Number of words.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Number of bits.
    pub(crate) fn bits(&self) -> u64 {
        self.0.len() as u64 * 64
    }

    /// Word `index`.
    #[inline]
    pub(crate) fn word(&self, index: usize) -> u64 {
        self.0
            .get(index)
            .map_or(0, |word| u64::from_be_bytes(*word))
    }

    /// The words from `start`, at most `count`.
    pub(crate) fn range(&self, start: usize, count: usize) -> impl Iterator<Item = u64> + 'a {
        let start = start.min(self.0.len());
        let end = start.saturating_add(count).min(self.0.len());
        self.0[start..end]
            .iter()
            .map(|word| u64::from_be_bytes(*word))
    }

    /// The element of `width` bits (0 to 64) at bit `offset`.
    #[inline]
    pub(crate) fn get(&self, offset: u64, width: u32) -> u64 {
        let word = (offset >> 6) as usize;
        let shift = (offset & 63) as u32;
        let mut value = self.word(word) >> shift;
        if shift + width > 64 {
            value |= self.word(word + 1) << (64 - shift);
        }
        value & bits::mask(width)
    }

    /// Copies `length` bits at `from` to bit `to` of `target`, whose bits there are zero.
    #[inline]
    pub(crate) fn copy_to(&self, from: u64, target: &mut [u64], to: usize, length: usize) {
        let mut done = 0;
        while done < length {
            let width = (length - done).min(64) as u32;
            let value = self.get(from + done as u64, width);
            bits::or(target, to + done, width, value);
            done += width as usize;
        }
    }
}
