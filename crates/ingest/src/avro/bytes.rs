//! The primitives of Avro's binary encoding, checked at every step: the bytes come from anybody.

/// Why bytes are not Avro; becomes a `Poison`.
pub(super) type Wrong = &'static str;

pub(super) const CUT: Wrong = "the bytes end too early";

/// What is left of the body of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// What is left.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Passes over bytes if there are so many.
    #[inline]
    pub(super) fn advance(&mut self, len: usize) -> Option<()> {
        self.rest = self.rest.get(len..)?;
        Some(())
    }

    /// The next eight bytes, the first one lowest, and zeros for what is behind the end.
    #[inline]
    pub(super) fn word(&self) -> u64 {
        if let Some(bytes) = self.rest.first_chunk() {
            return u64::from_le_bytes(*bytes);
        }
        let lower = |word, &byte| word << 8 | u64::from(byte);
        self.rest.iter().rev().fold(0, lower)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Wrong> {
        let (&byte, rest) = self.rest.split_first().ok_or(CUT)?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub(super) fn boolean(&mut self) -> Result<bool, Wrong> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("a boolean is neither 0 nor 1"),
        }
    }

    /// A zig-zagged number of up to 64 bits, least significant group first.
    #[inline]
    pub(super) fn long(&mut self) -> Result<i64, Wrong> {
        let first = self.byte()?;
        let zigzag = if first < 0x80 {
            u64::from(first)
        } else {
            self.long_rest(u64::from(first & 0x7f))?
        };
        #[expect(
            clippy::cast_possible_wrap,
            reason = "zig-zag: the halves of the range are the signs"
        )]
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn long_rest(&mut self, mut value: u64) -> Result<u64, Wrong> {
        for shift in (7..70).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err("a number has more than 64 bits");
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number has more than 64 bits")
    }

    #[inline]
    pub(super) fn int(&mut self) -> Result<i32, Wrong> {
        i32::try_from(self.long()?).map_err(|_| "an int has more than 32 bits")
    }

    pub(super) fn float(&mut self) -> Result<f32, Wrong> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(CUT)?;
        self.rest = rest;
        Ok(f32::from_le_bytes(*bytes))
    }

    pub(super) fn double(&mut self) -> Result<f64, Wrong> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(CUT)?;
        self.rest = rest;
        Ok(f64::from_le_bytes(*bytes))
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Wrong> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(CUT)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Wrong> {
        let len = usize::try_from(self.long()?).map_err(|_| "a length is negative")?;
        self.take(len)
    }

    #[inline]
    pub(super) fn string(&mut self) -> Result<&'a str, Wrong> {
        as_text(self.bytes()?)
    }

    /// The bytes up to a later position in the same body.
    pub(super) fn until(&self, later: &Self) -> &'a [u8] {
        let len = self.remaining().saturating_sub(later.remaining());
        self.rest.get(..len).unwrap_or_default()
    }

    /// The index of a union's branch or an enum's symbol.
    #[inline]
    pub(super) fn index(&mut self) -> Result<usize, Wrong> {
        usize::try_from(self.int()?).map_err(|_| "an index is negative")
    }

    /// The number of items in the next block of an array or map, 0 at the end, and the block's size in bytes if it says so.
    #[inline]
    pub(super) fn block(&mut self) -> Result<(u64, Option<usize>), Wrong> {
        let count = self.long()?;
        if count >= 0 {
            return Ok((count.unsigned_abs(), None));
        }
        let size = usize::try_from(self.long()?).map_err(|_| "a block's size is negative")?;
        Ok((count.unsigned_abs(), Some(size)))
    }
}

/// A string's bytes as text.
pub(super) fn as_text(bytes: &[u8]) -> Result<&str, Wrong> {
    std::str::from_utf8(bytes).map_err(|_| "a string is not UTF-8")
}
