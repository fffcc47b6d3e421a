//! Content trees: the model's view of a record, independent of ordinals.

use std::collections::{BTreeMap, BTreeSet};

use hollow::record::{ListRecord, MapRecord, ObjectRecord, SetRecord};
use hollow::write::WriteState;
use hollow::{FieldType, Ordinal, ReadState, Schema};

/// A record or a field with everything below it. FLOAT and DOUBLE by their bits, so that trees have an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    Null,
    Int(i32),
    Long(i64),
    Boolean(bool),
    Float(u32),
    Double(u64),
    String(String),
    Bytes(Vec<u8>),
    Object(String, Vec<Tree>),
    List(String, Vec<Tree>),
    Set(String, BTreeSet<Tree>),
    Map(String, BTreeMap<Tree, Tree>),
}

impl Tree {
    pub fn is_record(&self) -> bool {
        matches!(
            self,
            Tree::Object(..) | Tree::List(..) | Tree::Set(..) | Tree::Map(..)
        )
    }

    /// All distinct records of the tree by type.
    pub fn collect<'a>(&'a self, into: &mut BTreeMap<&'a str, BTreeSet<&'a Tree>>) {
        let (name, children): (_, Vec<&Tree>) = match self {
            Tree::Object(name, fields) => (name, fields.iter().collect()),
            Tree::List(name, elements) => (name, elements.iter().collect()),
            Tree::Set(name, elements) => (name, elements.iter().collect()),
            Tree::Map(name, entries) => (
                name,
                entries
                    .iter()
                    .flat_map(|(key, value)| [key, value])
                    .collect(),
            ),
            _ => return,
        };
        into.entry(name).or_default().insert(self);
        children.into_iter().for_each(|child| child.collect(into));
    }
}

/// Adds a record with all its children.
pub fn add(writer: &mut WriteState, tree: &Tree) -> Ordinal {
    let record = record(writer, tree);
    let (Tree::Object(name, _) | Tree::List(name, _) | Tree::Set(name, _) | Tree::Map(name, _)) =
        tree
    else {
        panic!("{tree:?} is no record")
    };
    let ty = writer.type_id(name).unwrap();
    writer.add(ty, &record).unwrap()
}

/// Adds the children of a record and returns its serialized form.
pub fn record(writer: &mut WriteState, tree: &Tree) -> Vec<u8> {
    match tree {
        Tree::Object(name, fields) => {
            let ty = writer.type_id(name).unwrap();
            let mut record = ObjectRecord::new(writer.schema(ty).as_object().unwrap());
            for (at, field) in fields.iter().enumerate() {
                match field {
                    Tree::Null => record.set_null(at),
                    Tree::Int(value) => record.set_int(at, *value),
                    Tree::Long(value) => record.set_long(at, *value),
                    Tree::Boolean(value) => record.set_boolean(at, *value),
                    Tree::Float(bits) => record.set_float(at, f32::from_bits(*bits)),
                    Tree::Double(bits) => record.set_double(at, f64::from_bits(*bits)),
                    Tree::String(value) => record.set_str(at, value),
                    Tree::Bytes(value) => record.set_bytes(at, value),
                    child => record.set_reference(at, add(writer, child)),
                }
            }
            record.bytes().to_vec()
        }
        Tree::List(_, elements) => {
            let mut list = ListRecord::new();
            elements
                .iter()
                .for_each(|element| list.push(add(writer, element)));
            list.bytes().to_vec()
        }
        Tree::Set(_, elements) => {
            let mut set = SetRecord::new();
            elements
                .iter()
                .for_each(|element| set.insert(add(writer, element)));
            set.bytes().to_vec()
        }
        Tree::Map(_, entries) => {
            let mut map = MapRecord::new();
            for (key, value) in entries {
                let key = add(writer, key);
                map.insert(key, add(writer, value));
            }
            map.bytes().to_vec()
        }
        _ => panic!("{tree:?} is no record"),
    }
}

/// The tree of a record of a state.
pub fn read(state: &ReadState, name: &str, ordinal: Ordinal) -> Tree {
    let ty = state.type_state(name).unwrap();
    let owned = name.to_owned();
    match ty.schema() {
        Schema::Object(schema) => {
            let view = ty
                .object(ordinal)
                .unwrap_or_else(|| panic!("{name} {ordinal} is not there"));
            let fields = schema.fields.iter().enumerate().map(|(at, field)| {
                let value = match field.field_type {
                    FieldType::Int => view.int(at).map(Tree::Int),
                    FieldType::Long => view.long(at).map(Tree::Long),
                    FieldType::Boolean => view.boolean(at).map(Tree::Boolean),
                    FieldType::Float => view.float(at).map(|value| Tree::Float(value.to_bits())),
                    FieldType::Double => view.double(at).map(|value| Tree::Double(value.to_bits())),
                    FieldType::String => {
                        view.string(at).map(|value| Tree::String(value.to_string()))
                    }
                    FieldType::Bytes => view.bytes(at).map(|value| Tree::Bytes(value.to_vec())),
                    FieldType::Reference => view
                        .reference(at)
                        .map(|child| read(state, field.referenced_type.as_ref().unwrap(), child)),
                };
                value.unwrap_or(Tree::Null)
            });
            Tree::Object(owned, fields.collect())
        }
        Schema::List(schema) => {
            let list = ty.list(ordinal).unwrap();
            Tree::List(
                owned,
                list.iter()
                    .map(|element| read(state, &schema.element_type, element))
                    .collect(),
            )
        }
        Schema::Set(schema) => {
            let set = ty.set(ordinal).unwrap();
            Tree::Set(
                owned,
                set.iter()
                    .map(|element| read(state, &schema.element_type, element))
                    .collect(),
            )
        }
        Schema::Map(schema) => {
            let map = ty.map(ordinal).unwrap();
            let entry = |(key, value)| {
                (
                    read(state, &schema.key_type, key),
                    read(state, &schema.value_type, value),
                )
            };
            Tree::Map(owned, map.iter().map(entry).collect())
        }
    }
}
