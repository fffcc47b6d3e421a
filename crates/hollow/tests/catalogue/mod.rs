//! A plain-map model of a small catalogue, random changes to it, and chains of states written from it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use hollow::schema::parse_schemas;
use hollow::write::{WriteOptions, WriteState};
use hollow::{Changes, Filter, KeyValue, ReadState, Schema, Value};
use std::collections::{BTreeMap, BTreeSet};

pub const SCHEMAS: &str = "
    Title @PrimaryKey(id) {
        long id; Name name; string note; SetOfCountry countries; ListOfPerson cast; MapOfLanguageToName names;
        ListOfWindow windows; float score; boolean live; bytes data; double weight; Parent parent;
    }
    Person @PrimaryKey(id) { int id; Name name; string role; }
    Name { string value; }
    Country { string code; }
    Language { string tag; }
    Window { long start; long end; SetOfCountry countries; }
    Parent { Name name; Parent parent; }
    SetOfCountry Set<Country> @HashKey(code);
    ListOfPerson List<Person>;
    ListOfWindow List<Window>;
    MapOfLanguageToName Map<Language, Name>;
";

pub fn schemas() -> Vec<Schema> {
    parse_schemas(SCHEMAS).unwrap()
}

/// SplitMix64: enough for tests, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The data: titles by id, and people by id. A title's cast names people; each person is one record.
#[derive(Clone, Default)]
pub struct Model {
    pub titles: BTreeMap<i64, Title>,
    pub people: BTreeMap<i32, (String, Option<String>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Title {
    pub name: Option<String>,
    pub note: Option<String>,
    pub countries: Option<BTreeSet<u8>>,
    pub cast: Vec<i32>,
    pub names: BTreeMap<u8, String>,
    pub windows: Vec<(i64, i64, BTreeSet<u8>)>,
    pub score: Option<f32>,
    pub live: Option<bool>,
    pub data: Option<Vec<u8>>,
    pub weight: f64,
    pub parents: Vec<String>,
}

fn text(random: &mut Random) -> String {
    const TEXTS: [&str; 8] = [
        "",
        "a",
        "The Matrix",
        "caf\u{e9}",
        "\u{1F600}",
        "b",
        "Memento",
        "zz\0",
    ];
    format!("{}{}", TEXTS[random.below(8) as usize], random.below(30))
}

fn countries(random: &mut Random) -> BTreeSet<u8> {
    let count = random.below(6);
    (0..count).map(|_| random.below(20) as u8).collect()
}

impl Title {
    pub fn random(random: &mut Random) -> Self {
        let mut title = Title {
            name: None,
            note: None,
            countries: None,
            cast: Vec::new(),
            names: BTreeMap::new(),
            windows: Vec::new(),
            score: None,
            live: None,
            data: None,
            weight: 0.5,
            parents: Vec::new(),
        };
        for _ in 0..12 {
            title.change(random);
        }
        title
    }

    pub fn change(&mut self, random: &mut Random) {
        match random.below(11) {
            0 => self.name = random.chance(90).then(|| text(random)),
            1 => self.note = random.chance(70).then(|| text(random)),
            2 => self.countries = random.chance(80).then(|| countries(random)),
            3 => {
                self.cast = (0..random.below(4))
                    .map(|_| random.below(12) as i32)
                    .collect();
                let mut seen = BTreeSet::new();
                self.cast.retain(|person| seen.insert(*person));
            }
            4 => {
                self.names.insert(random.below(5) as u8, text(random));
            }
            5 => {
                self.names.remove(&(random.below(5) as u8));
            }
            6 => {
                let start = random.below(1000) as i64 - 500;
                self.windows
                    .push((start, start + random.below(100) as i64, countries(random)));
            }
            7 => {
                if !self.windows.is_empty() {
                    let at = random.below(self.windows.len() as u64) as usize;
                    if random.chance(50) {
                        self.windows.remove(at);
                    } else {
                        self.windows[at].1 += 1;
                    }
                }
            }
            8 => self.windows.reverse(),
            9 => {
                self.score = random.chance(70).then(|| random.below(100) as f32 / 7.0);
                self.live = random.chance(70).then(|| random.chance(50));
                self.weight = random.below(1000) as f64 / 3.0;
            }
            _ => {
                self.data = random
                    .chance(70)
                    .then(|| vec![random.below(256) as u8; random.below(9) as usize]);
                self.parents = (0..random.below(3)).map(|_| text(random)).collect();
            }
        }
    }
}

fn name(value: &str) -> Value {
    [("value", value.into())].into()
}

fn country(code: u8) -> Value {
    [("code", format!("C{code}").as_str().into())].into()
}

impl Model {
    pub fn change(&mut self, random: &mut Random, people_too: bool) {
        for _ in 0..=random.below(8) {
            let id = random.below(60) as i64 - 5;
            match random.below(10) {
                0..3 => {
                    self.titles.insert(id, Title::random(random));
                }
                3..5 => {
                    self.titles.remove(&id);
                }
                5 if people_too => {
                    let role = random.chance(60).then(|| text(random));
                    self.people
                        .insert(random.below(12) as i32, (text(random), role));
                }
                _ => {
                    if let Some(title) = self.titles.get_mut(&id) {
                        title.change(random);
                    }
                }
            }
        }
    }

    pub fn person(&self, id: i32) -> Value {
        let unknown = (format!("person {id}"), None);
        let (person, role) = self.people.get(&id).unwrap_or(&unknown);
        [
            ("id", id.into()),
            ("name", name(person)),
            ("role", role.clone().into()),
        ]
        .into()
    }

    pub fn value(&self, id: i64) -> Option<Value> {
        let title = self.titles.get(&id)?;
        let set =
            |codes: &BTreeSet<u8>| Value::Set(codes.iter().map(|&code| country(code)).collect());
        let names = title.names.iter().map(|(tag, value)| {
            let language: Value = [("tag", format!("L{tag}").as_str().into())].into();
            (language, name(value))
        });
        let windows = title.windows.iter().map(|(start, end, codes)| {
            Value::from([
                ("start", (*start).into()),
                ("end", (*end).into()),
                ("countries", set(codes)),
            ])
        });
        let parent = title.parents.iter().fold(Value::Null, |parent, value| {
            [("name", name(value)), ("parent", parent)].into()
        });
        Some(Value::from([
            ("id", id.into()),
            (
                "name",
                title.name.as_deref().map(name).unwrap_or(Value::Null),
            ),
            ("note", title.note.clone().into()),
            (
                "countries",
                title.countries.as_ref().map(set).unwrap_or(Value::Null),
            ),
            (
                "cast",
                Value::List(
                    title
                        .cast
                        .iter()
                        .map(|&person| self.person(person))
                        .collect(),
                ),
            ),
            ("names", Value::Map(names.collect())),
            ("windows", Value::List(windows.collect())),
            ("score", title.score.into()),
            ("live", title.live.into()),
            ("data", title.data.clone().into()),
            ("weight", title.weight.into()),
            ("parent", parent),
        ]))
    }

    /// All titles as trees.
    pub fn values(&self) -> BTreeMap<i64, Value> {
        self.titles
            .keys()
            .map(|&id| (id, self.value(id).unwrap()))
            .collect()
    }

    /// Adds all titles to an open cycle; `order` mixes them up.
    pub fn populate(&self, writer: &mut WriteState, order: u64) {
        let mut ids: Vec<i64> = self.titles.keys().copied().collect();
        ids.sort_by_key(|&id| Random(order ^ id as u64).next());
        for id in ids {
            self.value(id).unwrap().add(writer, "Title").unwrap();
        }
    }
}

/// One step of a chain: the state, what led there, and the blobs.
pub struct Version {
    pub model: Model,
    pub state: ReadState,
    pub changes: Changes,
    pub snapshot: Vec<u8>,
    pub delta: Vec<u8>,
    pub reverse: Vec<u8>,
}

/// A chain of versions after random changes, followed as a reader follows it. Cycles without a change are left out.
pub fn chain(seed: u64, versions: usize) -> Vec<Version> {
    let mut random = Random(seed);
    let mut model = Model::default();
    let mut writer = WriteState::new(schemas(), WriteOptions::default()).unwrap();
    let mut chain: Vec<Version> = Vec::new();
    for version in 0..versions as i64 {
        let incremental = version > 0 && random.chance(40);
        let before = model.clone();
        for _ in 0..if version == 0 { 10 } else { 1 } {
            model.change(&mut random, !incremental);
        }
        if incremental {
            writer.begin_incremental();
            for id in before
                .titles
                .keys()
                .filter(|id| !model.titles.contains_key(id))
            {
                writer
                    .delete(writer.type_id("Title").unwrap(), &[KeyValue::Long(*id)])
                    .unwrap();
            }
            for id in model
                .titles
                .keys()
                .filter(|id| model.titles.get(id) != before.titles.get(id))
            {
                model
                    .value(*id)
                    .unwrap()
                    .upsert(&mut writer, "Title")
                    .unwrap();
            }
        } else {
            writer.begin_total();
            model.populate(&mut writer, version as u64);
        }
        let sealed = writer
            .seal((version + 1) << 33 | 7, BTreeMap::new())
            .unwrap();
        if version > 0 && !sealed.has_changes() {
            writer.rollback();
            continue;
        }
        let (mut snapshot, mut delta, mut reverse) = (Vec::new(), Vec::new(), Vec::new());
        sealed.write_snapshot(None, &mut snapshot).unwrap();
        if version > 0 {
            sealed.write_delta(None, &mut delta).unwrap();
            sealed.write_reverse_delta(None, &mut reverse).unwrap();
        }
        writer.commit().unwrap();
        let (state, changes) = match chain.last() {
            None => (
                ReadState::from_snapshot(snapshot.as_slice(), &Filter::all()).unwrap(),
                Changes::default(),
            ),
            Some(last) => last.state.apply(delta.as_slice()).unwrap(),
        };
        chain.push(Version {
            model: model.clone(),
            state,
            changes,
            snapshot,
            delta,
            reverse,
        });
    }
    chain
}

/// A state with the same titles by another writer, in another order.
pub fn alone(model: &Model, order: u64) -> ReadState {
    let mut writer = WriteState::new(schemas(), WriteOptions::default()).unwrap();
    writer.begin_total();
    model.populate(&mut writer, order);
    let sealed = writer.seal(77 << 33, BTreeMap::new()).unwrap();
    let mut snapshot = Vec::new();
    sealed.write_snapshot(None, &mut snapshot).unwrap();
    ReadState::from_snapshot(snapshot.as_slice(), &Filter::all()).unwrap()
}
