//! The demo's second gatekeeper: it follows every version of PROD, and what its changed rule does is told and can be explained.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::scenario;
use crate::support::{Demo, text};

/// The rule that `config/preprod/rules.toml` switches off, and what it moves.
const CHANGED: &str = "text.no-synopsis";
const MOVED: &str = "family.none-live";

#[test]
fn every_cycle_is_followed_and_the_rule_alone_differs() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    for cycle in demo.run_once() {
        let preprod = &cycle["preprod"];
        assert_eq!(preprod["dataset"], "preprod/liveness", "{cycle}");
        assert_eq!(preprod["followed"], cycle["version"], "{cycle}");
        assert_eq!(preprod["changed_rules"], serde_json::json!([CHANGED]));
        assert!(
            preprod["live"].as_u64() >= cycle["live"].as_u64(),
            "{cycle}"
        );
    }
    let followed = |output: &str| {
        let versions = demo.json(&["versions", output]);
        versions["versions"].as_array().unwrap().len()
    };
    assert_eq!(followed("preprod/liveness"), followed("liveness"));
    let only = ["diff", "liveness", "preprod/liveness", "--fail-unless-only"];
    let diff = demo.json(&[&only[..], &[CHANGED, MOVED]].concat());
    assert_eq!(diff["unexpected"], serde_json::json!({}), "{diff}");
    let verdicts = &diff["verdicts"];
    assert!(verdicts["went_live"].as_u64().unwrap() > 0, "{diff}");
    assert_eq!(verdicts["went_dark"], 0, "{diff}");
}

#[test]
fn the_summary_tells_the_difference_and_its_commands_explain_it() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    let output = demo.command_for_people(&demo.once_args()).output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("more than PROD)"), "{said}");
    let (_, summary) = said
        .split_once(&format!("PREPROD, with other rules ({CHANGED})"))
        .unwrap();

    // The same numbers and titles as the command tells, the most viewed first.
    let diff = demo.json(&["diff", "liveness", "preprod/liveness", "--limit", "10"]);
    let cell = &diff["verdicts"]["cells"][0];
    let row = format!("{} ", cell["blocker"].as_str().unwrap());
    let row = summary.lines().find(|line| line.starts_with(&row)).unwrap();
    assert!(row.contains(cell["country"].as_str().unwrap()), "{row}");
    let videos = diff["verdicts"]["videos"].as_array().unwrap();
    let ids = videos.iter().map(|row| format!("({})", row["video"]));
    let places: Vec<usize> = ids.map(|id| summary.find(&id).unwrap()).collect();
    assert!(places.is_sorted(), "{summary}");
    let hours = videos.iter().map(|row| row["weight"].as_u64().unwrap());
    assert!(hours.rev().is_sorted(), "{diff}");

    // The commands that it prints say what PROD's rule holds back and the other does not.
    let printed = |start: &str| {
        let lines = summary.lines().map(str::trim);
        let found: Vec<&str> = lines.filter(|line| line.starts_with(start)).collect();
        found.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let whys = printed("greenlight why");
    assert_eq!(whys.len(), 2, "{summary}");
    let ask = |line: &str| {
        let args: Vec<&str> = line.split(' ').skip(1).collect();
        let output = Command::new(env!("CARGO_BIN_EXE_greenlight"))
            .args(args)
            .arg("--json")
            .output()
            .unwrap();
        let why: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), why)
    };
    let (code, prod) = ask(&whys[0]);
    assert_eq!((code, &prod["live"]), (Some(1), &Value::Bool(false)));
    let codes = prod["blockers"].as_array().unwrap().iter();
    assert!(
        codes.clone().any(|blocker| blocker["code"] == CHANGED),
        "{prod}"
    );
    assert!(
        codes
            .clone()
            .all(|b| b["code"] == CHANGED || b["code"] == MOVED),
        "{prod}"
    );
    let (code, preprod) = ask(&whys[1]);
    assert_eq!((code, &preprod["live"]), (Some(0), &Value::Bool(true)));
    assert_eq!(preprod["now"], prod["now"]);
}

#[test]
fn another_change_is_tried_with_a_file() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    let rules = demo.path().join("strict.toml");
    fs::write(&rules, "[rules.\"subtitles.missing\"]\nfallback = true\n").unwrap();
    let args = [
        &demo.once_args()[..],
        &["--preprod-rules", rules.to_str().unwrap()],
    ]
    .concat();
    let output = demo.run(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let last = text(&output.stdout).lines().last().unwrap().to_owned();
    let last: Value = serde_json::from_str(&last).unwrap();
    let changed = serde_json::json!(["subtitles.missing"]);
    assert_eq!(last["preprod"]["changed_rules"], changed);
    let only = ["diff", "liveness", "preprod/liveness", "--fail-unless-only"];
    let allowed = ["subtitles.missing", "subtitles.not-licensed", MOVED];
    let diff = demo.run(&[&only[..], &allowed].concat());
    assert_eq!(diff.status.code(), Some(0), "{}", text(&diff.stdout));

    // A mistake in it leaves no trace.
    fs::write(&rules, "[rules.\"no.such-rule\"]\nenabled = false\n").unwrap();
    let fresh = Demo::new(scenario.path());
    let output = fresh.run(&args);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no.such-rule"));
    assert_eq!(fs::read_dir(fresh.path()).unwrap().count(), 0);
}
