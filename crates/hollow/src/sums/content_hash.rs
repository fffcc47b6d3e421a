//! 128-bit hashes of the content of records: equal exactly when the records are, wherever and under whatever ordinals
//! they are stored.
//!
//! References are expanded, sets and maps are unordered. Two ways lead to the hash of a record: bottom-up over whole
//! types, where every hash below is in an array already ([`ContentHashes::prepare`]), and top-down with a memory, so that
//! what many changed records share (a set of countries) is hashed once.

use super::members::MemberHashes;
use crate::Ordinal;
use crate::content::{RecordView, record};
use crate::error::{Error, Result};
use crate::read::{Raw, ReadState, TypeState};
use crate::schema::{Schema, dependency_order};
use hashbrown::HashMap;
use rayon::prelude::*;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// References are followed no deeper than this. Only data with a cycle, which no writer can make, or absurdly long chains
/// go beyond.
pub(crate) const MAX_DEPTH: usize = 512;

/// Marks in front of a field's value, so that no two records have the same bytes.
const NULL: u8 = 0;
const FIXED: u8 = 1;
const VARIABLE: u8 = 2;
const CHILD: u8 = 3;
const DANGLING: u8 = 4;

/// Types with ordinals below this one are of few things.
const FEW: Ordinal = 1 << 11;

/// Ordinals that one task hashes.
const BLOCK: usize = 4096;

/// The hash of a record, or `None` where there is none.
type Hash = Option<u128>;

#[derive(Clone)]
struct HashedType<'s> {
    state: &'s TypeState,
    name: [u8; 16],
    /// OBJECT: per field the type referred to. LIST and SET: the element type. MAP: key and value type.
    children: Vec<Option<usize>>,
    /// Hashes of all records by ordinal, where they were prepared; 0 where there is no record.
    dense: Option<Arc<Vec<u128>>>,
    /// Hashes of some records by ordinal, from another time; 0 where none is remembered.
    remembered: &'s [u128],
    /// SET: the hashes of the elements, where they were prepared.
    members: Option<Arc<MemberHashes>>,
}

impl HashedType<'_> {
    #[inline]
    fn known(&self, ordinal: Ordinal) -> Option<Hash> {
        let hashes = self.dense.as_ref()?;
        let hash = hashes.get(ordinal as usize).copied();
        Some(hash.filter(|&hash| hash != 0))
    }

    #[inline]
    fn remembered(&self, ordinal: Ordinal) -> Hash {
        let hash = self.remembered.get(ordinal as usize).copied();
        hash.filter(|&hash| hash != 0)
    }
}

/// Types with ordinals up to this one are remembered in a list: a country's hash is asked for in every set that has it.
const LISTED: usize = 1 << 14;

/// Hashes of the records of a type that were met.
enum Memory {
    /// By ordinal; 0 where it was not met.
    Listed(Vec<u128>),
    Scattered(HashMap<Ordinal, u128>),
}

impl Memory {
    fn of(state: &TypeState) -> Self {
        match state.last_ordinal() {
            Some(last) if (last as usize) < LISTED => Self::Listed(vec![0; last as usize + 1]),
            _ => Self::Scattered(HashMap::new()),
        }
    }

    #[inline]
    fn get(&self, ordinal: Ordinal) -> Hash {
        match self {
            Self::Listed(hashes) => hashes
                .get(ordinal as usize)
                .copied()
                .filter(|&hash| hash != 0),
            Self::Scattered(hashes) => hashes.get(&ordinal).copied(),
        }
    }

    fn insert(&mut self, ordinal: Ordinal, hash: u128) {
        match self {
            Self::Listed(hashes) => {
                if let Some(slot) = hashes.get_mut(ordinal as usize) {
                    *slot = hash;
                }
            }
            Self::Scattered(hashes) => drop(hashes.insert(ordinal, hash)),
        }
    }

    fn into_met(self) -> Vec<(Ordinal, u128)> {
        match self {
            Self::Listed(hashes) => (0..).zip(hashes).filter(|(_, hash)| *hash != 0).collect(),
            Self::Scattered(hashes) => hashes.into_iter().collect(),
        }
    }
}

fn memories(types: &[HashedType<'_>]) -> Vec<Memory> {
    types.iter().map(|it| Memory::of(it.state)).collect()
}

/// Hashes records of one state.
pub(crate) struct ContentHashes<'s> {
    types: Vec<HashedType<'s>>,
    by_name: HashMap<&'s str, usize>,
    memory: Vec<Memory>,
    buffers: Buffers,
}

/// What records that are not done yet put together, one behind the other.
#[derive(Default)]
struct Buffers {
    bytes: Vec<u8>,
    members: Vec<Ordinal>,
}

impl<'s> ContentHashes<'s> {
    /// For the records of `state`.
    pub(crate) fn new(state: &'s ReadState) -> Self {
        let states: Vec<&TypeState> = state.types().collect();
        let by_name: HashMap<&str, usize> = states
            .iter()
            .enumerate()
            .map(|(index, state)| (state.name(), index))
            .collect();
        let child = |name: &str| by_name.get(name).copied();
        let types: Vec<HashedType<'s>> = states
            .iter()
            .map(|&state| HashedType {
                state,
                name: xxh3_128(state.name().as_bytes()).to_le_bytes(),
                children: match state.schema() {
                    Schema::Object(schema) => schema
                        .fields
                        .iter()
                        .map(|field| child(field.referenced_type.as_deref()?))
                        .collect(),
                    other => other.dependencies().into_iter().map(child).collect(),
                },
                dense: None,
                remembered: &[],
                members: None,
            })
            .collect();
        Self {
            memory: memories(&types),
            types,
            by_name,
            buffers: Buffers::default(),
        }
    }

    /// The same, with hashes that are known of these records; by type and ordinal, 0 where none is.
    pub(crate) fn remembering(mut self, hashes: &'s HashMap<String, Vec<u128>>) -> Self {
        for hashed in &mut self.types {
            hashed.remembered = hashes.get(hashed.state.name()).map_or(&[], Vec::as_slice);
        }
        self
    }

    /// The hashes of the records below those that were asked for, as far as they were not known before.
    pub(crate) fn into_met(self) -> impl Iterator<Item = (&'s str, Vec<(Ordinal, u128)>)> {
        let met = self.types.into_iter().zip(self.memory);
        met.map(|(hashed, memory)| (hashed.state.name(), memory.into_met()))
    }

    /// Position of a type, for the other methods.
    pub(crate) fn type_index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The same with what is prepared, and a memory of its own.
    pub(crate) fn fork(&self) -> Self {
        Self {
            types: self.types.clone(),
            by_name: self.by_name.clone(),
            memory: memories(&self.types),
            buffers: Buffers::default(),
        }
    }

    /// Hashes all records of the types that others refer to, on all cores. Types that refer to each other in a cycle are left
    /// to the memory.
    pub(crate) fn prepare(&mut self) {
        let children = self.types.iter().flat_map(|hashed| &hashed.children);
        let referred: Vec<usize> = children.flatten().copied().collect();
        self.prepare_types(referred);
    }

    /// Hashes all records of some types on all cores, where all that they refer to is prepared or among them.
    pub(crate) fn prepare_types(&mut self, types: impl IntoIterator<Item = usize>) {
        let schemas: Vec<Schema> = self
            .types
            .iter()
            .map(|hashed| hashed.state.schema().clone())
            .collect();
        let mut wanted = vec![false; self.types.len()];
        for index in types {
            wanted[index] = true;
        }
        for index in dependency_order(&schemas) {
            if wanted[index] && self.is_ready(index) {
                self.prepare_members(index);
                let dense = self.all_of(index);
                self.types[index].dense = Some(Arc::new(dense));
            }
        }
    }

    /// Prepares for hashing some records of each type: sets of few things, such as countries, are hashed much faster where what
    /// they hold is prepared, which pays if they are as many as these.
    pub(crate) fn prepare_for(&mut self, records: impl Fn(&str) -> usize) {
        for index in 0..self.types.len() {
            let hashed = &self.types[index];
            let (Schema::Set(_), &[Some(element)]) = (hashed.state.schema(), &hashed.children[..])
            else {
                continue;
            };
            let below = &self.types[element];
            let is_leaf = below.children.iter().all(Option::is_none);
            let last = below.state.last_ordinal().unwrap_or(0);
            let count = records(hashed.state.name());
            if is_leaf && last < FEW && count >= last as usize {
                self.prepare_types([element]);
                self.prepare_members(index);
            }
        }
    }

    /// The hashes of all records of a type by ordinal, where they were prepared; 0 where there is no record.
    pub(crate) fn prepared(&self, index: usize) -> Option<Arc<Vec<u128>>> {
        self.types[index].dense.clone()
    }

    fn is_ready(&self, index: usize) -> bool {
        self.types[index]
            .children
            .iter()
            .flatten()
            .all(|&child| self.types[child].dense.is_some())
    }

    /// For the sets of a type whose elements are prepared: that each is hashed faster.
    pub(crate) fn prepare_members(&mut self, index: usize) {
        let hashed = &self.types[index];
        if let (Schema::Set(_), &[Some(element)]) = (hashed.state.schema(), &hashed.children[..])
            && let Some(hashes) = &self.types[element].dense
        {
            let widths = hashed.state.bucket_widths();
            let members = MemberHashes::new(hashes, u128::from(DANGLING), widths);
            self.types[index].members = Some(Arc::new(members));
        }
    }

    fn all_of(&self, index: usize) -> Vec<u128> {
        let length = self.types[index]
            .state
            .last_ordinal()
            .map_or(0, |last| last as usize + 1);
        let mut hashes = vec![0; length];
        hashes
            .par_chunks_mut(BLOCK)
            .enumerate()
            .for_each(|(block, hashes)| {
                let mut buffers = Buffers::default();
                for (offset, hash) in hashes.iter_mut().enumerate() {
                    let ordinal = (block * BLOCK + offset) as Ordinal;
                    *hash = self.of_children(index, ordinal, &mut buffers).unwrap_or(0);
                }
            });
        hashes
    }

    /// The sum of the hashes of all records of a type, on all cores.
    ///
    /// # Errors
    /// [`Error::TooDeep`] for data whose references go round in a circle.
    pub(crate) fn sum_of(&mut self, index: usize) -> Result<u128> {
        let state = self.types[index].state;
        if !self.is_ready(index) {
            let mut sum = 0u128;
            for ordinal in state.ordinals() {
                sum = sum.wrapping_add(self.hash(index, ordinal)?.unwrap_or(0));
            }
            return Ok(sum);
        }
        self.prepare_members(index);
        let this = &*self;
        let words: Vec<(Ordinal, u64)> = state.populated_words().collect();
        let sum_of_words = |words: &[(Ordinal, u64)]| {
            let mut buffers = Buffers::default();
            let mut sum = 0u128;
            for &(first, mut word) in words {
                while word != 0 {
                    let ordinal = first + word.trailing_zeros();
                    word &= word - 1;
                    let hash = match this.types[index].known(ordinal) {
                        Some(hash) => hash,
                        None => this.of_children(index, ordinal, &mut buffers),
                    };
                    sum = sum.wrapping_add(hash.unwrap_or(0));
                }
            }
            sum
        };
        Ok(words
            .par_chunks(BLOCK / 64)
            .map(sum_of_words)
            .reduce(|| 0, u128::wrapping_add))
    }

    /// The hash of a record whose children were prepared.
    fn of_children(&self, index: usize, ordinal: Ordinal, buffers: &mut Buffers) -> Hash {
        let child = |_: &mut Buffers, child: usize, ordinal: Ordinal| {
            Ok(self.types[child].known(ordinal).flatten())
        };
        hash_record(&self.types[index], ordinal, buffers, child)
            .ok()
            .flatten()
    }

    /// The hash of a record; `None` if there is no such record.
    ///
    /// # Errors
    /// [`Error::TooDeep`] for data whose references go round in a circle.
    #[inline]
    pub(crate) fn hash(&mut self, index: usize, ordinal: Ordinal) -> Result<Hash> {
        if let Some(hash) = self.types[index].known(ordinal) {
            return Ok(hash);
        }
        hash_below(
            &self.types,
            &mut self.memory,
            &mut self.buffers,
            index,
            ordinal,
            0,
        )
    }
}

fn hash_below(
    types: &[HashedType<'_>],
    memory: &mut [Memory],
    buffers: &mut Buffers,
    index: usize,
    ordinal: Ordinal,
    depth: usize,
) -> Result<Hash> {
    if let Some(hash) = types[index].known(ordinal) {
        return Ok(hash);
    }
    if let Some(hash) = types[index].remembered(ordinal) {
        return Ok(Some(hash));
    }
    if let Some(hash) = memory[index].get(ordinal) {
        return Ok(Some(hash));
    }
    if depth > MAX_DEPTH {
        return Err(Error::TooDeep {
            type_name: types[index].state.name().to_owned(),
            ordinal,
        });
    }
    let hash = hash_record(
        &types[index],
        ordinal,
        buffers,
        |buffers, child, ordinal| hash_below(types, memory, buffers, child, ordinal, depth + 1),
    )?;
    if let (Some(hash), true) = (hash, depth > 0) {
        memory[index].insert(ordinal, hash);
    }
    Ok(hash)
}

/// Puts a record together behind what the buffers hold, its children as their hashes, and hashes that part.
#[inline]
fn hash_record(
    hashed: &HashedType<'_>,
    ordinal: Ordinal,
    buffers: &mut Buffers,
    mut child: impl FnMut(&mut Buffers, usize, Ordinal) -> Result<Hash>,
) -> Result<Hash> {
    let Some(view) = record(hashed.state, ordinal) else {
        return Ok(None);
    };
    let start = buffers.bytes.len();
    buffers.bytes.extend_from_slice(&hashed.name);
    let mut child = |buffers: &mut Buffers, position: usize, ordinal: Ordinal| -> Result<Hash> {
        match hashed.children.get(position).copied().flatten() {
            Some(index) => child(buffers, index, ordinal),
            None => Ok(None),
        }
    };
    let (size, sum) = match view {
        RecordView::Object(view) => {
            for position in 0..view.schema().fields.len() {
                match view.raw(position) {
                    Raw::Null => buffers.bytes.push(NULL),
                    Raw::Fixed(ordinal)
                        if view.schema().fields[position].referenced_type.is_some() =>
                    {
                        let hash = child(buffers, position, ordinal as Ordinal)?;
                        put_child(buffers, hash);
                    }
                    Raw::Fixed(value) => put_number(buffers, FIXED, value),
                    Raw::Variable(bytes) => {
                        put_number(buffers, VARIABLE, bytes.len() as u64);
                        buffers.bytes.extend_from_slice(bytes);
                    }
                }
            }
            (0, 0)
        }
        RecordView::List(view) => {
            for element in view.iter() {
                let hash = child(buffers, 0, element)?;
                put_child(buffers, hash);
            }
            (view.len(), 0)
        }
        RecordView::Set(view) => {
            let members = hashed.members.as_ref();
            if let Some(sum) = members.and_then(|members| members.sum(&view)) {
                (view.len(), sum)
            } else {
                let mut sum = 0u128;
                let first = buffers.members.len();
                view.append_to(&mut buffers.members);
                for at in first..buffers.members.len() {
                    let hash = child(buffers, 0, buffers.members[at])?;
                    sum = sum.wrapping_add(hash.unwrap_or(u128::from(DANGLING)));
                }
                buffers.members.truncate(first);
                (view.len(), sum)
            }
        }
        RecordView::Map(view) => {
            let mut sum = 0u128;
            for (key, value) in view.iter() {
                let mut entry = [0; 32];
                let key = child(buffers, 0, key)?.unwrap_or(u128::from(DANGLING));
                let value = child(buffers, 1, value)?.unwrap_or(u128::from(DANGLING));
                entry[..16].copy_from_slice(&key.to_le_bytes());
                entry[16..].copy_from_slice(&value.to_le_bytes());
                sum = sum.wrapping_add(xxh3_128(&entry));
            }
            (view.len(), sum)
        }
    };
    let buffer = &mut buffers.bytes;
    let mut end = [0; 24];
    end[..8].copy_from_slice(&(size as u64).to_le_bytes());
    end[8..].copy_from_slice(&sum.to_le_bytes());
    buffer.extend_from_slice(&end);
    let hash = xxh3_128(&buffer[start..]);
    buffer.truncate(start);
    Ok(Some(hash))
}

/// A mark and what follows it in one step, for the room in a buffer is looked at in each.
#[inline]
fn put_number(buffers: &mut Buffers, mark: u8, value: u64) {
    let mut bytes = [mark; 9];
    bytes[1..].copy_from_slice(&value.to_le_bytes());
    buffers.bytes.extend_from_slice(&bytes);
}

#[inline]
fn put_child(buffers: &mut Buffers, child: Hash) {
    match child {
        Some(hash) => {
            let mut bytes = [CHILD; 17];
            bytes[1..].copy_from_slice(&hash.to_le_bytes());
            buffers.bytes.extend_from_slice(&bytes);
        }
        None => buffers.bytes.push(DANGLING),
    }
}
