//! Two runs with the same clock write the same bytes.

use crate::scenario;
use crate::support::Demo;

#[test]
fn two_runs_at_the_same_instant_write_identical_blobs() {
    let scenario = scenario::small();
    let first = Demo::new(scenario.path());
    let second = Demo::new(scenario.path());
    assert_eq!(outcomes(&first), outcomes(&second));
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

/// What the cycles of a run said, but for how long they took.
fn outcomes(demo: &Demo) -> Vec<serde_json::Value> {
    let mut cycles = demo.run_once();
    for cycle in &mut cycles {
        cycle.as_object_mut().unwrap().remove("phases");
    }
    cycles
}
