//! The errors of the commands, each with what to do next.

use std::io;
use std::path::PathBuf;

use registry::{DatasetName, Version};

/// Exit code of a command that failed.
pub(crate) const EXIT_ERROR: u8 = 2;

/// Result of a command.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no data in {}", .0.display())]
    NoData(PathBuf),
    #[error("nothing has run on {0} yet")]
    NothingRan(String),
    #[error("the log is on Kafka, but nothing says where the blobs are")]
    NoBlobs,
    #[error("there is no dataset {0}")]
    UnknownDataset(DatasetName),
    #[error("{0} has no announced version yet")]
    NothingAnnounced(DatasetName),
    #[error("{0} has one version only: there is nothing to compare")]
    NoEarlier(DatasetName),
    #[error("neither of {dataset} and {other} says that it was evaluated from the other")]
    NoPair {
        dataset: DatasetName,
        other: DatasetName,
    },
    #[error("{0} holds no verdicts: countries, blockers and videos can't be picked in it")]
    NotLiveness(DatasetName),
    #[error("{0} can't follow itself")]
    FollowsItself(DatasetName),
    #[error("{0:?} is no input of liveness")]
    UnknownInput(String),
    #[error("{0:?} is no record: it must be KEY=JSON or KEY=FILE")]
    Record(String),
    #[error("write CSV")]
    Csv(#[source] csv::Error),
    #[error("{dataset} has no version {version}")]
    UnknownVersion {
        dataset: DatasetName,
        version: Version,
    },
    #[error(transparent)]
    Name(#[from] registry::NameError),
    #[error(transparent)]
    Registry(#[from] registry::Error),
    #[error(transparent)]
    Store(#[from] blobstore::Error),
    #[error(transparent)]
    Dataset(#[from] dataset::Error),
    #[error(transparent)]
    Hollow(#[from] hollow::Error),
    #[error(transparent)]
    Insight(#[from] insight::Error),
    #[error(transparent)]
    Gatekeeper(#[from] gatekeeper::Error),
    #[error(transparent)]
    Ingest(#[from] ingest::Error),
    #[error(transparent)]
    Log(#[from] changelog::Error),
    #[error(transparent)]
    Sample(#[from] greenlight::sample::Error),
    #[error(transparent)]
    Scenario(#[from] greenlight::scenario::Error),
    #[error("{0:?} is no country code")]
    UnknownCountry(String),
    #[error("no video has the id or the title {0:?}")]
    UnknownVideo(String),
    #[error("{} videos have the title {title:?}", videos.len())]
    AmbiguousTitle { title: String, videos: Vec<i64> },
    #[error("process {} owns {dir}", owner.map_or("(of unknown id)".to_owned(), |pid| pid.to_string()))]
    Owned { dir: String, owner: Option<u32> },
    #[error("make a directory for the registry's checkpoint")]
    Scratch(#[source] io::Error),
    #[error("{}{}: {message}", path.display(), line.map_or(String::new(), |line| format!(":{line}")))]
    Config {
        path: PathBuf,
        line: Option<usize>,
        message: String,
    },
    #[error("{dataset}: the cycle was rolled back: {reason}")]
    Cycle {
        dataset: DatasetName,
        reason: String,
    },
    #[error("nothing to sweep: {0}")]
    NothingToSweep(String),
    #[error("{dataset} holds {}", match sweep {
        Some(sweep) => format!("no sweep {sweep}"),
        None if held.is_empty() => "no sweep".to_owned(),
        None => "several sweeps".to_owned(),
    })]
    NotHeld {
        dataset: DatasetName,
        sweep: Option<String>,
        held: Vec<String>,
    },
    #[error("{}", .0.join("; "))]
    Lost(Vec<String>),
    #[error("told to stop, but the cycles of {} did not end in time", .0.join(", "))]
    Busy(Vec<String>),
    #[error("the process that owned {0} is gone")]
    OwnerGone(String),
    #[error("serve health and metrics at {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error("set up metrics")]
    Metrics(#[source] metrics_exporter_prometheus::BuildError),
    #[error("start a thread")]
    Spawn(#[source] io::Error),
    #[error("{0} is not folded from change records")]
    NotFolded(DatasetName),
    #[error("{dataset} has no dead letter of {place}")]
    NoDeadLetter { dataset: DatasetName, place: String },
    #[error("read or write {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("ask the gatekeeper at {address}")]
    Ask {
        address: String,
        #[source]
        source: Box<ureq::Error>,
    },
    #[error("the gatekeeper does not answer: {0}")]
    Unanswered(String),
    #[error("handle signals")]
    Signals(#[source] ctrlc::Error),
    #[error("the {0} thread ended unexpectedly")]
    Thread(&'static str),
    #[error("write JSON")]
    Json(#[source] serde_json::Error),
    #[error("write to standard output")]
    Output(#[source] io::Error),
}

impl Error {
    /// Whether another process has taken the dataset over: this one must stop.
    pub(crate) fn is_lost(&self) -> bool {
        match self {
            Self::Dataset(error) => error.is_lost(),
            Self::Ingest(error) => error.is_lost(),
            Self::Gatekeeper(error) => error.is_lost(),
            _ => false,
        }
    }

    /// The error with what caused it, on one line.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            let cause = error.to_string();
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
            source = error.source();
        }
        text
    }

    /// What to do next, where the message alone doesn't say it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoData(_) => Some("run `greenlight demo` first, or name its directory with --dir".to_owned()),
            Self::NothingRan(_) => Some("`greenlight demo` or `greenlight produce` fills it; check --kafka, or the deployment file".to_owned()),
            Self::NoBlobs => Some("name a bucket with --s3, or [blobs] in the deployment file".to_owned()),
            Self::Lost(_) => Some("nothing was forked or lost; start this process again to let it stand by for the new owner".to_owned()),
            Self::Busy(_) => Some("their ownership ends by silence, and the next owner goes on where they stood".to_owned()),
            Self::OwnerGone(_) => Some("start this process again: it becomes the owner, or uses the new one".to_owned()),
            Self::UnknownDataset(_) => Some("`greenlight datasets` lists them".to_owned()),
            Self::NothingAnnounced(_) => {
                Some("its producer has not published anything: `greenlight demo` runs it, `greenlight status` shows how far it is".to_owned())
            }
            Self::UnknownVersion { dataset, .. } => Some(format!("`greenlight versions {dataset}` lists them")),
            Self::NothingToSweep(_) => Some("`greenlight sweep --help` shows how".to_owned()),
            Self::NotHeld { held, .. } if !held.is_empty() => Some(format!("held are: {}", held.join(", "))),
            Self::NotHeld { .. } => Some("`greenlight status` shows what is held; it is up to date when the producer has run".to_owned()),
            Self::FollowsItself(_) => Some("name the dataset to publish with --output, such as preprod/liveness".to_owned()),
            Self::NoPair { .. } => Some("name the versions with --from and --to".to_owned()),
            Self::UnknownInput(_) => Some(format!("its inputs are {}", gatekeeper::Input::ALL.map(gatekeeper::Input::name).join(", "))),
            Self::UnknownCountry(_) => Some("countries are ISO 3166-1 alpha-2 codes, such as DE or US".to_owned()),
            Self::UnknownVideo(_) => Some("`greenlight show titles ID` knows the ids; a title must be given whole, as it is in its original language".to_owned()),
            Self::AmbiguousTitle { videos, .. } => {
                let ids: Vec<String> = videos.iter().map(i64::to_string).collect();
                Some(format!("ask with the id instead: {}", ids.join(", ")))
            }
            Self::Ask { .. } => Some("name where its health pages are: `listen` in its file, such as localhost:9102".to_owned()),
            Self::NotFolded(_) => Some("`config/datasets.toml` lists the datasets that are".to_owned()),
            Self::NoDeadLetter { dataset, .. } => Some(format!("`greenlight dead-letters {dataset}` lists them")),
            Self::Owned { .. } => Some("stop that process first, or name another directory with --dir; other commands work beside it".to_owned()),
            Self::Scenario(greenlight::scenario::Error::Io { .. }) => {
                Some("run from the repository's root, or name the scenario's directory with --scenario".to_owned())
            }
            Self::Insight(insight::Error::Key { .. }) => Some("quote a key of several fields for the shell: '[80057281,\"de\"]'".to_owned()),
            Self::Dataset(dataset::Error::UnknownVersion { dataset, .. }) => Some(format!("`greenlight versions {dataset}` lists them")),
            _ => None,
        }
    }
}
