//! The commands about other rules, other records and other instants: what they print, and what they tell scripts.

use std::fs;

use serde_json::Value;

use crate::scenario;
use crate::support::{Demo, text};

fn rows(output: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(output);
    let row = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    reader.records().map(|it| row(it.unwrap())).collect()
}

/// Runs a command without `--json`: what it printed, and its exit code.
fn plain(demo: &Demo, args: &[&str]) -> (Option<i32>, Vec<u8>) {
    let output = demo.command_for_people(args).output().unwrap();
    (output.status.code(), output.stdout)
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

#[test]
fn a_diff_tells_people_spreadsheets_and_scripts_the_same() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let both = ["diff", "liveness", "preprod/liveness"];
    let with = |more: &[&'static str]| [&both[..], more].concat();
    let report = demo.json(&both);
    let verdicts = &report["verdicts"];
    let (live, dark) = (count(&verdicts["went_live"]), count(&verdicts["went_dark"]));

    let (code, csv) = plain(&demo, &with(&["--csv"]));
    assert_eq!(code, Some(0));
    let all = rows(&csv);
    let header = [
        "video",
        "title",
        "country",
        "change",
        "hours_viewed",
        "blockers_before",
        "blockers_after",
    ];
    assert_eq!(all[0][..header.len()], header);
    let of = |change: &str| all.iter().filter(|row| row[3] == change).count();
    assert_eq!((of("live"), of("dark")), (live, dark), "{report}");
    assert_eq!(
        of("blockers"),
        count(&verdicts["other_blockers"]),
        "{report}"
    );
    for row in &all[1..] {
        assert_eq!(row[3] == "live", row[6].is_empty(), "{row:?}");
        let codes = ["text.no-synopsis", "family.none-live"];
        assert!(codes.iter().any(|code| row[5].contains(code)), "{row:?}");
    }

    let country = &all[1][2];
    let narrowed = [
        &both[..],
        &["--csv", "--country", country, "--only", "live"],
    ]
    .concat();
    let narrowed = rows(&plain(&demo, &narrowed).1);
    let wanted: Vec<_> = (all[1..].iter())
        .filter(|row| row[2] == *country && row[3] == "live")
        .cloned()
        .collect();
    assert_eq!(narrowed[1..], wanted[..]);

    let (code, people) = plain(&demo, &with(&["--limit", "2"]));
    let people = text(&people);
    assert_eq!(code, Some(0));
    assert!(people.contains("pairs went live"), "{people}");
    assert!(
        people.contains("blocker") && people.contains("country"),
        "{people}"
    );
    let named = demo.json(&with(&["--limit", "2"]));
    assert_eq!(named["verdicts"]["videos"].as_array().unwrap().len(), 2);
    assert_eq!(named["verdicts"]["went_live"], verdicts["went_live"]);

    let codes = |allowed: &[&'static str]| {
        let output = demo.run(&with(&[&["--fail-unless-only"], allowed].concat()));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), report["unexpected"].clone())
    };
    let (code, unexpected) = codes(&["text.no-synopsis", "family.none-live"]);
    assert_eq!((code, unexpected), (Some(0), serde_json::json!({})));
    let (code, unexpected) = codes(&["family.none-live"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        unexpected["text.no-synopsis"],
        verdicts["rules"][0]["lifted"]
    );

    // Between two versions of any dataset, by field; what asks for verdicts is refused there.
    let (code, csv) = plain(&demo, &["diff", "holds", "--csv"]);
    assert_eq!(code, Some(0));
    assert_eq!(rows(&csv)[0], ["key", "change", "path", "before", "after"]);
    let refused = demo.run(&["diff", "holds", "--country", "DE"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("holds no verdicts"));
}

#[test]
fn a_replay_says_whether_it_comes_out_again_and_what_would_differ() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let versions = demo.json(&["versions", "liveness"]);
    let versions: Vec<String> = versions["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["version"].to_string())
        .collect();
    for version in &versions {
        for rules in ["today", "as-of"] {
            let again = demo.json(&["replay", version, "--rules", rules]);
            assert_eq!(again["identical"], true, "{again}");
            if rules == "as-of" {
                assert_eq!(again["bytes_identical"], true, "{again}");
            }
            assert_eq!(again["digest"], again["digest_again"]);
        }
    }
    let newest = versions[0].as_str();
    let (code, said) = plain(&demo, &["replay", newest]);
    assert_eq!(code, Some(0));
    assert!(text(&said).contains("identical"), "{}", text(&said));

    let rules = demo.path().join("other.toml");
    fs::write(&rules, "[rules.\"text.no-synopsis\"]\nenabled = false\n").unwrap();
    let other = demo.run(&["replay", newest, "--rules", rules.to_str().unwrap()]);
    assert_eq!(other.status.code(), Some(1), "{}", text(&other.stderr));
    let other: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!(other["bytes_identical"], Value::Null);
    let diff = demo.json(&["diff", "liveness", "preprod/liveness"]);
    assert_eq!(
        other["verdicts"], diff["verdicts"],
        "the follower has the same rules"
    );
    assert_eq!(other["digest_again"], diff["digest_to"]);

    // Without its contract, a video that is live somewhere is live nowhere.
    let live = |video: &&u64| {
        let record = demo.json(&["show", "liveness", &video.to_string()])["record"].clone();
        let groups = record["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().any(|group| group["live"] == true)
    };
    let video = scenario.videos().iter().find(live).unwrap();
    let record = format!("{video}=null");
    let without = demo.run(&["replay", newest, "--record", "rights", &record]);
    assert_eq!(without.status.code(), Some(1), "{}", text(&without.stderr));
    let without: Value = serde_json::from_slice(&without.stdout).unwrap();
    assert_eq!(without["verdicts"]["went_live"], 0, "{without}");
    let dark = &without["verdicts"]["videos"][0];
    assert!(
        !dark["went_dark"].as_array().unwrap().is_empty(),
        "{without}"
    );

    let unknown = format!("{}1", versions[0]);
    for (args, words) in [
        (vec!["replay", &unknown], "no version"),
        (
            vec!["replay", newest, "--record", "contracts", "1=null"],
            "no input",
        ),
        (
            vec!["replay", newest, "--record", "rights", "1"],
            "no record",
        ),
        (
            vec!["replay", newest, "--rules", "nowhere.toml"],
            "nowhere.toml",
        ),
    ] {
        let output = demo.run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            text(&output.stderr).contains(words),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn launches_come_true_by_the_clock_and_blocked_ones_do_not() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let ask = |more: &[&str]| {
        let args = [&["launches", "--next", "52w", "--limit", "1000"], more].concat();
        demo.json(&args)
    };
    let all = ask(&[]);
    let launches = all["launches"].as_array().unwrap();
    assert!(launches.len() > 3, "{all}");
    let hours = launches
        .iter()
        .map(|launch| launch["hours_viewed"].as_i64());
    assert!(hours.rev().is_sorted(), "the most viewed come first");
    let is_blocked = |launch: &Value| !launch["blockers"].as_array().unwrap().is_empty();
    let some = |blocked: bool| {
        let of_kind = launches
            .iter()
            .filter(move |launch| is_blocked(launch) == blocked);
        of_kind.take(4)
    };
    for launch in some(false).chain(some(true)) {
        let (video, at) = (launch["video"].to_string(), launch["at"].as_str().unwrap());
        let mut country = launch["countries"][0].as_str().unwrap();
        if is_blocked(launch) {
            country = launch["blockers"][0]["countries"][0].as_str().unwrap();
        }
        let output = demo.run(&["why", &video, country, "--at", at]);
        let why: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(why["live"], !is_blocked(launch), "{launch}\n{why}");
        if is_blocked(launch) {
            let code = &launch["blockers"][0]["code"];
            let codes = why["blockers"].as_array().unwrap();
            assert!(
                codes.iter().any(|blocker| blocker["code"] == *code),
                "{launch}\n{why}"
            );
        }
    }
    let blocked = ask(&["--blocked"]);
    let blocked = blocked["launches"].as_array().unwrap();
    let wanted: Vec<&Value> = launches
        .iter()
        .filter(|launch| is_blocked(launch))
        .collect();
    assert_eq!(blocked.iter().collect::<Vec<_>>(), wanted);
    let country = launches[0]["countries"][0].as_str().unwrap();
    for launch in ask(&["--country", country])["launches"].as_array().unwrap() {
        assert_eq!(launch["countries"], serde_json::json!([country]));
    }
    let (code, said) = plain(&demo, &["launches", "--next", "52w", "--limit", "1"]);
    assert_eq!(code, Some(0));
    let more = format!("... and {} more", launches.len() - 1);
    assert!(text(&said).contains(&more), "{}", text(&said));
    let bad = demo.run(&["launches", "--next", "soon"]);
    assert_eq!(bad.status.code(), Some(2));
}
