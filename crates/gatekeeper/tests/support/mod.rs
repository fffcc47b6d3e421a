//! Ten inputs published from a world of records, as the producers would.

pub(crate) mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use blobstore::{BlobStore, DirectoryStore};
use dataset::{
    Cycle, CycleKind, CycleOutcome, Populated, Publisher, PublisherOptions, Snapshots, StepHook,
};
use gatekeeper::{Explainer, Follow, Gatekeeper, GatekeeperOptions, Input, Replayer};
use hollow::Value;
use hollow::schema::{Schema, parse_schemas};
use liveness::Configuration;
use liveness::record::*;
use registry::Registry;
use registry::embedded::{self, Home};

use crate::common::world::World;

pub(crate) const START_MS: i64 = 1_615_161_600_000;

const COMMON: &str = "SetOfString Set<String>; ListOfString List<String>; String { string value; }";

/// The schemas of an input after some changes of them, each of which adds a field.
fn schemas(input: Input, changes: usize) -> Vec<Schema> {
    let own = match input {
        Input::Titles => {
            "Title @PrimaryKey(video) { long video; string kind; long parent; int number;
             string originalTitle; string originalLanguage; int year; boolean kids; }"
        }
        Input::Rights => {
            "Rights @PrimaryKey(video) { long video; ListOfWindow windows; }
             ListOfWindow List<Window>;
             Window { string contract; long start; long end; SetOfString countries; SetOfString languages; }"
        }
        Input::Ratings => {
            "Ratings @PrimaryKey(video) { long video; MapOfStringToRating ratings; }
             MapOfStringToRating Map<String, Rating>;
             Rating { string system; string label; int minimumAge; }"
        }
        Input::Texts => {
            "Text @PrimaryKey(video, language) { long video; string language; string title;
             int synopsisLength; string status; }"
        }
        Input::Assets => {
            "Asset @PrimaryKey(video, kind, language) { long video; string kind; string language;
             string status; long readySince; }"
        }
        Input::Artwork => {
            "Artwork @PrimaryKey(video, language) { long video; string language;
             SetOfString formats; string status; }"
        }
        Input::Streams => {
            "Streams @PrimaryKey(video) { long video; SetOfString profiles; SetOfString drm;
             string status; }"
        }
        Input::Policies => {
            "Policy @PrimaryKey(country) { string country; SetOfString ratingSystems;
             boolean ratingRequired; int maximumAge; LanguageNeed title; LanguageNeed synopsis;
             LanguageNeed subtitles; LanguageNeed kidsDub; ListOfString artworkLanguages;
             SetOfString trackLanguages; }
             LanguageNeed { string need; SetOfString languages; }"
        }
        Input::Holds => {
            "Hold @PrimaryKey(hold) { string hold; long video; SetOfString countries;
             string reason; long from; long until; }"
        }
        Input::Popularity => {
            "Popularity @PrimaryKey(video) { long video; long hoursViewed; string period; }"
        }
    };
    let added: String = (0..changes).map(|at| format!(" long added{at};")).collect();
    let own = own.replacen(" }", &format!("{added} }}"), 1);
    parse_schemas(&format!("{own} {COMMON}")).unwrap()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
    )
}

fn string(value: &str) -> Value {
    object([("value", text(value))])
}

fn set(members: &BTreeSet<String>) -> Value {
    Value::Set(members.iter().map(|member| string(member)).collect())
}

fn or_null<T>(value: Option<T>, make: impl Fn(T) -> Value) -> Value {
    value.map_or(Value::Null, make)
}

fn status(ready: bool) -> Value {
    text(if ready { "ready" } else { "pending" })
}

/// Windows and holds of a world are in small numbers; a world's instant 0 is the tests' start.
fn instant(at: i64) -> Value {
    Value::Long(START_MS + at)
}

fn need(need: &LanguageNeed) -> Value {
    object([
        ("need", text(if need.all { "all" } else { "one" })),
        ("languages", set(&need.languages)),
    ])
}

pub(crate) fn records(world: &World, input: Input) -> Vec<Value> {
    match input {
        Input::Titles => world.titles.values().map(title).collect(),
        Input::Rights => world.rights.values().map(rights).collect(),
        Input::Ratings => world.ratings.values().map(ratings).collect(),
        Input::Texts => world
            .texts
            .values()
            .map(|record| {
                object([
                    ("video", Value::Long(record.video)),
                    ("language", text(&record.language)),
                    ("title", or_null(record.title.then_some("Ü"), text)),
                    (
                        "synopsisLength",
                        or_null(record.synopsis.then_some(9), Value::Int),
                    ),
                    ("status", status(record.ready)),
                ])
            })
            .collect(),
        Input::Assets => world
            .assets
            .values()
            .map(|record| {
                object([
                    ("video", Value::Long(record.video)),
                    ("kind", text(record.kind.name())),
                    ("language", text(&record.language)),
                    ("status", status(record.ready)),
                ])
            })
            .collect(),
        Input::Artwork => world
            .artwork
            .values()
            .map(|record| {
                object([
                    ("video", Value::Long(record.video)),
                    ("language", text(&record.language)),
                    ("formats", set(&record.formats)),
                    ("status", status(record.ready)),
                ])
            })
            .collect(),
        Input::Streams => world
            .streams
            .values()
            .map(|record| {
                object([
                    ("video", Value::Long(record.video)),
                    ("profiles", set(&record.profiles)),
                    ("drm", set(&record.drm)),
                    ("status", status(record.ready)),
                ])
            })
            .collect(),
        Input::Policies => world.policies.values().map(policy).collect(),
        Input::Holds => world
            .holds
            .values()
            .map(|record| {
                object([
                    ("hold", text(&record.hold)),
                    ("video", Value::Long(record.video)),
                    ("countries", or_null(record.countries.as_ref(), set)),
                    ("reason", text(&record.reason)),
                    ("from", instant(record.from)),
                    ("until", or_null(record.until, instant)),
                ])
            })
            .collect(),
        Input::Popularity => world
            .popularity
            .values()
            .map(|record| {
                object([
                    ("video", Value::Long(record.video)),
                    ("hoursViewed", Value::Long(record.hours_viewed)),
                ])
            })
            .collect(),
    }
}

fn title(record: &Title) -> Value {
    object([
        ("video", Value::Long(record.video)),
        ("kind", text(record.kind.name())),
        ("parent", or_null(record.parent, Value::Long)),
        ("originalTitle", text(&format!("Video {}", record.video))),
        (
            "originalLanguage",
            or_null(record.original_language.as_deref(), text),
        ),
        ("kids", Value::Boolean(record.kids)),
    ])
}

fn rights(record: &Rights) -> Value {
    let windows = record.windows.iter().map(|window| {
        object([
            ("contract", text("c-1")),
            ("start", instant(window.start)),
            ("end", or_null(window.end, instant)),
            ("countries", set(&window.countries)),
            ("languages", or_null(window.languages.as_ref(), set)),
        ])
    });
    object([
        ("video", Value::Long(record.video)),
        ("windows", Value::List(windows.collect())),
    ])
}

fn ratings(record: &Ratings) -> Value {
    let ratings: BTreeMap<Value, Value> = record
        .ratings
        .iter()
        .map(|(country, rating)| {
            let rating = object([
                ("system", text(&rating.system)),
                ("label", text("label")),
                ("minimumAge", or_null(rating.minimum_age, Value::Int)),
            ]);
            (string(country), rating)
        })
        .collect();
    object([
        ("video", Value::Long(record.video)),
        ("ratings", Value::Map(ratings)),
    ])
}

fn policy(record: &Policy) -> Value {
    let artwork = record.artwork_languages.iter().map(|tag| string(tag));
    object([
        ("country", text(&record.country)),
        ("ratingSystems", set(&record.rating_systems)),
        ("ratingRequired", Value::Boolean(record.rating_required)),
        ("maximumAge", or_null(record.maximum_age, Value::Int)),
        ("title", need(&record.title)),
        ("synopsis", need(&record.synopsis)),
        ("subtitles", need(&record.subtitles)),
        ("kidsDub", need(&record.kids_dub)),
        ("artworkLanguages", Value::List(artwork.collect())),
        (
            "trackLanguages",
            or_null(record.track_languages.as_ref(), set),
        ),
    ])
}

/// A directory with registry, blobs and the inputs' publishers.
pub(crate) struct Station {
    pub(crate) home: Home,
    pub(crate) store: Arc<dyn BlobStore>,
    publishers: BTreeMap<Input, Publisher>,
    /// How often an input's schemas changed, which begins a new chain.
    schema_changes: BTreeMap<Input, usize>,
}

impl Station {
    pub(crate) fn open(dir: &Path) -> Self {
        let home = embedded::open(dir).unwrap();
        let store = DirectoryStore::open(home.blobs_dir()).unwrap();
        Self {
            home,
            store: Arc::new(store),
            publishers: BTreeMap::new(),
            schema_changes: BTreeMap::new(),
        }
    }

    /// Changes the schemas of an input: its next state begins a chain.
    pub(crate) fn break_chain(&mut self, input: Input) {
        self.publishers.remove(&input);
        *self.schema_changes.entry(input).or_default() += 1;
    }

    pub(crate) fn registry(&self) -> &Arc<dyn Registry> {
        self.home.registry()
    }

    /// Publishes the records of an input; says whether that made a new version.
    pub(crate) fn publish(&mut self, world: &World, input: Input, now_ms: i64) -> bool {
        let schema_changes = self.schema_changes.get(&input).copied().unwrap_or(0);
        let publisher = self.publishers.entry(input).or_insert_with(|| {
            let options = PublisherOptions {
                allow_empty: true,
                snapshot_every: 3,
                confirm_interval_ms: 0,
                snapshots: Snapshots::Inline,
                ..PublisherOptions::new("test")
            };
            Publisher::open(
                input.name().parse().unwrap(),
                Arc::clone(&self.store),
                Arc::clone(self.home.registry()),
                schemas(input, schema_changes),
                options,
                now_ms,
            )
            .unwrap()
        });
        let cycle = Cycle {
            now_ms,
            kind: CycleKind::Total,
        };
        let outcome = publisher.cycle(cycle, |write| {
            for record in records(world, input) {
                record.add(write, input.type_name())?;
            }
            Ok(Populated::default())
        });
        match outcome.unwrap() {
            CycleOutcome::Announced { .. } => true,
            CycleOutcome::Unchanged { .. } => false,
            other => panic!("publish {input}: {other:?}"),
        }
    }

    pub(crate) fn publish_all(&mut self, world: &World, now_ms: i64) {
        for input in Input::ALL {
            self.publish(world, input, now_ms);
        }
    }

    pub(crate) fn explainer(&self) -> Explainer {
        let output = "liveness".parse().unwrap();
        Explainer::new(&output, &self.store, self.registry()).unwrap()
    }

    pub(crate) fn replayer(&self) -> Replayer {
        let output = "liveness".parse().unwrap();
        Replayer::new(&output, &self.store, self.registry()).unwrap()
    }

    pub(crate) fn gatekeeper(&self, configuration: &Configuration) -> Gatekeeper {
        self.gatekeeper_with("prod/liveness", None, configuration, None)
    }

    /// A gatekeeper of some output, on its own or following another.
    pub(crate) fn gatekeeper_with(
        &self,
        output: &str,
        follow: Option<&str>,
        configuration: &Configuration,
        hook: Option<StepHook>,
    ) -> Gatekeeper {
        let options = GatekeeperOptions {
            output: output.parse().unwrap(),
            follow: follow.map(|dataset| Follow::new(dataset.parse().unwrap())),
            configuration: configuration.clone(),
            code_revision: "test".to_owned(),
            publisher: PublisherOptions {
                allow_empty: true,
                snapshot_every: 4,
                snapshots: Snapshots::Inline,
                confirm_interval_ms: 0,
                hook,
                ..PublisherOptions::new("gatekeeper")
            },
        };
        Gatekeeper::open(options, &self.store, self.registry(), START_MS).unwrap()
    }
}
