//! One process, three datasets: one is fine, one hangs in its store, one can't even be opened.

use std::sync::Condvar;

use blobstore::{Blob, BlobInfo, BlobStore, Created, DirectoryStore, Etag, Swapped};
use ingest::{Components, DirectorySchemas, ProducerOptions};

use super::super::board::Row;
use super::super::produce;
use super::super::settings::Cycles;
use super::*;

/// A store in which every call about one dataset hangs until it is released.
struct Hanging {
    store: DirectoryStore,
    released: Arc<(Mutex<bool>, Condvar)>,
}

impl Hanging {
    fn pass(&self, key: &str) {
        if !key.starts_with("prod/holds/") {
            return;
        }
        let released = self.released.0.lock().unwrap();
        drop(
            self.released
                .1
                .wait_while(released, |released| !*released)
                .unwrap(),
        );
    }
}

impl BlobStore for Hanging {
    fn get(&self, key: &str) -> blobstore::Result<Option<Blob>> {
        self.pass(key);
        self.store.get(key)
    }

    fn head(&self, key: &str) -> blobstore::Result<Option<BlobInfo>> {
        self.pass(key);
        self.store.head(key)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> blobstore::Result<Etag> {
        self.pass(key);
        self.store.put(key, bytes)
    }

    fn create(&self, key: &str, bytes: &[u8]) -> blobstore::Result<Created> {
        self.pass(key);
        self.store.create(key, bytes)
    }

    fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&Etag>,
        bytes: &[u8],
    ) -> blobstore::Result<Swapped> {
        self.pass(key);
        self.store.compare_and_swap(key, expected, bytes)
    }

    fn list(&self, prefix: &str) -> blobstore::Result<Vec<BlobInfo>> {
        self.pass(prefix);
        self.store.list(prefix)
    }

    fn delete(&self, key: &str) -> blobstore::Result<bool> {
        self.pass(key);
        self.store.delete(key)
    }
}

fn row(board: &Board, dataset: &str) -> Row {
    let name: DatasetName = dataset.parse().unwrap();
    let rows = board.rows();
    rows.into_iter().find(|row| row.dataset == name).unwrap()
}

#[test]
fn what_is_stuck_or_broken_delays_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let home = registry::embedded::open(dir.path()).unwrap();
    let released = Arc::new((Mutex::new(false), Condvar::new()));
    let components = Components {
        log: Arc::clone(home.log()),
        store: Arc::new(Hanging {
            store: DirectoryStore::open(home.blobs_dir()).unwrap(),
            released: Arc::clone(&released),
        }),
        registry: Arc::clone(home.registry()),
        schemas: Arc::new(DirectorySchemas::embedded().unwrap()),
    };
    let process: Process = toml::from_str("name = \"test\"\nstuck_after_ms = 1").unwrap();
    let board = Board::new(process.stuck_after());
    let stop = Stop::default();
    let cycles: Cycles = toml::from_str("every_ms = 100").unwrap();
    let start = |name: &str, topic: &str| {
        let mut spec = ingest::embedded_specs()
            .unwrap()
            .into_iter()
            .find(|spec| spec.name.name() == name)
            .unwrap();
        spec.topic = topic.to_owned();
        spec.allow_empty = true;
        let options = ProducerOptions::new(process.publisher(20));
        let duty = produce::duty(spec, components.clone(), options, cycles);
        Worker::start(duty, &process, &board, stop.clone()).unwrap()
    };
    let stuck = start("holds", "holds");
    let broken = start("ratings", "there is no such topic");
    let fine = start("titles", "titles");

    let wait = |is_there: &dyn Fn() -> bool| {
        while !is_there() {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait(&|| row(&board, "titles").version.is_some());
    wait(&|| row(&board, "ratings").state == State::Failing);
    wait(&|| row(&board, "holds").stuck);
    let detail = row(&board, "ratings").detail.unwrap();
    assert!(detail.contains("there is no such topic"), "{detail}");
    assert!(!Board::is_ready(&board.rows()));
    // It goes on while the other hangs: cycles are confirmed by the clock.
    let registry = home.registry();
    let confirmed = || {
        let info = registry.dataset(&"titles".parse().unwrap()).unwrap();
        info.and_then(|info| info.confirmation)
            .map(|confirmation| confirmation.at_ms)
    };
    wait(&|| confirmed().is_some());
    let before = confirmed();
    wait(&|| confirmed() > before);

    stop.set();
    wait(&|| fine.is_finished() && broken.is_finished());
    let owner = |name: &str| {
        let info = registry.dataset(&name.parse().unwrap()).unwrap();
        info.and_then(|info| info.owner)
    };
    assert_eq!(owner("titles"), None, "it has resigned");
    assert_eq!(row(&board, "titles").state, State::Stopped);
    assert!(!stuck.is_finished());
    *released.0.lock().unwrap() = true;
    released.1.notify_all();
    wait(&|| stuck.is_finished());
    assert_eq!(owner("holds"), None);
}
