//! A running gatekeeper is asked: it answers as the command does that loads everything itself.

use serde_json::Value;

use crate::role::Role;
use crate::scenario;
use crate::support::{Demo, text};

/// What both ways of asking have in common: where change records came from is not in a gatekeeper's memory.
fn told(why: &Value) -> Value {
    let mut told = why.clone();
    told.as_object_mut().unwrap().remove("published");
    let blockers = told["blockers"].as_array_mut().unwrap();
    for input in blockers
        .iter_mut()
        .flat_map(|blocker| blocker["inputs"].as_array_mut().unwrap())
    {
        input["origin"] = Value::Null;
    }
    told
}

#[test]
fn a_running_gatekeeper_answers_as_the_command_does() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let _keeper = demo.keep_open();
    let args = ["evaluate", "--config", "config/gatekeeper.toml"];
    let mut gatekeeper = Role::start(&demo, &args, "gatekeeper");
    gatekeeper.wait("a first answer", |role| {
        let (status, body) = role.get("/why?video=1&country=DE");
        assert!(status == 503 || body.contains("no video has"), "{body}");
        status != 503
    });
    let ask = |video: &str, country: &str| {
        demo.run(&["why", video, country, "--ask", gatekeeper.address()])
    };
    let mut lives = 0;
    for video in scenario.videos().iter().take(8) {
        let asked = ask(&video.to_string(), "DE");
        let answer: Value = serde_json::from_slice(&asked.stdout).unwrap();
        let at = answer["at"].as_str().unwrap();
        let output = demo.run(&["why", &video.to_string(), "DE", "--at", at]);
        let why: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told(&answer), told(&why));
        assert_eq!(asked.status.code(), output.status.code());
        lives += u32::from(answer["live"] == true);

        // By its title, with what needs escapes in it.
        let title = answer["title"].as_str().unwrap();
        let by_title = ask(title, "DE");
        let code = by_title.status.code();
        let found: Option<Value> = serde_json::from_slice(&by_title.stdout).ok();
        match found {
            Some(found) => assert_eq!(found["video"], answer["video"], "{title}"),
            None => {
                assert_eq!(code, Some(2));
                assert!(text(&by_title.stderr).contains("several videos"), "{title}");
            }
        }
    }
    assert!(lives < 8, "everything is live");

    let unknown = ask("no such title", "DE");
    assert_eq!(unknown.status.code(), Some(2));
    let said = text(&unknown.stderr);
    assert!(said.contains("no video has the id or the title"), "{said}");
    let (status, body) = gatekeeper.get("/why?video=1");
    assert!(
        status == 400 && body.contains("no country"),
        "{status} {body}"
    );
    let (status, body) = gatekeeper.get("/why?video=1&country=XX");
    assert!(status == 404 && body.contains("XX"), "{status} {body}");
    let nobody = demo.run(&["why", "1", "DE", "--ask", "127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(
        text(&nobody.stderr).contains("health pages"),
        "{}",
        text(&nobody.stderr)
    );
}
