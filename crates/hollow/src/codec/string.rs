//! STRING values: each UTF-16 unit of the text as a `vint` (section 5).
//!
//! ASCII text, the common case, has the same bytes as in UTF-8, so both directions have a path that only copies.
//! Lone surrogates are legal here, hence the iterator of units beside the lossy conversion to `String`.

use super::varint;

/// Appends the stored bytes of `text`.
#[inline]
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    if text.is_ascii() {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_units(out, text.encode_utf16());
    }
}

/// Appends the stored bytes of a string of UTF-16 units.
pub fn write_units(out: &mut Vec<u8>, units: impl IntoIterator<Item = u16>) {
    for unit in units {
        varint::write_vint(out, u32::from(unit));
    }
}

/// The text itself if the stored bytes are ASCII.
#[inline]
pub fn as_ascii(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        std::str::from_utf8(bytes).ok()
    } else {
        None
    }
}

/// Whether the bytes are complete `vint`s of at most 16 bits each, in their shortest form.
pub fn is_valid(bytes: &[u8]) -> bool {
    if bytes.is_ascii() {
        return true;
    }
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match varint::read(bytes, &mut at, 32) {
            Ok(value) if value <= 0xffff && varint::vlong_len(value) == at - start => {}
            _ => return false,
        }
    }
    true
}

/// The text of stored bytes; lone surrogates become U+FFFD, and what is not valid ends it.
pub fn to_string(bytes: &[u8]) -> String {
    match as_ascii(bytes) {
        Some(text) => text.to_owned(),
        None => char::decode_utf16(units(bytes))
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
    }
}

/// The UTF-16 units of stored bytes, up to the first that is not valid. A unit beyond 16 bits is cut to them, as Java
/// does.
pub fn units(bytes: &[u8]) -> Units<'_> {
    Units { bytes, at: 0 }
}

/// Iterator of [`units`].
#[derive(Debug, Clone)]
pub struct Units<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Units<'_> {
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<u16> {
        varint::read(self.bytes, &mut self.at, 32)
            .ok()
            .map(|value| value as u16)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.bytes.len() - self.at))
    }
}

/// Whether the stored bytes are those of `text`. Allocates nothing.
pub fn eq_str(bytes: &[u8], text: &str) -> bool {
    if text.is_ascii() {
        bytes == text.as_bytes()
    } else {
        units(bytes).eq(text.encode_utf16())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write_str(&mut out, text);
        out
    }

    #[test]
    fn the_documents_values() {
        assert_eq!(stored("\u{e9}!"), [0x81, 0x69, 0x21]);
        assert_eq!(stored("\u{1F600}").len(), 6);
        assert_eq!(as_ascii(b"hi"), Some("hi"));
        assert_eq!(as_ascii(&stored("\u{e9}")), None);
        assert!(!is_valid(&[0x81]));
        assert!(!is_valid(&[0x80, 0x01]));
        assert!(!is_valid(&[0x84, 0x80, 0x00]));
        assert!(is_valid(&[0x83, 0xff, 0x7f]));
    }

    proptest! {
        #[test]
        fn round_trips(text in any::<String>(), other in any::<String>()) {
            let bytes = stored(&text);
            prop_assert!(is_valid(&bytes));
            prop_assert_eq!(to_string(&bytes), text.clone());
            prop_assert!(eq_str(&bytes, &text));
            prop_assert_eq!(eq_str(&bytes, &other), text == other);
        }

        #[test]
        fn units_round_trip(all in proptest::collection::vec(any::<u16>(), 0..20)) {
            let mut out = Vec::new();
            write_units(&mut out, all.iter().copied());
            prop_assert_eq!(units(&out).collect::<Vec<_>>(), all);
            prop_assert!(is_valid(&out));
        }

        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let _ = (to_string(&bytes), is_valid(&bytes), eq_str(&bytes, "\u{e9}"));
        }
    }
}
