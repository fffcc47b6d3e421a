//! Diffs of records that share lists of groups, and groups that share sets, against a plain comparison of the trees: so the
//! ways by hashes, by classes and by what was found before all have to tell the same.

#![allow(clippy::unwrap_used, reason = "tests")]

mod catalogue;

use catalogue::Random;
use hollow::diff::{Diff, diff};
use hollow::schema::parse_schemas;
use hollow::write::{WriteOptions, WriteState};
use hollow::{Filter, KeyValue, ReadState, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SCHEMAS: &str = "
    Video @PrimaryKey(id) { long id; Facts facts; ListOfGroup groups; }
    Facts { string name; ListOfGroup former; }
    Group { boolean live; SetOfCountry countries; SetOfCountry others; long next; }
    Country { string code; }
    ListOfGroup List<Group>;
    SetOfCountry Set<Country>;
";

/// Pools of what videos share, so that each part is met again and again.
#[derive(Clone)]
struct Model {
    codes: u64,
    sets: Vec<Value>,
    groups: Vec<Value>,
    lists: Vec<Value>,
    videos: BTreeMap<i64, Value>,
}

/// The next state's model, in which a part of each pool is another.
fn changed(model: &Model, random: &mut Random, percent: u64) -> Model {
    let mut new = model.clone();
    let mut again = |values: &mut Vec<Value>, make: &mut dyn FnMut(&mut Random) -> Value| {
        for value in values {
            if random.chance(percent) {
                *value = make(random);
            }
        }
    };
    again(&mut new.sets, &mut |random| {
        let members = random.below(new.codes + 1);
        let country = |random: &mut Random| {
            let code = format!("C{}", random.below(new.codes));
            Value::from([("code", code.as_str().into())])
        };
        Value::Set((0..members).map(|_| country(random)).collect())
    });
    fn any(random: &mut Random, pool: &[Value]) -> Value {
        pool[random.below(pool.len() as u64) as usize].clone()
    }
    again(&mut new.groups, &mut |random| {
        let next = match random.chance(70) {
            true => (random.below(3) as i64).into(),
            false => Value::Null,
        };
        Value::from([
            ("live", random.chance(50).into()),
            ("countries", any(random, &new.sets)),
            ("others", any(random, &new.sets)),
            ("next", next),
        ])
    });
    again(&mut new.lists, &mut |random| {
        let groups = random.below(12);
        Value::List((0..groups).map(|_| any(random, &new.groups)).collect())
    });
    for id in 0..60 {
        if new.videos.contains_key(&id) && !random.chance(percent) {
            continue;
        }
        let list = |random: &mut Random| match random.chance(90) {
            true => any(random, &new.lists),
            false => Value::Null,
        };
        let facts = Value::from([
            ("name", format!("{}", random.below(3)).as_str().into()),
            ("former", list(random)),
        ]);
        let video = Value::from([
            ("id", id.into()),
            ("facts", facts),
            ("groups", list(random)),
        ]);
        new.videos.insert(id, video);
    }
    new
}

/// Countries come first in their order if they are `listed`, so that they have the same ordinals in all states.
fn written(writer: &mut WriteState, model: &Model, order: u64, listed: bool) -> ReadState {
    writer.begin_total();
    for number in (0..model.codes).filter(|_| listed) {
        let code = format!("C{number}");
        let country = Value::from([("code", code.as_str().into())]);
        country.add(writer, "Country").unwrap();
    }
    let mut videos: Vec<&Value> = model.videos.values().collect();
    videos.sort_by_key(|video| match video.field("id") {
        Some(Value::Long(id)) => Random(order ^ *id as u64).next(),
        _ => 0,
    });
    for video in videos {
        video.add(writer, "Video").unwrap();
    }
    let sealed = writer
        .seal((1 << 33 | order) as i64, BTreeMap::new())
        .unwrap();
    let mut snapshot = Vec::new();
    sealed.write_snapshot(None, &mut snapshot).unwrap();
    writer.commit().unwrap();
    ReadState::from_snapshot(&snapshot[..], &Filter::all()).unwrap()
}

fn writer() -> WriteState {
    WriteState::new(parse_schemas(SCHEMAS).unwrap(), WriteOptions::default()).unwrap()
}

type Places = Vec<(String, Value, Value)>;

/// What differs between two trees, from the definitions.
fn plain(path: &str, before: &Value, after: &Value, places: &mut Places) {
    let mut place = |path: &str, before: &Value, after: &Value| {
        places.push((path.to_owned(), before.clone(), after.clone()));
    };
    match (before, after) {
        _ if before == after => {}
        (Value::Object(a), Value::Object(b)) => {
            for ((name, a), (_, b)) in a.iter().zip(b) {
                let dot = if path.is_empty() { "" } else { "." };
                plain(&format!("{path}{dot}{name}"), a, b, places);
            }
        }
        (Value::Set(a), Value::Set(b)) => {
            let path = format!("{path}[]");
            a.difference(b)
                .for_each(|gone| place(&path, gone, &Value::Null));
            b.difference(a)
                .for_each(|new| place(&path, &Value::Null, new));
        }
        (Value::List(a), Value::List(b)) => {
            // The first of equal elements with the first.
            let mut gone: Vec<usize> = (0..a.len()).collect();
            let mut new: Vec<usize> = Vec::new();
            for (position, element) in b.iter().enumerate() {
                match gone.iter().position(|&at| a[at] == *element) {
                    Some(found) => drop(gone.remove(found)),
                    None => new.push(position),
                }
            }
            if gone.is_empty() && new.is_empty() {
                return place(path, before, after);
            }
            let both = gone.len().min(new.len());
            gone[both..]
                .iter()
                .for_each(|&at| place(&format!("{path}[{at}]"), &a[at], &Value::Null));
            new[both..]
                .iter()
                .for_each(|&at| place(&format!("{path}[{at}]"), &Value::Null, &b[at]));
            for (&gone, &new) in gone.iter().zip(&new) {
                plain(&format!("{path}[{new}]"), &a[gone], &b[new], places);
            }
        }
        _ => place(path, before, after),
    }
}

fn check(found: &Diff, a: &Model, b: &Model) {
    assert!(found.added.is_empty() && found.removed.is_empty());
    let mut videos: BTreeMap<i64, Places> = BTreeMap::new();
    for record in &found.changed {
        let [KeyValue::Long(id)] = record.key[..] else {
            panic!("a key {:?}", record.key)
        };
        let places = record.fields().map(|field| {
            let (before, after) = (field.before().unwrap(), field.after().unwrap());
            (field.path(), before, after)
        });
        let mut places: Places = places.collect();
        assert_eq!(record.fields().len(), places.len());
        // One after the other, as well as all at once.
        let mut fields = record.fields();
        for (path, ..) in &places {
            assert_eq!(&fields.next().unwrap().path(), path);
        }
        assert!(fields.next().is_none());
        places.sort();
        assert!(videos.insert(id, places).is_none());
    }
    let mut expected: BTreeMap<i64, Places> = BTreeMap::new();
    for (id, before) in &a.videos {
        let mut places = Places::new();
        plain("", before, &b.videos[id], &mut places);
        places.sort();
        if !places.is_empty() {
            expected.insert(*id, places);
        }
    }
    assert_eq!(videos, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Few or many countries and groups, so that sets and groups are hashed beforehand or not, and sets are of every size.
    #[test]
    fn shared_lists_and_sets_are_told_as_the_trees_differ(
        seed in any::<u64>(),
        codes in prop_oneof![Just(3), Just(20), Just(250), Just(300)],
        groups in prop_oneof![Just(4), Just(40)],
        percent in prop_oneof![Just(3), Just(30)],
        listed in any::<bool>(),
    ) {
        let mut random = Random(seed);
        let empty = Model {
            codes,
            sets: vec![Value::Null; 25],
            groups: vec![Value::Null; groups],
            lists: vec![Value::Null; 12],
            videos: BTreeMap::new(),
        };
        let a = changed(&empty, &mut random, 100);
        let b = changed(&a, &mut random, percent);
        let mut chain = writer();
        let (old, new) = (written(&mut chain, &a, 1, listed), written(&mut chain, &b, 2, listed));
        check(&diff(&old, &new, "Video").unwrap(), &a, &b);
        check(&diff(&new, &old, "Video").unwrap(), &b, &a);
        for order in [1, seed >> 32] {
            let other = written(&mut writer(), &b, order, listed);
            check(&diff(&old, &other, "Video").unwrap(), &a, &b);
        }
    }
}
