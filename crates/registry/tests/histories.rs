//! Random histories of commands against what the granted ones mean, read naively from the whole history.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use registry::{
    Acceptance, Action, Command, DatasetName, Outcome, Refusal, Scope, State, StateSums, Sum128,
    Version,
};

/// A command drawn with small numbers, which [`resolve`] turns into one that has a chance to be granted.
#[derive(Clone, Debug)]
struct Draw {
    dataset: usize,
    kind: u8,
    /// Whose move it is.
    actor: usize,
    /// How far a number is off what would be right; mostly 0.
    off: i64,
    scope: usize,
    pick: usize,
    clock_ms: i64,
    flag: bool,
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let off = prop_oneof![9 => Just(0_i64), 1 => -1_i64..=1];
    let draw = (
        0..2_usize,
        0..30_u8,
        0..3_usize,
        off,
        0..5_usize,
        0..4_usize,
        -1..5_000_i64,
        any::<bool>(),
    )
        .prop_map(
            |(dataset, kind, actor, off, scope, pick, clock_ms, flag)| Draw {
                dataset,
                kind,
                actor,
                off,
                scope,
                pick,
                clock_ms,
                flag,
            },
        );
    prop::collection::vec(draw, 1..300)
}

fn scopes() -> Vec<Scope> {
    [
        "*/*/*",
        "eu/*/*",
        "eu/search/*",
        "*/*/blue",
        "us/search/red",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec()
}

fn consumers() -> Vec<Scope> {
    [
        "",
        "eu/search/blue",
        "eu/play/red",
        "us/search/red",
        "us/search/blue",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec()
}

fn names() -> Vec<DatasetName> {
    ["liveness", "preprod/liveness"]
        .map(|text| text.parse().unwrap())
        .to_vec()
}

/// What the drawers remember: the epoch each actor believes to be its own, and the version it staged.
#[derive(Default)]
struct Beliefs {
    epochs: BTreeMap<(usize, usize), u64>,
    staged: BTreeMap<(usize, usize), Version>,
}

fn shifted(number: u64, off: i64) -> u64 {
    number.saturating_add_signed(off)
}

fn resolve(draw: &Draw, state: &State, beliefs: &Beliefs) -> Command {
    let name = names()[draw.dataset].clone();
    let me = (draw.dataset, draw.actor);
    let info = state.dataset(&name);
    let epoch = shifted(beliefs.epochs.get(&me).copied().unwrap_or(0), draw.off);
    let newest = info.map_or(0, |info| info.epoch);
    let versions: Vec<Version> = state
        .versions(&name, Version(0)..=Version(i64::MAX))
        .rev()
        .take(4)
        .map(|version| version.version)
        .collect();
    let version = versions.get(draw.pick).copied().unwrap_or(Version(7));
    let head = info.and_then(|info| info.head);
    let scope = scopes()[draw.scope].clone();
    let action = match draw.kind {
        0..=1 => Action::Acquire {
            owner: format!("actor {}", draw.actor),
            expected_epoch: shifted(newest, draw.off),
        },
        2 => Action::Resign { epoch },
        3 => Action::Renew { epoch },
        4 => {
            let renewal = info
                .and_then(|info| info.owner.as_ref())
                .map_or(0, |owner| owner.renewal);
            Action::Expire {
                epoch: newest,
                renewal: shifted(renewal, draw.off),
            }
        }
        5..=10 => Action::Stage { epoch },
        11..=16 => Action::Accept(Acceptance {
            epoch,
            version: beliefs
                .staged
                .get(&me)
                .map_or(version, |staged| Version(staged.0 + draw.off.min(0))),
            previous: if draw.off > 0 {
                versions.get(1).copied()
            } else {
                head
            },
            chain_start: head.is_none() || draw.pick == 0,
            blobs: Vec::new(),
            sums: StateSums {
                chain: Sum128(draw.pick as u128),
                digest: Sum128(0),
            },
        }),
        17..=22 => Action::Announce {
            epoch,
            version: if draw.flag {
                head.unwrap_or(version)
            } else {
                version
            },
            scope: if draw.flag { Scope::everybody() } else { scope },
            metadata: BTreeMap::from([("k".to_owned(), draw.clock_ms.to_string())]),
        },
        23 => Action::Confirm {
            epoch,
            version: head.unwrap_or(version),
            tags: BTreeMap::new(),
        },
        24..=25 => Action::Pin {
            scope,
            version,
            by: "operator".to_owned(),
            reason: "drill".to_owned(),
        },
        26..=27 => Action::Unpin { scope },
        28 => Action::Lease {
            version,
            holder: format!("actor {}", draw.actor),
            until_ms: draw.clock_ms,
        },
        _ => Action::Release {
            version,
            holder: format!("actor {}", draw.actor),
        },
    };
    Command {
        dataset: name,
        at_ms: draw.clock_ms,
        action,
    }
}

/// A granted command with its outcome.
type Granted = (Command, Outcome);

/// The latest version by definition: over everything that was ever granted.
fn naive_latest(
    history: &[Granted],
    name: &DatasetName,
    consumer: &Scope,
) -> Option<(Version, bool)> {
    let mut pins: BTreeMap<Scope, Version> = BTreeMap::new();
    let mut announced = BTreeSet::new();
    for (command, _) in history
        .iter()
        .filter(|(command, _)| command.dataset == *name)
    {
        match &command.action {
            Action::Pin { scope, version, .. } => {
                pins.insert(scope.clone(), *version);
            }
            Action::Unpin { scope } => {
                pins.remove(scope);
            }
            Action::Announce { version, scope, .. } if scope.covers(consumer) => {
                announced.insert(*version);
            }
            _ => {}
        }
    }
    // From the widest to the closest, the last that covers wins.
    let mut pinned = None;
    for text in [
        "*/*/*",
        "eu/*/*",
        "eu/search/*",
        "*/*/blue",
        "us/search/red",
    ] {
        let scope: Scope = text.parse().unwrap();
        if let Some(version) = pins.get(&scope).filter(|_| scope.covers(consumer)) {
            pinned = Some((*version, true));
        }
    }
    pinned.or_else(|| announced.last().map(|&version| (version, false)))
}

/// Who may write, by definition: the last acquirer, unless it resigned or was expired since.
fn naive_owner_epoch(history: &[Granted], name: &DatasetName) -> Option<u64> {
    let mut owner = None;
    for (command, outcome) in history
        .iter()
        .filter(|(command, _)| command.dataset == *name)
    {
        match (&command.action, outcome) {
            (Action::Acquire { .. }, Outcome::Acquired { epoch }) => owner = Some(*epoch),
            (Action::Resign { .. } | Action::Expire { .. }, _) => owner = None,
            _ => {}
        }
    }
    owner
}

fn epoch_of(action: &Action) -> Option<u64> {
    match action {
        Action::Resign { epoch }
        | Action::Renew { epoch }
        | Action::Stage { epoch }
        | Action::Announce { epoch, .. }
        | Action::Confirm { epoch, .. } => Some(*epoch),
        Action::Accept(acceptance) => Some(acceptance.epoch),
        _ => None,
    }
}

fn check_granted(history: &[Granted], command: &Command, outcome: &Outcome) {
    let of_dataset = || {
        history
            .iter()
            .filter(|(earlier, _)| earlier.dataset == command.dataset)
    };
    if let Some(epoch) = epoch_of(&command.action) {
        let owner = naive_owner_epoch(history, &command.dataset);
        assert_eq!(
            owner,
            Some(epoch),
            "granted to one who is not the owner: {command:?}"
        );
    }
    match (&command.action, outcome) {
        (Action::Acquire { .. }, Outcome::Acquired { epoch }) => {
            let acquired = of_dataset()
                .filter(|(_, outcome)| matches!(outcome, Outcome::Acquired { .. }))
                .count();
            assert_eq!(*epoch, acquired as u64 + 1, "epochs count acquisitions");
        }
        (Action::Stage { .. }, Outcome::Staged { version }) => {
            for (_, earlier) in of_dataset() {
                assert!(
                    !matches!(earlier, Outcome::Staged { version: other } if other >= version),
                    "versions grow"
                );
            }
        }
        (Action::Accept(acceptance), _) => {
            let accepted = of_dataset().filter_map(|(earlier, _)| match &earlier.action {
                Action::Accept(acceptance) => Some(acceptance),
                _ => None,
            });
            for other in accepted {
                let is_repetition = other.version == acceptance.version;
                assert!(
                    other.previous != acceptance.previous || is_repetition,
                    "a fork"
                );
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn histories_keep_the_promises(draws in draws()) {
        let (mut state, mut beliefs) = (State::new(), Beliefs::default());
        let (mut commands, mut granted) = (Vec::new(), Vec::<Granted>::new());
        for (at, draw) in draws.iter().enumerate() {
            let command = resolve(draw, &state, &beliefs);
            let before: Vec<_> = all_latest(&state);
            // Logs have gaps.
            let offset = at as i64 * 2;
            let outcome = state.apply(offset, &command);
            prop_assert_eq!(state.applied(), offset + 1);
            commands.push((offset, command.clone()));
            let me = (draw.dataset, draw.actor);
            match &outcome {
                Outcome::Refused(_) => {
                    prop_assert_eq!(&before, &all_latest(&state), "a refused command changed something");
                    continue;
                }
                Outcome::Acquired { epoch } => drop(beliefs.epochs.insert(me, *epoch)),
                Outcome::Staged { version } => drop(beliefs.staged.insert(me, *version)),
                _ => {}
            }
            check_granted(&granted, &command, &outcome);
            granted.push((command, outcome));

            for (((name, consumer), latest), before) in questions().iter().zip(all_latest(&state)).zip(before) {
                prop_assert_eq!(latest, naive_latest(&granted, name, consumer), "latest of {} for {}", name, consumer);
                if let (Some((before, false)), Some((after, false))) = (before, latest) {
                    prop_assert!(after >= before, "latest went back without a pin");
                }
            }
            let unannounced = names().iter().map(|name| {
                let versions = state.versions(name, Version(0)..=Version(i64::MAX));
                versions.filter(|version| version.announced_at_ms.is_none()).count()
            }).max();
            prop_assert!(unannounced <= Some(1), "two versions wait for their announcement");
        }

        let mut replayed = State::new();
        for (offset, command) in &commands {
            replayed.apply(*offset, command);
        }
        prop_assert_eq!(replayed, state);
    }
}

fn questions() -> Vec<(DatasetName, Scope)> {
    names()
        .into_iter()
        .flat_map(|name| {
            consumers()
                .into_iter()
                .map(move |consumer| (name.clone(), consumer))
        })
        .collect()
}

fn all_latest(state: &State) -> Vec<Option<(Version, bool)>> {
    let latest = |(name, consumer): &(DatasetName, Scope)| {
        state
            .dataset(name)
            .and_then(|info| info.latest(consumer))
            .map(|latest| (latest.version, latest.pinned))
    };
    questions().iter().map(latest).collect()
}

/// Two producers, step by step: the one that was thought dead comes back at every point and never gets in.
#[test]
fn a_producer_that_wakes_up_late_is_refused() {
    let name: DatasetName = "liveness".parse().unwrap();
    let mut state = State::new();
    let mut offset = 0;
    let mut apply = |state: &mut State, action: Action| {
        offset += 1;
        state.apply(
            offset - 1,
            &Command {
                dataset: name.clone(),
                at_ms: 1_000,
                action,
            },
        )
    };
    let acquire = |owner: &str, expected_epoch| Action::Acquire {
        owner: owner.to_owned(),
        expected_epoch,
    };
    let accept = |epoch, version, previous: Option<Version>| {
        Action::Accept(Acceptance {
            epoch,
            version,
            previous,
            chain_start: previous.is_none(),
            blobs: Vec::new(),
            sums: StateSums {
                chain: Sum128(1),
                digest: Sum128(2),
            },
        })
    };
    let announce = |epoch, version| Action::Announce {
        epoch,
        version,
        scope: Scope::everybody(),
        metadata: BTreeMap::new(),
    };
    let first = Version::of_clock(1_000).unwrap();

    assert_eq!(
        apply(&mut state, acquire("a", 0)),
        Outcome::Acquired { epoch: 1 }
    );
    assert_eq!(
        apply(&mut state, Action::Stage { epoch: 1 }),
        Outcome::Staged { version: first }
    );
    let owned = Refusal::Owned {
        owner: "a".to_owned(),
        epoch: 1,
    };
    assert_eq!(apply(&mut state, acquire("b", 1)), Outcome::Refused(owned));
    assert_eq!(
        apply(&mut state, Action::Renew { epoch: 1 }),
        Outcome::Renewed { renewal: 1 }
    );
    let renewed = Refusal::Renewed { renewal: 1 };
    assert_eq!(
        apply(
            &mut state,
            Action::Expire {
                epoch: 1,
                renewal: 0
            }
        ),
        Outcome::Refused(renewed)
    );
    assert_eq!(
        apply(
            &mut state,
            Action::Expire {
                epoch: 1,
                renewal: 1
            }
        ),
        Outcome::Done
    );
    assert_eq!(
        apply(&mut state, acquire("b", 1)),
        Outcome::Acquired { epoch: 2 }
    );
    for action in [
        accept(1, first, None),
        Action::Stage { epoch: 1 },
        announce(1, first),
        Action::Renew { epoch: 1 },
    ] {
        assert_eq!(
            apply(&mut state, action),
            Outcome::Refused(Refusal::NotOwner { epoch: 2 })
        );
    }
    // Not even the new owner can accept what the old one staged.
    let stale = Refusal::NotStaged { version: first };
    assert_eq!(
        apply(&mut state, accept(2, first, None)),
        Outcome::Refused(stale)
    );
    let second = Version(first.0 + 1);
    assert_eq!(
        apply(&mut state, Action::Stage { epoch: 2 }),
        Outcome::Staged { version: second }
    );
    assert_eq!(apply(&mut state, accept(2, second, None)), Outcome::Done);
    assert_eq!(
        apply(&mut state, accept(2, second, None)),
        Outcome::Done,
        "an answer was lost"
    );
    assert_eq!(
        apply(&mut state, Action::Stage { epoch: 2 }),
        Outcome::Staged {
            version: Version(second.0 + 1)
        }
    );
    let third = Version(second.0 + 1);
    let first_the_other = Refusal::Unannounced { version: second };
    assert_eq!(
        apply(&mut state, accept(2, third, Some(second))),
        Outcome::Refused(first_the_other)
    );
    assert_eq!(apply(&mut state, announce(2, second)), Outcome::Done);
    assert_eq!(
        apply(&mut state, accept(2, third, Some(second))),
        Outcome::Done
    );
    assert_eq!(
        state.version(&name, third).map(|version| version.chain),
        Some(second)
    );
}
