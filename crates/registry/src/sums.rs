//! Sums of blobs and states. The registry stores and compares them; what they are sums of is not its business.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not a sum in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no sum of {digits} lower-case hexadecimal digits")]
pub struct SumError {
    text: String,
    digits: usize,
}

/// The SHA-256 of a blob's bytes; 64 hexadecimal digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Sum(pub [u8; 32]);

impl fmt::Display for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Sha256Sum {
    type Err = SumError;

    fn from_str(text: &str) -> Result<Self, SumError> {
        let mut bytes = [0; 32];
        check_digits(text, 64)?;
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digits
                .iter()
                .fold(0, |value, &digit| value << 4 | hex_value(digit));
        }
        Ok(Self(bytes))
    }
}

/// 128 bits that stand for a whole state; 32 hexadecimal digits as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sum128(pub u128);

impl fmt::Display for Sum128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Sum128 {
    type Err = SumError;

    fn from_str(text: &str) -> Result<Self, SumError> {
        check_digits(text, 32)?;
        Ok(Self(text.bytes().fold(0, |value, digit| {
            value << 4 | u128::from(hex_value(digit))
        })))
    }
}

fn check_digits(text: &str, digits: usize) -> Result<(), SumError> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == digits && text.bytes().all(is_digit) {
        Ok(())
    } else {
        Err(SumError {
            text: text.to_owned(),
            digits,
        })
    }
}

/// The value of a digit that [`check_digits`] let pass.
fn hex_value(digit: u8) -> u8 {
    if digit.is_ascii_digit() {
        digit - b'0'
    } else {
        digit - b'a' + 10
    }
}

macro_rules! text_conversions {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = SumError;

            fn try_from(text: String) -> Result<Self, SumError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(sum: $type) -> Self {
                sum.to_string()
            }
        }
    };
}

text_conversions!(Sha256Sum);
text_conversions!(Sum128);

/// The sums of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSums {
    /// The additive chain sum over type, ordinal and record bytes: what a reader along the deltas compares.
    pub chain: Sum128,
    /// The digest of the records by content: equal exactly when two states hold the same records.
    pub digest: Sum128,
}

/// A blob of an accepted version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobSum {
    /// Its name without the dataset's prefix, e.g. `delta-6-7`.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// The sum of its bytes.
    pub sha256: Sha256Sum,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_read_as_they_are_written() {
        let sum = Sha256Sum(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(sum.to_string().parse(), Ok(sum));
        let sum = Sum128(0x0123_4567_89ab_cdef);
        assert_eq!(sum.to_string(), "00000000000000000123456789abcdef");
        assert_eq!(sum.to_string().parse(), Ok(sum));
        for text in [
            "",
            "0",
            "0123456789ABCDEF0123456789ABCDEF",
            "0123456789abcdefg123456789abcdef",
        ] {
            assert!(text.parse::<Sum128>().is_err(), "{text:?}");
        }
    }
}
