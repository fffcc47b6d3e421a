//! The results of a bench, for people and for programs. All benches write the same columns, so that one reader does.

use std::fmt::Write as _;
use std::path::Path;

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Line {
    /// What was measured, and at which size.
    pub row: String,
    /// Our value.
    pub ours: f64,
    /// The peer's value, or the limit.
    pub peer: f64,
    /// The unit of both.
    pub unit: &'static str,
    /// The ratio to reach; 0 for a row that is only reported.
    pub goal: f64,
}

impl Line {
    /// How many times better ours is; all units here are better when smaller.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.peer / self.ours
    }

    /// Whether the goal is reached.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.ratio() >= self.goal
    }
}

/// The heading and a line, aligned for a terminal.
#[must_use]
pub fn heading() -> String {
    format!(
        "{:<46} {:>12} {:>12} {:<10} {:>8} {:>6}",
        "row", "ours", "peer", "unit", "ratio", "goal"
    )
}

/// A line, aligned under the heading.
#[must_use]
pub fn print(line: &Line) -> String {
    let goal = if line.goal > 0.0 {
        format!("{}", line.goal)
    } else {
        "-".to_owned()
    };
    let verdict = match (line.goal > 0.0, line.passes()) {
        (false, _) => "",
        (true, true) => "  reached",
        (true, false) => "  MISSED",
    };
    format!(
        "{:<46} {:>12.3} {:>12.3} {:<10} {:>8.2} {:>6}{verdict}",
        line.row,
        line.ours,
        line.peer,
        line.unit,
        line.ratio(),
        goal
    )
}

/// Writes the tab-separated table with the columns `row ours peer unit ratio goal`.
///
/// # Errors
/// Where the file can't be written.
pub fn write(path: &Path, lines: &[Line]) -> std::io::Result<()> {
    let mut text = String::from("row\tours\tpeer\tunit\tratio\tgoal\n");
    for line in lines {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{}\t{:.4}\t{:.4}\t{}\t{:.3}\t{}",
            line.row,
            line.ours,
            line.peer,
            line.unit,
            line.ratio(),
            line.goal
        );
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, text)
}

/// How many of the lines with a goal reach it, and where the table is.
#[must_use]
pub fn summary(path: &Path, lines: &[Line]) -> String {
    let gated = || lines.iter().filter(|line| line.goal > 0.0);
    format!(
        "{} of {} goals reached; written to {}",
        gated().filter(|line| line.passes()).count(),
        gated().count(),
        path.display()
    )
}
