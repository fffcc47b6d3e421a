//! What people and programs read: tables, JSON, instants and errors, the same in every command.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use jiff::Timestamp;
use registry::Version;
use serde::{Serialize, Serializer};

use crate::error::Error;

/// An instant of the system's clock, in milliseconds since 1970 in UTC; text form RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(pub(crate) i64);

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let timestamp: Timestamp = text
            .parse()
            .map_err(|_| format!("{text:?} is no RFC 3339 instant such as 2021-03-08T00:00:00Z"))?;
        Ok(Self(timestamp.as_millisecond()))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An empty table with a header; columns named in `right` are aligned to the right.
pub(crate) fn table(header: &[&str], right: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    for (index, name) in header.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if right.contains(name) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// Prints `value` as one indented JSON document.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(Error::Json)?;
    print_line(&text)
}

/// Prints a line to standard output; a closed pipe ends the program quietly, as `head` expects.
pub(crate) fn print_line(line: &dyn fmt::Display) -> Result<(), Error> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.map_err(Error::Output),
    }
}

/// Prints an error and what to do about it to standard error.
pub(crate) fn print_error(error: &Error, json: bool) {
    let message = error.with_causes();
    if json {
        eprintln!(
            "{}",
            serde_json::json!({ "error": message, "hint": error.hint() })
        );
    } else {
        eprintln!("error: {message}");
        if let Some(hint) = error.hint() {
            eprintln!("  {hint}");
        }
    }
}

/// Formats the version that a dataset has for everybody, and that a pin says so.
pub(crate) fn pinnable(version: Option<Version>, pinned: Option<Version>) -> String {
    match (version, pinned) {
        (Some(version), Some(_)) => format!("{version} (pinned)"),
        (Some(version), None) => version.to_string(),
        (None, _) => "none yet".to_owned(),
    }
}

/// Formats a count with thin groups of three digits: 1 234 567.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Formats an age or a duration for people: `850 ms`, `12.3 s`, `4 min`, `3 h`, `12 d`.
pub(crate) fn duration(ms: i64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        60_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_rfc_3339() {
        let instant: Instant = "2021-03-08T00:00:00Z".parse().unwrap();
        assert_eq!(instant.0, 1_615_161_600_000);
        assert_eq!(instant.to_string(), "2021-03-08T00:00:00Z");
        assert!(
            "yesterday"
                .parse::<Instant>()
                .unwrap_err()
                .contains("2021-03-08T00:00:00Z")
        );
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1 234 567");
    }

    #[test]
    fn durations_take_the_unit_that_fits() {
        assert_eq!(duration(850), "850 ms");
        assert_eq!(duration(12_340), "12.3 s");
        assert_eq!(duration(3 * 86_400_000), "3 d");
    }
}
