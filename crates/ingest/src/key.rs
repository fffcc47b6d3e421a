//! Keys of change records: the JSON array of the key fields. They are parsed, so that another spelling of the same key
//! (spaces, escapes) folds into the same record; everything inside goes by the canonical form.

use crate::avro::Groups;
use crate::poison::Poison;
use hollow::KeyValue;
use serde_json::Value;
use std::ops::Range;

/// What a key field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Int,
    Long,
    Boolean,
    String,
}

/// The key fields of a dataset.
#[derive(Clone, Debug)]
pub struct KeyShape {
    pub(crate) fields: Vec<(String, KeyKind)>,
}

/// A parsed key, with memory that is used again for the next one.
#[derive(Clone, Debug)]
pub struct Key {
    canonical: Vec<u8>,
    parts: Vec<Part>,
    texts: String,
    /// Of the first parts.
    shorts: [ShortPart; SHORTS],
}

/// Up to sixteen bytes as a number, the first one lowest, zeros behind them.
pub(crate) type Line = u128;

/// How many parts are short if they can be.
pub(crate) const SHORTS: usize = 4;

/// A part as Avro and records have it, if it is short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortPart {
    /// As a record has it, with its length in front where it is a text of one to fifteen bytes; what no value is where it is longer.
    pub(crate) line: Line,
    /// As Avro has it, the first byte lowest.
    pub(crate) avro: u64,
    /// How many bytes that are in both; 0 where they are more than eight, or some of a text are not ASCII.
    pub(crate) len: u32,
}

impl ShortPart {
    const NONE: Self = Self {
        line: Line::MAX,
        avro: 0,
        len: 0,
    };

    fn long(value: i64) -> Self {
        let Some(groups) = Groups::of(value) else {
            return Self::NONE;
        };
        let (line, len) = groups.stored();
        Self {
            line: line.into(),
            avro: groups.avro(),
            len: len as u32,
        }
    }

    fn text(text: &[u8]) -> Self {
        let mut line = [0; size_of::<Line>()];
        let Some(place) = line[1..].get_mut(..text.len()) else {
            return Self::NONE;
        };
        if text.is_empty() {
            return Self::NONE;
        }
        place.copy_from_slice(text);
        // At most fifteen.
        line[0] = text.len() as u8;
        let line = Line::from_le_bytes(line);
        let is_word = text.len() < 8 && text.is_ascii();
        Self {
            line,
            avro: line as u64 + text.len() as u64,
            len: if is_word { 1 + text.len() as u32 } else { 0 },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Long(i64),
    Boolean(bool),
    /// A range of `texts`.
    Text(Range<usize>),
}

impl KeyShape {
    /// The shape in words: `[video, language]`.
    #[must_use]
    pub fn describe(&self) -> String {
        let fields: Vec<_> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        format!("the JSON array [{}]", fields.join(", "))
    }

    /// Parses the key of a record.
    ///
    /// # Errors
    /// [`Poison::Key`] where it is not the JSON array of the key fields.
    pub fn parse(&self, bytes: &[u8]) -> Result<Key, Poison> {
        let mut key = Key::default();
        self.parse_into(bytes, &mut key)?;
        Ok(key)
    }

    /// As [`parse`](Self::parse), into memory that is there.
    ///
    /// # Errors
    /// As for `parse`; `key` is of no use then.
    pub fn parse_into(&self, bytes: &[u8], key: &mut Key) -> Result<(), Poison> {
        key.clear();
        if self.parse_canonical(bytes, key).is_some() {
            key.canonical.extend_from_slice(bytes);
            return Ok(());
        }
        key.clear();
        let wrong = |detail: String| Poison::Key {
            expected: self.describe(),
            detail,
        };
        let values: Vec<Value> =
            serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        self.set(&values, key).map_err(wrong)
    }

    /// The key made of these values.
    ///
    /// # Errors
    /// In words, where they are not the key fields.
    pub(crate) fn set(&self, values: &[Value], key: &mut Key) -> Result<(), String> {
        key.clear();
        if values.len() != self.fields.len() {
            return Err(format!(
                "it has {} parts, not {}",
                values.len(),
                self.fields.len()
            ));
        }
        for (value, (name, kind)) in values.iter().zip(&self.fields) {
            let part = match kind {
                KeyKind::Long => value.as_i64().map(Part::Long),
                KeyKind::Int => value
                    .as_i64()
                    .filter(|&n| i32::try_from(n).is_ok())
                    .map(Part::Long),
                KeyKind::Boolean => value.as_bool().map(Part::Boolean),
                KeyKind::String => value.as_str().map(|text| key.text_part(text)),
            };
            let part = part.ok_or_else(|| format!("{value} is no {}", kind.describe(name)))?;
            key.push(part);
        }
        key.write_canonical();
        Ok(())
    }

    /// The canonical form and nothing else, without building values: what nearly all keys are.
    fn parse_canonical(&self, bytes: &[u8], key: &mut Key) -> Option<()> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut rest = text.strip_prefix('[')?;
        for (i, (_, kind)) in self.fields.iter().enumerate() {
            if i > 0 {
                rest = rest.strip_prefix(',')?;
            }
            let part;
            (part, rest) = match kind {
                KeyKind::String => {
                    let inner = rest.strip_prefix('"')?;
                    let end = inner
                        .bytes()
                        .position(|b| matches!(b, b'"' | b'\\') || b < b' ')?;
                    (
                        key.text_part(&inner[..end]),
                        inner[end..].strip_prefix('"')?,
                    )
                }
                KeyKind::Boolean => match rest.strip_prefix("true") {
                    Some(rest) => (Part::Boolean(true), rest),
                    None => (Part::Boolean(false), rest.strip_prefix("false")?),
                },
                KeyKind::Int | KeyKind::Long => {
                    let end = rest
                        .bytes()
                        .position(|b| b != b'-' && !b.is_ascii_digit())?;
                    let (digits, after) = rest.split_at(end);
                    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
                    if unsigned.starts_with('0') && digits != "0" {
                        return None;
                    }
                    let number: i64 = digits.parse().ok()?;
                    if *kind == KeyKind::Int {
                        i32::try_from(number).ok()?;
                    }
                    (Part::Long(number), after)
                }
            };
            key.push(part);
        }
        (rest == "]").then_some(())
    }
}

impl KeyKind {
    fn describe(self, field: &str) -> String {
        let kind = match self {
            Self::Int => "whole number of 32 bits",
            Self::Long => "whole number of 64 bits",
            Self::Boolean => "true or false",
            Self::String => "string",
        };
        format!("{kind} for {field}")
    }
}

impl Default for Key {
    fn default() -> Self {
        Self {
            canonical: Vec::new(),
            parts: Vec::new(),
            texts: String::new(),
            shorts: [ShortPart::NONE; SHORTS],
        }
    }
}

impl Key {
    /// The canonical form: the JSON array without spaces.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The part with that index, where it is a whole number.
    #[must_use]
    pub fn long(&self, part: usize) -> Option<i64> {
        match self.parts.get(part) {
            Some(Part::Long(value)) => Some(*value),
            _ => None,
        }
    }

    /// The part with that index, where it is a string.
    #[must_use]
    pub fn text(&self, part: usize) -> Option<&str> {
        match self.parts.get(part) {
            Some(Part::Text(range)) => self.texts.get(range.clone()),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn is_long(&self, part: usize, value: i64) -> bool {
        self.parts.get(part) == Some(&Part::Long(value))
    }

    pub(crate) fn is_boolean(&self, part: usize, value: bool) -> bool {
        self.parts.get(part) == Some(&Part::Boolean(value))
    }

    /// The part with that index, one of the first [`SHORTS`].
    #[inline]
    pub(crate) fn short(&self, part: usize) -> Option<&ShortPart> {
        self.shorts.get(part)
    }

    pub(crate) fn is_text(&self, part: usize, value: &[u8]) -> bool {
        match self.parts.get(part) {
            Some(Part::Text(range)) => self.texts.as_bytes().get(range.clone()) == Some(value),
            _ => false,
        }
    }

    /// The values as the dataset's primary key takes them.
    #[must_use]
    pub fn values(&self, shape: &KeyShape) -> Vec<KeyValue> {
        let value = |(part, (_, kind)): (&Part, &(String, KeyKind))| match (part, kind) {
            (Part::Long(n), KeyKind::Int) => {
                i32::try_from(*n).map_or(KeyValue::Null, KeyValue::Int)
            }
            (Part::Long(n), _) => KeyValue::Long(*n),
            (Part::Boolean(b), _) => KeyValue::Boolean(*b),
            (Part::Text(range), _) => KeyValue::String(self.texts[range.clone()].to_owned()),
        };
        self.parts.iter().zip(&shape.fields).map(value).collect()
    }

    fn clear(&mut self) {
        self.canonical.clear();
        self.parts.clear();
        self.texts.clear();
        self.shorts = [ShortPart::NONE; SHORTS];
    }

    fn text_part(&mut self, text: &str) -> Part {
        let start = self.texts.len();
        self.texts.push_str(text);
        Part::Text(start..self.texts.len())
    }

    fn push(&mut self, part: Part) {
        if let Some(short) = self.shorts.get_mut(self.parts.len()) {
            *short = match &part {
                Part::Long(n) => ShortPart::long(*n),
                Part::Boolean(_) => ShortPart::NONE,
                Part::Text(range) => {
                    ShortPart::text(self.texts.as_bytes().get(range.clone()).unwrap_or_default())
                }
            };
        }
        self.parts.push(part);
    }

    fn write_canonical(&mut self) {
        self.canonical.push(b'[');
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                self.canonical.push(b',');
            }
            match part {
                Part::Long(n) => self.canonical.extend_from_slice(n.to_string().as_bytes()),
                Part::Boolean(b) => self.canonical.extend_from_slice(b.to_string().as_bytes()),
                Part::Text(range) => {
                    let json = Value::from(&self.texts[range.clone()]).to_string();
                    self.canonical.extend_from_slice(json.as_bytes());
                }
            }
        }
        self.canonical.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape() -> KeyShape {
        let fields = [
            ("video", KeyKind::Long),
            ("language", KeyKind::String),
            ("n", KeyKind::Int),
            ("b", KeyKind::Boolean),
        ];
        KeyShape {
            fields: fields.map(|(name, kind)| (name.to_owned(), kind)).to_vec(),
        }
    }

    #[test]
    fn every_spelling_is_one_key() {
        let canonical = br#"[80057281,"en",-3,true]"#;
        for spelling in [
            &canonical[..],
            br#" [ 80057281 , "en",-3, true ]"#,
            br#"[80057281,"\u0065n",-3,true]"#,
        ] {
            let key = shape().parse(spelling).unwrap();
            assert_eq!(key.canonical(), canonical);
            let values = [
                KeyValue::Long(80_057_281),
                "en".into(),
                KeyValue::Int(-3),
                KeyValue::Boolean(true),
            ];
            assert_eq!(key.values(&shape()), values);
            assert!(
                key.is_long(0, 80_057_281)
                    && key.is_text(1, b"en")
                    && key.is_long(2, -3)
                    && key.is_boolean(3, true)
            );
            assert!(
                !key.is_long(0, 1)
                    && !key.is_text(1, b"e")
                    && !key.is_text(0, b"en")
                    && !key.is_long(7, 0)
            );
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for no in [
            &b""[..],
            b"7",
            b"[]",
            b"[1]",
            br#"[1,"a",1]"#,
            br#"["1","a",1,true]"#,
            br#"[1.5,"a",1,true]"#,
            br#"[1,"a",3000000000,true]"#,
            br#"[1,"a",1,true,2]"#,
            br#"[1,"a",1,true] x"#,
            b"[1,\"\xff\",1,true]",
            br#"[99999999999999999999,"a",1,true]"#,
            br#"[01,"a",1,true]"#,
            br#"[1,"a",1,null]"#,
        ] {
            let poison = shape().parse(no).unwrap_err();
            assert!(
                matches!(poison, Poison::Key { .. }),
                "{}",
                String::from_utf8_lossy(no)
            );
        }
    }

    #[test]
    fn short_parts_are_as_avro_and_records_have_them() {
        for len in 0..=20 {
            let text = &"abcdefghijklmnopqrst"[..len];
            let key = shape()
                .parse(format!(r#"[{len},"{text}",-3,true]"#).as_bytes())
                .unwrap();
            let part = key.short(1).unwrap();
            let with_length = |length: usize| {
                let mut bytes = vec![length as u8];
                bytes.extend_from_slice(text.as_bytes());
                bytes.resize(16, 0);
                bytes
            };
            if (1..=15).contains(&len) {
                assert_eq!(part.line.to_le_bytes(), &with_length(len)[..]);
            } else {
                assert_eq!(part.line, Line::MAX, "{len}");
            }
            assert_eq!(
                part.len as usize,
                if (1..8).contains(&len) { len + 1 } else { 0 }
            );
            if part.len > 0 {
                assert_eq!(part.avro.to_le_bytes(), with_length(2 * len)[..8]);
            }
            let number = key.short(0).unwrap();
            assert_eq!(
                (number.line, number.avro, number.len),
                (2 * len as Line, 2 * len as u64, 1)
            );
            assert_eq!(key.short(3).unwrap().line, Line::MAX);
        }
        let key = shape()
            .parse(r#"[9223372036854775807,"é",-3,true]"#.as_bytes())
            .unwrap();
        assert_eq!(
            (key.short(0).unwrap().len, key.short(1).unwrap().len),
            (0, 0)
        );
        assert!(key.short(SHORTS).is_none());
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_that_of_a_json_library(video: i64, language: String, n: i32, b: bool) {
            let json = serde_json::json!([video, language, n, b]);
            let key = shape().parse(serde_json::to_string_pretty(&json).unwrap().as_bytes()).unwrap();
            let expected = json.to_string();
            prop_assert_eq!(key.canonical(), expected.as_bytes());
            let again = shape().parse(key.canonical()).unwrap();
            prop_assert_eq!(again.values(&shape()), key.values(&shape()));
            prop_assert_eq!(again.canonical(), key.canonical());
        }

        #[test]
        fn any_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = shape().parse(&bytes);
        }
    }
}
