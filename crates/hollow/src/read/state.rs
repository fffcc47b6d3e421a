//! A whole data set in memory, and the ways from one state to the next.

use super::apply::{self, TypeChanges};
use super::checksum;
use super::filter::Filter;
use super::snapshot::{self, Loading};
use super::type_state::TypeState;
use crate::blob::{BlobHeader, BlobSet, TypeFrame, read_header, read_part_header};
use crate::codec::Cursor;
use crate::error::{Error, Result};
use crate::schema::{Schema, SchemaLookup, common_schema};
use hashbrown::HashMap;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The tag under which old writers list the types whose collections are placed by hashes of their own.
const DEFINED_HASH_CODES: &str = "DEFINED_HASH_CODES";

/// Below so many records removed and added, a delta is applied by one thread: waking others takes as long.
const PARALLEL_RECORDS: usize = 4096;

/// A data set at one version: immutable, cheap to clone, shared between threads freely. States of one chain share all
/// structure that did not change between them.
#[derive(Clone)]
pub struct ReadState {
    inner: Arc<Inner>,
}

struct Inner {
    tag: i64,
    origin_tag: i64,
    header_tags: BTreeMap<String, String>,
    types: Vec<TypeState>,
    by_name: Arc<HashMap<String, usize>>,
    /// The optional parts that the state was loaded with.
    parts: Arc<[Arc<str>]>,
}

/// What a delta did, by type. Types without a change are not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In the order of the state's types.
    pub types: Vec<TypeChanges>,
}

impl Changes {
    /// The changes of one type.
    pub fn of(&self, type_name: &str) -> Option<&TypeChanges> {
        self.types
            .iter()
            .find(|changes| changes.type_name == type_name)
    }

    /// The changes of the same step taken the other way.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let types = self
            .types
            .iter()
            .map(|changes| TypeChanges {
                type_name: changes.type_name.clone(),
                removed: changes.added.clone(),
                added: changes.removed.clone(),
            })
            .collect();
        Self { types }
    }

    /// Whether no record was added or removed.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    fn of_types(types: Vec<TypeChanges>) -> Self {
        let changed = types
            .into_iter()
            .filter(|changes| !(changes.removed.is_empty() && changes.added.is_empty()));
        Self {
            types: changed.collect(),
        }
    }
}

impl ReadState {
    /// A data set of these types without records, whose first delta starts at `tag`.
    ///
    /// # Errors
    /// [`Error::IncompatibleSchemas`] if a name occurs twice.
    pub fn empty(tag: i64, schemas: impl IntoIterator<Item = Schema>) -> Result<Self> {
        let types = schemas
            .into_iter()
            .map(|schema| TypeState::empty(schema, None))
            .collect::<Vec<_>>();
        if let Some(type_name) = duplicate(&types) {
            return Err(Error::IncompatibleSchemas {
                type_name,
                reason: "two of them in one data set".to_owned(),
            });
        }
        Ok(Self::new(tag, -1, BTreeMap::new(), types, Arc::new([])))
    }

    fn new(
        tag: i64,
        origin_tag: i64,
        header_tags: BTreeMap<String, String>,
        types: Vec<TypeState>,
        parts: Arc<[Arc<str>]>,
    ) -> Self {
        let by_name = types
            .iter()
            .enumerate()
            .map(|(index, state)| (state.name().to_owned(), index))
            .collect();
        Self {
            inner: Arc::new(Inner {
                tag,
                origin_tag,
                header_tags,
                types,
                by_name: Arc::new(by_name),
                parts,
            }),
        }
    }

    /// Loads a snapshot: the main blob and any of its optional parts, as far as the filter wants their types.
    ///
    /// # Errors
    /// [`Error::Version`], [`Error::WrongPart`], or [`Error::InBlob`] for bytes that break the format.
    pub fn from_snapshot<'a>(blobs: impl Into<BlobSet<'a>>, filter: &Filter) -> Result<Self> {
        let streams = Streams::open(blobs.into())?;
        let mut frames = Vec::new();
        streams.walk(
            true,
            |schema| filter.includes(schema.name()),
            |frame| {
                frames.push(frame);
                Ok(())
            },
        )?;
        let names: Vec<Arc<str>> = streams
            .parts
            .iter()
            .map(|(name, ..)| Arc::from(*name))
            .collect();
        let loading = frames
            .iter()
            .map(|(part, frame)| Loading {
                frame,
                state: TypeState::empty(
                    filter.cut(&frame.schema),
                    part.and_then(|part| names.iter().find(|name| &***name == part).cloned()),
                ),
                part: *part,
            })
            .collect();
        let mut types = snapshot::load(loading)?;
        if let Some(type_name) = duplicate(&types) {
            return Err(Error::Malformed {
                at: 0,
                what: "a type that occurs twice",
            }
            .in_blob(None, Some(&type_name)));
        }
        let header = streams.header;
        if let Some(defined) = header.tags.get(DEFINED_HASH_CODES) {
            let defined: Vec<&str> = defined.split(',').collect();
            for state in &mut types {
                let element = state
                    .schema
                    .dependencies()
                    .first()
                    .copied()
                    .unwrap_or_default();
                state.by_ordinal &= !defined.contains(&element);
            }
        }
        Ok(Self::new(
            header.destination_tag,
            header.origin_tag,
            header.tags,
            types,
            names.into(),
        ))
    }

    /// The state that a delta or reverse delta leads to. This one stays as it is and readable; what the delta does not
    /// touch is shared. The cost follows the change. Types that this state does not have are passed over.
    ///
    /// # Errors
    /// Nothing has changed then. [`Error::WrongOrigin`] if the delta starts elsewhere; [`Error::WrongPart`];
    /// [`Error::MissingPart`]; [`Error::IncompatibleSchemas`] where a field or collection changed its type;
    /// [`Error::Version`]; [`Error::InBlob`] for bytes that break the format.
    pub fn apply<'a>(&self, delta: impl Into<BlobSet<'a>>) -> Result<(ReadState, Changes)> {
        let (header, frames) = self.open_delta(delta.into())?;
        let apply = |(state, frame): (&TypeState, &Option<PartFrame<'_>>)| match frame {
            None => Ok((state.clone(), TypeChanges::default())),
            Some((part, frame)) => {
                apply::apply(state, frame).map_err(|error| error.in_blob(*part, Some(state.name())))
            }
        };
        let records: usize = frames
            .iter()
            .flatten()
            .map(|(_, frame)| frame.changed_records())
            .sum();
        let applied: Vec<Result<(TypeState, TypeChanges)>> = if records < PARALLEL_RECORDS {
            self.inner.types.iter().zip(&frames).map(apply).collect()
        } else {
            let types = self.inner.types.par_iter().zip(&frames);
            types.with_max_len(1).map(apply).collect()
        };
        let applied: Vec<(TypeState, TypeChanges)> = applied.into_iter().collect::<Result<_>>()?;
        let (types, changes): (Vec<_>, Vec<_>) = applied.into_iter().unzip();
        let state = Self {
            inner: Arc::new(Inner {
                tag: header.destination_tag,
                origin_tag: header.origin_tag,
                header_tags: header.tags,
                types,
                by_name: self.inner.by_name.clone(),
                parts: self.inner.parts.clone(),
            }),
        };
        Ok((state, Changes::of_types(changes)))
    }

    /// What the delta or reverse delta does to this state, where it leads to `target`, another state of the chain: every record
    /// that it adds is the one that `target` holds in its place, and tags and header tags are those of `target`. Otherwise
    /// `None`. Costs a fraction of [`apply`](Self::apply), since no state is made.
    ///
    /// What the delta leaves alone is not looked at. Where the changes are also those of the step from `target` to this
    /// state, taken the other way, applying would lead to `target`.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn changes_towards<'a>(
        &self,
        delta: impl Into<BlobSet<'a>>,
        target: &ReadState,
    ) -> Result<Option<Changes>> {
        let (header, frames) = self.open_delta(delta.into())?;
        let mut agree =
            header.destination_tag == target.tag() && header.tags == *target.header_tags();
        let mut changes = Vec::with_capacity(frames.len());
        for (state, frame) in self.inner.types.iter().zip(&frames) {
            let (Some((part, frame)), Some(target)) = (frame, target.type_state(state.name()))
            else {
                agree &= frame.is_none();
                continue;
            };
            let compared = apply::compare(state, frame, target)
                .map_err(|error| error.in_blob(*part, Some(state.name())))?;
            agree &= compared.is_some();
            changes.extend(compared);
        }
        Ok(agree.then(|| Changes::of_types(changes)))
    }

    /// The header of a delta that starts at this state, and for each type what it says of it.
    fn open_delta<'a>(
        &self,
        delta: BlobSet<'a>,
    ) -> Result<(BlobHeader, Vec<Option<PartFrame<'a>>>)> {
        let streams = Streams::open(delta)?;
        if streams.header.origin_tag != self.inner.tag {
            return Err(Error::WrongOrigin {
                expected: self.inner.tag,
                found: streams.header.origin_tag,
            });
        }
        for part in self.inner.parts.iter() {
            if !streams.parts.iter().any(|(name, ..)| **name == **part) {
                return Err(Error::MissingPart {
                    part: part.to_string(),
                });
            }
        }
        let mut frames: Vec<Option<PartFrame<'a>>> = Vec::new();
        frames.resize_with(self.inner.types.len(), || None);
        streams.walk(
            false,
            |schema| self.index(schema.name()).is_some(),
            |(part, frame)| {
                let Some(index) = self.index(frame.schema.name()) else {
                    return Ok(());
                };
                if frames[index].is_some() {
                    return Err(Error::Malformed {
                        at: frame.shards[0].at,
                        what: "a type that occurs twice",
                    });
                }
                frames[index] = Some((part, frame));
                Ok(())
            },
        )?;
        Ok((streams.header, frames))
    }

    /// The randomized tag of the state, by which deltas know where they start.
    pub fn tag(&self) -> i64 {
        self.inner.tag
    }

    /// The tag that the blob which led here calls its origin: for a snapshot and a delta that of the state before (-1 if
    /// there was none), for a reverse delta that of the state after.
    pub fn origin_tag(&self) -> i64 {
        self.inner.origin_tag
    }

    /// The header tags of the state.
    pub fn header_tags(&self) -> &BTreeMap<String, String> {
        &self.inner.header_tags
    }

    /// The schemas of the types, in the order of the snapshot.
    pub fn schemas(&self) -> impl ExactSizeIterator<Item = &Schema> + Clone {
        self.inner.types.iter().map(TypeState::schema)
    }

    /// The types, in the order of the snapshot.
    pub fn types(&self) -> impl ExactSizeIterator<Item = &TypeState> + Clone {
        self.inner.types.iter()
    }

    /// The optional parts that the state was loaded with.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.inner.parts.iter().map(|part| &**part)
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.inner.by_name.get(name).copied()
    }

    /// The type of that name.
    #[inline]
    pub fn type_state(&self, name: &str) -> Option<&TypeState> {
        self.index(name).map(|index| &self.inner.types[index])
    }

    /// `HollowChecksum` of the whole state (format section 11), equal to Java's. It depends on ordinals and shard counts, and
    /// costs by the data set.
    pub fn checksum(&self) -> u32 {
        checksum::of_types(self.types().map(|state| (state, None)).collect())
    }

    /// `HollowChecksum` over the types and fields that `other` has as well: what a producer compares after a schema change.
    ///
    /// # Errors
    /// [`Error::IncompatibleSchemas`] where a type or field of one name differs in kind.
    pub fn checksum_common(&self, other: &ReadState) -> Result<u32> {
        let mut types = Vec::new();
        for state in self.types() {
            let Some(theirs) = other.type_state(state.name()) else {
                continue;
            };
            let common = common_schema(state.schema(), theirs.schema())?;
            types.push((state, checksum::fields_of(state, &common)));
        }
        Ok(checksum::of_types(types))
    }

    /// Bytes on the heap that this state takes, what other states share included.
    pub fn heap_bytes(&self) -> usize {
        self.types().map(TypeState::heap_bytes).sum()
    }
}

impl SchemaLookup for ReadState {
    fn schema_of(&self, type_name: &str) -> Option<&Schema> {
        self.type_state(type_name).map(TypeState::schema)
    }
}

impl fmt::Debug for ReadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadState")
            .field("tag", &format_args!("{:016x}", self.inner.tag))
            .field("header_tags", &self.inner.header_tags)
            .field("types", &self.inner.types)
            .finish()
    }
}

fn duplicate(types: &[TypeState]) -> Option<String> {
    let mut names: Vec<&str> = types.iter().map(TypeState::name).collect();
    names.sort_unstable();
    names
        .windows(2)
        .find(|pair| pair[0] == pair[1])
        .map(|pair| pair[0].to_owned())
}

/// What a delta says of a type, and in which part.
type PartFrame<'a> = (Option<&'a str>, TypeFrame<'a>);

/// The streams of a blob, headers read and compared.
struct Streams<'a> {
    header: BlobHeader,
    main: Cursor<'a>,
    /// Name, number of types, position at the first type state.
    parts: Vec<(&'a str, usize, Cursor<'a>)>,
}

impl<'a> Streams<'a> {
    fn open(blobs: BlobSet<'a>) -> Result<Self> {
        let mut main = Cursor::new(blobs.main);
        let header = read_header(&mut main)?;
        let mut parts = Vec::with_capacity(blobs.parts.len());
        for &(name, bytes) in blobs.parts {
            let mut cursor = Cursor::new(bytes);
            let part = read_part_header(&mut cursor).map_err(|error| match error {
                error @ Error::Version { .. } => error,
                error => error.in_blob(Some(name), None),
            })?;
            let what = if part.name != name {
                "name"
            } else if part.origin_tag != header.origin_tag {
                "origin tag"
            } else if part.destination_tag != header.destination_tag {
                "destination tag"
            } else {
                parts.push((name, part.type_count, cursor));
                continue;
            };
            return Err(Error::WrongPart {
                part: name.to_owned(),
                what,
            });
        }
        Ok(Self {
            header,
            main,
            parts,
        })
    }

    /// Reads the sections of all type states and hands on those of the wanted ones.
    fn walk(
        &self,
        snapshot: bool,
        wanted: impl Fn(&Schema) -> bool,
        mut visit: impl FnMut((Option<&'a str>, TypeFrame<'a>)) -> Result<()>,
    ) -> Result<()> {
        let main = (None, self.header.type_count, self.main.clone());
        let parts = self
            .parts
            .iter()
            .map(|(name, count, cursor)| (Some(*name), *count, cursor.clone()));
        for (part, type_count, mut cursor) in std::iter::once(main).chain(parts) {
            for _ in 0..type_count {
                let schema =
                    Schema::read(&mut cursor).map_err(|error| error.in_blob(part, None))?;
                let wanted = wanted(&schema);
                let name = schema.name().to_owned();
                TypeFrame::read(&mut cursor, schema, snapshot)
                    .and_then(|frame| match wanted {
                        true => visit((part, frame)),
                        false => Ok(()),
                    })
                    .map_err(|error| error.in_blob(part, Some(&name)))?;
            }
        }
        Ok(())
    }
}
