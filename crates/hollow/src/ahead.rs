//! Looking ahead at memory that lies scattered: who reads a word of each place before going through the places waits for all of
//! them together, and not for each by itself.

use std::hint::black_box;
use std::ops::BitXor;

/// Reads all of these, whatever they say.
#[inline(always)]
pub(crate) fn await_all<T: BitXor<Output = T> + Default>(words: impl Iterator<Item = T>) {
    black_box(words.fold(T::default(), |all, word| all ^ word));
}
