//! Exactly once, whatever fails.
//!
//! The promise to upstreams (emit once, and it is in the next state once) is about every point at which something can fail,
//! in every combination. So the tests of this package don't look at one part: a whole producer runs here over a log, a store
//! and a registry, is killed, overtaken and lied to, and afterwards the state has to be what a model made of the records
//! sent, each key has to name the record that made it, and the chain has to be one line.
//!
//! The same code runs over the embedded log and a directory, and over Kafka and S3.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "test support fails by panicking and documents itself by its tests"
)]

mod crash;
mod faulty;
mod model;
mod place;
mod random;
mod run;
mod upstream;

pub use crash::{child, matrix, suspended};
pub use faulty::{FaultyLog, FaultyRegistry, FaultyStore, Gate};
pub use model::{Model, rows};
pub use place::{Place, World};
pub use random::Random;
pub use run::{Moment, Tally, open, random_run};
pub use upstream::{Poison, Upstream, delete, item, key, row};

/// A directory in memory where the system has such a place: what dies there is a process, never the machine, and a disk that
/// syncs would take most of the time.
pub fn memory_dir() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    dir.unwrap()
}

/// Of this run: `GREENLIGHT_SEED`, or a fixed one. Printed, so that a failure can be run again.
pub fn seed() -> u64 {
    let seed = std::env::var("GREENLIGHT_SEED").map_or(20_261_125, |seed| seed.parse().unwrap());
    println!("GREENLIGHT_SEED={seed}");
    seed
}
