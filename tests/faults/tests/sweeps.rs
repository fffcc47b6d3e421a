//! A sweep whose calls to the log fail, each once, before their effect or after: the markers among them, whose answer may be
//! lost although they are in the topic.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use changelog::ChangeLog;
use ingest::sweep::{SourceConfig, SweepOptions, SweepReport, Sweeper};
use serde_json::Value;
use tests_faults::{FaultyLog, Gate, Place, Upstream, World, memory_dir, open, row, rows, seed};

const KEYS: i64 = 20;

/// What the source holds, by key: its version and row.
fn source() -> BTreeMap<i64, (i64, Value)> {
    let mut rows: BTreeMap<_, _> = (0..KEYS).map(|id| (id, (100, row(id, 1)))).collect();
    // Gone, changed and made there, and never emitted.
    rows.remove(&3);
    rows.insert(5, (150, row(5, 2)));
    rows.insert(KEYS, (160, row(KEYS, 1)));
    rows
}

/// Sweeps as often as it takes, each time as a process that starts anew does: it goes on where its state file says. Returns how
/// often it failed.
fn sweep(world: &World, log: &Arc<dyn ChangeLog>, dir: &std::path::Path) -> (u32, SweepReport) {
    let path = dir.join("rows.jsonl");
    let mut file = std::fs::File::create(&path).unwrap();
    for (version, mut row) in source().into_values() {
        row["version"] = version.into();
        writeln!(file, "{row}").unwrap();
    }
    for failures in 0..5 {
        let options = SweepOptions {
            batch_rows: 5,
            state_dir: Some(dir.join("sweeper")),
            ..SweepOptions::new(Arc::new(|| 1_600_000_000_000))
        };
        let sweeper = Sweeper::new(world.spec.clone(), Arc::clone(log), options).unwrap();
        let config = SourceConfig::of_file(path.clone());
        let mut source = config.open(&world.spec, &*world.schemas).unwrap();
        if let Ok(report) = sweeper.run(&mut *source, &mut |_| {}) {
            return (failures, report);
        }
    }
    panic!("one fault, many failures");
}

fn every_call_of_a_sweep_fails_once(after_effect: bool) {
    for at in 0.. {
        let dir = memory_dir();
        let mut world = World::open(&Place {
            dir: dir.path().to_owned(),
            dataset: "titles".to_owned(),
            real: None,
        });
        let mut upstream = Upstream::new(seed());
        for id in 0..KEYS {
            upstream.send_row(&world, id, 100, Some(row(id, 1)), None);
        }
        let mut producer = open(&mut world, "one");
        world.settle(&mut producer);

        let gate = Arc::new(Gate::default());
        gate.order(at, 1, after_effect);
        let log: Arc<dyn ChangeLog> =
            Arc::new(FaultyLog(Arc::clone(&world.log), Arc::clone(&gate)));
        let (failures, report) = sweep(&world, &log, dir.path());
        // A change that is newer than the sweep outlives it, whenever it comes; so does one from before its end.
        upstream.send_row(&world, 7, 900, Some(row(7, 9)), None);
        upstream.send_row(&world, 8, 900, None, None);
        world.settle(&mut producer);
        let mut expected: BTreeMap<i64, Value> = source()
            .into_iter()
            .map(|(id, (_, row))| (id, row))
            .collect();
        expected.insert(7, row(7, 9));
        expected.remove(&8);
        assert_eq!(
            rows(&world.load(None)),
            expected,
            "call {at}, {failures} failures"
        );
        assert_eq!(report.as_of, 160);
        assert_eq!(report.rows, source().len() as u64);

        // Whoever folds it all from the topics comes to the same: what was there twice counts once.
        let digest = producer.publisher().digest();
        drop(producer);
        world.spec.name = "again".parse().unwrap();
        let mut again = open(&mut world, "again");
        world.settle(&mut again);
        assert_eq!(again.publisher().digest(), digest, "call {at}");
        world.check_chain();
        if !gate.is_spent() {
            assert!(at > 6, "only {at} calls");
            return;
        }
    }
}

#[test]
fn every_call_of_a_sweep_is_refused_once() {
    every_call_of_a_sweep_fails_once(false);
}

#[test]
fn every_answer_to_a_sweep_is_lost_once() {
    every_call_of_a_sweep_fails_once(true);
}
