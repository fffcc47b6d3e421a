//! Drives the built binary as a user would, and stock Hollow through the Java project in `interop/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use changelog::{ChangeLog, KafkaLog, KafkaOptions};
use registry::embedded::Home;
use serde_json::Value;
use tempfile::TempDir;
use tests_servers::SeaweedFs;

/// The instant at which the tests stop the demo's clock.
pub(crate) const NOW: &str = "2021-03-08T00:00:00Z";

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Servers of a demo's own.
pub(crate) struct Servers {
    /// The cluster with its log.
    pub(crate) kafka: tests_servers::Kafka,
    /// The URL of its bucket.
    pub(crate) bucket: String,
}

/// A demo in a temporary directory, or on servers.
pub(crate) struct Demo {
    dir: TempDir,
    scenario: PathBuf,
    pub(crate) servers: Option<Servers>,
}

/// The log of a demo, for upstream systems to emit to.
pub(crate) struct Log {
    pub(crate) log: Arc<dyn ChangeLog>,
    _home: Option<Home>,
}

impl Demo {
    /// Nothing yet, to be filled from `scenario`, on the back end of this test target.
    pub(crate) fn new(scenario: &Path) -> Self {
        Self::on(scenario, crate::servers())
    }

    /// As [`new`](Self::new), on these servers, or in a directory.
    pub(crate) fn on(scenario: &Path, servers: Option<Servers>) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            scenario: scenario.to_owned(),
            servers,
        }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The command `greenlight ARGS --json` on the demo's directory or servers.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.command_for_people(args);
        command.arg("--json");
        command
    }

    /// The command `greenlight ARGS` on the demo's directory or servers, with tables for people.
    pub(crate) fn command_for_people(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        command.current_dir(root()).args(args);
        match &self.servers {
            None => command.arg("--dir").arg(self.path()),
            Some(servers) => command
                .args(["--kafka", &servers.kafka.bootstrap()])
                .args(["--s3", &servers.bucket])
                .env("AWS_ACCESS_KEY_ID", SeaweedFs::ACCESS_KEY)
                .env("AWS_SECRET_ACCESS_KEY", SeaweedFs::SECRET_KEY),
        };
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that must succeed, and parses what it prints.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(
            output.status.success(),
            "greenlight {args:?} failed: {}",
            text(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The command `demo --once --now NOW` on the scenario.
    fn once(&self) -> Command {
        self.command(&self.once_args())
    }

    /// The arguments of `demo --once --now NOW` on the scenario.
    pub(crate) fn once_args(&self) -> [&str; 6] {
        let scenario = self.scenario.to_str().unwrap();
        ["demo", "--once", "--now", NOW, "--scenario", scenario]
    }

    /// Starts `demo --once --now NOW` and leaves it running.
    pub(crate) fn start_once(&self) -> Child {
        self.once()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs `demo --once --now NOW` to its end; its cycles, one JSON document each.
    pub(crate) fn run_once(&self) -> Vec<Value> {
        let output = self.once().output().unwrap();
        assert!(
            output.status.success(),
            "the demo failed: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// As [`run_once`](Self::run_once): what the cycles said, but for how long they took.
    pub(crate) fn outcomes(&self) -> Vec<Value> {
        let mut cycles = self.run_once();
        for cycle in &mut cycles {
            cycle.as_object_mut().unwrap().remove("phases");
        }
        cycles
    }

    /// The digest of a dataset's newest state.
    pub(crate) fn digest(&self, dataset: &str) -> String {
        let datasets = self.json(&["datasets"]);
        let found = datasets["datasets"]
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["dataset"] == dataset);
        found.unwrap_or_else(|| panic!("no dataset {dataset} in {datasets}"))["digest"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Keeps an embedded directory open, so that processes that use it may come and go.
    pub(crate) fn keep_open(&self) -> Home {
        registry::embedded::open(self.path()).unwrap()
    }

    /// Opens the log. An embedded directory stays open with it, so that processes that use it may come and go.
    pub(crate) fn log(&self) -> Log {
        match &self.servers {
            None => {
                let home = registry::embedded::open(self.path()).unwrap();
                Log {
                    log: Arc::clone(home.log()),
                    _home: Some(home),
                }
            }
            Some(servers) => {
                let options = KafkaOptions::new(&servers.kafka.bootstrap());
                Log {
                    log: Arc::new(KafkaLog::connect(options).unwrap()),
                    _home: None,
                }
            }
        }
    }

    /// Where the blobs of a dataset lie.
    pub(crate) fn blobs(&self, dataset: &str) -> PathBuf {
        self.path().join("blobs/prod").join(dataset)
    }

    /// Every file under `blobs/`, by path.
    pub(crate) fn all_blobs(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let base = self.path().join("blobs");
        let mut open = vec![base.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.insert(
                        path.strip_prefix(&base).unwrap().to_owned(),
                        fs::read(&path).unwrap(),
                    );
                }
            }
        }
        files
    }
}

/// Runs a mode of the Java project; its output, one JSON document per line.
pub(crate) fn java(args: &[&str], directory: &Path, more: &[&str]) -> Vec<Value> {
    let build = Command::new(root().join("interop/build.sh"))
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", text(&build.stderr));
    let jar = text(&build.stdout).trim().to_owned();
    let output = Command::new("java")
        .args(["-Xmx1g", "-jar", &jar])
        .args(args)
        .arg(directory)
        .args(more)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "java {args:?} failed: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Bytes that a program printed, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
