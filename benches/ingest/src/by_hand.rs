//! Decoders that know their schema: what somebody would write who had one dataset and all the time. They check what the
//! compiled walk checks (bounds, UTF-8, codes, intervals, the key), and make the same records.

use std::convert::Infallible;

use hollow::codec::{string, varint};
use hollow::record::{ListRecord, SetRecord};
use ingest::avro::RecordSink;
use ingest::{Code, DatasetSpec, Key};

/// A decoder of one dataset's records, with the indexes of its types.
#[derive(Debug, Clone, Copy)]
pub enum Decoder {
    /// `rights`.
    Rights {
        /// `String`.
        string: usize,
        /// `SetOfString`.
        set: usize,
        /// `Window`.
        window: usize,
        /// `ListOfWindow`.
        list: usize,
    },
    /// `assets`.
    Assets,
}

/// Memory that is used again from record to record.
#[derive(Debug, Default)]
pub struct Memory {
    root: Vec<u8>,
    window: Vec<u8>,
    text: Vec<u8>,
    set: SetRecord,
    list: ListRecord,
}

/// The decoder of a dataset, if one is written for it.
#[must_use]
pub fn decoder(spec: &DatasetSpec) -> Option<Decoder> {
    let index = |name: &str| {
        spec.model
            .schemas()
            .iter()
            .position(|schema| schema.name() == name)
    };
    match spec.name.name() {
        "rights" => Some(Decoder::Rights {
            string: index("String")?,
            set: index("SetOfString")?,
            window: index("Window")?,
            list: index("ListOfWindow")?,
        }),
        "assets" => Some(Decoder::Assets),
        _ => None,
    }
}

const PROVENANCES: [&str; 3] = ["real", "derived", "synthesized"];

impl Decoder {
    /// Decodes a body; `None` where it is not what it should be.
    pub fn decode<'m>(
        &self,
        key: &Key,
        body: &[u8],
        memory: &'m mut Memory,
        sink: &mut impl RecordSink<Error = Infallible>,
    ) -> Option<&'m [u8]> {
        memory.root.clear();
        let mut input = Input(body);
        match *self {
            Self::Rights {
                string,
                set,
                window,
                list,
            } => {
                let video = input.long()?;
                (key.long(0) == Some(video)).then_some(())?;
                varint::write_vlong(&mut memory.root, varint::zigzag_long(video));
                memory.list.reset();
                loop {
                    let count = input.block()?;
                    if count == 0 {
                        break;
                    }
                    for _ in 0..count {
                        memory.window.clear();
                        put_text(input.text()?, &mut memory.window, &mut memory.text);
                        let start = input.long()?;
                        varint::write_vlong(&mut memory.window, varint::zigzag_long(start));
                        match input.long()? {
                            0 => varint::write_null(&mut memory.window),
                            1 => {
                                let end = input.long()?;
                                (end > start).then_some(())?;
                                varint::write_vlong(&mut memory.window, varint::zigzag_long(end));
                            }
                            _ => return None,
                        }
                        codes(&mut input, Code::Country, string, set, memory, sink)?;
                        match input.long()? {
                            0 => varint::write_null(&mut memory.window),
                            1 => codes(&mut input, Code::Language, string, set, memory, sink)?,
                            _ => return None,
                        }
                        let provenance = PROVENANCES.get(usize::try_from(input.long()?).ok()?)?;
                        put_text(provenance, &mut memory.window, &mut memory.text);
                        let Ok(window) = sink.add(window, &memory.window);
                        memory.list.push(window);
                    }
                }
                let Ok(windows) = sink.add(list, memory.list.bytes());
                varint::write_vint(&mut memory.root, windows);
            }
            Self::Assets => {
                let root = &mut memory.root;
                let video = input.long()?;
                (key.long(0) == Some(video)).then_some(())?;
                varint::write_vlong(root, varint::zigzag_long(video));
                let kinds = ["subtitles", "dub", "captions", "description"];
                let kind = kinds.get(usize::try_from(input.long()?).ok()?)?;
                (key.text(1) == Some(kind)).then_some(())?;
                put_text(kind, root, &mut memory.text);
                let language = input.text()?;
                let is_right = Code::Language.contains(language) && key.text(2) == Some(language);
                is_right.then_some(())?;
                put_text(language, root, &mut memory.text);
                let statuses = ["pending", "ready", "withdrawn"];
                let status = statuses.get(usize::try_from(input.long()?).ok()?)?;
                put_text(status, root, &mut memory.text);
                match input.long()? {
                    0 => varint::write_null(root),
                    1 => varint::write_vlong(root, varint::zigzag_long(input.long()?)),
                    _ => return None,
                }
                let provenance = PROVENANCES.get(usize::try_from(input.long()?).ok()?)?;
                put_text(provenance, root, &mut memory.text);
            }
        }
        input.0.is_empty().then_some(&memory.root[..])
    }
}

fn codes(
    input: &mut Input<'_>,
    code: Code,
    string: usize,
    set: usize,
    memory: &mut Memory,
    sink: &mut impl RecordSink<Error = Infallible>,
) -> Option<()> {
    memory.set.reset();
    loop {
        let count = input.block()?;
        if count == 0 {
            break;
        }
        for _ in 0..count {
            let text = input.text()?;
            code.contains(text).then_some(())?;
            memory.root_text(text);
            let Ok(ordinal) = sink.add(string, &memory.text);
            memory.set.insert(ordinal);
        }
    }
    let Ok(ordinal) = sink.add(set, memory.set.bytes());
    varint::write_vint(&mut memory.window, ordinal);
    Some(())
}

impl Memory {
    /// A code as a record of its own; codes are ASCII.
    fn root_text(&mut self, text: &str) {
        self.text.clear();
        varint::write_vint(&mut self.text, text.len() as u32);
        self.text.extend_from_slice(text.as_bytes());
    }
}

fn put_text(text: &str, out: &mut Vec<u8>, memory: &mut Vec<u8>) {
    if text.is_ascii() {
        varint::write_vint(out, text.len() as u32);
        out.extend_from_slice(text.as_bytes());
        return;
    }
    memory.clear();
    string::write_str(memory, text);
    varint::write_vint(out, memory.len() as u32);
    out.extend_from_slice(memory);
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    #[inline]
    fn long(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
            shift += 7;
            if shift > 63 {
                return None;
            }
        }
    }

    #[inline]
    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.long()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(bytes).ok()
    }

    #[inline]
    fn block(&mut self) -> Option<u64> {
        let count = self.long()?;
        if count < 0 {
            self.long()?;
        }
        Some(count.unsigned_abs())
    }
}
