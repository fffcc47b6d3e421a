//! Java's *modified UTF-8*, used for names and header tags (section 1).
//!
//! U+0000 is two bytes, and a character above U+FFFF is its two surrogates with three bytes each.

use crate::error::{Error, Result};

/// Appends the 16-bit byte length of `text` and its modified UTF-8.
///
/// # Errors
/// [`Error::TextTooLong`] if that is more than 65,535 bytes; nothing is appended then.
pub fn write(out: &mut Vec<u8>, text: &str) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    for unit in text.encode_utf16() {
        match unit {
            1..=0x7f => out.push(unit as u8),
            0 | 0x80..=0x7ff => {
                out.extend_from_slice(&[0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8])
            }
            _ => out.extend_from_slice(&[
                0xe0 | (unit >> 12) as u8,
                0x80 | (unit >> 6 & 0x3f) as u8,
                0x80 | (unit & 0x3f) as u8,
            ]),
        }
    }
    let bytes = out.len() - start - 2;
    let Ok(length) = u16::try_from(bytes) else {
        out.truncate(start);
        return Err(Error::TextTooLong { bytes });
    };
    out[start..start + 2].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// The text of modified UTF-8; lone surrogates become U+FFFD. `None` for bytes that are not modified UTF-8.
pub fn decode(bytes: &[u8]) -> Option<String> {
    if bytes.is_ascii() {
        return String::from_utf8(bytes.to_vec()).ok();
    }
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let tail = |byte: u8| (byte & 0xc0 == 0x80).then_some(u16::from(byte & 0x3f));
    while let Some((&first, after)) = rest.split_first() {
        let (unit, length) = match first >> 4 {
            0..=7 => (u16::from(first), 0),
            12 | 13 => (u16::from(first & 0x1f) << 6 | tail(*after.first()?)?, 1),
            14 => (
                u16::from(first & 0x0f) << 12 | tail(*after.first()?)? << 6 | tail(*after.get(1)?)?,
                2,
            ),
            _ => return None,
        };
        units.push(unit);
        rest = &after[length..];
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Cursor;
    use proptest::prelude::*;

    #[test]
    fn nul_and_surrogates_as_java_writes_them() {
        let mut out = Vec::new();
        write(&mut out, "a\0\u{e9}\u{1F600}").unwrap();
        assert_eq!(
            out,
            [
                0, 11, b'a', 0xc0, 0x80, 0xc3, 0xa9, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80
            ]
        );
    }

    #[test]
    fn too_long_or_malformed() {
        let mut out = vec![7];
        assert_eq!(
            write(&mut out, &"x".repeat(65_536)),
            Err(Error::TextTooLong { bytes: 65_536 })
        );
        assert_eq!(out, [7]);
        for bytes in [&[0xc3][..], &[0xff], &[0xe0, 0x80], &[0xc3, 0x41], &[0x80]] {
            assert_eq!(decode(bytes), None);
        }
    }

    proptest! {
        #[test]
        fn round_trips(text in any::<String>()) {
            let mut out = Vec::new();
            write(&mut out, &text).unwrap();
            prop_assert_eq!(Cursor::new(&out).utf("text").unwrap(), text);
        }
    }
}
