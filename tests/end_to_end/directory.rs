//! What only an embedded directory does.

use std::fs;

use changelog::NewRecord;

use crate::scenario;
use crate::support::{Demo, NOW, root, text};

#[test]
fn a_directory_remembers_the_configuration_it_ran_with() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    let config = tempfile::tempdir().unwrap();
    let datasets = fs::read_to_string(root().join("config/datasets.toml")).unwrap();
    let datasets = datasets.replace(
        "name = \"holds\"\n",
        "name = \"holds\"\ntopic = \"legal.holds\"\n",
    );
    fs::write(config.path().join("datasets.toml"), datasets).unwrap();
    fs::copy(
        root().join("config/rules.toml"),
        config.path().join("rules.toml"),
    )
    .unwrap();
    let dir = config.path().to_str().unwrap();
    let scenario = scenario.path().to_str().unwrap();
    let run = |more: &[&str]| {
        let args = ["demo", "--once", "--now", NOW, "--scenario", scenario];
        let output = demo.run(&[args.as_slice(), more].concat());
        let said = text(&output.stderr);
        assert!(said.contains("no state is announced of holds"), "{said}");
    };
    run(&["--config", dir]);

    // What is emitted there is folded and told of without naming the files again.
    let upstream = demo.log();
    let record = NewRecord::new(0, "[\"H-1\"]", "no wire format");
    upstream.log.append("legal.holds", &[record]).unwrap();
    drop(upstream);
    drop(config);
    run(&[]);
    let status = demo.json(&["status"]);
    let dead = &status["dead_letters"];
    assert_eq!(dead[0]["topic"], "legal.holds", "{status}");
    assert_eq!(dead[0]["dataset"], "prod/holds", "{status}");
}
