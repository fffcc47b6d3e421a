//! The gatekeeper in Java decides as ours does, on the real catalogue and on drawn ones: the table compares the speed of the
//! same thing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bench_gatekeeper::published::{Run, Size};
use bench_gatekeeper::rows::equal_on;
use tests_interop::java::jar;

fn check(size: Size) {
    let root = tempfile::tempdir().unwrap();
    let run = Run::new(root.path(), size).unwrap();
    let pairs = equal_on(run, jar().unwrap()).unwrap();
    assert!(pairs > 100_000, "{}: {pairs} pairs", size.name());
}

#[test]
fn on_the_real_catalogue() {
    check(Size::Real);
}

#[test]
fn on_drawn_ones() {
    for seed in 1..=3 {
        let videos = 2_500;
        check(Size::Drawn { videos, seed });
    }
}
