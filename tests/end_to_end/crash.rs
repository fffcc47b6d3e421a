//! Kill -9 at random moments: the chain goes on, and what it ends with is what an undisturbed run ends with.

use std::time::{Duration, Instant};

use crate::scenario;
use crate::support::Demo;

/// splitmix64, so that a printed seed reproduces the moments of the kills.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const KILLS: u32 = 10;

#[test]
fn ten_kills_change_nothing_in_the_end() {
    let seed = std::env::var("GREENLIGHT_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_210_308);
    println!("GREENLIGHT_SEED={seed}");
    let mut random = seed;

    let scenario = scenario::small();
    let undisturbed = Demo::new(scenario.path());
    let started = Instant::now();
    undisturbed.run_once();
    let run_ms = started.elapsed().as_millis() as u64;

    let disturbed = Demo::new(scenario.path());
    let mut killed = 0;
    let mut first_of_chain = None;
    for _ in 0..KILLS {
        let mut child = disturbed.start_once();
        // The moment is what the test varies; each run gets further than the one before, since it goes on from disk.
        let wait = Duration::from_millis(next_random(&mut random) % run_ms.max(1));
        let deadline = Instant::now() + wait;
        let mut running = true;
        while running && Instant::now() < deadline {
            std::thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
            running = child.try_wait().unwrap().is_none();
        }
        if running {
            child.kill().unwrap();
            killed += 1;
        }
        child.wait().unwrap();

        let versions = disturbed.run(&["versions", "liveness", "--limit", "1000000"]);
        if versions.status.success() {
            let versions: serde_json::Value = serde_json::from_slice(&versions.stdout).unwrap();
            let first = versions["versions"]
                .as_array()
                .unwrap()
                .last()
                .map(|entry| entry["version"].clone());
            assert!(
                first_of_chain.is_none() || first_of_chain == first,
                "a restart began another chain"
            );
            first_of_chain = first.or(first_of_chain);
        }
    }
    disturbed.run_once();
    println!("{killed} of {KILLS} runs were killed before they ended");

    let datasets = undisturbed.json(&["datasets"]);
    for entry in datasets["datasets"].as_array().unwrap() {
        let name = entry["dataset"].as_str().unwrap();
        assert_eq!(
            disturbed.digest(name),
            entry["digest"].as_str().unwrap(),
            "{name} differs after the kills"
        );
    }
    let versions = disturbed.json(&["versions", "liveness", "--limit", "1000000"]);
    let versions = versions["versions"].as_array().unwrap();
    for pair in versions.windows(2) {
        assert_eq!(
            pair[0]["previous"], pair[1]["version"],
            "the chain of liveness has a gap"
        );
    }
}
