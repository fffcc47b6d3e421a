//! Dead at every step, over the embedded log and a directory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tests_faults::{Place, child as run_child, matrix, memory_dir};

#[test]
#[ignore = "runs as a child process of `a_producer_dies_at_every_step`"]
fn child() {
    run_child();
}

#[test]
fn a_producer_dies_at_every_step() {
    let dir = memory_dir();
    let place = |at: u64| Place {
        dir: dir.path().join(at.to_string()),
        dataset: "titles".to_owned(),
        real: None,
    };
    let deaths = matrix(place, 50, 1);
    println!("{deaths} deaths");
    assert!(deaths > 60, "only {deaths} places to die at");
}
