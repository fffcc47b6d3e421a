//! Catalogues as ten published datasets with some versions each, kept outside the clone, and copies of them to run in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blobstore::{BlobStore, DirectoryStore};
use dataset::{
    Cycle, CycleKind, CycleOutcome, Populated, Publisher, PublisherOptions, Snapshots, Version,
};
use gatekeeper::Input;
use hollow::Ordinal;
use hollow::write::{TypeId, WriteState};
use ingest::avro::{RecordSink, Transcoder};
use ingest::{DatasetSpec, embedded_specs};
use registry::embedded::{self, Home};
use registry::{Action, Command, Registry, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalogue::{Catalogue, key};
use crate::donors::Donors;
use crate::{Error, Result, io};

/// The instant of the catalogues: what the real one was observed at.
pub const NOW_MS: i64 = 1_615_161_600_000;
/// Versions with 0.1 % changed that follow the first.
pub const STEPS: u64 = 4;
const SEED: u64 = 20_210_308;
const COMPLETE: &str = "complete.json";
const OWNER: &str = "bench";

/// Which catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// The real one.
    Real,
    /// One drawn from it, with so many videos, by that seed.
    Drawn {
        /// Videos.
        videos: usize,
        /// Seed.
        seed: u64,
    },
}

impl Size {
    /// A drawn catalogue with the usual seed.
    #[must_use]
    pub fn drawn(videos: usize) -> Self {
        Self::Drawn { videos, seed: SEED }
    }

    /// The catalogue itself.
    ///
    /// # Errors
    /// Where the real one can't be read.
    pub fn catalogue(self) -> Result<Catalogue> {
        let donors = Donors::read()?;
        Ok(match self {
            Self::Real => Catalogue::real(donors),
            Self::Drawn { videos, seed } => Catalogue::draw(donors, videos, seed),
        })
    }

    /// A name for rows and directories.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Real => "real".to_owned(),
            Self::Drawn { videos, seed: SEED } if videos % 1_000_000 == 0 => {
                format!("{}M", videos / 1_000_000)
            }
            Self::Drawn { videos, seed: SEED } if videos % 1_000 == 0 => {
                format!("{}k", videos / 1_000)
            }
            Self::Drawn { videos, seed } => format!("{videos}-seed{seed}"),
        }
    }
}

/// What was published: the versions of each input, and its number of records.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Contents {
    /// By the input's name, the first version and those that follow.
    pub versions: BTreeMap<String, Vec<i64>>,
    /// By the input's name.
    pub records: BTreeMap<String, u64>,
}

impl Contents {
    /// The versions of all inputs after some steps. Policies stay at their first one, unless they are asked for: no change
    /// of 0.1 % reaches one policy of 249, and one policy is a question of its own.
    #[must_use]
    pub fn at(&self, step: usize, policies: usize) -> Vec<(Input, Version)> {
        let version = |input: Input| {
            let versions = self.versions.get(input.name())?;
            let at = if input == Input::Policies {
                policies
            } else {
                step
            };
            versions.get(at).or(versions.last()).copied()
        };
        Input::ALL
            .into_iter()
            .filter_map(|input| Some((input, Version(version(input)?))))
            .collect()
    }
}

/// The directory of a catalogue below `root`, published now if it was not yet.
///
/// # Errors
/// Where the real catalogue can't be read, or nothing can be written.
pub fn ensure(root: &Path, size: Size) -> Result<(PathBuf, Contents)> {
    let directory = root.join(size.name());
    let complete = directory.join(COMPLETE);
    if let Ok(text) = fs::read_to_string(&complete) {
        let contents = serde_json::from_str(&text).map_err(|error| Error::Scenario {
            path: complete,
            reason: error.to_string(),
        })?;
        return Ok((directory, contents));
    }
    if directory.exists() {
        fs::remove_dir_all(&directory).map_err(io(format!("remove {}", directory.display())))?;
    }
    let catalogue = size.catalogue()?;
    let contents = publish(&catalogue, &directory)?;
    let text = serde_json::to_string(&contents).unwrap_or_default();
    fs::write(&complete, text).map_err(io(format!("write {}", complete.display())))?;
    Ok((directory, contents))
}

/// Where catalogues are kept.
///
/// # Errors
/// [`Error::Setting`] where nobody says.
pub fn cache() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("GREENLIGHT_BENCH_DATA") {
        return Ok(path.into());
    }
    let home = std::env::var_os("HOME").ok_or_else(|| Error::Setting {
        variable: "HOME",
        value: String::new(),
        expected: "a home directory, or GREENLIGHT_BENCH_DATA set to where catalogues are kept",
    })?;
    Ok(Path::new(&home).join(".cache/greenlight-bench/gatekeeper"))
}

/// Publishes all inputs of a catalogue into an empty directory.
///
/// # Errors
/// Where a record does not fit, or nothing can be written.
pub fn publish(catalogue: &Catalogue, directory: &Path) -> Result<Contents> {
    fs::create_dir_all(directory).map_err(io(format!("make {}", directory.display())))?;
    let home = embedded::open(directory)?;
    let store: Arc<dyn BlobStore> = Arc::new(DirectoryStore::open(home.blobs_dir())?);
    publish_inputs(catalogue, &Input::ALL, STEPS, home.registry(), &store)
}

/// Publishes some inputs of a catalogue, and so many further versions of each with 0.1 % changed.
///
/// # Errors
/// Where a record does not fit, or nothing can be written.
pub fn publish_inputs(
    catalogue: &Catalogue,
    inputs: &[Input],
    steps: u64,
    registry: &Arc<dyn Registry>,
    store: &Arc<dyn BlobStore>,
) -> Result<Contents> {
    let mut contents = Contents::default();
    for &input in inputs {
        let mut producer = Producer::open(input, registry, store)?;
        let mut records = 0;
        let mut versions = vec![producer.cycle(CycleKind::Total, 0, |put| {
            let mut all = |found: Vec<Value>| -> Result<()> {
                records += found.len() as u64;
                found.iter().try_for_each(&mut *put)
            };
            all(catalogue.of_none(input))?;
            for family in 0..catalogue.families() {
                all(catalogue.of_family(input, family))?;
            }
            Ok(())
        })?];
        let changes = usize::try_from((records + 500) / 1_000)
            .unwrap_or(usize::MAX)
            .max(1);
        for step in 1..=steps {
            let changes = catalogue.changes(input, step, changes);
            versions.push(producer.cycle(CycleKind::Incremental, step, |put| {
                changes.iter().try_for_each(&mut *put)
            })?);
        }
        versions.dedup();
        let name = input.name().to_owned();
        contents.versions.insert(name.clone(), versions);
        contents.records.insert(name, records);
    }
    Ok(contents)
}

/// How an input is made of change records.
///
/// # Errors
/// Where the configuration is not what it should be.
pub fn spec(input: Input) -> Result<DatasetSpec> {
    let mut specs = embedded_specs()?;
    specs.retain(|spec| spec.name.name() == input.name());
    specs
        .pop()
        .ok_or_else(|| Error::Wrong(format!("config/datasets.toml lacks {input}")))
}

/// What publishes one input.
struct Producer {
    spec: DatasetSpec,
    publisher: Publisher,
    transcoder: Transcoder,
}

type Put<'a> = &'a mut dyn FnMut(&Value) -> Result<()>;

impl Producer {
    fn open(
        input: Input,
        registry: &Arc<dyn Registry>,
        store: &Arc<dyn BlobStore>,
    ) -> Result<Self> {
        let spec = spec(input)?;
        let options = PublisherOptions {
            snapshot_every: u32::MAX,
            snapshots: Snapshots::Inline,
            allow_empty: true,
            ..PublisherOptions::new(OWNER)
        };
        let publisher = Publisher::open(
            spec.name.clone(),
            Arc::clone(store),
            Arc::clone(registry),
            spec.model.schemas().to_vec(),
            options,
            NOW_MS,
        )?;
        Ok(Self {
            spec,
            publisher,
            transcoder: Transcoder::new(),
        })
    }

    /// Publishes what `populate` puts; the newest version then.
    fn cycle(
        &mut self,
        kind: CycleKind,
        step: u64,
        populate: impl FnOnce(Put<'_>) -> Result<()>,
    ) -> Result<i64> {
        let Self {
            spec,
            publisher,
            transcoder,
        } = self;
        let plan = spec.plan(&spec.schema).map_err(Error::Wrong)?;
        let now_ms = NOW_MS + step as i64 * 60_000;
        let mut body = Vec::new();
        let ended = publisher.cycle(Cycle { now_ms, kind }, |write| {
            let mut sink = Sink::new(write, spec)?;
            let put: Put<'_> = &mut |record| {
                body.clear();
                spec.schema.encode_json(record, &mut body)?;
                let input = Input::from_name(spec.name.name()).unwrap_or(Input::Titles);
                let key = spec.model.key().parse(key(input, record).as_bytes());
                let key = key.map_err(|poison| Error::Wrong(poison.to_string()))?;
                let root = transcoder
                    .transcode(&plan, &key, &body, &mut sink)
                    .map_err(|fault| Error::Wrong(format!("{record}: {fault:?}")))?;
                match kind {
                    CycleKind::Total => sink.write.add(sink.root, root).map(drop)?,
                    CycleKind::Incremental => sink.write.upsert(sink.root, root).map(drop)?,
                }
                Ok(())
            };
            populate(put)?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Populated::default())
        })?;
        match ended {
            CycleOutcome::Announced { version, .. }
            | CycleOutcome::Unchanged {
                version: Some(version),
                ..
            } => Ok(version.0),
            other => Err(Error::Wrong(format!("publish {}: {other:?}", spec.name))),
        }
    }
}

struct Sink<'a> {
    write: &'a mut WriteState,
    types: Vec<TypeId>,
    root: TypeId,
}

impl<'a> Sink<'a> {
    fn new(write: &'a mut WriteState, spec: &DatasetSpec) -> Result<Self> {
        let id = |name: &str| {
            write
                .type_id(name)
                .ok_or_else(|| Error::Wrong(format!("{} has no type {name}", spec.name)))
        };
        let schemas = spec.model.schemas().iter();
        let types = schemas
            .map(|schema| id(schema.name()))
            .collect::<Result<_>>()?;
        let root = id(spec.model.root_type())?;
        Ok(Self { write, types, root })
    }
}

impl RecordSink for Sink<'_> {
    type Error = hollow::Error;

    fn add(&mut self, type_index: usize, record: &[u8]) -> hollow::Result<Ordinal> {
        self.write.add(self.types[type_index], record)
    }
}

/// A copy of a published catalogue to run in: log and registry copied, blobs linked. Removed when it is dropped.
pub struct Run {
    home: Home,
    store: Arc<dyn BlobStore>,
    contents: Contents,
    directory: tempfile::TempDir,
}

impl Run {
    /// A fresh copy of a catalogue that is kept below `root`.
    ///
    /// # Errors
    /// Where it can't be published, copied or opened.
    pub fn new(root: &Path, size: Size) -> Result<Self> {
        let (from, contents) = ensure(root, size)?;
        let beside = from.parent().unwrap_or(&from);
        let directory = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(beside)
            .map_err(io(format!("make a directory in {}", beside.display())))?;
        for part in ["log", "registry"] {
            copy(
                &from.join(part),
                &directory.path().join(part),
                &|from, to| fs::copy(from, to).map(drop),
            )?;
        }
        copy(
            &from.join("blobs"),
            &directory.path().join("blobs"),
            &|from, to| fs::hard_link(from, to),
        )?;
        let home = embedded::open(directory.path())?;
        let store = Arc::new(DirectoryStore::open(home.blobs_dir())?);
        Ok(Self {
            home,
            store,
            contents,
            directory,
        })
    }

    /// The blob store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn BlobStore> {
        &self.store
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Arc<dyn registry::Registry> {
        self.home.registry()
    }

    /// What is published.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The directory: that of an embedded deployment.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where the blobs of a dataset lie, under the names that stock consumers know.
    #[must_use]
    pub fn blobs(&self, dataset: &str) -> PathBuf {
        self.directory.path().join("blobs/prod").join(dataset)
    }

    /// Makes these the versions that subscribers of the inputs get.
    ///
    /// # Errors
    /// Those of the registry.
    pub fn pin(&self, versions: &[(Input, Version)]) -> Result<()> {
        for (input, version) in versions {
            let name = format!("prod/{input}");
            let dataset = name
                .parse()
                .map_err(|_| Error::Wrong(format!("{name} is no dataset")))?;
            let action = Action::Pin {
                scope: Scope::default(),
                version: *version,
                by: OWNER.to_owned(),
                reason: "a step of the bench".to_owned(),
            };
            self.registry().submit(&Command {
                dataset,
                at_ms: NOW_MS,
                action,
            })?;
        }
        Ok(())
    }
}

/// Copies a directory, file by file as told.
fn copy(from: &Path, to: &Path, file: &dyn Fn(&Path, &Path) -> std::io::Result<()>) -> Result<()> {
    let what = || format!("copy {} to {}", from.display(), to.display());
    fs::create_dir_all(to).map_err(io(what()))?;
    for entry in fs::read_dir(from).map_err(io(what()))? {
        let entry = entry.map_err(io(what()))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().map_err(io(what()))?.is_dir() {
            true => copy(&from, &to, file)?,
            false => file(&from, &to).map_err(io(what()))?,
        }
    }
    Ok(())
}
