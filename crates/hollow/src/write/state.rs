//! The write state: the public face of the writer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hashbrown::HashMap;

use super::WriteError;
use super::compare::Scratch;
use super::links::{Links, Path};
use super::marks::OrdinalSet;
use super::options::WriteOptions;
use super::ordinals::OrdinalAllocator;
use super::references::References;
use super::sealed::Sealed;
use super::shared::Shared;
use super::stats::TypeStats;
use super::table::OrdinalTable;
use super::types::{TypeCycle, TypeWriter};
use crate::Result;
use crate::read::ReadState;
use crate::schema::{Schema, dependency_order};
use crate::sums::ChainSum;

/// A type of one write state: its position among the schemas that the state was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub(super) u32);

impl TypeId {
    pub(super) fn at(self) -> usize {
        self.0 as usize
    }
}

/// Writes a chain of states. See the [module](super) for the turn of a cycle.
///
/// Every method that adds or deletes needs an open cycle. When one of them, or [`seal`](Self::seal), fails, nothing is
/// lost: the cycle can be rolled back, and [`rollback`](Self::rollback) leaves the writer exactly as it was before.
#[derive(Debug)]
pub struct WriteState {
    pub(super) types: Vec<TypeWriter>,
    /// Positions of the types, those that refer to others before these, as far as they don't refer to each other in a circle.
    pub(super) referring_first: Vec<usize>,
    by_name: HashMap<String, TypeId>,
    pub(super) options: WriteOptions,
    /// Names of all optional parts.
    pub(super) parts: BTreeSet<String>,
    pub(super) phase: Phase,
    pub(super) committed: Option<Committed>,
    /// Counted from the first incremental cycle on.
    pub(super) references: Option<References>,
    /// The state as it was restored, with other schemas, until the first cycle ends.
    pub(super) evolving: Option<ReadState>,
    tags: BTreeMap<String, String>,
    pub(super) scratch: Scratch,
    /// A buffer for the key that is looked for.
    pub(super) key: Vec<u8>,
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
        let mut referring_first = dependency_order(&schemas);
        referring_first.reverse();
        Ok(Self {
            referring_first,
            parts: options.parts.values().cloned().collect(),
            types,
            by_name,
            options,
            phase: Phase::Idle,
            committed: None,
            references: None,
            evolving: None,
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
        if self.references.is_none() {
            self.references = Some(References::of(&self.types));
        }
        self.phase = Phase::Incremental;
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
        if let Some(references) = &mut self.references {
            references.commit();
        }
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
        if let Some(references) = &mut self.references {
            references.rollback(&self.types);
        }
        self.types.iter_mut().for_each(TypeWriter::rollback);
    }

    pub(super) fn expect_open(&self) -> Result<bool, WriteError> {
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

    pub(super) fn expect_incremental(&self) -> Result<(), WriteError> {
        if self.expect_open()? {
            return Err(WriteError::WrongMoment(
                "a total cycle states all records and deletes none",
            ));
        }
        Ok(())
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
        shared: Shared::default(),
        keys: OrdinalTable::default(),
        ordinals: OrdinalAllocator::new(options.ordinals, options.partitioned),
        stats: TypeStats::new(schema),
        shard_count: options.pinned_shards.get(schema.name()).copied(),
        state: None,
        committed: OrdinalSet::default(),
        cycle: TypeCycle::default(),
        schema: Arc::new(schema.clone()),
    })
}
