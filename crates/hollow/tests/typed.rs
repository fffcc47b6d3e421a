//! Derived records: schemas as Hollow's object mapper has them, written, read by views and as values.

#![allow(clippy::unwrap_used, reason = "tests")]

use hollow::schema::parse_schemas;
use hollow::typed::{self, HollowRecord};
use hollow::write::{WriteOptions, WriteState};
use hollow::{Error, Filter, KeyValue, ReadState, Value};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[derive(HollowRecord, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Movie,
    #[hollow(name = "LIMITED_SERIES")]
    LimitedSeries,
}

#[derive(HollowRecord, Debug, Clone, PartialEq)]
#[hollow(key("id"))]
struct Title {
    /// The title's number.
    id: i64,
    kind: Kind,
    #[hollow(shared)]
    other_kind: Option<Kind>,
    original_name: Option<String>,
    #[hollow(shared)]
    name: String,
    countries: BTreeSet<Country>,
    #[hollow(type_name = "Tags", hash_key())]
    tags: HashSet<String>,
    cast: Vec<Person>,
    names: BTreeMap<String, String>,
    kinds: HashMap<Kind, i64>,
    history: Vec<Vec<i32>>,
    score: Option<f32>,
    weight: f64,
    live: bool,
    data: Vec<u8>,
    maybe: Option<Vec<u8>>,
    since: SystemTime,
    #[hollow(name = "type")]
    kind_of_type: i32,
    parent: Option<Arc<Node>>,
    lead: Option<Person>,
}

#[derive(HollowRecord, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Country {
    code: String,
}

#[derive(HollowRecord, Debug, Clone, PartialEq)]
#[hollow(name = "CastMember", key("number", "role"))]
struct Person {
    number: i32,
    role: String,
}

#[derive(HollowRecord, Debug, Clone, PartialEq)]
struct Node {
    value: i32,
    parent: Option<Arc<Node>>,
    children: Vec<Node>,
}

#[derive(HollowRecord, Debug, Clone, PartialEq)]
struct Empty {}

#[test]
fn schemas_are_those_of_hollows_object_mapper() {
    let expected = parse_schemas(
        "
        Kind { string _name; }
        String { string value; }
        Country { string code; }
        SetOfCountry Set<Country> @HashKey(code);
        Tags Set<String>;
        CastMember @PrimaryKey(number, role) { int number; string role; }
        ListOfCastMember List<CastMember>;
        MapOfStringToString Map<String, String> @HashKey(value);
        Long { long value; }
        MapOfKindToLong Map<Kind, Long> @HashKey(_name);
        Integer { int value; }
        ListOfInteger List<Integer>;
        ListOfListOfInteger List<ListOfInteger>;
        ListOfNode List<Node>;
        Node { int value; Node parent; ListOfNode children; }
        Title @PrimaryKey(id) {
            long id; string kind; Kind otherKind; string originalName; String name; SetOfCountry countries; Tags tags;
            ListOfCastMember cast; MapOfStringToString names; MapOfKindToLong kinds; ListOfListOfInteger history;
            float score; double weight; boolean live; bytes data; bytes maybe; long since; int type; Node parent;
            CastMember lead;
        }",
    )
    .unwrap();
    assert_eq!(typed::schemas::<Title>().unwrap(), expected);
    assert_eq!(
        typed::schemas::<Empty>().unwrap(),
        parse_schemas("Empty {}").unwrap()
    );
}

mod elsewhere {
    use hollow::typed::HollowRecord;

    #[derive(HollowRecord)]
    #[hollow(name = "Country")]
    pub(super) struct Other {
        pub(super) code: i64,
    }
}

#[test]
fn one_name_for_two_types_is_refused() {
    let both = [
        <Country as HollowRecord>::register,
        <elsewhere::Other as HollowRecord>::register,
    ];
    assert!(matches!(
        typed::schemas_of(&both),
        Err(Error::IncompatibleSchemas { .. })
    ));
    assert_eq!(elsewhere::Other { code: 1 }.code, 1);
}

fn title(seed: u64) -> Title {
    let n = seed as i32 % 1000;
    let person = |number: i32| Person {
        number,
        role: format!("role {}", number % 3),
    };
    let node = |value: i32, children: Vec<Node>| Node {
        value,
        parent: None,
        children,
    };
    Title {
        id: seed as i64,
        kind: if n % 2 == 0 {
            Kind::Movie
        } else {
            Kind::LimitedSeries
        },
        other_kind: (n % 3 != 0).then_some(Kind::LimitedSeries),
        original_name: (n % 4 != 0).then(|| format!("title \u{e9} {n}")),
        name: format!("name {}", n % 7),
        countries: (0..n % 5)
            .map(|code| Country {
                code: format!("C{code}"),
            })
            .collect(),
        tags: (0..n % 6).map(|tag| format!("tag {tag}")).collect(),
        cast: (0..n % 4).map(person).collect(),
        names: (0..n % 3)
            .map(|i| (format!("L{i}"), format!("name {}", i + n)))
            .collect(),
        kinds: (0..n % 3)
            .map(|i| {
                (
                    if i == 0 {
                        Kind::Movie
                    } else {
                        Kind::LimitedSeries
                    },
                    i64::from(i * n),
                )
            })
            .collect(),
        history: (0..n % 3).map(|i| (0..i).collect()).collect(),
        score: (n % 2 == 0).then_some(n as f32 / 3.0),
        weight: f64::from(n) / 7.0,
        live: n % 2 == 1,
        data: vec![n as u8; (n % 4) as usize],
        maybe: (n % 5 == 0).then(|| vec![1, 2, 3]),
        since: SystemTime::UNIX_EPOCH + Duration::from_millis(u64::from(n.unsigned_abs())),
        kind_of_type: -n,
        parent: (n % 3 == 0).then(|| {
            let mut inner = node(n, vec![node(n + 1, Vec::new()), node(n + 2, Vec::new())]);
            inner.parent = Some(Arc::new(node(7, Vec::new())));
            Arc::new(inner)
        }),
        lead: (n % 3 == 1).then(|| person(n)),
    }
}

fn written(titles: &[Title]) -> ReadState {
    let mut state =
        WriteState::new(typed::schemas::<Title>().unwrap(), WriteOptions::default()).unwrap();
    let mut writer = typed::Writer::<Title>::new();
    state.begin_total();
    for title in titles {
        writer.add(&mut state, title).unwrap();
    }
    let sealed = state.seal(1 << 33, BTreeMap::new()).unwrap();
    let mut snapshot = Vec::new();
    sealed.write_snapshot(None, &mut snapshot).unwrap();
    ReadState::from_snapshot(snapshot.as_slice(), &Filter::all()).unwrap()
}

#[test]
fn views_read_without_copying() {
    let titles: Vec<Title> = (1..200).map(title).collect();
    let state = written(&titles);
    let reader = typed::Reader::<Title>::new(&state);
    assert_eq!(reader.records().unwrap().count(), titles.len());
    for ((ordinal, view), title) in reader.iter().zip(&titles) {
        assert_eq!(view.ordinal(), ordinal);
        assert_eq!(view.id(), Some(title.id));
        assert_eq!(view.kind(), Some(title.kind));
        assert_eq!(view.other_kind(), title.other_kind);
        assert_eq!(
            view.original_name().map(|name| name.to_string()),
            title.original_name
        );
        assert!(view.name().unwrap() == title.name.as_str());
        let countries: BTreeSet<String> = view
            .countries()
            .unwrap()
            .iter()
            .map(|country| country.code().unwrap().to_string())
            .collect();
        assert_eq!(
            countries,
            title
                .countries
                .iter()
                .map(|country| country.code.clone())
                .collect()
        );
        assert_eq!(view.tags().unwrap().len(), title.tags.len());
        let cast = view.cast().unwrap();
        assert_eq!(cast.len(), title.cast.len());
        for (index, person) in title.cast.iter().enumerate() {
            assert_eq!(cast.get(index).unwrap().number(), Some(person.number));
        }
        let names: BTreeMap<String, String> = view
            .names()
            .unwrap()
            .iter()
            .map(|(tag, name)| (tag.to_string(), name.to_string()))
            .collect();
        assert_eq!(names, title.names);
        let kinds: HashMap<Kind, i64> = view.kinds().unwrap().iter().collect();
        assert_eq!(kinds, title.kinds);
        let history: Vec<Vec<i32>> = view
            .history()
            .unwrap()
            .iter()
            .map(|inner| inner.iter().collect())
            .collect();
        assert_eq!(history, title.history);
        assert_eq!(view.data(), Some(title.data.as_slice()));
        assert_eq!(view.maybe(), title.maybe.as_deref());
        assert_eq!(view.since(), Some(title.since));
        assert_eq!(view.kind_of_type(), Some(title.kind_of_type));
        let grandparent = view
            .parent()
            .and_then(|parent| parent.parent())
            .and_then(|parent| parent.value());
        assert_eq!(grandparent, title.parent.as_ref().map(|_| 7));
        assert_eq!(
            view.lead().and_then(|lead| lead.number()),
            title.lead.as_ref().map(|lead| lead.number)
        );
    }
}

#[test]
fn upserts_by_key() {
    let mut state =
        WriteState::new(typed::schemas::<Title>().unwrap(), WriteOptions::default()).unwrap();
    let mut writer = typed::Writer::<Title>::new();
    state.begin_total();
    writer.add(&mut state, &title(3)).unwrap();
    writer.add(&mut state, &title(4)).unwrap();
    state.seal(1 << 33, BTreeMap::new()).unwrap();
    state.commit().unwrap();
    state.begin_incremental();
    let changed = Title {
        live: true,
        name: "another".into(),
        ..title(4)
    };
    let upserted = writer.upsert(&mut state, &changed).unwrap();
    assert!(upserted.changed && upserted.previous.is_some());
    state.seal(2 << 33, BTreeMap::new()).unwrap();
    let after = state.commit().unwrap().clone();
    let reader = typed::Reader::<Title>::new(&after);
    let index = hollow::index::PrimaryKeyIndex::build(&after, "Title", None).unwrap();
    assert_eq!(
        reader
            .read(index.get(&[KeyValue::Long(4)]).unwrap())
            .unwrap(),
        changed
    );
    assert_eq!(reader.read(index.get_long(3).unwrap()).unwrap(), title(3));
}

#[test]
fn what_a_state_lacks_is_null_or_an_error() {
    let schemas =
        parse_schemas("CastMember @PrimaryKey(number) { long extra; int number; string role; }")
            .unwrap();
    let mut state = WriteState::new(schemas, WriteOptions::default()).unwrap();
    state.begin_total();
    Value::from([("extra", 1i64.into()), ("number", 5.into())])
        .add(&mut state, "CastMember")
        .unwrap();
    let mut writer = typed::Writer::<Person>::new();
    let refused = writer.add(
        &mut state,
        &Person {
            number: 1,
            role: String::new(),
        },
    );
    assert!(matches!(refused, Err(Error::IncompatibleSchemas { .. })));
    let refused = typed::Writer::<Country>::new().add(
        &mut state,
        &Country {
            code: String::new(),
        },
    );
    assert_eq!(refused, Err(Error::UnknownType("Country".into())));
    state.seal(1 << 33, BTreeMap::new()).unwrap();
    let state = state.commit().unwrap().clone();
    let reader = typed::Reader::<Person>::new(&state);
    let view = reader.get(0).unwrap();
    assert_eq!(view.number(), Some(5));
    assert!(view.role().is_none());
    assert!(matches!(reader.read(0), Err(Error::MissingValue { .. })));
    assert!(matches!(reader.read(9), Err(Error::MissingValue { .. })));
    assert!(reader.get(9).is_none());
    assert!(typed::Reader::<Country>::new(&state).get(0).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_come_back(seeds in proptest::collection::btree_set(0u64..100_000, 1..40)) {
        let titles: Vec<Title> = seeds.into_iter().map(title).collect();
        let state = written(&titles);
        let reader = typed::Reader::<Title>::new(&state);
        let read: Vec<Title> = reader.iter().map(|(ordinal, _)| reader.read(ordinal).unwrap()).collect();
        prop_assert_eq!(&read, &titles);
        // Hashed collections iterate differently each time; what is written is the same.
        let again = written(&titles);
        prop_assert!(state.types().zip(again.types()).all(|(a, b)| a.changed_ordinals(b).is_empty()));
    }

    #[test]
    fn times_before_the_epoch(nanos in 0u64..10_000_000_000) {
        let since = SystemTime::UNIX_EPOCH - Duration::from_nanos(nanos);
        let state = written(&[Title { since, ..title(1) }]);
        let read = typed::Reader::<Title>::new(&state).read(0).unwrap().since;
        prop_assert!(read <= since && since.duration_since(read).unwrap() < Duration::from_millis(1));
    }
}
