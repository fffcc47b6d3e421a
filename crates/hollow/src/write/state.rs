//! The write state: the public face of the writer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hashbrown::HashMap;

use super::batch::{RecordBatch, recent_slot};
use super::compare::Scratch;
use super::links::{Links, Path, key_bytes, key_value_bytes};
use super::marks::Mark;
use super::options::WriteOptions;
use super::ordinals::OrdinalAllocator;
use super::sealed::Sealed;
use super::stats::TypeStats;
use super::table::{OrdinalTable, hash_bytes};
use super::types::{TypeCycle, TypeWriter};
use super::{RecordKey, WriteError};
use crate::read::ReadState;
use crate::schema::Schema;
use crate::sums::ChainSum;
use crate::{KeyValue, Ordinal, Result};

/// A type of one write state: its position among the schemas that the state was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub(super) u32);

impl TypeId {
    pub(super) fn at(self) -> usize {
        self.0 as usize
    }
}

/// What [`WriteState::upsert`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upserted {
    /// The record's ordinal.
    pub ordinal: Ordinal,
    /// The ordinal of the record that had this key before, by the cycle's own view; equal to `ordinal` if the record
    /// is the same.
    pub previous: Option<Ordinal>,
    /// Whether the call changed anything: the key was new or its record another one.
    pub changed: bool,
}

/// Writes a chain of states. See the [module](super) for the turn of a cycle.
///
/// Every method that adds or deletes needs an open cycle. When one of them, or [`seal`](Self::seal), fails, nothing is
/// lost: the cycle can be rolled back, and [`rollback`](Self::rollback) leaves the writer exactly as it was before.
#[derive(Debug)]
pub struct WriteState {
    pub(super) types: Vec<TypeWriter>,
    by_name: HashMap<String, TypeId>,
    pub(super) options: WriteOptions,
    /// Names of all optional parts.
    pub(super) parts: BTreeSet<String>,
    pub(super) phase: Phase,
    pub(super) committed: Option<Committed>,
    /// Whether the types' reference counts are kept: from the first incremental cycle on.
    pub(super) counts_references: bool,
    /// The state as it was restored, with other schemas, until the first cycle ends.
    pub(super) evolving: Option<ReadState>,
    /// Reference counts changed by the open cycle's seal: type, ordinal, up.
    pub(super) reference_log: Vec<(u32, Ordinal, bool)>,
    tags: BTreeMap<String, String>,
    pub(super) scratch: Scratch,
    key: Vec<u8>,
}

/// The state that the chain has come to.
#[derive(Debug, Clone)]
pub(super) struct Committed {
    pub(super) state: ReadState,
    pub(super) chain_sum: ChainSum,
    /// In the order in which they were written.
    pub(super) header_tags: Vec<(String, String)>,
}

/// Where in a cycle the writer stands.
#[derive(Debug)]
pub(super) enum Phase {
    Idle,
    Total,
    Incremental,
    /// What changes is decided; waiting for seal or rollback.
    Resolved,
    /// Sealed, and waiting for commit or rollback.
    Sealed(Sealed),
    /// `seal` failed: only a rollback helps.
    Failed,
}

impl WriteState {
    /// A writer of a new chain. Its types are written in the order of `schemas`.
    ///
    /// # Errors
    /// [`WriteError::DuplicateType`]; a primary key path that cannot be resolved.
    pub fn new(schemas: Vec<Schema>, options: WriteOptions) -> Result<Self> {
        let mut by_name = HashMap::new();
        for (at, schema) in schemas.iter().enumerate() {
            if by_name
                .insert(schema.name().to_owned(), TypeId(at as u32))
                .is_some()
            {
                return Err(WriteError::DuplicateType {
                    type_name: schema.name().to_owned(),
                }
                .into());
            }
        }
        let types = schemas
            .iter()
            .map(|schema| new_type(&schemas, &by_name, schema, &options))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            parts: options.parts.values().cloned().collect(),
            types,
            by_name,
            options,
            phase: Phase::Idle,
            committed: None,
            counts_references: false,
            evolving: None,
            reference_log: Vec::new(),
            tags: BTreeMap::new(),
            scratch: Scratch::default(),
            key: Vec::new(),
        })
    }

    /// The type of this name.
    #[must_use]
    pub fn type_id(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// All types, in the order in which they are written.
    pub fn type_ids(&self) -> impl ExactSizeIterator<Item = TypeId> + use<> {
        (0..self.types.len() as u32).map(TypeId)
    }

    /// The schema of a type.
    #[must_use]
    pub fn schema(&self, ty: TypeId) -> &Schema {
        &self.types[ty.at()].schema
    }

    /// The state that was committed last or restored; `None` before the first commit of a new chain.
    #[must_use]
    pub fn state(&self) -> Option<&ReadState> {
        self.committed.as_ref().map(|committed| &committed.state)
    }

    /// The chain sum of [`state`](Self::state), kept from the records as they were added, not as they were read back.
    #[must_use]
    pub fn chain_sum(&self) -> ChainSum {
        self.committed
            .as_ref()
            .map_or(ChainSum::EMPTY, |committed| committed.chain_sum)
    }

    /// Opens a cycle that states everything: records that are not added again are removed (Java's populate). An open
    /// cycle is rolled back first.
    pub fn begin_total(&mut self) {
        self.rollback();
        for writer in &mut self.types {
            let words = writer
                .state
                .as_ref()
                .and_then(|state| state.last_ordinal())
                .map_or(0, |last| last / 64 + 1);
            writer.cycle.seen = (0..words).map(|_| AtomicU64::new(0)).collect();
        }
        self.phase = Phase::Total;
    }

    /// Opens a cycle that states what changes: everything stays but for records that [`upsert`](Self::upsert) replaces
    /// and [`delete`](Self::delete) removes, and children that nothing refers to any more. Costs by the change, but for
    /// the first one, which counts all references once. An open cycle is rolled back first.
    pub fn begin_incremental(&mut self) {
        self.rollback();
        if !self.counts_references {
            self.count_references();
        }
        self.phase = Phase::Incremental;
    }

    /// Adds a record, in its serialized form (see [`record`](crate::record)), and returns its ordinal. A record that is
    /// there already keeps its ordinal and is not added twice. Children are added before the records that refer to
    /// them.
    ///
    /// In an incremental cycle this is for children: a record that nothing live refers to when the cycle is sealed is
    /// dropped. Records with a primary key of their own are [upserted](Self::upsert) there.
    ///
    /// # Errors
    /// [`WriteError::WrongMoment`] without an open cycle; [`WriteError::MalformedRecord`];
    /// [`WriteError::OrdinalLimit`].
    pub fn add(&mut self, ty: TypeId, record: &[u8]) -> Result<Ordinal> {
        let is_total = self.expect_open()?;
        if self.evolving.is_some() {
            return self.add_evolved(ty, record);
        }
        let writer = &mut self.types[ty.at()];
        let hash = hash_bytes(record);
        if let Some(ordinal) = writer.lookup(hash, record, &mut self.scratch) {
            if is_total {
                writer.see(ordinal);
            }
            return Ok(ordinal);
        }
        self.stage(ty, hash, record)
    }

    /// Adds many records of one type, hashing them and probing for them in parallel, and appends their ordinals to
    /// `ordinals` in the order of the batch. The outcome is the same as that of [`add`](Self::add) one by one.
    ///
    /// # Errors
    /// As [`add`](Self::add). The cycle should be rolled back then: some of the records are added, and what was
    /// appended to `ordinals` means nothing.
    pub fn add_batch(
        &mut self,
        ty: TypeId,
        batch: &RecordBatch,
        ordinals: &mut Vec<Ordinal>,
    ) -> Result<()> {
        let is_total = self.expect_open()?;
        if self.evolving.is_some() {
            for record in batch.iter() {
                ordinals.push(self.add_evolved(ty, record)?);
            }
            return Ok(());
        }
        let start = ordinals.len();
        ordinals.resize(start + batch.len(), 0);
        let probed = batch.probe(&self.types[ty.at()], is_total, &mut ordinals[start..]);
        self.types[ty.at()].table.reserve(probed.new.len());
        for (index, hash) in probed.new {
            let record = batch.record(index);
            // What was not there may have been added by the batch itself.
            let staged = self.types[ty.at()].lookup(hash, record, &mut self.scratch);
            ordinals[start + index] = match staged {
                Some(ordinal) => ordinal,
                None => self.stage(ty, hash, record)?,
            };
        }
        let shared = &mut self.types[ty.at()].cycle.shared;
        for index in probed.repeated {
            let record = batch.record(index);
            shared.insert(recent_slot(record), record, ordinals[start + index]);
        }
        Ok(())
    }

    /// Adds a record with a primary key, or replaces the record that has its key. Needs an incremental cycle. The last
    /// upsert or delete of a key in a cycle counts.
    ///
    /// # Errors
    /// As [`add`](Self::add); [`WriteError::NoPrimaryKey`].
    pub fn upsert(&mut self, ty: TypeId, record: &[u8]) -> Result<Upserted> {
        self.expect_incremental()?;
        self.expect_key(ty)?;
        let key_hash = self.hash_key_of(ty, record);
        let previous = self.find_hashed(ty, key_hash);
        // Equal records have equal keys, so the table of keys finds them too, and mostly the first look is enough.
        let writer = &self.types[ty.at()];
        let mut holds = |&ordinal: &Ordinal| writer.holds(ordinal, record, &mut self.scratch);
        let found = previous.filter(&mut holds).or_else(|| {
            let others = writer.keys.under(key_hash);
            let mut others = others.filter(|&other| Some(other) != previous);
            others.find(&mut holds)
        });
        let ordinal = match found {
            Some(ordinal) => ordinal,
            None => {
                crate::record::validate(&writer.schema, record)?;
                self.stage_keyed(ty, hash_bytes(record), key_hash, record)?
            }
        };
        let cycle = &mut self.types[ty.at()].cycle;
        cycle.marks.insert(ordinal, Mark::Pinned);
        match previous {
            Some(previous) if previous != ordinal => self.mark_deleted(ty, previous),
            _ => {}
        }
        Ok(Upserted {
            ordinal,
            previous,
            changed: previous != Some(ordinal),
        })
    }

    /// Deletes the record with this primary key and returns its ordinal, `None` if there is none. Needs an incremental
    /// cycle. A record that live records of other types refer to stays; children that only the deleted record held on
    /// to go with it.
    ///
    /// # Errors
    /// [`WriteError::WrongMoment`], [`WriteError::NoPrimaryKey`], [`WriteError::KeyMismatch`].
    pub fn delete(&mut self, ty: TypeId, key: &[KeyValue]) -> Result<Option<Ordinal>> {
        self.expect_incremental()?;
        let found = self.try_find(ty, key)?;
        if let Some(ordinal) = found {
            self.mark_deleted(ty, ordinal);
        }
        Ok(found)
    }

    /// The ordinal of the record with this primary key: in an open cycle as the cycle's own calls left it. `None` also
    /// if the type has no key or the values do not fit it.
    #[must_use]
    pub fn find(&self, ty: TypeId, key: &[KeyValue]) -> Option<Ordinal> {
        let writer = &self.types[ty.at()];
        let mut bytes = Vec::new();
        key_value_bytes(writer.key.as_ref()?, key, &mut bytes)?;
        self.find_key(ty, hash_bytes(&bytes), &bytes)
    }

    /// Appends the serialized form of a record that was added in the open cycle or is in the committed state, and
    /// returns whether there is one of that ordinal.
    pub fn record(&self, ty: TypeId, ordinal: Ordinal, out: &mut Vec<u8>) -> bool {
        let mut scratch = Vec::new();
        let found = self.types[ty.at()].record(ordinal, &mut scratch);
        found.map(|record| out.extend_from_slice(record)).is_some()
    }

    /// Sets a header tag of the state that the open cycle leads to; [`seal`](Self::seal) can add to them.
    pub fn set_header_tag(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.tags.insert(name.into(), value.into());
    }

    /// Ends the changes of the cycle and decides what the next state holds, without writing anything yet. Returns the
    /// names of the types that change, in the order in which they are written: none means that there is no next state
    /// to be named. Only [`seal`](Self::seal) and [`rollback`](Self::rollback) may follow.
    ///
    /// # Errors
    /// [`WriteError::DuplicateKey`], [`WriteError::DanglingReference`]. The cycle can only be rolled back then.
    pub fn resolve(&mut self) -> Result<Vec<String>> {
        let is_total = self.expect_open()?;
        self.phase = Phase::Failed;
        self.resolve_cycle(is_total)?;
        self.phase = Phase::Resolved;
        let changed = self.types.iter().filter(|writer| writer.is_changed());
        Ok(changed
            .map(|writer| writer.schema.name().to_owned())
            .collect())
    }

    /// Ends the changes of the cycle, [resolves](Self::resolve) it if that was not done, writes the delta, and reads it
    /// back.
    /// The outcome stands beside the writer until [`commit`](Self::commit) makes it the state, or
    /// [`rollback`](Self::rollback) drops it.
    ///
    /// `random_tag` names the state in its blobs: a number that no other state of the chain has, whose upper half is
    /// neither 0 nor all ones (format 2.1). `header_tags` are those of the state, beside those set before.
    ///
    /// # Errors
    /// [`WriteError::DuplicateKey`], [`WriteError::DanglingReference`], [`WriteError::NullHashKey`]; header tags that
    /// the format cannot hold. The cycle can only be rolled back then.
    pub fn seal(
        &mut self,
        random_tag: i64,
        header_tags: BTreeMap<String, String>,
    ) -> Result<Sealed> {
        let mut tags = self.tags.clone();
        tags.extend(header_tags);
        self.seal_ordered(random_tag, tags.into_iter().collect())
    }

    /// [`seal`](Self::seal) with header tags in the order in which they are written.
    pub(crate) fn seal_ordered(
        &mut self,
        random_tag: i64,
        header_tags: Vec<(String, String)>,
    ) -> Result<Sealed> {
        if !matches!(self.phase, Phase::Resolved) {
            let is_total = self.expect_open()?;
            self.phase = Phase::Failed;
            self.resolve_cycle(is_total)?;
        }
        self.phase = Phase::Failed;
        let sealed = self.seal_cycle(random_tag, header_tags)?;
        self.phase = Phase::Sealed(sealed.clone());
        Ok(sealed)
    }

    /// Makes the sealed state the writer's state.
    ///
    /// # Errors
    /// [`WriteError::WrongMoment`] if no cycle is sealed.
    pub fn commit(&mut self) -> Result<&ReadState> {
        let Phase::Sealed(sealed) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return Err(WriteError::WrongMoment("commit needs a sealed cycle").into());
        };
        let committed = Committed {
            state: sealed.state().clone(),
            chain_sum: sealed.chain_sum(),
            header_tags: sealed.ordered_header_tags().to_vec(),
        };
        if self.evolving.is_some() {
            self.commit_evolved(sealed.state(), committed)?;
            return self
                .state()
                .ok_or_else(|| WriteError::WrongMoment("nothing was committed").into());
        }
        self.commit_types(sealed.state());
        self.reference_log.clear();
        self.tags.clear();
        Ok(&self.committed.insert(committed).state)
    }

    /// Drops the open or sealed cycle: the writer is as it was before. Costs by what the cycle did. Without a cycle
    /// nothing happens.
    pub fn rollback(&mut self) {
        let is_open = !matches!(std::mem::replace(&mut self.phase, Phase::Idle), Phase::Idle);
        self.tags.clear();
        if let Some(restored) = self.evolving.take() {
            self.evolving = Some(restored.clone());
            // What was restored once can be restored again; if not, the writer stays in a phase that refuses.
            if is_open && self.rollback_evolved(&restored).is_err() {
                self.phase = Phase::Failed;
            }
            return;
        }
        for (ty, ordinal, up) in std::mem::take(&mut self.reference_log).into_iter().rev() {
            self.types[ty as usize].refer(ordinal, !up);
        }
        self.types.iter_mut().for_each(TypeWriter::rollback);
    }

    fn expect_open(&self) -> Result<bool, WriteError> {
        match self.phase {
            Phase::Total => Ok(true),
            Phase::Incremental => self.expect_not_evolving().map(|()| false),
            Phase::Idle => Err(WriteError::WrongMoment("no cycle is open")),
            Phase::Resolved => Err(WriteError::WrongMoment("the cycle's changes are resolved")),
            Phase::Sealed(_) => Err(WriteError::WrongMoment("the cycle is sealed")),
            Phase::Failed => Err(WriteError::WrongMoment(
                "the cycle could not be sealed and must be rolled back",
            )),
        }
    }

    fn expect_incremental(&self) -> Result<(), WriteError> {
        if self.expect_open()? {
            return Err(WriteError::WrongMoment(
                "a total cycle states all records and deletes none",
            ));
        }
        Ok(())
    }

    fn expect_key(&self, ty: TypeId) -> Result<(), WriteError> {
        let writer = &self.types[ty.at()];
        if writer.key.is_none() {
            return Err(WriteError::NoPrimaryKey {
                type_name: writer.schema.name().to_owned(),
            });
        }
        Ok(())
    }

    fn try_find(&mut self, ty: TypeId, key: &[KeyValue]) -> Result<Option<Ordinal>, WriteError> {
        self.expect_key(ty)?;
        let writer = &self.types[ty.at()];
        let paths = writer.key.as_deref().unwrap_or_default();
        if key_value_bytes(paths, key, &mut self.key).is_none() {
            return Err(WriteError::KeyMismatch {
                type_name: writer.schema.name().to_owned(),
                key: key.to_vec(),
            });
        }
        Ok(self.find_hashed(ty, hash_bytes(&self.key)))
    }

    /// Puts the key of a record into `self.key` and returns its hash.
    pub(super) fn hash_key_of(&mut self, ty: TypeId, record: &[u8]) -> u32 {
        let paths = self.types[ty.at()].key.as_deref().unwrap_or_default();
        key_bytes(&self.types, paths, record, &mut self.key);
        hash_bytes(&self.key)
    }

    /// The record that has the key in `self.key`.
    fn find_hashed(&self, ty: TypeId, key_hash: u32) -> Option<Ordinal> {
        self.find_key(ty, key_hash, &self.key)
    }

    fn find_key(&self, ty: TypeId, key_hash: u32, key: &[u8]) -> Option<Ordinal> {
        let writer = &self.types[ty.at()];
        // Of several candidates an upserted one is the cycle's answer; a record that was merely added counts least,
        // since it may be dropped.
        let standing = |ordinal: Ordinal| match (writer.cycle.marks.get(ordinal), &self.phase) {
            (Some(Mark::Deleted | Mark::Removed), _) => None,
            (Some(Mark::Pinned), _) => Some(2),
            (None, Phase::Total) if writer.cycle.staged.index_of(ordinal).is_none() => {
                writer.is_seen(ordinal).then_some(1)
            }
            (None, _) => Some(u8::from(writer.cycle.staged.index_of(ordinal).is_none())),
        };
        writer
            .keys
            .under(key_hash)
            .filter(|&ordinal| self.has_key(ty, ordinal, key))
            .filter_map(|ordinal| Some((standing(ordinal)?, ordinal)))
            .max()
            .map(|(_, ordinal)| ordinal)
    }

    /// Whether the record of this ordinal has this key.
    pub(super) fn has_key(&self, ty: TypeId, ordinal: Ordinal, key: &[u8]) -> bool {
        let writer = &self.types[ty.at()];
        let Some(paths) = writer.key.as_deref() else {
            return false;
        };
        if let Some(has_key) = writer.has_local_key(paths, ordinal, key) {
            return has_key;
        }
        let (mut scratch, mut found) = (Vec::new(), Vec::new());
        let Some(record) = writer.record(ordinal, &mut scratch) else {
            return false;
        };
        key_bytes(&self.types, paths, record, &mut found);
        found == key
    }

    fn mark_deleted(&mut self, ty: TypeId, ordinal: Ordinal) {
        let writer = &mut self.types[ty.at()];
        writer.cycle.marks.insert(ordinal, Mark::Deleted);
        if writer.cycle.staged.index_of(ordinal).is_none() {
            writer.cycle.deleted.push(ordinal);
        }
    }

    pub(super) fn stage(&mut self, ty: TypeId, hash: u32, record: &[u8]) -> Result<Ordinal> {
        if self.types[ty.at()].key.is_none() {
            return Ok(self.types[ty.at()].stage(hash, record)?);
        }
        crate::record::validate(&self.types[ty.at()].schema, record)?;
        let key_hash = self.hash_key_of(ty, record);
        self.stage_keyed(ty, hash, key_hash, record)
    }

    fn stage_keyed(
        &mut self,
        ty: TypeId,
        hash: u32,
        key_hash: u32,
        record: &[u8],
    ) -> Result<Ordinal> {
        let writer = &mut self.types[ty.at()];
        let ordinal = writer.stage(hash, record)?;
        writer.keys.insert(key_hash, ordinal);
        writer.cycle.staged_keys.push(key_hash);
        Ok(ordinal)
    }
}

fn new_type(
    schemas: &[Schema],
    by_name: &HashMap<String, TypeId>,
    schema: &Schema,
    options: &WriteOptions,
) -> Result<TypeWriter> {
    let position = |name: &str| by_name.get(name).map(|ty| ty.at());
    let key = match schema.primary_key() {
        Some(paths) => Some(Path::resolve(schemas, schema.name(), paths)?),
        None => None,
    };
    let hash_key = schema.hash_key().and_then(|paths| {
        let element = *schema.dependencies().first()?;
        // Hollow, too, places by ordinal where a path leads out of the data set.
        Some((
            position(element)?,
            Path::resolve(schemas, element, paths).ok()?,
        ))
    });
    Ok(TypeWriter {
        links: Links::new(schema, position),
        part: options.parts.get(schema.name()).cloned(),
        key,
        hash_key,
        table: OrdinalTable::default(),
        keys: OrdinalTable::default(),
        ordinals: OrdinalAllocator::new(options.ordinals, options.partitioned),
        stats: TypeStats::new(schema),
        shard_count: options.pinned_shards.get(schema.name()).copied(),
        references: Vec::new(),
        state: None,
        cycle: TypeCycle::default(),
        schema: Arc::new(schema.clone()),
    })
}

/// The key of a record, for messages.
pub(super) fn record_key(writer: &TypeWriter, key: &[u8]) -> RecordKey {
    writer
        .key
        .as_deref()
        .map_or_else(Vec::new, |paths| super::links::key_values(paths, key))
}
