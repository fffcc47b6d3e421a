//! Random schemas and random content for them.

use std::collections::{BTreeMap, BTreeSet};

use hollow::Schema;
use hollow::schema::{Field, FieldType, ListSchema, MapSchema, ObjectSchema, SetSchema};

use crate::data::Tree;

/// The type with the primary key.
pub const ROOT: &str = "Root";

/// SplitMix64.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

const SCALARS: [FieldType; 7] = [
    FieldType::Int,
    FieldType::Long,
    FieldType::Boolean,
    FieldType::Float,
    FieldType::Double,
    FieldType::String,
    FieldType::Bytes,
];

/// Types in dependency order, the root last. The first fields of OBJECT types are never null, so that they can serve as
/// hash keys.
pub fn random_schemas(rng: &mut Rng) -> Vec<Schema> {
    let mut schemas: Vec<Schema> = Vec::new();
    for at in 0..2 + rng.below(7) {
        let name = format!("T{at}");
        let earlier: Vec<String> = schemas
            .iter()
            .map(|schema| schema.name().to_owned())
            .collect();
        let pick = |rng: &mut Rng| earlier[rng.below(earlier.len() as u64) as usize].clone();
        let kind = if earlier.is_empty() { 0 } else { rng.below(5) };
        let schema = match kind {
            0 | 1 => Schema::Object(ObjectSchema::new(name, random_fields(rng, &earlier))),
            2 => Schema::List(ListSchema {
                name,
                element_type: pick(rng),
            }),
            3 => {
                let element_type = pick(rng);
                let hash_key = random_hash_key(rng, &schemas, &element_type);
                Schema::Set(SetSchema {
                    name,
                    element_type,
                    hash_key,
                })
            }
            _ => {
                let key_type = pick(rng);
                let hash_key = random_hash_key(rng, &schemas, &key_type);
                Schema::Map(MapSchema {
                    name,
                    key_type,
                    value_type: pick(rng),
                    hash_key,
                })
            }
        };
        schemas.push(schema);
    }
    let earlier: Vec<String> = schemas
        .iter()
        .map(|schema| schema.name().to_owned())
        .collect();
    let mut fields = vec![Field::new("id", FieldType::Long)];
    // The root refers to every type, so that all are used.
    fields.extend(
        earlier
            .iter()
            .map(|name| Field::reference(format!("to{name}"), name)),
    );
    fields.extend(random_fields(rng, &earlier));
    schemas.push(Schema::Object(
        ObjectSchema::new(ROOT, fields).with_primary_key(["id"]),
    ));
    schemas
}

fn random_fields(rng: &mut Rng, earlier: &[String]) -> Vec<Field> {
    let first = Field::new("first", SCALARS[rng.below(7) as usize]);
    let more = (0..rng.below(5)).map(|at| {
        let name = format!("f{at}");
        if !earlier.is_empty() && rng.below(3) == 0 {
            Field::reference(
                name,
                earlier[rng.below(earlier.len() as u64) as usize].clone(),
            )
        } else {
            Field::new(name, SCALARS[rng.below(7) as usize])
        }
    });
    std::iter::once(first).chain(more).collect()
}

fn random_hash_key(rng: &mut Rng, schemas: &[Schema], element: &str) -> Option<Vec<String>> {
    let is_object = schemas
        .iter()
        .any(|schema| schema.name() == element && schema.as_object().is_some());
    (is_object && rng.below(2) == 0).then(|| vec!["first".to_owned()])
}

/// Content from small domains, so that records repeat and are shared.
pub fn random_tree(rng: &mut Rng, schemas: &[Schema], name: &str, key: Option<i64>) -> Tree {
    let schema = schemas.iter().find(|schema| schema.name() == name).unwrap();
    let name = name.to_owned();
    match schema {
        Schema::Object(object) => {
            let fields = object.fields.iter().enumerate().map(|(at, field)| {
                match (&field.referenced_type, key) {
                    (None, Some(key)) if at == 0 => Tree::Long(key),
                    (Some(target), _) if rng.below(4) > 0 => {
                        random_tree(rng, schemas, target, None)
                    }
                    (None, _) if field.name == "first" || rng.below(4) > 0 => {
                        random_scalar(rng, field.field_type)
                    }
                    _ => Tree::Null,
                }
            });
            Tree::Object(name, fields.collect())
        }
        Schema::List(list) => {
            let elements =
                (0..rng.below(4)).map(|_| random_tree(rng, schemas, &list.element_type, None));
            Tree::List(name, elements.collect())
        }
        Schema::Set(set) => {
            let elements =
                (0..rng.below(6)).map(|_| random_tree(rng, schemas, &set.element_type, None));
            Tree::Set(name, elements.collect::<BTreeSet<Tree>>())
        }
        Schema::Map(map) => {
            let mut entry = || {
                let key = random_tree(rng, schemas, &map.key_type, None);
                (key, random_tree(rng, schemas, &map.value_type, None))
            };
            let count = entry_count(&mut entry);
            Tree::Map(name, count)
        }
    }
}

fn entry_count(entry: &mut impl FnMut() -> (Tree, Tree)) -> BTreeMap<Tree, Tree> {
    let mut entries = BTreeMap::new();
    loop {
        let (key, value) = entry();
        // The first key that comes twice, or the fifth, ends the map: sizes vary without another draw.
        if entries.len() >= 5 || entries.insert(key, value).is_some() {
            return entries;
        }
    }
}

fn random_scalar(rng: &mut Rng, field_type: FieldType) -> Tree {
    let number = match rng.below(8) {
        0 => i64::MAX,
        1 => i64::MIN + 1,
        2 => rng.next() as i64 | 1,
        _ => rng.below(4) as i64 - 1,
    };
    match field_type {
        FieldType::Int => Tree::Int((number as i32).max(i32::MIN + 1)),
        FieldType::Long => Tree::Long(number),
        FieldType::Boolean => Tree::Boolean(number & 1 == 0),
        FieldType::Float => Tree::Float((number as f32).to_bits()),
        FieldType::Double => Tree::Double((number as f64).to_bits()),
        FieldType::Bytes => Tree::Bytes(number.to_be_bytes()[..rng.below(9) as usize].to_vec()),
        _ => {
            let texts = [
                "",
                "a",
                "hi",
                "é\u{0}!",
                "\u{1f600}",
                "a longer text that takes more than a few bytes",
            ];
            Tree::String(format!("{}{}", texts[rng.below(6) as usize], rng.below(2)))
        }
    }
}
