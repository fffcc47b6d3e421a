//! What a sweep would change: its rows are folded as a producer would, into a write state that is never published.

use super::folder::{Folder, Types};
use super::plans::Plans;
use super::record::Folded;
use super::sweeps::Sweeps;
use super::{Components, IncrementalProducer};
use crate::avro::Fault;
use crate::error::{Error, Result};
use crate::fold::{Decision, FOLD_PART, FOLD_TYPE};
use crate::spec::DatasetSpec;
use crate::sweep::{Marker, MarkerKind, Source, SweepRun};
use changelog::{Batch, NewRecord};
use hollow::ReadState;
use hollow::write::{WriteOptions, WriteState};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a sweep would do to a state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The source version up to which the source is known.
    pub as_of: i64,
    /// Rows of the source.
    pub rows: u64,
    /// Keys that the dataset has now.
    pub keys: u64,
    /// Keys that would be new.
    pub added: u64,
    /// Keys whose record would change.
    pub changed: u64,
    /// Rows that say what the dataset says.
    pub unchanged: u64,
    /// Rows that are older than what the dataset says.
    pub older: u64,
    /// Rows that would become dead letters.
    pub unfit: u64,
    /// Keys that would be deleted.
    pub deleted: u64,
    /// Whether these are more than may be without an operator's word.
    pub held: bool,
}

/// Compares a source with a state, which must have been loaded with the part `fold`; `None` for a dataset that has none yet.
/// Nothing is sent. A `filtered` source deletes nothing.
///
/// # Errors
/// Those of the source; [`Error::Stopped`].
pub fn compare(
    spec: &DatasetSpec,
    components: &Components,
    state: Option<&ReadState>,
    source: &mut dyn Source,
    filtered: bool,
    stop: &Arc<AtomicBool>,
    progress: &mut dyn FnMut(&SweepRun),
) -> Result<Comparison> {
    const BATCH_ROWS: usize = 1000;
    let as_of = source.as_of()?;
    source.open(None, as_of)?;
    let mut dry = Dry::new(spec, components, state, as_of, filtered, stop)?;
    let mut rows = Vec::new();
    loop {
        progress(&SweepRun {
            sweep: Dry::SWEEP.to_owned(),
            as_of,
            rows: dry.comparison.rows,
            total: source.total(),
            resumed: false,
        });
        if stop.load(Ordering::Acquire) {
            return Err(Error::Stopped);
        }
        rows.clear();
        source.read(BATCH_ROWS, &mut rows)?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            dry.row(&row.record(Dry::SWEEP, 0))?;
        }
    }
    Ok(dry.end(filtered))
}

struct Dry {
    folder: Folder,
    write: WriteState,
    types: Types,
    batch: Batch,
    next_offset: i64,
    comparison: Comparison,
}

impl Dry {
    const SWEEP: &'static str = "dry run";

    fn new(
        spec: &DatasetSpec,
        components: &Components,
        state: Option<&ReadState>,
        as_of: i64,
        filtered: bool,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self> {
        let failed = |source| Error::Write {
            dataset: spec.name.clone(),
            source,
        };
        let mut options = WriteOptions::default();
        options
            .parts
            .insert(FOLD_TYPE.to_owned(), FOLD_PART.to_owned());
        let types = IncrementalProducer::types(spec);
        let write = match state {
            Some(state) => WriteState::restore(state, types, options),
            None => WriteState::new(types, options),
        };
        let mut write = write.map_err(failed)?;
        write.begin_incremental();
        let shared = Arc::new(spec.clone());
        let plans = Plans::new(Arc::clone(&shared), Arc::clone(&components.schemas));
        let mut folder = Folder::new(shared, Arc::clone(&components.log), plans, Arc::clone(stop));
        folder.sweeps = Sweeps::new(1);
        let mut dry = Self {
            types: Types::of(spec, &write)?,
            folder,
            write,
            batch: Batch::new(),
            // Later than anything that is folded.
            next_offset: i64::MAX / 2,
            comparison: Comparison {
                as_of,
                ..Comparison::default()
            },
        };
        let kind = MarkerKind::Begin { as_of, filtered };
        let begin = Marker {
            sweep: Self::SWEEP.to_owned(),
            kind,
        };
        dry.fold(&begin.record(0, 0))?;
        Ok(dry)
    }

    /// What became of a record, and the origin that its key had; `None` for a dead letter.
    fn fold(&mut self, record: &NewRecord) -> Result<Option<Folded>> {
        self.batch.clear();
        self.batch.push(0, self.next_offset, record)?;
        self.next_offset += 1;
        let Some(record) = self.batch.get(0) else {
            return Ok(None);
        };
        match self
            .folder
            .try_sweep_record(&record, &mut self.write, &self.types)
        {
            Ok(folded) => Ok(Some(folded)),
            Err(Fault::Poison(_)) => Ok(None),
            Err(Fault::Sink(error)) => Err(error),
        }
    }

    fn row(&mut self, record: &NewRecord) -> Result<()> {
        let key = record.key.as_deref().unwrap_or_default();
        let before = self.folder.origin_of(key, &self.write, &self.types);
        let version = before.and_then(|origin| origin.source_version);
        let is_there = before.is_some_and(|origin| !origin.deleted);
        let sent = record
            .headers
            .iter()
            .find(|(name, _)| name == crate::dead::SOURCE_VERSION_HEADER)
            .and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse::<i64>().ok());
        let counts = self.fold(record)?;
        let comparison = &mut self.comparison;
        comparison.rows += 1;
        *match counts {
            None => &mut comparison.unfit,
            Some(Folded::Applied { changed: true, .. }) if is_there => &mut comparison.changed,
            Some(Folded::Applied { changed: true, .. }) => &mut comparison.added,
            // Of equal versions a change beats a row that says the same.
            Some(Folded::Dropped(Decision::Older)) if sent < version => &mut comparison.older,
            Some(_) => &mut comparison.unchanged,
        } += 1;
        Ok(())
    }

    fn end(mut self, filtered: bool) -> Comparison {
        let absent = self.folder.absent(1, self.comparison.as_of, &self.write);
        self.comparison.keys = absent.of - self.comparison.added;
        if !filtered {
            self.comparison.deleted = absent.count;
            self.comparison.held = absent.exceeds(self.folder.spec.sweep_delete_share_max);
        }
        self.comparison
    }
}
