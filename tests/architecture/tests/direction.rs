//! Arrows point down only, and the domain and the dataset engine do no IO.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// The floors of `docs/ARCHITECTURE.md`. A room may use rooms of its own floor only where listed in [`SAME_FLOOR`].
const FLOORS: &[(&str, u8)] = &[
    ("greenlight", 5),
    ("gatekeeper", 4),
    ("ingest", 4),
    ("insight", 4),
    ("dataset", 3),
    ("liveness", 2),
    ("registry", 2),
    ("hollow", 1),
    ("hollow-derive", 0),
    ("allocator", 0),
    ("changelog", 1),
    ("blobstore", 1),
];

/// Edges inside a floor, each with its reason.
const SAME_FLOOR: &[(&str, &str)] = &[];

/// What each room must not know (the table's last column).
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("gatekeeper", &["changelog", "ingest"]),
    ("ingest", &["liveness", "gatekeeper"]),
    ("dataset", &["liveness", "changelog"]),
    ("registry", &["hollow"]),
];

/// Crates that read files, networks, clocks or databases, or run an async runtime.
const IO_CRATES: &[&str] = &[
    "tokio",
    "rocksdb",
    "rdkafka",
    "aws-sdk-s3",
    "hyper",
    "reqwest",
    "mio",
    "socket2",
    "tempfile",
    "jiff",
    "chrono",
    "time",
    "rand",
    "ctrlc",
    "walkdir",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .exec()
        .unwrap()
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|d| d.kind == DependencyKind::Normal)
        .map(|d| d.name.as_str())
}

fn rooms(metadata: &Metadata) -> BTreeMap<&str, &Package> {
    let root = metadata.workspace_root.join("crates");
    metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| package.manifest_path.starts_with(&root))
        .map(|package| (package.name.as_str(), package))
        .collect()
}

#[test]
fn every_room_has_a_floor() {
    let metadata = metadata();
    let rooms: BTreeSet<&str> = rooms(&metadata).into_keys().collect();
    let floors: BTreeSet<&str> = FLOORS.iter().map(|(room, _)| *room).collect();
    assert_eq!(
        rooms, floors,
        "crates/ and the floors of docs/ARCHITECTURE.md must name the same rooms"
    );
}

#[test]
fn arrows_point_down() {
    let metadata = metadata();
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    for (room, package) in rooms(&metadata) {
        for dependency in normal_dependencies(package) {
            let Some(below) = floors.get(dependency) else {
                continue;
            };
            assert!(
                *below < floors[room] || SAME_FLOOR.contains(&(room, dependency)),
                "{room} (floor {}) must not depend on {dependency} (floor {below})",
                floors[room],
            );
        }
    }
}

#[test]
fn rooms_do_not_know_what_they_must_not_know() {
    let metadata = metadata();
    let rooms = rooms(&metadata);
    for (room, forbidden) in FORBIDDEN {
        for dependency in normal_dependencies(rooms[room]) {
            assert!(
                !forbidden.contains(&dependency),
                "{room} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn hollow_and_liveness_do_no_io() {
    let metadata = metadata();
    let packages: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package))
        .collect();
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    for room in ["hollow", "liveness"] {
        let start = metadata
            .packages
            .iter()
            .find(|package| package.name.as_str() == room)
            .unwrap();
        let mut seen = BTreeSet::new();
        let mut open = vec![&start.id];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let name = packages[id].name.as_str();
            assert!(
                !IO_CRATES.contains(&name),
                "{room} must do no IO, but it reaches {name}"
            );
            let normal = |dep: &&cargo_metadata::NodeDep| {
                dep.dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            };
            open.extend(nodes[id].deps.iter().filter(normal).map(|dep| &dep.pkg));
        }
    }
}
