//! The command line: every command and argument, with the help that teaches them.
//!
//! The folder `commands/` holds one file per command, so that the folder tree is the command tree.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use registry::Version;

use crate::output::Instant;

/// Decides which titles may go live, in every country, on every cycle, and can prove why.
#[derive(Debug, Parser)]
#[command(name = "greenlight", version, max_term_width = 120, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// The directory with the log, the registry and the blobs.
    #[arg(
        long,
        global = true,
        default_value = "data",
        env = "GREENLIGHT_DIR",
        value_name = "DIR"
    )]
    pub(crate) dir: PathBuf,

    /// Print JSON for programs instead of tables for people (field names are stable; see docs/cli.md).
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  greenlight demo                            a real catalogue through the whole pipe, under ./data
  greenlight status                          every dataset's version, age and dead letters
  greenlight why 'Stranger Things' JP        may it be shown in Japan now; if not, what holds it back
  greenlight show rights 80057281            the record that decided it
  greenlight diff liveness --from V --to V   what changed between two versions

Commands work beside a running demo and after it. Exit code 2 means that the command failed.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole system in one process, on the real catalogue, with everything embedded.
    Demo(Demo),
    /// Who owns the directory, every dataset's version, age, pins and dead letters.
    Status,
    /// The datasets: newest version, records, size.
    Datasets,
    /// The announced versions of one dataset, newest first.
    Versions(Versions),
    /// One record of a dataset by its key, and where it came from.
    Show(Show),
    /// Whether a video may be shown in a country, each blocker, and the input records that decided it.
    ///
    /// Exit code 0: live; 1: not live; 2: the command failed.
    Why(Why),
    /// What changed between two versions of a dataset.
    Diff(Diff),
    /// Force a dataset to one version until `unpin`; a pin outranks everything newer.
    Pin(Pin),
    /// Remove a dataset's pin.
    Unpin(Unpin),
    /// Work on the recorded scenario of the demo.
    #[command(subcommand)]
    Sample(Sample),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  greenlight completions bash > /etc/bash_completion.d/greenlight"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Arguments of `greenlight demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight demo                                   run until Ctrl-C; a second start goes on from disk
  greenlight demo --once                            everything once, then exit 0
  greenlight demo --once --now 2021-03-08T00:00:00Z a fixed clock: two such runs write byte-identical blobs")]
pub(crate) struct Demo {
    /// Load everything, run every round, then exit.
    #[arg(long)]
    pub(crate) once: bool,

    /// Stop the clock at this instant (RFC 3339) and run in rounds; default: a running clock that starts on the scenario's day.
    #[arg(long, value_name = "T")]
    pub(crate) now: Option<Instant>,

    /// How often producers and gatekeeper run, in milliseconds (100 to 600000).
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    pub(crate) cadence_ms: u64,

    /// How many times faster than real time the demo's clock runs (1 to 86400).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) clock_speed: u32,

    /// The directory with datasets.toml and rules.toml; default: those of `config/`, as compiled in.
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,

    /// The directory with the Avro schemas that --config names.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "schemas",
        requires = "config"
    )]
    pub(crate) schemas: PathBuf,

    /// The scenario's directory.
    #[arg(long, value_name = "DIR", default_value = "replay/catalogue")]
    pub(crate) scenario: PathBuf,
}

/// Arguments of `greenlight versions`.
#[derive(Debug, Args)]
pub(crate) struct Versions {
    /// The dataset, such as `liveness` (short for `prod/liveness`).
    pub(crate) dataset: String,

    /// How many of the newest versions to list.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

/// Arguments of `greenlight show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight show titles 80057281
  greenlight show texts '[80057281,\"de\"]'
  greenlight show policies DE
  greenlight show liveness 80057281 --version 20210308000000000 --json")]
pub(crate) struct Show {
    /// The dataset.
    pub(crate) dataset: String,

    /// The key: one value, or a JSON array for a key of several fields.
    pub(crate) key: String,

    /// The version; default: the newest.
    #[arg(long, value_name = "V")]
    pub(crate) version: Option<Version>,
}

/// Arguments of `greenlight why`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight why 80057281 DE
  greenlight why 'Stranger Things' DE --json
Exit code 0: live; 1: not live; 2: the command failed.")]
pub(crate) struct Why {
    /// The video: its id, or its title.
    pub(crate) video: String,

    /// The country, ISO 3166-1 alpha-2.
    pub(crate) country: String,

    /// The version of `liveness` to explain; default: the newest.
    #[arg(long, value_name = "V")]
    pub(crate) version: Option<Version>,
}

/// Arguments of `greenlight diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  greenlight diff liveness --from 20210308000000000 --to 20210308000000004
  greenlight diff ratings --from V --to V --limit 5 --json")]
pub(crate) struct Diff {
    /// The dataset.
    pub(crate) dataset: String,

    /// The earlier version.
    #[arg(long, value_name = "V")]
    pub(crate) from: Version,

    /// The later version.
    #[arg(long, value_name = "V")]
    pub(crate) to: Version,

    /// How many records to show in full (totals always cover everything).
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
}

/// Arguments of `greenlight pin`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  greenlight pin liveness 20210308000000002 --reason 'wrong ratings in 3'"
)]
pub(crate) struct Pin {
    /// The dataset.
    pub(crate) dataset: String,

    /// The announced version that everybody is to hold.
    pub(crate) version: Version,

    /// Why, for whoever meets the pin later.
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}

/// Arguments of `greenlight unpin`.
#[derive(Debug, Args)]
pub(crate) struct Unpin {
    /// The dataset.
    pub(crate) dataset: String,
}

/// Commands on the recorded scenario.
#[derive(Debug, Subcommand)]
pub(crate) enum Sample {
    /// Build the scenario from the public source files, byte for byte as it is checked in.
    Build {
        /// The directory with the source files.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,

        /// Where to write the scenario.
        #[arg(long, value_name = "DIR", default_value = "replay/catalogue")]
        out: PathBuf,
    },
}
