//! Diffs of sets of a few things, whose ordinals mean the same in both states, or nearly the same, or something else; also
//! in states of foreign writers, that hold equal records twice. Sets are told by what their members are called, as often as
//! they have it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod catalogue;

use catalogue::Random;
use hollow::diff::{Diff, diff};
use hollow::schema::parse_schemas;
use hollow::write::{WriteOptions, WriteState};
use hollow::{Filter, KeyValue, ReadState, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Videos with the countries of each, by number.
type Model = BTreeMap<i64, Vec<u64>>;

/// How a state is written.
#[derive(Clone)]
struct Written {
    /// The countries, in the order of their ordinals.
    order: Vec<u64>,
    /// What countries are called in truth: two of them may be called the same.
    renamed: BTreeMap<u64, u64>,
    has_hash_key: bool,
    /// Whether videos have one field more, in front of the others.
    has_more: bool,
}

fn name(country: u64) -> String {
    format!("country{country:04}")
}

/// A country with numbers that are equal to nothing, or null.
fn country(number: u64) -> Value {
    let weight = match number % 3 {
        0 => Value::Null,
        1 => Value::Float(f32::NAN),
        _ => Value::Float(number as f32),
    };
    Value::from([("weight", weight), ("code", name(number).as_str().into())])
}

impl Written {
    fn state(&self, model: &Model, tag: i64) -> ReadState {
        let (more, key) = (
            if self.has_more { "string more;" } else { "" },
            if self.has_hash_key {
                "@HashKey(code)"
            } else {
                ""
            },
        );
        let schemas = format!(
            "Video @PrimaryKey(id) {{ {more} long id; SetOfCountry countries; ListOfGroup groups; }}
            Group {{ int rank; SetOfCountry countries; }}
            ListOfGroup List<Group>;
            Country {{ float weight; string code; }}
            SetOfCountry Set<Country> {key};"
        );
        let schemas = parse_schemas(&schemas).unwrap();
        let mut writer = WriteState::new(schemas, WriteOptions::default()).unwrap();
        writer.begin_total();
        for &number in &self.order {
            country(number).add(&mut writer, "Country").unwrap();
        }
        for (&id, countries) in model {
            let set = |skipped: usize| -> Value {
                let countries = countries.iter().skip(skipped);
                Value::Set(countries.map(|&number| country(number)).collect())
            };
            // Each group twice, as what is met again.
            let group = |at: i32| Value::from([("rank", (at % 3).into()), ("countries", set(1))]);
            let mut fields = vec![
                ("id", id.into()),
                ("countries", set(0)),
                ("groups", Value::List((0..6).map(group).collect())),
            ];
            if self.has_more {
                fields.insert(0, ("more", Value::Null));
            }
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            Value::Object(fields.collect())
                .add(&mut writer, "Video")
                .unwrap();
        }
        let sealed = writer.seal(tag, BTreeMap::new()).unwrap();
        let mut snapshot = Vec::new();
        sealed.write_snapshot(None, &mut snapshot).unwrap();
        let find = |country: u64| {
            let name = name(country);
            let mut windows = snapshot.windows(name.len());
            windows.position(|bytes| bytes == name.as_bytes())
        };
        let places: Vec<(Option<usize>, String)> = self
            .renamed
            .iter()
            .map(|(&from, &to)| (find(from), name(to)))
            .collect();
        for (at, name) in places {
            if let Some(at) = at {
                snapshot[at..at + name.len()].copy_from_slice(name.as_bytes());
            }
        }
        ReadState::from_snapshot(&snapshot[..], &Filter::all()).unwrap()
    }

    /// What the countries are called, and their weights, as often as they are there.
    fn countries(&self, numbers: &[u64]) -> BTreeMap<(u64, u64), i64> {
        let mut countries = BTreeMap::new();
        for number in numbers {
            let called = self.renamed.get(number).unwrap_or(number);
            let weight = if number % 3 < 2 { number % 3 } else { *number };
            *countries.entry((*called, weight)).or_default() += 1;
        }
        countries
    }
}

/// What two sets do not share: counts above zero are of what is gone, below of what is new.
type Unshared = BTreeMap<(u64, u64), i64>;

fn unshared(old: BTreeMap<(u64, u64), i64>, new: BTreeMap<(u64, u64), i64>) -> Unshared {
    let mut unshared = old;
    for (country, count) in new {
        *unshared.entry(country).or_default() -= count;
    }
    unshared.retain(|_, count| *count != 0);
    unshared
}

fn check(found: &Diff, [a, b]: [(&Written, &Model); 2]) {
    assert!(found.added.is_empty() && found.removed.is_empty());
    let mut videos: BTreeMap<i64, BTreeMap<String, Unshared>> = BTreeMap::new();
    for record in &found.changed {
        let [KeyValue::Long(id)] = record.key[..] else {
            panic!("a key {:?}", record.key)
        };
        let sets = videos.entry(id).or_default();
        for field in record.fields() {
            let (before, after) = (field.before().unwrap(), field.after().unwrap());
            let (value, count) = match before {
                Value::Null => (after, -1),
                before => (before, 1),
            };
            let Some(Value::String(code)) = value.field("code") else {
                panic!("{field}")
            };
            let called = code.trim_start_matches("country").parse().unwrap();
            let weight = match value.field("weight") {
                Some(Value::Float(weight)) if weight.is_nan() => 1,
                Some(Value::Float(weight)) => *weight as u64,
                _ => 0,
            };
            let set = sets.entry(field.path()).or_default();
            *set.entry((called, weight)).or_default() += count;
        }
    }
    let mut expected: BTreeMap<i64, BTreeMap<String, Unshared>> = BTreeMap::new();
    for (id, old) in a.1 {
        let new = &b.1[id];
        let paths = (0..6).map(|at| (format!("groups[{at}].countries[]"), 1));
        for (path, skipped) in paths.chain([("countries[]".to_owned(), 0)]) {
            let of = |(written, _): (&Written, &Model), numbers: &[u64]| {
                written.countries(numbers.get(skipped..).unwrap_or_default())
            };
            let unshared = unshared(of(a, old), of(b, new));
            if !unshared.is_empty() {
                expected.entry(*id).or_default().insert(path, unshared);
            }
        }
    }
    assert_eq!(videos, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn members_are_told_by_content_whatever_their_ordinals_mean(
        seed in any::<u64>(),
        codes in prop_oneof![Just(5_u64), Just(30), Just(250), Just(300), Just(1100)],
        size in prop_oneof![Just(4_u64), Just(12), Just(40)],
        renamed in 0..4_usize,
        order in 0..5,
        has_hash_keys in any::<[bool; 2]>(),
        has_more in any::<bool>(),
    ) {
        let mut random = Random(seed);
        let numbers: Vec<u64> = (0..codes).collect();
        let mut other = numbers.clone();
        match order {
            0 => {}
            // One place less, so that all behind it mean something else.
            1 => drop(other.remove(random.below(codes) as usize)),
            2 => other.swap(0, codes as usize - 1),
            3 => drop(other.pop()),
            _ => other.reverse(),
        }
        let mut names = || -> BTreeMap<u64, u64> {
            let mut rename = || {
                // Alike but for the name.
                let from = random.below(codes);
                (from, (from + 3 * random.below(codes)) % codes / 3 * 3 + from % 3)
            };
            let renamed = (0..renamed).map(|_| rename()).filter(|(_, to)| *to < codes);
            renamed.collect()
        };
        let old = Written {
            order: numbers,
            renamed: names(),
            has_hash_key: has_hash_keys[0],
            has_more: false,
        };
        let new = Written {
            order: other,
            renamed: if seed % 2 == 0 { old.renamed.clone() } else { names() },
            has_hash_key: has_hash_keys[1],
            has_more,
        };
        let mut set = || {
            let mut members: Vec<u64> = (0..random.below(size + 1)).map(|_| random.below(codes)).collect();
            members.sort_unstable();
            members.dedup();
            members
        };
        let videos = (codes / 2).max(120) as i64 * 2;
        let a: Model = (0..videos).map(|id| (id, set())).collect();
        let mut b = a.clone();
        for id in (0..videos).step_by(5) {
            let members = set();
            b.insert(id, members);
        }
        let states = [old.state(&a, 1), new.state(&b, 2)];
        check(&diff(&states[0], &states[1], "Video").unwrap(), [(&old, &a), (&new, &b)]);
        check(&diff(&states[1], &states[0], "Video").unwrap(), [(&new, &b), (&old, &a)]);
    }
}
