//! The command line: what all commands share, and the list of them.
//!
//! Each command has its arguments, with the help that teaches them, in its own file under `commands/`, so that the folder
//! tree is the command tree.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    completions, dead_letters, demo, diff, emit, evaluate, launches, pin, produce, replay, sample,
    show, sweep, sweeper, versions, why,
};
use crate::connect::{Connected, Deployment, Use};
use crate::error::Result;

/// Decides which titles may go live, in every country, on every cycle, and can prove why.
#[derive(Debug, Parser)]
#[command(name = "greenlight", version, max_term_width = 120, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What all commands share.
    #[command(flatten)]
    pub(crate) globals: Globals,

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
  greenlight diff liveness                   what the newest version changed
  greenlight launches --next 14d             what will go live by itself, and what is held back
  greenlight replay V                        would today's rules decide the same as they did in version V

Commands work beside a running demo and after it. Exit code 2 means that the command failed.";

/// Where a command works and how it prints.
#[derive(Clone, Debug, Args)]
pub(crate) struct Globals {
    /// The directory with everything embedded: log, registry, blobs [default: data]
    #[arg(long, global = true, env = "GREENLIGHT_DIR", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// The file that says where log, blob store, registry and schemas are (see config/deployment.toml).
    #[arg(
        long,
        global = true,
        env = "GREENLIGHT_DEPLOYMENT",
        value_name = "FILE"
    )]
    pub(crate) deployment: Option<PathBuf>,

    /// The Kafka cluster with log and registry, instead of a directory.
    #[arg(long, global = true, value_name = "BOOTSTRAP")]
    pub(crate) kafka: Option<String>,

    /// The bucket with the blobs: s3://BUCKET/PREFIX on AWS, http(s)://HOST:PORT/BUCKET/PREFIX elsewhere; keys from the
    /// environment as AWS's own tools take them.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) s3: Option<String>,

    /// Print JSON for programs instead of tables for people (field names are stable; see docs/cli.md).
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Globals {
    /// The deployment that file and flags name together.
    pub(crate) fn deployment(&self) -> Result<Deployment> {
        self.deployment_or(None)
    }

    /// As [`deployment`](Self::deployment), with the file that counts where the command line names none.
    pub(crate) fn deployment_or(&self, file: Option<&Path>) -> Result<Deployment> {
        let mut deployment = match self.deployment.as_deref().or(file) {
            Some(file) => Deployment::load(file)?,
            None => Deployment::default(),
        };
        match (&self.kafka, &self.dir) {
            (Some(bootstrap), _) => deployment.on_kafka(bootstrap),
            (None, Some(dir)) => deployment.in_directory(dir),
            (None, None) => {}
        }
        if let Some(url) = &self.s3 {
            deployment.on_s3(url)?;
        }
        Ok(deployment)
    }

    /// Connects to a deployment in which something has run before.
    pub(crate) fn connect(&self) -> Result<Connected> {
        Connected::open(&self.deployment()?, &Use::Look)
    }
}

impl Command {
    /// Whether it is a role: a process that runs until it is told to stop, watched by its log.
    pub(crate) fn is_role(&self) -> bool {
        matches!(
            self,
            Self::Produce(_) | Self::Evaluate(_) | Self::Sweeper(_)
        )
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole system in one process, on the real catalogue.
    Demo(demo::Arguments),
    /// Run producers: fold change records into datasets until told to stop.
    Produce(produce::Arguments),
    /// Run the gatekeeper: evaluate every video in every country until told to stop.
    Evaluate(evaluate::Arguments),
    /// Send a whole source again, so that what was never emitted heals; or decide about deletes of a sweep.
    Sweep(sweep::Arguments),
    /// Run the sweeper: every source by its interval until told to stop.
    Sweeper(sweeper::Arguments),
    /// Who owns the directory, every dataset's version, age, pins and dead letters.
    Status,
    /// The datasets: newest version, records, size.
    Datasets,
    /// The announced versions of one dataset, newest first.
    Versions(versions::Arguments),
    /// One record of a dataset by its key, and where it came from.
    Show(show::Arguments),
    /// Whether a video may be shown in a country, each blocker, and the input records that decided it.
    ///
    /// Exit code 0: live; 1: not live; 2: the command failed.
    Why(why::Arguments),
    /// What differs between two versions of a dataset, or between PROD and a follower with other rules.
    ///
    /// Exit code 0: done; 1: something changed that --fail-unless-only does not name; 2: the command failed.
    Diff(diff::Arguments),
    /// What will go live by itself, and what is held back although its rights begin; the most viewed first.
    Launches(launches::Arguments),
    /// Evaluate a past version again: with today's rules, with its own, or with a record that was otherwise.
    ///
    /// Exit code 0: identical; 1: not; 2: the command failed.
    Replay(replay::Arguments),
    /// Emit change records from JSON Lines, checked before they are sent.
    ///
    /// Exit code 0: every line is durable in the topic; 1: some were refused; 2: the command failed.
    Emit(emit::Arguments),
    /// The records that could not be folded, with why; `retry` brings them back.
    DeadLetters(dead_letters::Arguments),
    /// Force a dataset to one version until `unpin`; a pin outranks everything newer.
    Pin(pin::PinArguments),
    /// Remove a dataset's pin.
    Unpin(pin::UnpinArguments),
    /// Work on the recorded scenario of the demo.
    #[command(subcommand)]
    Sample(sample::Sample),
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
}
