//! Sums, indexes and diffs over random chains against a plain-map model.

#![allow(clippy::unwrap_used, reason = "tests")]

mod catalogue;

use catalogue::{Model, Version, alone, chain};
use hollow::diff::diff;
use hollow::history::{Change, Segment, SegmentBuilder, history};
use hollow::index::{HashIndex, PrimaryKeyIndex};
use hollow::sums::{ChainSum, Digest, DigestMemory};
use hollow::{Filter, KeyValue, Ordinal, ReadState, Value};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The way to the last version and back: states with the changes that led there, and the version each is.
fn there_and_back(chain: &[Version]) -> Vec<(usize, ReadState, hollow::Changes)> {
    let mut way: Vec<(usize, ReadState, hollow::Changes)> = chain
        .iter()
        .enumerate()
        .map(|(at, v)| (at, v.state.clone(), v.changes.clone()))
        .collect();
    for at in (1..chain.len()).rev() {
        let (state, changes) = way
            .last()
            .unwrap()
            .1
            .apply(chain[at].reverse.as_slice())
            .unwrap();
        way.push((at - 1, state, changes));
    }
    way
}

fn check_titles(index: &PrimaryKeyIndex, state: &ReadState, model: &Model) {
    assert_eq!(index.len(), model.titles.len());
    let keys: Vec<i64> = (-10..70).collect();
    let mut batch = Vec::new();
    index.get_longs(&keys, &mut batch);
    for (key, found) in keys.into_iter().zip(batch) {
        assert_eq!(found, index.get_long(key));
        assert_eq!(found, index.get(&[KeyValue::Long(key)]));
        let tree = found.map(|ordinal| Value::read(state, "Title", ordinal).unwrap().unwrap());
        assert_eq!(tree, model.value(key), "title {key}");
    }
}

proptest! {
    #![proptest_config(config(20))]

    #[test]
    fn sums_do_not_depend_on_the_way(seed in any::<u64>()) {
        let chain = chain(seed, 8);
        let way = there_and_back(&chain);
        let sums: Vec<(ChainSum, Digest)> = chain
            .iter()
            .map(|version| {
                let state = ReadState::from_snapshot(version.snapshot.as_slice(), &Filter::all()).unwrap();
                (ChainSum::of(&state), Digest::of(&state).unwrap())
            })
            .collect();
        let (mut chain_sum, mut digest) = (ChainSum::of(&way[0].1), Digest::of(&way[0].1).unwrap());
        let (mut memory, mut remembering) = (DigestMemory::default(), digest);
        for pair in way.windows(2) {
            let ((_, before, _), (at, after, changes)) = (&pair[0], &pair[1]);
            chain_sum = chain_sum.updated(before, after, changes);
            digest = digest.updated(before, after, changes).unwrap();
            remembering = remembering.updated_with(before, after, changes, &mut memory).unwrap();
            prop_assert_eq!(chain_sum, sums[*at].0);
            prop_assert_eq!(digest, sums[*at].1);
            prop_assert_eq!(remembering, sums[*at].1);
            let gone = ChainSum::of_added(before, &changes.reversed());
            let come = ChainSum::of_added(after, changes);
            let step = ChainSum::of(before).0.wrapping_sub(gone.0).wrapping_add(come.0);
            prop_assert_eq!(step, chain_sum.0);
        }
        for (from, a) in chain.iter().enumerate() {
            // Another writer, another order: other ordinals, equal content.
            let other = alone(&a.model, seed);
            prop_assert_eq!(Digest::of(&other).unwrap(), sums[from].1);
            for (to, b) in chain.iter().enumerate() {
                prop_assert_eq!(sums[from].1.moved(&a.state, &b.state).unwrap(), sums[to].1);
                prop_assert_eq!(sums[from].1.moved(&a.state, &alone(&b.model, 3)).unwrap(), sums[to].1);
                prop_assert_eq!(sums[from].1 == sums[to].1, a.model.values() == b.model.values());
            }
        }
    }

    #[test]
    fn key_indexes_follow(seed in any::<u64>()) {
        let chain = chain(seed, 8);
        let way = there_and_back(&chain);
        let first = &way[0].1;
        let mut titles = PrimaryKeyIndex::build(first, "Title", None).unwrap();
        let mut by_two = PrimaryKeyIndex::build(first, "Title", Some(&["name.value", "id"])).unwrap();
        let mut people = PrimaryKeyIndex::build(first, "Person", None).unwrap();
        let mut old: Vec<(PrimaryKeyIndex, usize)> = vec![(titles.clone(), 0)];
        for pair in way.windows(2) {
            let ((_, before, _), (at, after, changes)) = (&pair[0], &pair[1]);
            titles = titles.updated(before, after, changes).unwrap();
            by_two = by_two.updated(before, after, changes).unwrap();
            people = people.updated(before, after, changes).unwrap();
            let model = &chain[*at].model;
            check_titles(&titles, after, model);
            old.push((titles.clone(), *at));
            prop_assert_eq!(by_two.len(), model.titles.len());
            for (&id, title) in &model.titles {
                let key: [KeyValue; 2] = [title.name.as_deref().into(), id.into()];
                prop_assert_eq!(by_two.get(&key), titles.get_long(id));
                prop_assert_eq!(by_two.key_of(by_two.get(&key).unwrap()), key.to_vec());
            }
            for id in 0..12 {
                let expected = model.titles.values().any(|title| title.cast.contains(&id)).then(|| model.person(id));
                let found = people.get(&[KeyValue::Int(id)]);
                let tree = found.map(|ordinal| Value::read(after, "Person", ordinal).unwrap().unwrap());
                prop_assert_eq!(tree, expected);
            }
        }
        // Old indexes still answer for their states, and any of them can be moved to any state.
        for (index, at) in &old {
            check_titles(index, &chain[*at].state, &chain[*at].model);
            for version in &chain {
                let moved = index.moved(&chain[*at].state, &version.state).unwrap();
                check_titles(&moved, &version.state, &version.model);
            }
        }
    }

    #[test]
    fn hash_indexes_follow(seed in any::<u64>()) {
        let chain = chain(seed, 6);
        let way = there_and_back(&chain);
        let first = &way[0].1;
        let build = |paths: &[&str], select: &str| HashIndex::build(first, "Title", paths, select).unwrap();
        let mut by_country = build(&["countries.element.code"], "");
        let mut by_role = build(&["cast.element.role", "cast.element.id"], "cast.element");
        let mut by_name = build(&["names.key.tag", "names.value.value"], "");
        let mut by_window = build(&["windows.element.countries.element.code", "live"], "windows.element");
        for pair in way.windows(2) {
            let ((_, before, _), (at, after, changes)) = (&pair[0], &pair[1]);
            for index in [&mut by_country, &mut by_role, &mut by_name, &mut by_window] {
                *index = index.updated(before, after, changes).unwrap();
            }
            let model = &chain[*at].model;
            let titles = |found: Vec<Ordinal>| -> BTreeSet<i64> {
                found.iter().map(|&o| after.type_state("Title").unwrap().object(o).unwrap().long(0).unwrap()).collect()
            };
            for code in 0..20u8 {
                let expected: BTreeSet<i64> = model
                    .titles
                    .iter()
                    .filter(|(_, title)| title.countries.as_ref().is_some_and(|codes| codes.contains(&code)))
                    .map(|(&id, _)| id)
                    .collect();
                prop_assert_eq!(titles(by_country.get(&[format!("C{code}").into()])), expected);
                for live in [Some(true), Some(false), None] {
                    let expected: BTreeSet<Value> = model
                        .titles
                        .iter()
                        .filter(|(_, title)| title.live == live)
                        .flat_map(|(id, title)| {
                            let Value::List(windows) = model.value(*id).unwrap().field("windows").unwrap().clone()
                            else { panic!("windows are a list") };
                            title.windows.clone().into_iter().zip(windows)
                        })
                        .filter(|((_, _, codes), _)| codes.contains(&code))
                        .map(|(_, tree)| tree)
                        .collect();
                    let found: BTreeSet<Value> = by_window
                        .get(&[format!("C{code}").into(), live.into()])
                        .into_iter()
                        .map(|ordinal| Value::read(after, "Window", ordinal).unwrap().unwrap())
                        .collect();
                    prop_assert_eq!(found, expected);
                }
            }
            for id in 0..12 {
                let person = model.person(id);
                let role = match person.field("role").unwrap() {
                    Value::String(role) => KeyValue::String(role.clone()),
                    _ => KeyValue::Null,
                };
                let found = by_role.get(&[role, id.into()]);
                let cast = model.titles.values().any(|title| title.cast.contains(&id));
                prop_assert_eq!(found.len(), usize::from(cast));
                prop_assert!(by_role.get(&["no such role".into(), id.into()]).is_empty());
                for ordinal in found {
                    prop_assert_eq!(Value::read(after, "Person", ordinal).unwrap().unwrap(), person.clone());
                }
            }
            let mut pairs: BTreeMap<(u8, String), BTreeSet<i64>> = BTreeMap::new();
            for (&id, title) in &model.titles {
                for (tag, name) in &title.names {
                    pairs.entry((*tag, name.clone())).or_default().insert(id);
                }
            }
            for ((tag, name), expected) in pairs {
                prop_assert_eq!(titles(by_name.get(&[format!("L{tag}").into(), name.into()])), expected);
            }
        }
    }

    #[test]
    fn diffs_are_the_plain_ones(seed in any::<u64>()) {
        let chain = chain(seed, 6);
        for a in &chain {
            for b in &chain {
                let within = diff(&a.state, &b.state, "Title").unwrap();
                check_diff(&within, &a.model, &b.model);
                // The same titles in states of other chains differ in the same way.
                let across = diff(&alone(&a.model, 1), &alone(&b.model, seed), "Title").unwrap();
                check_diff(&across, &a.model, &b.model);
                let fields = |found: &hollow::diff::Diff| -> BTreeMap<String, Vec<String>> {
                    found
                        .changed
                        .iter()
                        .map(|record| {
                            let mut fields: Vec<String> = record.fields().map(|field| field.to_string()).collect();
                            fields.sort();
                            (format!("{:?}", record.key), fields)
                        })
                        .collect()
                };
                prop_assert_eq!(fields(&within), fields(&across));
            }
        }
    }

    #[test]
    fn histories_are_the_models(seed in any::<u64>()) {
        let chain = chain(seed, 8);
        let forward: Vec<Vec<u8>> = chain
            .windows(2)
            .enumerate()
            .map(|(at, pair)| {
                let mut builder = SegmentBuilder::new(at as i64, at as i64 + 1);
                for type_name in ["Title", "Person"] {
                    builder.record(&pair[0].state, &pair[1].state, &pair[1].changes, type_name).unwrap();
                }
                let mut bytes = Vec::new();
                builder.write(&mut bytes).unwrap();
                bytes
            })
            .collect();
        // The same from the last snapshot and the reverse deltas.
        let last = chain.last().unwrap();
        let mut state = ReadState::from_snapshot(last.snapshot.as_slice(), &Filter::all()).unwrap();
        for at in (1..chain.len()).rev() {
            let (older, changes) = state.apply(chain[at].reverse.as_slice()).unwrap();
            let mut builder = SegmentBuilder::new(at as i64 - 1, at as i64);
            for type_name in ["Title", "Person"] {
                builder.record(&older, &state, &changes.reversed(), type_name).unwrap();
            }
            let mut bytes = Vec::new();
            builder.write(&mut bytes).unwrap();
            let (a, b) = (Segment::open(&forward[at - 1]).unwrap(), Segment::open(&bytes).unwrap());
            prop_assert_eq!(a.len(), b.len());
            let of = |segment: &Segment<'_>| -> Vec<String> {
                let mut all: Vec<String> = segment.changes().map(|change| format!("{:?}", change.unwrap())).collect();
                all.sort();
                all
            };
            prop_assert_eq!(of(&a), of(&b));
            state = older;
        }
        let segments: Vec<Segment<'_>> = forward.iter().map(|bytes| Segment::open(bytes).unwrap()).collect();
        for id in -6..60i64 {
            let found = history(&segments, "Title", &[KeyValue::Long(id)]).unwrap();
            let expected: Vec<Change> = chain
                .windows(2)
                .enumerate()
                .map(|(at, pair)| Change {
                    from: at as i64,
                    to: at as i64 + 1,
                    before: pair[0].model.value(id),
                    after: pair[1].model.value(id),
                })
                .filter(|change| change.before != change.after)
                .collect();
            prop_assert_eq!(found, expected);
        }
        prop_assert!(history(&segments, "Nothing", &[KeyValue::Long(1)]).unwrap().is_empty());
        for id in 0..12 {
            for change in history(&segments, "Person", &[KeyValue::Int(id)]).unwrap() {
                let person = |at: i64| {
                    let model = &chain[at as usize].model;
                    model.titles.values().any(|title| title.cast.contains(&id)).then(|| model.person(id))
                };
                prop_assert_eq!(change.before, person(change.from));
                prop_assert_eq!(change.after, person(change.to));
            }
        }
    }

    #[test]
    fn damaged_histories_give_errors(seed in 0u64..50, place in any::<u64>(), byte in any::<u8>()) {
        let chain = chain(seed, 3);
        let Some(pair) = chain.windows(2).next() else { return Ok(()) };
        let mut builder = SegmentBuilder::new(1, 2);
        builder.record(&pair[0].state, &pair[1].state, &pair[1].changes, "Title").unwrap();
        let mut bytes = Vec::new();
        builder.write(&mut bytes).unwrap();
        let place = (place % bytes.len() as u64) as usize;
        prop_assert!(Segment::open(&bytes[..place]).is_err());
        bytes[place] = byte;
        if let Ok(segment) = Segment::open(&bytes) {
            for change in segment.changes() {
                let _ = change;
            }
        }
    }
}

fn check_diff(found: &hollow::diff::Diff, a: &Model, b: &Model) {
    let (a, b) = (a.values(), b.values());
    let ids = |keys: Vec<Vec<KeyValue>>| -> BTreeSet<i64> {
        keys.into_iter()
            .map(|key| match key.as_slice() {
                [KeyValue::Long(id)] => *id,
                other => panic!("a key {other:?}"),
            })
            .collect()
    };
    let added = ids(found
        .added
        .iter()
        .map(|record| record.key.clone())
        .collect());
    let removed = ids(found
        .removed
        .iter()
        .map(|record| record.key.clone())
        .collect());
    let changed = ids(found
        .changed
        .iter()
        .map(|record| record.key.clone())
        .collect());
    assert_eq!(
        added,
        b.keys().filter(|id| !a.contains_key(id)).copied().collect()
    );
    assert_eq!(
        removed,
        a.keys().filter(|id| !b.contains_key(id)).copied().collect()
    );
    assert_eq!(
        changed,
        a.iter()
            .filter(|(id, v)| b.get(id).is_some_and(|w| *v != w))
            .map(|(id, _)| *id)
            .collect()
    );
    for record in &found.changed {
        let [KeyValue::Long(id)] = record.key.as_slice() else {
            panic!("a key {:?}", record.key)
        };
        let (Value::Object(before), Value::Object(after)) = (&a[id], &b[id]) else {
            panic!("titles are objects")
        };
        let differing: BTreeSet<&str> = before
            .iter()
            .zip(after)
            .filter(|(x, y)| *x != *y)
            .map(|(x, _)| x.0.as_str())
            .collect();
        let paths: Vec<String> = record.fields().map(|field| field.path()).collect();
        let heads: BTreeSet<&str> = paths
            .iter()
            .map(|path| path.split(['.', '[']).next().unwrap())
            .collect();
        assert_eq!(heads, differing);
        for (field, path) in record.fields().zip(&paths) {
            let (before, after) = (field.before().unwrap(), field.after().unwrap());
            assert_ne!(before, after, "{path}");
            if !path.contains('[') {
                assert_eq!(a[id].at(path).unwrap_or(&Value::Null), &before, "{path}");
                assert_eq!(b[id].at(path).unwrap_or(&Value::Null), &after, "{path}");
            }
        }
    }
}
