//! A dataset's life, in commands.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use registry::{
    Acceptance, Action, Command, DatasetName, Outcome, Registry, Scope, StateSums, Sum128, Version,
    Versions,
};

pub fn name() -> DatasetName {
    "liveness".parse().unwrap()
}

pub fn run(registry: &dyn Registry, at_ms: i64, action: Action) -> Outcome {
    registry
        .submit(&Command {
            dataset: name(),
            at_ms,
            action,
        })
        .unwrap()
}

/// Acquires, if need be, and takes one version from staging to its announcement.
pub fn announce_one(registry: &dyn Registry, owner: &str, at_ms: i64) -> Version {
    let before = registry.dataset(&name()).unwrap();
    let expected_epoch = before.as_ref().map_or(0, |info| info.epoch);
    let previous = before.and_then(|info| info.head);
    let Outcome::Acquired { epoch } = run(
        registry,
        at_ms,
        Action::Acquire {
            owner: owner.to_owned(),
            expected_epoch,
        },
    ) else {
        panic!("not acquired");
    };
    let Outcome::Staged { version } = run(registry, at_ms, Action::Stage { epoch }) else {
        panic!("not staged")
    };
    let acceptance = Acceptance {
        epoch,
        version,
        previous,
        chain_start: previous.is_none(),
        blobs: Vec::new(),
        sums: StateSums {
            chain: Sum128(at_ms as u128),
            digest: Sum128(0),
        },
    };
    assert_eq!(
        run(registry, at_ms, Action::Accept(acceptance)),
        Outcome::Done
    );
    let metadata = BTreeMap::from([("phase".to_owned(), "test".to_owned())]);
    let announce = Action::Announce {
        epoch,
        version,
        scope: Scope::everybody(),
        metadata,
    };
    assert_eq!(run(registry, at_ms, announce), Outcome::Done);
    version
}

/// Everything that can be asked.
pub fn answers(registry: &dyn Registry) -> impl PartialEq + std::fmt::Debug + use<> {
    let datasets = registry.datasets().unwrap();
    let versions = registry.versions(&name(), &Versions::all()).unwrap();
    (
        datasets,
        versions,
        registry.latest(&name(), &Scope::everybody()).unwrap(),
    )
}
