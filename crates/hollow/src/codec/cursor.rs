//! Reading from a byte slice, with the position for errors.

use super::{utf, varint};
use crate::error::{Error, Result};

/// A reading position in a byte slice. A failed read leaves the position where it was.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Position of `bytes[0]` in the blob that this is a part of.
    base: usize,
}

impl<'a> Cursor<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            base: 0,
        }
    }

    /// Position of the next byte in the whole blob.
    #[inline]
    pub fn at(&self) -> usize {
        self.base + self.at
    }

    /// Whether nothing is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Number of bytes left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `length` bytes; `what` names them in the error.
    ///
    /// # Errors
    /// [`Error::Truncated`] if fewer are left.
    #[inline]
    pub fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8]> {
        let taken = self
            .at
            .checked_add(length)
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or(Error::Truncated {
                at: self.at(),
                what,
            })?;
        self.at += length;
        Ok(taken)
    }

    /// A cursor over the next `length` bytes, which this one moves past.
    ///
    /// # Errors
    /// [`Error::Truncated`] if fewer are left.
    pub fn sub(&mut self, length: usize, what: &'static str) -> Result<Cursor<'a>> {
        let base = self.at();
        Ok(Cursor {
            bytes: self.take(length, what)?,
            at: 0,
            base,
        })
    }

    /// Passes over `length` bytes.
    ///
    /// # Errors
    /// [`Error::Truncated`] if fewer are left.
    pub fn skip(&mut self, length: usize, what: &'static str) -> Result<()> {
        self.take(length, what).map(drop)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Error::Truncated`] at the end.
    #[inline]
    pub fn u8(&mut self, what: &'static str) -> Result<u8> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// [`Error::Truncated`] at the end.
    #[inline]
    pub fn i16(&mut self, what: &'static str) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array(what)?))
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// [`Error::Truncated`] at the end.
    #[inline]
    pub fn i32(&mut self, what: &'static str) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array(what)?))
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// [`Error::Truncated`] at the end.
    #[inline]
    pub fn i64(&mut self, what: &'static str) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array(what)?))
    }

    /// A variable-length number of 32 bits.
    ///
    /// # Errors
    /// [`Error::Truncated`]; [`Error::Malformed`] for the null mark and for more than 32 bits.
    #[inline]
    pub fn vint(&mut self) -> Result<u32> {
        self.number(32).map(|value| value as u32)
    }

    /// A variable-length number of 64 bits.
    ///
    /// # Errors
    /// [`Error::Truncated`]; [`Error::Malformed`] for the null mark and for more than 64 bits.
    #[inline]
    pub fn vlong(&mut self) -> Result<u64> {
        self.number(64)
    }

    #[inline]
    fn number(&mut self, max_bits: u32) -> Result<u64> {
        varint::read(self.bytes, &mut self.at, max_bits).map_err(|error| self.rebase(error))
    }

    fn rebase(&self, error: Error) -> Error {
        match error {
            Error::Truncated { at, what } => Error::Truncated {
                at: at + self.base,
                what,
            },
            Error::Malformed { at, what } => Error::Malformed {
                at: at + self.base,
                what,
            },
            other => other,
        }
    }

    /// Passes over the null mark if it is next.
    #[inline]
    pub fn null(&mut self) -> bool {
        let null = self.bytes.get(self.at) == Some(&varint::NULL);
        self.at += usize::from(null);
        null
    }

    /// A `vint` that counts things of at least `min_bytes` bytes each, so that it can't exceed what is left.
    ///
    /// # Errors
    /// As [`Self::vint`]; [`Error::Truncated`] if the bytes left can't hold so many.
    pub fn count(&mut self, min_bytes: usize, what: &'static str) -> Result<usize> {
        let mut ahead = self.clone();
        let count = ahead.vint()? as usize;
        if count
            .checked_mul(min_bytes)
            .is_none_or(|bytes| bytes > ahead.remaining())
        {
            return Err(Error::Truncated {
                at: self.at(),
                what,
            });
        }
        *self = ahead;
        Ok(count)
    }

    /// A `utf` string: a 16-bit byte length, then modified UTF-8.
    ///
    /// # Errors
    /// [`Error::Truncated`]; [`Error::Malformed`] for bytes that are not modified UTF-8.
    pub fn utf(&mut self, what: &'static str) -> Result<String> {
        let mut ahead = self.clone();
        let length = ahead.i16(what)? as u16;
        let at = ahead.at();
        let bytes = ahead.take(usize::from(length), what)?;
        let text = utf::decode(bytes).ok_or(Error::Malformed {
            at,
            what: "modified UTF-8",
        })?;
        *self = ahead;
        Ok(text)
    }
}
