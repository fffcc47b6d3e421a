//! Two runs with the same clock write the same bytes.

use crate::scenario;
use crate::support::Demo;

#[test]
fn two_runs_at_the_same_instant_write_identical_blobs() {
    let scenario = scenario::small();
    let first = Demo::new(scenario.path());
    let second = Demo::new(scenario.path());
    assert_eq!(first.outcomes(), second.outcomes());
    let (left, right) = (first.all_blobs(), second.all_blobs());
    assert!(left.len() > 20, "only {} blobs were written", left.len());
    assert_eq!(
        left.keys().collect::<Vec<_>>(),
        right.keys().collect::<Vec<_>>()
    );
    for (path, bytes) in &left {
        assert!(
            bytes == &right[path],
            "{} differs between two runs at the same instant",
            path.display()
        );
    }
}
