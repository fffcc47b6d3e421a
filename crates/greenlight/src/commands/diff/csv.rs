//! Differences as CSV, a line each, for spreadsheets and scripts.

use std::io;

use insight::Comparison;
use insight::diff::DiffReport;
use insight::verdicts::{self, Filter, Verdict};

use crate::error::{Error, Result};
use crate::popularity::Popularity;
use crate::titles::Titles;

/// Every pair of video and country whose verdicts differ.
pub(super) fn pairs(
    comparison: &Comparison<'_>,
    filter: &Filter,
    titles: &Titles,
    popularity: &Popularity,
) -> Result<()> {
    let mut csv = csv::Writer::from_writer(io::stdout().lock());
    let header = [
        "video",
        "title",
        "country",
        "change",
        "hours_viewed",
        "blockers_before",
        "blockers_after",
        "tracks_added",
        "tracks_removed",
    ];
    csv.write_record(header).map_err(failed)?;
    verdicts::changes(comparison, filter, |pair| {
        let change = match (pair.went_live(), pair.went_dark()) {
            (true, _) => "live",
            (_, true) => "dark",
            _ if pair.has_other_tracks() => "tracks",
            _ => "blockers",
        };
        let blockers = |verdict: Option<Verdict<'_>>| {
            let codes = verdict.into_iter().flat_map(|verdict| verdict.blockers());
            codes.collect::<Vec<_>>().join(" ")
        };
        csv.write_record([
            pair.video.to_string(),
            titles.title(pair.video),
            pair.country.to_owned(),
            change.to_owned(),
            popularity.hours(pair.video).to_string(),
            blockers(pair.before),
            blockers(pair.after),
            tracks(&mut pair.tracks_added()),
            tracks(&mut pair.tracks_removed()),
        ])
        .map_err(failed)
    })?;
    csv.flush().map_err(|error| failed(error.into()))
}

/// Kind and language of each, between semicolons.
fn tracks(tracks: &mut dyn Iterator<Item = &str>) -> String {
    tracks.collect::<Vec<_>>().join("; ")
}

/// Every field of a record that differs.
pub(super) fn fields(comparison: &Comparison<'_>) -> Result<()> {
    let mut csv = csv::Writer::from_writer(io::stdout().lock());
    csv.write_record(["key", "change", "path", "before", "after"])
        .map_err(failed)?;
    for record in DiffReport::of(comparison, usize::MAX, |_| true)?.records {
        let key = record.key.to_string();
        let change = format!("{:?}", record.change).to_lowercase();
        if record.fields.is_empty() {
            csv.write_record([&key, &change, "", "", ""])
                .map_err(failed)?;
        }
        for field in &record.fields {
            let (before, after) = (field.before.to_string(), field.after.to_string());
            csv.write_record([&key, &change, &field.path, &before, &after])
                .map_err(failed)?;
        }
    }
    csv.flush().map_err(|error| failed(error.into()))
}

/// A closed pipe ends the program quietly, as `head` expects.
fn failed(error: csv::Error) -> Error {
    match error.kind() {
        csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            std::process::exit(0)
        }
        _ => Error::Csv(error),
    }
}
