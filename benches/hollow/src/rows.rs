//! The rows of the table: what each side runs, how often, and what has to come out.

use crate::peer::Tuning;

/// One row at one size.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What is measured.
    pub name: &'static str,
    /// Our command.
    pub ours: &'static str,
    /// The peer's command; most often the same.
    pub peer: &'static str,
    /// Videos changed per cycle are the dataset's size divided by this; 0 where the command takes no number.
    pub change_divisor: usize,
    /// The JVM's flags.
    pub tuning: Tuning,
    /// The unit of both values.
    pub unit: &'static str,
    /// How many times better ours should be; 0 for a row that is only reported.
    pub goal: f64,
    /// Runs of each side before the measured ones.
    pub warm_ups: usize,
    /// Whether both sides must come to the same check value.
    pub same_check: bool,
}

impl Row {
    const fn cycle(
        name: &'static str,
        ours: &'static str,
        change_divisor: usize,
        goal: f64,
    ) -> Self {
        Self {
            name,
            ours,
            peer: ours,
            change_divisor,
            tuning: Tuning::Writing,
            unit: "ms",
            goal,
            warm_ups: 4,
            same_check: false,
        }
    }

    const fn read(name: &'static str, ours: &'static str, unit: &'static str, goal: f64) -> Self {
        Self {
            name,
            ours,
            peer: ours,
            change_divisor: 0,
            tuning: Tuning::Reading,
            unit,
            goal,
            warm_ups: 6,
            same_check: true,
        }
    }

    const fn against(mut self, peer: &'static str) -> Self {
        self.peer = peer;
        self
    }

    const fn warm_ups(mut self, warm_ups: usize) -> Self {
        self.warm_ups = warm_ups;
        self
    }

    /// The line for a side at a size.
    #[must_use]
    pub fn command(&self, row: &str, videos: usize) -> String {
        match self.change_divisor {
            0 => row.to_owned(),
            divisor => format!("{row} {}", videos / divisor),
        }
    }
}

/// All rows that compare times, in the order of running: a JVM serves neighbours with the same tuning.
pub const ROWS: &[Row] = &[
    Row::cycle("full cycle", "write-full-tree", 1_000, 5.0).warm_ups(3),
    Row::cycle("full cycle, shared sets known", "write-full", 1_000, 5.0),
    Row::cycle(
        "incremental cycle, 0.1 % changed",
        "write-incremental",
        1_000,
        20.0,
    )
    .warm_ups(10),
    Row::cycle(
        "incremental cycle, 0.1 %, peer's producer",
        "write-incremental",
        1_000,
        0.0,
    )
    .against("write-incremental-producer")
    .warm_ups(6),
    Row::cycle(
        "incremental cycle, 1 % changed",
        "write-incremental",
        100,
        0.0,
    )
    .warm_ups(6),
    Row::read("snapshot load", "load", "ms", 4.0),
    Row::read("delta apply, 0.1 % changed", "delta", "ms", 20.0),
    Row::read("delta apply, 1 % changed", "delta-percent", "ms", 0.0),
    Row::read("lookup, independent keys", "lookup-independent", "ns", 3.0).warm_ups(10),
    Row::read("lookup, dependent keys", "lookup-dependent", "ns", 0.0).warm_ups(10),
    Row::read("lookup, batched by us", "lookup-batched", "ns", 0.0).against("lookup-independent"),
    Row::read(
        "diff, 1 % changed, within a chain",
        "diff-within",
        "ms",
        20.0,
    )
    .warm_ups(4),
    Row::read(
        "diff, 1 % changed, within, values read",
        "diff-within-values",
        "ms",
        0.0,
    )
    .against("diff-within")
    .warm_ups(4),
    Row::read(
        "diff, 1 % changed, across chains",
        "diff-across",
        "ms",
        20.0,
    )
    .warm_ups(4),
];

/// A limit on how much slower we may be at four times the dataset and the same number of changes.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// What is measured.
    pub name: &'static str,
    /// The command at the smaller size, with its number of changes by divisor.
    pub small: (&'static str, usize),
    /// The command at the larger size.
    pub large: (&'static str, usize),
    /// The limit.
    pub limit: f64,
}

/// The limits.
pub const GROWTH: &[Growth] = &[
    Growth {
        name: "incremental cycle, same changes, 4x dataset",
        small: ("write-incremental", 1_000),
        large: ("write-incremental", 4_000),
        limit: 1.3,
    },
    Growth {
        name: "delta apply, same changes, 4x dataset",
        small: ("delta", 0),
        large: ("delta-quarter", 0),
        limit: 1.3,
    },
];

/// The limit on the peak of memory during a delta, as a multiple of the state.
pub const PEAK_LIMIT: f64 = 1.15;
