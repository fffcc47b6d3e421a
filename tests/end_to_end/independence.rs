//! Inputs make nobody wait: the producer of `texts` is stopped, subtitles arrive, and the title goes live, with the age of
//! `texts` shown.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use blobstore::{BlobStore, DirectoryStore};
use dataset::load_state;
use gatekeeper::output::Verdicts;
use registry::embedded::Home;
use serde_json::{Value, json};

use crate::role::Role;
use crate::scenario;
use crate::support::{Demo, root, text};

const EVALUATE: &[&str] = &["evaluate", "--config", "config/gatekeeper.toml"];

/// Later than any record of the scenario.
const SOURCE_VERSION: i64 = 4_000_000_000_000_000;

/// A movie and a country where nothing but subtitles hold it back.
fn waiting_for_subtitles(demo: &Demo, keeper: &Home, movies: &BTreeSet<u64>) -> (i64, String) {
    let store: Arc<dyn BlobStore> = Arc::new(DirectoryStore::open(keeper.blobs_dir()).unwrap());
    let liveness = "prod/liveness".parse().unwrap();
    let info = keeper.registry().dataset(&liveness).unwrap().unwrap();
    let version = info.newest_announced().unwrap();
    let state = load_state(&store, keeper.registry(), &liveness, version).unwrap();
    let mut verdicts: Vec<_> = Verdicts::of(&state).unwrap().all().collect();
    verdicts.sort_unstable_by_key(|&(video, _)| video);
    for (video, outcome) in verdicts {
        if !u64::try_from(video).is_ok_and(|video| movies.contains(&video)) {
            continue;
        }
        let kind = &demo.json(&["show", "titles", &video.to_string()])["record"]["kind"];
        if kind.as_str() != Some("movie") && kind["value"].as_str() != Some("movie") {
            continue;
        }
        for group in &outcome.groups {
            let codes: Vec<&str> = group.blockers.codes().collect();
            if codes == ["subtitles.missing"] {
                let country = group.countries.iter().next().unwrap();
                return (video, country.code().to_owned());
            }
        }
    }
    panic!("no movie waits for subtitles alone");
}

/// A producer of some of the datasets.
fn producer(demo: &Demo, name: &str, datasets: &[&str]) -> Role {
    let config = fs::read_to_string(root().join("config/producer.toml")).unwrap();
    let deployment = root().join("config/deployment.toml");
    let config = config.replace(
        "deployment = \"deployment.toml\"",
        &format!("deployment = {deployment:?}\ndatasets = {datasets:?}"),
    );
    let file = demo.path().join(format!("{name}.toml"));
    fs::write(&file, config).unwrap();
    Role::start(demo, &["produce", "--config", file.to_str().unwrap()], name)
}

#[test]
fn a_title_goes_live_while_the_producer_of_texts_is_stopped() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let keeper = demo.keep_open();
    let others = [
        "titles",
        "rights",
        "ratings",
        "assets",
        "artwork",
        "streams",
        "policies",
        "holds",
        "popularity",
    ];
    let mut texts = producer(&demo, "texts", &["texts"]);
    let mut rest = producer(&demo, "others", &others);
    let mut gatekeeper = Role::start(&demo, EVALUATE, "gatekeeper");
    texts.wait_for_state("prod/texts", "producing");
    rest.wait_for_state("prod/assets", "producing");
    gatekeeper.wait_for_state("prod/liveness", "producing");

    let (video, country) = waiting_for_subtitles(&demo, &keeper, scenario.videos());
    let ask = |role: &Role| -> Value {
        let (status, body) = role.get(&format!("/why?video={video}&country={country}"));
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let before = ask(&gatekeeper);
    assert_eq!(
        before["blockers"][0]["code"], "subtitles.missing",
        "{before}"
    );
    texts.signal("TERM");
    let (code, said) = texts.end();
    assert_eq!(code, Some(0), "{said}");

    // The subtitles that it waits for, in the languages that `why` names, arrive.
    let inputs = before["blockers"][0]["inputs"].as_array().unwrap();
    let is_wanted = |input: &&Value| input["dataset"] == "assets" && input["key"][1] == "subtitles";
    let lines: Vec<String> = inputs
        .iter()
        .filter(is_wanted)
        .map(|input| {
            let value = json!({
                "video": video, "kind": "subtitles", "language": input["key"][2], "status": "ready",
                "readySince": null, "provenance": "synthesized",
            });
            format!(
                "{}\n",
                json!({"value": value, "sourceVersion": SOURCE_VERSION})
            )
        })
        .collect();
    let file = demo.path().join("subtitles.jsonl");
    fs::write(&file, lines.concat()).unwrap();
    let emitted = demo.run(&["emit", "assets", "--file", file.to_str().unwrap()]);
    assert!(emitted.status.success(), "{}", text(&emitted.stderr));
    gatekeeper.wait("the title to go live", |role| {
        let answer = ask(role);
        answer["live"] == true && answer["published"] == true
    });
    let why = demo.json(&["why", &video.to_string(), &country]);
    assert_eq!(why["live"], true, "{why}");

    // The age of texts is shown where ages are: with the announcement, in the status, among the metrics.
    let status = demo.json(&["status"]);
    let rows = status["datasets"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["dataset"] == name).unwrap();
    let inputs = row("prod/liveness")["inputs"].as_array().unwrap();
    let age = |name: &str| {
        let input = inputs.iter().find(|input| input["dataset"] == name);
        input.unwrap()["age_ms"].as_i64().unwrap()
    };
    assert!(age("texts") > 0, "{status}");
    assert!(age("texts") > age("assets"), "{status}");
    assert!(row("prod/texts")["age_ms"].as_i64() > row("prod/assets")["age_ms"].as_i64());
    let (_, metrics) = gatekeeper.get("/metrics");
    let is_texts = |line: &&str| {
        line.starts_with("greenlight_input_age_seconds") && line.contains("\"texts\"")
    };
    assert!(metrics.lines().any(|line| is_texts(&line)), "{metrics}");
}
