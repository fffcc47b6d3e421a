//! Random schemas and random data for them: every field type, every kind of collection, references to earlier types,
//! keyed roots. The twin of `RandomModel` on the Java side.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use hollow::record::{ListRecord, MapRecord, ObjectRecord, SetRecord};
use hollow::write::WriteState;
use hollow::{
    Field, FieldType, KeyValue, ListSchema, MapSchema, ObjectSchema, Ordinal, Result, Schema,
    SetSchema,
};

use crate::random::Random;

/// Every field type that holds a value.
const VALUES: [FieldType; 7] = [
    FieldType::Int,
    FieldType::Long,
    FieldType::Boolean,
    FieldType::Float,
    FieldType::Double,
    FieldType::String,
    FieldType::Bytes,
];

/// Every second field, from the first, is never null and may be a key: Hollow's writer does not hash nulls.
const KEY_FIELD_STEP: usize = 2;

/// A record: its values are a function of the seed, its references are other records.
#[derive(Debug)]
struct Item {
    type_index: usize,
    seed: u64,
    /// The primary key of a root.
    id: i64,
    references: Vec<Option<Rc<Item>>>,
}

/// Random schemas, and the records that are live in the current version.
#[derive(Debug)]
pub struct Model {
    random: Random,
    schemas: Vec<Schema>,
    /// Records of types without a key, by type; they live until a total cycle drops them.
    loose: Vec<Vec<Rc<Item>>>,
    /// Records of the root types by key, by type.
    roots: Vec<BTreeMap<i64, Rc<Item>>>,
    next_id: i64,
}

impl Model {
    /// The schemas of a seed, without data.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut schemas = Vec::new();
        leaves(&mut random, &mut schemas);
        collections(&mut random, &mut schemas);
        roots(&mut random, &mut schemas);
        Self {
            random,
            loose: vec![Vec::new(); schemas.len()],
            roots: vec![BTreeMap::new(); schemas.len()],
            schemas,
            next_id: 0,
        }
    }

    /// The schemas, a type after the types that it refers to.
    #[must_use]
    pub fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    /// Removes, changes and adds records of every type; now and then the data grows or shrinks several times over.
    pub fn step(&mut self) {
        let mood = self.random.below(16);
        for type_index in 0..self.schemas.len() {
            if self.schemas[type_index].primary_key().is_some() {
                self.step_roots(type_index, mood);
                continue;
            }
            let count = self.loose[type_index].len();
            let removed = if mood == 0 {
                count * 3 / 4
            } else {
                self.random.below(1 + count / 8)
            };
            for _ in 0..removed {
                let at = self.random.below(self.loose[type_index].len());
                self.loose[type_index].swap_remove(at);
            }
            let added = match mood {
                1 => 200,
                _ if count > 400 => 0,
                _ => self.random.below(12),
            };
            for _ in 0..added {
                let item = self.item(type_index, 0);
                self.loose[type_index].push(item);
            }
        }
    }

    fn step_roots(&mut self, type_index: usize, mood: usize) {
        let count = self.roots[type_index].len();
        let removed = if mood == 0 {
            count * 3 / 4
        } else {
            self.random.below(1 + count / 8)
        };
        for _ in 0..removed {
            if let Some(id) = self.some_root(type_index) {
                self.roots[type_index].remove(&id);
            }
        }
        for _ in 0..self.random.below(1 + count / 8) {
            if let Some(id) = self.some_root(type_index) {
                let item = self.item(type_index, id);
                self.roots[type_index].insert(id, item);
            }
        }
        let added = if mood == 1 {
            200
        } else {
            1 + self.random.below(12)
        };
        for _ in 0..added {
            self.next_id += 1;
            let item = self.item(type_index, self.next_id);
            self.roots[type_index].insert(self.next_id, item);
        }
    }

    fn some_root(&mut self, type_index: usize) -> Option<i64> {
        let at = self.random.below(self.roots[type_index].len());
        self.roots[type_index].keys().nth(at).copied()
    }

    fn item(&mut self, type_index: usize, id: i64) -> Rc<Item> {
        let targets: Vec<String> = match &self.schemas[type_index] {
            Schema::Object(object) => object
                .fields
                .iter()
                .filter_map(|field| field.referenced_type.clone())
                .collect(),
            collection => {
                let size = if self.random.one_in(8) {
                    self.random.below(40)
                } else {
                    self.random.below(5)
                };
                let element: Vec<String> = match collection {
                    Schema::Map(map) => vec![map.key_type.clone(), map.value_type.clone()],
                    other => other
                        .dependencies()
                        .into_iter()
                        .map(str::to_owned)
                        .collect(),
                };
                element
                    .iter()
                    .cycle()
                    .take(size * element.len())
                    .cloned()
                    .collect()
            }
        };
        let nullable = matches!(self.schemas[type_index], Schema::Object(_));
        let references = targets
            .iter()
            .map(|target| {
                if nullable && self.random.one_in(8) {
                    return None;
                }
                let target = self
                    .schemas
                    .iter()
                    .position(|schema| schema.name() == target)?;
                Some(self.some(target))
            })
            .collect();
        Rc::new(Item {
            type_index,
            seed: self.random.next(),
            id,
            references,
        })
    }

    /// A record to refer to: mostly one that is there already.
    fn some(&mut self, type_index: usize) -> Rc<Item> {
        let count = self.loose[type_index].len();
        if count == 0 || self.random.one_in(10) {
            self.item(type_index, 0)
        } else {
            let at = self.random.below(count);
            Rc::clone(&self.loose[type_index][at])
        }
    }

    /// Adds everything live to a total cycle, references first.
    pub fn add_all(&self, state: &mut WriteState) -> Result<()> {
        let mut adder = Adder::new(&self.schemas);
        for items in &self.loose {
            for item in items {
                adder.add(item, state)?;
            }
        }
        for items in &self.roots {
            for item in items.values() {
                adder.add(item, state)?;
            }
        }
        Ok(())
    }

    /// Changes, deletes and adds some roots in an incremental cycle.
    pub fn change_roots(&mut self, state: &mut WriteState) -> Result<()> {
        let schemas = self.schemas.clone();
        let mut adder = Adder::new(&schemas);
        for (type_index, schema) in schemas.iter().enumerate() {
            if schema.primary_key().is_none() {
                continue;
            }
            let Some(type_id) = state.type_id(schema.name()) else {
                continue;
            };
            for _ in 0..self.random.below(4) {
                if let Some(id) = self.some_root(type_index) {
                    self.roots[type_index].remove(&id);
                    state.delete(type_id, &[KeyValue::Long(id)])?;
                }
            }
            for _ in 0..self.random.below(12) {
                let id = match self.some_root(type_index) {
                    Some(id) if !self.random.one_in(3) => id,
                    _ => {
                        self.next_id += 1;
                        self.next_id
                    }
                };
                let item = self.item(type_index, id);
                let record = adder.record(&item, state)?;
                state.upsert(type_id, &record)?;
                self.roots[type_index].insert(id, item);
            }
        }
        Ok(())
    }
}

/// Objects without references; the first has every field type.
fn leaves(random: &mut Random, schemas: &mut Vec<Schema>) {
    for leaf in 0..2 + random.below(3) {
        let count = if leaf == 0 {
            VALUES.len()
        } else {
            1 + random.below(5)
        };
        let fields = (0..count)
            .map(|field| {
                let value = if leaf == 0 {
                    VALUES[field]
                } else {
                    VALUES[random.below(VALUES.len())]
                };
                Field::new(format!("f{field}"), value)
            })
            .collect();
        schemas.push(ObjectSchema::new(format!("Leaf{leaf}"), fields).into());
    }
}

/// Lists, sets and maps of earlier types, collections of collections among them; some with hash keys.
fn collections(random: &mut Random, schemas: &mut Vec<Schema>) {
    for i in 0..3 + random.below(4) {
        let kind = if i < 3 { i } else { random.below(3) };
        let element = &schemas[random.below(schemas.len())];
        let hash_key = element
            .as_object()
            .filter(|_| random.one_in(2))
            .map(|object| {
                let candidates = object.fields.len().div_ceil(KEY_FIELD_STEP);
                vec![
                    object.fields[random.below(candidates) * KEY_FIELD_STEP]
                        .name
                        .clone(),
                ]
            });
        let element_type = element.name().to_owned();
        let schema = match kind {
            0 => ListSchema {
                name: format!("List{i}"),
                element_type,
            }
            .into(),
            1 => SetSchema {
                name: format!("Set{i}"),
                element_type,
                hash_key,
            }
            .into(),
            _ => {
                let value_type = schemas[random.below(schemas.len())].name().to_owned();
                MapSchema {
                    name: format!("Map{i}"),
                    key_type: element_type,
                    value_type,
                    hash_key,
                }
                .into()
            }
        };
        schemas.push(schema);
    }
}

/// Objects with a primary key that refer to all sorts of types.
fn roots(random: &mut Random, schemas: &mut Vec<Schema>) {
    let below = schemas.len();
    for root in 0..1 + random.below(2) {
        let mut fields = vec![
            Field::new("id", FieldType::Long),
            Field::new("name", FieldType::String),
        ];
        for i in 0..2 + random.below(4) {
            fields.push(Field::reference(
                format!("r{i}"),
                schemas[random.below(below)].name(),
            ));
        }
        schemas.push(
            ObjectSchema::new(format!("Root{root}"), fields)
                .with_primary_key(["id"])
                .into(),
        );
    }
}

/// Adds items to one cycle, each of them once.
struct Adder<'a> {
    schemas: &'a [Schema],
    /// The items are kept, so that no later one gets the address of a dropped one, and with it that one's ordinal.
    ordinals: HashMap<*const Item, (Rc<Item>, Ordinal)>,
}

impl<'a> Adder<'a> {
    fn new(schemas: &'a [Schema]) -> Self {
        Self {
            schemas,
            ordinals: HashMap::new(),
        }
    }

    fn add(&mut self, item: &Rc<Item>, state: &mut WriteState) -> Result<Ordinal> {
        if let Some((_, ordinal)) = self.ordinals.get(&Rc::as_ptr(item)) {
            return Ok(*ordinal);
        }
        let record = self.record(item, state)?;
        let name = self.schemas[item.type_index].name();
        let type_id = state
            .type_id(name)
            .unwrap_or_else(|| panic!("the state has no type {name}"));
        let ordinal = state.add(type_id, &record)?;
        self.ordinals
            .insert(Rc::as_ptr(item), (Rc::clone(item), ordinal));
        Ok(ordinal)
    }

    /// The serialized record, after adding what it refers to.
    fn record(&mut self, item: &Rc<Item>, state: &mut WriteState) -> Result<Vec<u8>> {
        let mut references = Vec::with_capacity(item.references.len());
        for reference in &item.references {
            references.push(match reference {
                Some(reference) => Some(self.add(reference, state)?),
                None => None,
            });
        }
        let present = references.iter().copied().flatten();
        Ok(match &self.schemas[item.type_index] {
            Schema::Object(schema) => object(schema, item, &references),
            Schema::List(_) => {
                let mut list = ListRecord::new();
                present.for_each(|ordinal| list.push(ordinal));
                list.bytes().to_vec()
            }
            Schema::Set(_) => {
                let mut set = SetRecord::new();
                present.for_each(|ordinal| set.insert(ordinal));
                set.bytes().to_vec()
            }
            Schema::Map(_) => {
                let mut map = MapRecord::new();
                let ordinals: Vec<Ordinal> = present.collect();
                let entries: BTreeMap<Ordinal, Ordinal> = ordinals
                    .chunks_exact(2)
                    .map(|entry| (entry[0], entry[1]))
                    .collect();
                entries
                    .iter()
                    .for_each(|(&key, &value)| map.insert(key, value));
                map.bytes().to_vec()
            }
        })
    }
}

fn object(schema: &ObjectSchema, item: &Item, references: &[Option<Ordinal>]) -> Vec<u8> {
    let mut random = Random::new(item.seed);
    let mut references = references.iter();
    let mut record = ObjectRecord::new(schema);
    for (at, field) in schema.fields.iter().enumerate() {
        if field.field_type == FieldType::Reference {
            if let Some(&Some(ordinal)) = references.next() {
                record.set_reference(at, ordinal);
            }
            continue;
        }
        if schema.primary_key.is_some() && field.name == "id" {
            record.set_long(at, item.id);
            continue;
        }
        if random.one_in(10) && at % KEY_FIELD_STEP != 0 {
            continue;
        }
        let extreme = random.one_in(20);
        match field.field_type {
            FieldType::Int if extreme => record.set_int(at, random.next() as i32 | 1),
            FieldType::Int => record.set_int(at, random.below(5_050) as i32 - 50),
            FieldType::Long if extreme => record.set_long(at, random.next() as i64 | 1),
            FieldType::Long => record.set_long(at, random.below(100_000) as i64),
            FieldType::Boolean => record.set_boolean(at, random.one_in(2)),
            FieldType::Float if extreme => record.set_float(at, f32::NAN),
            FieldType::Float => record.set_float(at, random.below(1_000_000) as f32 / 7.0),
            FieldType::Double if extreme => record.set_double(at, f64::NAN),
            FieldType::Double => record.set_double(at, random.below(1_000_000) as f64 / 7.0),
            FieldType::String if extreme => {
                let length = random.below(60);
                record.set_utf16(at, (0..length).map(|_| random.next() as u16));
            }
            FieldType::String => {
                let length = random.below(12);
                let text: String = (0..length)
                    .map(|_| char::from(b'a' + random.below(26) as u8))
                    .collect();
                record.set_str(at, &text);
            }
            FieldType::Bytes => {
                let length = random.below(if extreme { 300 } else { 10 });
                let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
                record.set_bytes(at, &bytes);
            }
            FieldType::Reference => {}
        }
    }
    record.bytes().to_vec()
}
