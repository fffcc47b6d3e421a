//! Which keys a store takes.
//!
//! One rule for all back ends, so that what works on a directory works on S3 and no key can leave the directory.

use crate::{Error, Result};

/// Longest key in bytes. S3 takes 1024; the rest is left for a bucket's own prefix.
pub const KEY_BYTES_MAX: usize = 900;

/// Longest segment between two `/` in bytes: what Linux file systems take.
const SEGMENT_BYTES_MAX: usize = 255;

/// Checks that `key` names a blob: 1 to [`KEY_BYTES_MAX`] bytes of visible ASCII without `\`, in segments of 1 to 255
/// bytes between single `/`, none of which begins with a dot (`..` leads out, and dot files are the store's own).
///
/// # Errors
/// [`Error::Key`] naming the rule that is broken.
pub fn check_key(key: &str) -> Result<()> {
    let reason = if key.is_empty() {
        "is empty"
    } else if let Some(reason) = broken_text_rule(key) {
        reason
    } else if key.split('/').any(str::is_empty) {
        "has an empty segment (begins or ends with '/', or has '//')"
    } else if key.split('/').any(|segment| segment.starts_with('.')) {
        "has a segment that begins with '.'"
    } else if key
        .split('/')
        .any(|segment| segment.len() > SEGMENT_BYTES_MAX)
    {
        "has a segment of more than 255 bytes"
    } else {
        return Ok(());
    };
    Err(Error::Key {
        key: key.to_owned(),
        reason,
    })
}

/// Checks that `prefix` can be listed: empty, or the beginning of some key that [`check_key`] accepts.
///
/// # Errors
/// [`Error::Key`] naming the rule that is broken.
pub fn check_prefix(prefix: &str) -> Result<()> {
    let reason = if let Some(reason) = broken_text_rule(prefix) {
        reason
    } else if prefix.starts_with('/') || prefix.contains("//") {
        "has an empty segment (begins with '/' or has '//')"
    } else if prefix.split('/').any(|segment| segment.starts_with('.')) {
        "has a segment that begins with '.'"
    } else {
        return Ok(());
    };
    Err(Error::Key {
        key: prefix.to_owned(),
        reason,
    })
}

fn broken_text_rule(text: &str) -> Option<&'static str> {
    if text.len() > KEY_BYTES_MAX {
        Some("is longer than 900 bytes")
    } else if !text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    {
        Some("has a character that is not visible ASCII, or '\\'")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_name_blobs() {
        for key in [
            "a",
            "prod/liveness/snapshot-20210308000000000",
            "prod/x/candidates/7-1/delta_fold-6-7",
            "a..b",
            "a=b,c",
        ] {
            check_key(key).unwrap();
            check_prefix(key).unwrap();
        }
        check_key(&"a".repeat(255)).unwrap();
    }

    #[test]
    fn keys_that_lead_elsewhere_are_refused() {
        for key in [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            "..",
            "../a",
            "a/../b",
            ".",
            "a/.",
            ".tmp/x",
            "a b",
            "a\0b",
            "a\\b",
            "ä",
        ] {
            assert!(matches!(check_key(key), Err(Error::Key { .. })), "{key:?}");
        }
        assert!(check_key(&"a".repeat(256)).is_err());
        assert!(check_key(&["a"; 500].join("/")).is_err());
    }

    #[test]
    fn prefixes_may_end_anywhere_in_a_key() {
        for prefix in ["", "a", "a/", "a/b-"] {
            check_prefix(prefix).unwrap();
        }
        for prefix in ["/", "a//", "..", "a/..", "a/.t", "\n"] {
            assert!(check_prefix(prefix).is_err(), "{prefix:?}");
        }
    }
}
