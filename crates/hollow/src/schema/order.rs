//! The order of types in a blob and the hash over all of them (section 3 of the format).

use super::Schema;
use crate::codec::{hash, varint};
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

/// Java's order of strings: by UTF-16 units.
pub fn java_cmp(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        a.cmp(b)
    } else {
        a.encode_utf16().cmp(b.encode_utf16())
    }
}

/// A name in Java's order.
#[derive(PartialEq, Eq)]
struct JavaName<'a>(&'a str);

impl Ord for JavaName<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        java_cmp(self.0, other.0)
    }
}

impl PartialOrd for JavaName<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Positions of `schemas` in dependency order (`HollowSchemaSorter`): repeatedly the smallest name among the types whose
/// dependencies are all listed; types on cycles, and those that depend on them, come last by name. Dependencies on types
/// that are not among `schemas` do not count.
pub fn dependency_order(schemas: &[Schema]) -> Vec<usize> {
    let position: HashMap<&str, usize> = schemas
        .iter()
        .enumerate()
        .map(|(i, s)| (s.name(), i))
        .collect();
    let mut waiting_for = vec![0usize; schemas.len()];
    let mut dependents = vec![Vec::new(); schemas.len()];
    for (i, schema) in schemas.iter().enumerate() {
        let dependencies: BTreeSet<usize> = schema
            .dependencies()
            .into_iter()
            .filter_map(|name| position.get(name).copied())
            .collect();
        waiting_for[i] = dependencies.len();
        for dependency in dependencies {
            dependents[dependency].push(i);
        }
    }
    let mut ready: BTreeSet<(JavaName<'_>, usize)> = schemas
        .iter()
        .enumerate()
        .filter(|(i, _)| waiting_for[*i] == 0)
        .map(|(i, schema)| (JavaName(schema.name()), i))
        .collect();
    let mut order = Vec::with_capacity(schemas.len());
    let mut listed = vec![false; schemas.len()];
    while let Some((_, next)) = ready.pop_first() {
        order.push(next);
        listed[next] = true;
        for &dependent in &dependents[next] {
            waiting_for[dependent] -= 1;
            if waiting_for[dependent] == 0 {
                ready.insert((JavaName(schemas[dependent].name()), dependent));
            }
        }
    }
    let mut cyclic: Vec<usize> = (0..schemas.len()).filter(|&i| !listed[i]).collect();
    cyclic.sort_by(|&a, &b| java_cmp(schemas[a].name(), schemas[b].name()));
    order.extend(cyclic);
    order
}

/// Hollow's hash over the text forms of all schemas in the order of their names (`HollowSchemaHash`); printed as a signed
/// decimal it is the header tag `hollow.schema.hash`.
pub fn schema_hash<'a>(schemas: impl IntoIterator<Item = &'a Schema>) -> i32 {
    let mut schemas: Vec<&Schema> = schemas.into_iter().collect();
    schemas.sort_by(|a, b| java_cmp(a.name(), b.name()));
    let mut bytes = Vec::new();
    for schema in schemas {
        for unit in schema.to_string().encode_utf16() {
            varint::write_vint(&mut bytes, u32::from(unit));
        }
    }
    hash::murmur3(&bytes)
}
