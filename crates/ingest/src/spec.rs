//! What is configured of a dataset: its name, its schema, and the promises of its upstream.
//!
//! The file `config/datasets.toml` lists them; the datasets of Greenlight itself are compiled in, so that the demo and the
//! commands need no file. A mistake is refused at start with file, line and what is expected.

use crate::avro::{AvroSchema, Plan, RecordModel, Violation, violations, violations_of_records};
use crate::debezium::Debezium;
use crate::error::{Error, Result};
use crate::fold::Channel;
use changelog::TopicSpec;
use registry::DatasetName;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;

/// Whether the records of a dataset carry source versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceVersions {
    /// Each record has one, and the greatest of a key wins; a record without is a dead letter.
    Required,
    /// Records have none; they go by the log's order within a key's partition. Such a dataset can't be swept.
    None,
}

/// Two fields of a record type of which the second must be later.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The Avro record that has the fields.
    pub record: String,
    /// The field of the start.
    pub start: String,
    /// The field of the end; where it or the start is null, nothing is checked.
    pub end: String,
}

/// A dataset that is fed from change records.
#[derive(Clone, Debug)]
pub struct DatasetSpec {
    /// Its name.
    pub name: DatasetName,
    /// The topic of its changes, `D`; `D.sweep` and `D.dead` follow from it.
    pub topic: String,
    /// How many partitions `D` and `D.sweep` get when they are created.
    pub partitions: u32,
    /// Whether records carry source versions.
    pub source_versions: SourceVersions,
    /// Whether a first state without records may be announced.
    pub allow_empty: bool,
    /// How often a cycle begins, in milliseconds, at least 100; `None` for what the producer is told.
    pub cadence_ms: Option<u64>,
    /// Set where Debezium writes the topic of changes.
    pub envelope: Option<Debezium>,
    /// How long tombstones stay in the log, in milliseconds; at least twice the sweep interval.
    pub delete_retention_ms: i64,
    /// A sweep that would delete a greater share of the keys than this, 0 to 1, is held until an operator confirms it.
    pub sweep_delete_share_max: f64,
    /// Intervals that may not be empty.
    pub intervals: Vec<Interval>,
    /// The schema that the records of the dataset follow.
    pub schema: Arc<AvroSchema>,
    /// The Hollow types that follow from it.
    pub model: Arc<RecordModel>,
}

impl DatasetSpec {
    /// The topic of re-emissions.
    #[must_use]
    pub fn sweep_topic(&self) -> String {
        format!("{}.sweep", self.topic)
    }

    /// The topic of dead letters.
    #[must_use]
    pub fn dead_topic(&self) -> String {
        format!("{}.dead", self.topic)
    }

    /// The subject of the schemas of the topic's values in a schema registry.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}-value", self.topic)
    }

    /// The walk from values of `writer` to records of the dataset. In a topic of Debezium, a schema that is not named as the
    /// dataset's records are is that of an envelope.
    ///
    /// # Errors
    /// In words, where no value could be read.
    pub fn plan(&self, writer: &AvroSchema) -> std::result::Result<Plan, String> {
        match &self.envelope {
            Some(envelope) if writer.root_type() != self.model.root_type() => {
                let version = &envelope.source_version;
                Plan::compile_enveloped(writer, version, &self.model, &self.intervals)
            }
            _ => Plan::compile(writer, &self.model, &self.intervals),
        }
    }

    /// The rules of schema evolution that keep values of `writer` from being read as records of the dataset.
    #[must_use]
    pub fn violations(&self, writer: &AvroSchema) -> Vec<Violation> {
        match writer.row() {
            Some(row)
                if self.envelope.is_some() && writer.root_type() != self.model.root_type() =>
            {
                violations_of_records(row, &self.schema)
            }
            _ => violations(writer, &self.schema),
        }
    }

    /// The topic of a channel.
    #[must_use]
    pub fn topic_of(&self, channel: Channel) -> String {
        match channel {
            Channel::Changes => self.topic.clone(),
            Channel::Sweep => self.sweep_topic(),
        }
    }

    /// The three topics as they are to be created.
    #[must_use]
    pub fn topics(&self) -> [TopicSpec; 3] {
        let topic = |name: &str, partitions| TopicSpec {
            delete_retention_ms: self.delete_retention_ms,
            ..TopicSpec::compacted(name, partitions)
        };
        [
            topic(&self.topic, self.partitions),
            topic(&self.sweep_topic(), self.partitions),
            topic(&self.dead_topic(), 1),
        ]
    }
}

/// The datasets that Greenlight decides from, as compiled in: `config/datasets.toml` and `schemas/`.
///
/// # Errors
/// None in a build whose tests pass.
pub fn embedded_specs() -> Result<Vec<DatasetSpec>> {
    let schema = |name: &str| {
        let found = EMBEDDED_SCHEMAS.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| "it is not compiled in".to_owned())
    };
    parse(
        Path::new("config/datasets.toml"),
        include_str!("../../../config/datasets.toml"),
        &schema,
    )
}

/// Reads the datasets that the TOML file `config` lists; the files of their schemas are in `schemas`.
///
/// # Errors
/// [`Error::Config`] with the line, [`Error::Read`], [`Error::Schema`].
pub fn load_specs(config: &Path, schemas: &Path) -> Result<Vec<DatasetSpec>> {
    let text = std::fs::read_to_string(config).map_err(|source| Error::Read {
        path: config.to_owned(),
        source,
    })?;
    parse(config, &text, &|name| {
        let path = schemas.join(name);
        std::fs::read_to_string(&path).map_err(|error| format!("read {}: {error}", path.display()))
    })
}

macro_rules! embedded_schemas {
    ($($name:literal),* $(,)?) => {
        /// The schemas that are compiled in, by file name.
        pub(crate) const EMBEDDED_SCHEMAS: &[(&str, &str)] = &[$((
            concat!($name, ".avsc"),
            include_str!(concat!("../../../schemas/", $name, ".avsc")),
        )),*];
    };
}

embedded_schemas!(
    "titles",
    "rights",
    "ratings",
    "texts",
    "assets",
    "artwork",
    "streams",
    "policies",
    "holds",
    "popularity",
);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    dataset: Vec<Entry>,
}

/// What is around the rows in a topic's values.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Envelope {
    Debezium,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    schema: Spanned<String>,
    topic: Option<Spanned<String>>,
    partitions: Option<Spanned<u32>>,
    source_versions: SourceVersions,
    #[serde(default)]
    allow_empty: bool,
    cadence_ms: Option<Spanned<u64>>,
    envelope: Option<Envelope>,
    envelope_source_version: Option<Spanned<String>>,
    delete_retention_ms: Option<Spanned<i64>>,
    sweep_delete_share_max: Option<Spanned<f64>>,
    #[serde(default)]
    intervals: Vec<Spanned<Interval>>,
}

fn parse(
    file: &Path,
    text: &str,
    schema: &dyn Fn(&str) -> std::result::Result<String, String>,
) -> Result<Vec<DatasetSpec>> {
    let at = |offset: usize, reason: String| {
        let line = text
            .as_bytes()
            .iter()
            .take(offset)
            .filter(|&&byte| byte == b'\n')
            .count()
            + 1;
        Error::Config {
            file: file.to_owned(),
            line,
            reason,
        }
    };
    let parsed: File = toml::from_str(text).map_err(|error| {
        at(
            error.span().map_or(0, |span| span.start),
            error.message().to_owned(),
        )
    })?;
    let mut names = BTreeSet::new();
    let mut topics = BTreeSet::new();
    let mut specs = Vec::new();
    for entry in parsed.dataset {
        let spec = entry.check(&at, schema)?;
        if !names.insert(spec.name.clone()) {
            return Err(at(
                entry.name.span().start,
                format!("dataset {} is listed twice", spec.name),
            ));
        }
        if !topics.insert(spec.topic.clone()) {
            let span = entry
                .topic
                .as_ref()
                .map_or(entry.name.span(), Spanned::span);
            return Err(at(
                span.start,
                format!("topic {:?} belongs to another dataset already", spec.topic),
            ));
        }
        specs.push(spec);
    }
    Ok(specs)
}

impl Entry {
    fn check(
        &self,
        at: &dyn Fn(usize, String) -> Error,
        schema: &dyn Fn(&str) -> std::result::Result<String, String>,
    ) -> Result<DatasetSpec> {
        let name: DatasetName = self
            .name
            .get_ref()
            .parse()
            .map_err(|error| at(self.name.span().start, format!("{error}")))?;
        let file = self.schema.get_ref();
        let at_schema = |reason: String| at(self.schema.span().start, reason);
        let text =
            schema(file).map_err(|reason| at_schema(format!("schema {file:?}: {reason}")))?;
        let schema =
            AvroSchema::parse(&text, file).map_err(|error| at_schema(error.to_string()))?;
        let model =
            RecordModel::new(&schema, file).map_err(|error| at_schema(error.to_string()))?;
        let default_topic = match name.environment() {
            "prod" => name.name().to_owned(),
            environment => format!("{environment}.{}", name.name()),
        };
        let number = |value: &Option<Spanned<i64>>, default| {
            value.as_ref().map_or(default, |value| *value.get_ref())
        };
        let partitions = self.partitions.as_ref().map_or(4, |value| *value.get_ref());
        if let Some(span) = self
            .partitions
            .as_ref()
            .filter(|p| !(1..=1000).contains(p.get_ref()))
            .map(Spanned::span)
        {
            return Err(at(span.start, "partitions must be 1 to 1000".to_owned()));
        }
        if let Some(span) = self
            .cadence_ms
            .as_ref()
            .filter(|c| *c.get_ref() < 100)
            .map(Spanned::span)
        {
            return Err(at(span.start, "cadence_ms must be at least 100".to_owned()));
        }
        if let Some(span) = self
            .delete_retention_ms
            .as_ref()
            .filter(|r| *r.get_ref() < 0)
            .map(Spanned::span)
        {
            return Err(at(
                span.start,
                "delete_retention_ms must not be negative".to_owned(),
            ));
        }
        let share = &self.sweep_delete_share_max;
        if let Some(span) = share
            .as_ref()
            .filter(|share| !(0.0..=1.0).contains(share.get_ref()))
            .map(Spanned::span)
        {
            return Err(at(
                span.start,
                "sweep_delete_share_max must be between 0 and 1".to_owned(),
            ));
        }
        let envelope_source_version = match (&self.envelope_source_version, self.envelope) {
            (Some(path), None) => {
                let reason = "envelope_source_version needs envelope = \"debezium\"".to_owned();
                return Err(at(path.span().start, reason));
            }
            (Some(path), _) if path.get_ref().split('.').any(str::is_empty) => {
                let reason =
                    "envelope_source_version is a field's path, such as source.lsn".to_owned();
                return Err(at(path.span().start, reason));
            }
            (Some(path), _) => path.get_ref().clone(),
            (None, _) => Debezium::DEFAULT_SOURCE_VERSION.to_owned(),
        };
        for interval in &self.intervals {
            let reason = check_interval(&model, interval.get_ref());
            reason.map_err(|reason| at(interval.span().start, reason))?;
        }
        Ok(DatasetSpec {
            topic: self
                .topic
                .as_ref()
                .map_or(default_topic, |topic| topic.get_ref().clone()),
            name,
            partitions,
            source_versions: self.source_versions,
            allow_empty: self.allow_empty,
            cadence_ms: self.cadence_ms.as_ref().map(|cadence| *cadence.get_ref()),
            envelope: self.envelope.map(|Envelope::Debezium| Debezium {
                source_version: envelope_source_version,
            }),
            delete_retention_ms: number(
                &self.delete_retention_ms,
                TopicSpec::DEFAULT_DELETE_RETENTION_MS,
            ),
            sweep_delete_share_max: share.as_ref().map_or(0.05, |share| *share.get_ref()),
            intervals: self
                .intervals
                .iter()
                .map(|interval| interval.get_ref().clone())
                .collect(),
            schema: Arc::new(schema),
            model: Arc::new(model),
        })
    }
}

fn check_interval(model: &RecordModel, interval: &Interval) -> std::result::Result<(), String> {
    let object = model
        .schemas()
        .iter()
        .find(|schema| schema.name() == interval.record);
    let object = object.and_then(|schema| schema.as_object());
    let object = object.ok_or_else(|| format!("the schema has no record {:?}", interval.record))?;
    for name in [&interval.start, &interval.end] {
        let field = object
            .field(name)
            .ok_or_else(|| format!("{} has no field {name:?}", interval.record))?;
        if !matches!(
            field.field_type,
            hollow::FieldType::Int | hollow::FieldType::Long
        ) {
            return Err(format!(
                "{}.{name} is no number, so it can't bound an interval",
                interval.record
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_datasets_are_ten() {
        let specs = embedded_specs().unwrap();
        let names: Vec<_> = specs.iter().map(|spec| spec.name.name()).collect();
        assert_eq!(specs.len(), 10, "{names:?}");
        let roots: Vec<_> = specs.iter().map(|spec| spec.model.root_type()).collect();
        let expected = [
            "Title",
            "Rights",
            "Ratings",
            "Text",
            "Asset",
            "Artwork",
            "Streams",
            "Policy",
            "Hold",
            "Popularity",
        ];
        assert_eq!(roots, expected);
        let rights = &specs[1];
        assert_eq!(
            rights.topics().map(|topic| topic.name),
            ["rights", "rights.sweep", "rights.dead"]
        );
        let schemas: Vec<_> = rights
            .model
            .schemas()
            .iter()
            .map(ToString::to_string)
            .collect();
        let text = schemas.join("\n");
        for line in [
            "Rights @PrimaryKey(video)",
            "ListOfWindow windows;",
            "SetOfString countries;",
            "long start;",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    fn refusal(text: &str) -> (usize, String) {
        let schema = |name: &str| match name {
            "holds.avsc" => Ok(include_str!("../../../schemas/holds.avsc").to_owned()),
            _ => Err("there is none".to_owned()),
        };
        match parse(Path::new("d.toml"), text, &schema) {
            Err(Error::Config { line, reason, .. }) => (line, reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn mistakes_are_refused_with_line_and_expectation() {
        let head = "[[dataset]]\nname = \"holds\"\nschema = \"holds.avsc\"\nsource_versions = \"required\"\n";
        for (text, line, words) in [
            ("x = 1".to_owned(), 1, "unknown field `x`"),
            ("[[dataset]]\nname = \"Holds\"\nschema = \"holds.avsc\"\nsource_versions = \"none\"".to_owned(), 2, "a-z"),
            ("[[dataset]]\nname = \"a\"\nschema = \"b.avsc\"\nsource_versions = \"none\"".to_owned(), 3, "there is none"),
            ("[[dataset]]\nname = \"a\"\nschema = \"holds.avsc\"\nsource_versions = 1".to_owned(), 4, "wanted string"),
            (format!("{head}cadence_ms = 99"), 5, "at least 100"),
            (format!("{head}partitions = 0"), 5, "1 to 1000"),
            (format!("{head}sweep_delete_share_max = 5.0"), 5, "between 0 and 1"),
            (format!("{head}envelope = \"maxwell\""), 5, "unknown variant"),
            (format!("{head}envelope_source_version = \"source.lsn\""), 5, "needs envelope"),
            (format!("{head}envelope = \"debezium\"\nenvelope_source_version = \"source.\""), 6, "path"),
            (format!("{head}intervals = [\n  {{ record = \"Hold\", start = \"from\", end = \"to\" }},\n]"), 6, "no field \"to\""),
            (format!("{head}intervals = [{{ record = \"Hold\", start = \"reason\", end = \"until\" }}]"), 5, "no number"),
            (format!("{head}{head}"), 6, "listed twice"),
            (format!("{head}typo = 1"), 5, "unknown field `typo`"),
        ] {
            let (found, reason) = refusal(&text);
            assert!(reason.contains(words) && found == line, "{found}: {reason}, not {line}: {words}");
        }
    }
}
