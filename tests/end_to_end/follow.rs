//! PROD and followers as separate processes: PROD is killed and started again, inputs are pinned back and forth, outputs are
//! pinned; a follower with the same rules publishes the same, one with other rules differs in exactly those.

use std::fs;
use std::sync::Arc;

use blobstore::{BlobStore, DirectoryStore};
use dataset::Version;
use gatekeeper::{Basis, Input, Replayer};
use registry::Versions;
use registry::embedded::Home;
use serde_json::Value;

use crate::role::Role;
use crate::scenario;
use crate::support::{Demo, text};

const PRODUCE: &[&str] = &["produce", "--config", "config/producer.toml"];
const EVALUATE: &[&str] = &["evaluate", "--config", "config/gatekeeper.toml"];
const SWITCHED_OFF: &str = "text.no-synopsis";

/// What the newest version of an output, or its newest confirmation, rests on.
fn basis(keeper: &Home, dataset: &str) -> Option<(Version, Basis)> {
    let store: Arc<dyn BlobStore> = Arc::new(DirectoryStore::open(keeper.blobs_dir()).unwrap());
    Basis::newest(&dataset.parse().unwrap(), &store, keeper.registry()).ok()
}

/// The version of an input that PROD used last.
fn used(keeper: &Home, input: Input) -> i64 {
    let (_, basis) = basis(keeper, "prod/liveness").unwrap();
    basis.inputs[&input].0
}

/// Not the newest alone: on what any state of a follower rests, PROD's rules give what PROD published, and the follower's own
/// give what it published.
fn check_every_state(keeper: &Home, output: &str) {
    let store: Arc<dyn BlobStore> = Arc::new(DirectoryStore::open(keeper.blobs_dir()).unwrap());
    let registry = keeper.registry();
    let (prod, output) = ("prod/liveness".parse().unwrap(), output.parse().unwrap());
    let (_, newest) = Basis::newest(&prod, &store, registry).unwrap();
    let mut replayer = Replayer::new(&output, &store, registry).unwrap();
    let versions = registry.versions(&output, &Versions::all()).unwrap();
    assert!(
        versions.len() > 2,
        "{} versions of {output}",
        versions.len()
    );
    for info in versions {
        let own = replayer.replay(info.version, None, &[]).unwrap();
        assert!(own.is_identical(), "{output} {}", info.version);
        let followed = own.basis.followed.unwrap().version;
        let theirs = registry.version(&prod, followed).unwrap().unwrap();
        let rules = Some(&newest.configuration);
        let replayed = replayer.replay(info.version, rules, &[]).unwrap();
        let digest = replayed.again_digest.0;
        assert_eq!(digest, theirs.sums.digest.0, "{output} {}", info.version);
    }
}

#[test]
fn followers_publish_what_prod_did_and_differ_by_their_rules_alone() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    demo.run_once();
    let rules = demo.path().join("without.toml");
    fs::write(
        &rules,
        format!("[rules.\"{SWITCHED_OFF}\"]\nenabled = false\n"),
    )
    .unwrap();
    let rules = rules.to_str().unwrap();

    let keeper = demo.keep_open();
    let mut producer = Role::start(&demo, PRODUCE, "producer");
    let mut prod = Role::start(&demo, EVALUATE, "gatekeeper");
    producer.wait("readiness", |role| role.get("/health/ready").0 == 200);
    prod.wait_for_state("prod/liveness", "producing");
    let following = |output: &'static str, rules: Option<&str>, name: &str| {
        let mut args = EVALUATE.to_vec();
        args.extend(["--follow", "prod/liveness", "--output", output]);
        args.extend(rules.into_iter().flat_map(|rules| ["--rules", rules]));
        Role::start(&demo, &args, name)
    };
    let mut same = following("preprod/liveness", None, "same");
    let mut other = following("preprod/other", Some(rules), "other");

    let oldest = |dataset: &str| {
        let versions = demo.json(&["versions", dataset]);
        let versions = versions["versions"].as_array().unwrap();
        versions.last().unwrap()["version"].as_i64().unwrap()
    };
    let mut check = |demo: &Demo, what: &str| {
        let is_followed = |output: &str| {
            let (version, prod) = basis(&keeper, "prod/liveness").unwrap();
            basis(&keeper, output).is_some_and(|(_, own)| {
                own.inputs == prod.inputs
                    && own
                        .followed
                        .is_some_and(|followed| followed.version == version)
            })
        };
        same.wait(what, |_| is_followed("preprod/liveness"));
        other.wait(what, |_| is_followed("preprod/other"));
        let diff = demo.json(&["diff", "liveness", "preprod/liveness"]);
        assert_eq!(diff["equal"], true, "{what}: {diff}");
        assert_eq!(diff["digest_from"], diff["digest_to"]);
        let allowed = [SWITCHED_OFF, "family.none-live"];
        let only = ["diff", "liveness", "preprod/other", "--fail-unless-only"];
        let only = demo.run(&[&only[..], &allowed].concat());
        assert_eq!(
            only.status.code(),
            Some(0),
            "{what}: {}",
            text(&only.stdout)
        );
        let diff: Value = serde_json::from_slice(&only.stdout).unwrap();
        assert_eq!(diff["verdicts"]["went_dark"], 0, "{what}");
        diff
    };
    let first = check(&demo, "at first");
    assert!(
        first["verdicts"]["rules"][0]["lifted"].as_u64().unwrap() > 0,
        "{first}"
    );
    let failed = demo.run(&[
        "diff",
        "liveness",
        "preprod/other",
        "--fail-unless-only",
        "hold.active",
    ]);
    assert_eq!(failed.status.code(), Some(1));

    for input in [Input::Texts, Input::Rights] {
        let version = oldest(input.name());
        demo.json(&["pin", input.name(), &version.to_string()]);
        prod.wait("the pinned input", |_| used(&keeper, input) == version);
        check(&demo, "an input is pinned back");
    }

    // PROD is killed, its output is pinned (for readers, not for followers), an input moves meanwhile, and PROD comes back.
    drop(prod);
    demo.json(&["unpin", "rights"]);
    demo.json(&["pin", "liveness", &oldest("liveness").to_string()]);
    check(&demo, "nobody evaluates");
    let mut prod = Role::start(&demo, EVALUATE, "gatekeeper");
    let pinned = oldest("rights");
    prod.wait("the input after the restart", |_| {
        used(&keeper, Input::Rights) > pinned
    });
    check(&demo, "PROD is back, and pinned");

    for output in ["preprod/liveness", "preprod/other"] {
        check_every_state(&keeper, output);
    }

    // Leases are held while they are needed, and ended with the follower.
    same.signal("TERM");
    let (code, said) = same.end();
    assert_eq!(code, Some(0), "{said}");
    let info = keeper
        .registry()
        .dataset(&"rights".parse().unwrap())
        .unwrap()
        .unwrap();
    let holders: Vec<&str> = info
        .leases
        .iter()
        .map(|lease| lease.holder.as_str())
        .collect();
    assert_eq!(holders, ["preprod/other"]);
}
