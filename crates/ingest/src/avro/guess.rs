//! Where a collection of codes ends, from its first bytes: nearly all are one block of texts that are all as long as the first one.
//! What is known of a collection is looked up by these bytes, without looking at the items.

/// The bytes of an array of texts, by the count and the first length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guess<'a> {
    bytes: &'a [u8],
    /// Bytes of the count.
    header: usize,
    /// Bytes of a text with its length.
    item: usize,
}

impl<'a> Guess<'a> {
    /// Of what `from` begins with; `word` are its first eight bytes, the first one lowest. None where the block tells its size,
    /// where the first text has more than 63 bytes, where there is none, and where no end follows.
    #[inline]
    pub(super) fn new(word: u64, from: &'a [u8]) -> Option<Self> {
        let [first, second, third, ..] = word.to_le_bytes();
        let (count, header, length) = if first < 0x80 {
            (usize::from(first), 1, second)
        } else if second < 0x80 {
            let count = usize::from(first & 0x7f) | usize::from(second) << 7;
            (count, 2, third)
        } else {
            return None;
        };
        // Of counts and lengths the lowest bit is the sign.
        let item = 1 + usize::from(length >> 1);
        let bytes = from.get(..header + (count >> 1) * item + 1)?;
        let is_plausible = count > 1
            && count & 1 == 0
            && length & 1 == 0
            && length < 0x80
            && bytes.last() == Some(&0);
        is_plausible.then_some(Self {
            bytes,
            header,
            item,
        })
    }

    #[inline]
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether all texts are that long, so that it is no guess any more.
    pub(super) fn is_right(&self) -> bool {
        let items = self.bytes.get(self.header..self.bytes.len() - 1);
        let mut lengths = items.unwrap_or_default().iter().step_by(self.item);
        lengths.all(|&length| usize::from(length) == 2 * (self.item - 1))
    }
}
