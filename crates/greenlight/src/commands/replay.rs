//! `greenlight replay`: a past cycle evaluated again, with today's rules or its own, or with a record that was otherwise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use dataset::{SubscriberOptions, View};
use gatekeeper::{Basis, Input, Replacement, Replayer, output::NAME};
use hollow::index::PrimaryKeyIndex;
use hollow::write::WriteOptions;
use insight::Comparison;
use insight::verdicts::{self, Filter, VerdictReport};
use liveness::Configuration;
use registry::{DatasetName, Version};
use serde::Serialize;
use serde_json::Value as Json;

use crate::cli::Globals;
use crate::config;
use crate::connect::Connected;
use crate::error::{Error, Result};
use crate::output::{self, Instant};
use crate::popularity::Popularity;
use crate::roles::evaluate::CODE_REVISION;
use crate::titles::Titles;

/// Arguments of `greenlight replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight replay 20210308000000006                        would today's rules decide the same?
  greenlight replay 20210308000000006 --rules as-of          does it come out again?
  greenlight replay 20210308000000006 --rules my-rules.toml  what would these rules have decided?
  greenlight replay 20210308000000006 --record rights '80121348={\"windows\":[{\"start\":0,\"countries\":[\"FR\"]}]}'
  greenlight replay 20210308000000006 --record holds H-0009=null --record rights 80121348=contract.json
A record is given as JSON or as a file with JSON; its fields are laid over those that it has (RFC 7386), and null removes it.
Exit code 0: identical; 1: not; 2: the command failed.")]
pub(crate) struct Arguments {
    /// The version of the output.
    pub(crate) version: Version,

    /// The rules: `today` (those configured), `as-of` (those that the state was evaluated with), or a file.
    #[arg(long, value_name = "RULES", default_value = "today")]
    pub(crate) rules: String,

    /// Evaluate with this record in the place of the published one; may be given again for others.
    #[arg(long, num_args = 2, value_names = ["DATASET", "KEY=JSON|KEY=FILE"], action = clap::ArgAction::Append)]
    pub(crate) record: Vec<String>,

    /// How many videos to show.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,

    /// The output.
    #[arg(long, value_name = "NAME", default_value = NAME)]
    pub(crate) dataset: String,
}

#[derive(Serialize)]
struct Report {
    dataset: DatasetName,
    version: Version,
    now: Instant,
    rules: String,
    code: String,
    identical: bool,
    digest: String,
    digest_again: String,
    /// Whether the very blobs came out again; null where that is not promised.
    bytes_identical: Option<bool>,
    verdicts: VerdictReport,
}

/// Evaluates again; the exit code says whether it came out the same.
pub(crate) fn run(globals: &Globals, arguments: &Arguments) -> Result<ExitCode> {
    let connected = globals.connect()?;
    let dataset: DatasetName = arguments.dataset.parse()?;
    let version = connected.version(&dataset, Some(arguments.version))?;
    let rules = rules(&connected, &arguments.rules)?;
    let basis = Basis::of_version(&dataset, version, &connected.store, &connected.registry)?;
    let environment = basis.environment(&dataset);
    let replacements = arguments
        .record
        .chunks(2)
        .map(|pair| match pair {
            [input, record] => replacement(&connected, environment, &basis, input, record),
            _ => Err(Error::Record(pair.concat())),
        })
        .collect::<Result<Vec<_>>>()?;
    let mut replayer = Replayer::new(&dataset, &connected.store, &connected.registry)?;
    let replayed = replayer.replay(version, rules.as_ref(), &replacements)?;
    let is_same_code = basis.code_revision == CODE_REVISION;
    let bytes_identical = match rules.is_none() && replacements.is_empty() && is_same_code {
        true => Some(replayer.is_byte_identical(version, &WriteOptions::default())?),
        false => None,
    };
    let comparison = Comparison::new(&replayed.published, &replayed.again)?;
    let popularity = Popularity::load(&connected, environment);
    let weight = |video| popularity.hours(video);
    let report = Report {
        verdicts: verdicts::report(&comparison, &Filter::default(), weight, arguments.limit)?,
        version,
        now: Instant(basis.now_ms),
        rules: arguments.rules.clone(),
        code: basis.code_revision.clone(),
        identical: replayed.is_identical(),
        digest: replayed.published_digest.to_string(),
        digest_again: replayed.again_digest.to_string(),
        bytes_identical,
        dataset: dataset.clone(),
    };
    if globals.json {
        output::print_json(&report)?;
    } else {
        print(&report, &Titles::load(&connected, environment))?;
    }
    Ok(ExitCode::from(u8::from(!report.identical)))
}

/// The rules to evaluate with; `None`: those of the state.
fn rules(connected: &Connected, name: &str) -> Result<Option<Configuration>> {
    match name {
        "as-of" => Ok(None),
        "today" => Ok(Some(connected.rules.clone())),
        file => config::rules(Path::new(file)).map(Some),
    }
}

/// A record over the one that the version's input has.
fn replacement(
    connected: &Connected,
    environment: &str,
    basis: &Basis,
    input: &str,
    record: &str,
) -> Result<Replacement> {
    let (key, text) = record
        .split_once('=')
        .ok_or_else(|| Error::Record(record.to_owned()))?;
    let unknown = || Error::UnknownInput(input.to_owned());
    let input = Input::from_name(input).ok_or_else(unknown)?;
    let version = *basis.inputs.get(&input).ok_or_else(unknown)?;
    let name: DatasetName = format!("{environment}/{input}").parse()?;
    let subscriber = connected.subscriber(&name, SubscriberOptions::default());
    let view: std::sync::Arc<View> = subscriber.open_at(version)?;
    let state = view.state();
    let root = insight::root_type(state)?;
    let key = insight::parse_key(root, key)?;
    let present = PrimaryKeyIndex::build(state, &root.name, None)?.get(&key);
    let patch = json(text)?;
    let record = match patch {
        Json::Null => None,
        patch => {
            let mut whole = match present {
                Some(ordinal) => insight::record(state, &root.name, ordinal)?,
                None => None,
            }
            .unwrap_or_else(|| Json::Object(Default::default()));
            insight::merge(&mut whole, &patch);
            // The key need not be repeated.
            let fields = root.primary_key.iter().flatten();
            let values = insight::key_to_json(&key);
            for (field, value) in fields.zip(values.as_array().into_iter().flatten()) {
                if let Json::Object(whole) = &mut whole {
                    whole.entry(field.clone()).or_insert_with(|| value.clone());
                }
            }
            Some(insight::from_json(state, &root.name, &whole)?)
        }
    };
    Ok(Replacement { input, key, record })
}

/// JSON as it is given, or that of a file.
fn json(text: &str) -> Result<Json> {
    let is_json = text == "null" || text.trim_start().starts_with('{');
    let failed = |message: String| Error::Config {
        path: PathBuf::from(if is_json { "--record" } else { text }),
        line: None,
        message,
    };
    let text = match is_json {
        true => text.to_owned(),
        false => fs::read_to_string(text).map_err(|error| failed(error.to_string()))?,
    };
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}

fn print(report: &Report, titles: &Titles) -> Result<()> {
    let (dataset, version, now) = (&report.dataset, report.version, report.now);
    let what = format!(
        "{dataset} {version}, evaluated again at {now}, rules {}",
        report.rules
    );
    if !report.identical {
        output::print_line(&format!("{what}: not the same"))?;
        return crate::verdicts::print(&report.verdicts, titles);
    }
    let bytes = match report.bytes_identical {
        Some(true) => "; its blobs, too, byte for byte",
        Some(false) => "; its blobs differ in their bytes",
        None => "",
    };
    output::print_line(&format!(
        "{what}: identical, digest {}{bytes}",
        report.digest
    ))
}
