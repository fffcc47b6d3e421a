//! Verdicts that differ, as people read them: totals, blockers by country, rules, titles.

use insight::verdicts::{Count, VerdictReport};

use crate::error::Result;
use crate::output::{self, grouped};
use crate::titles::Titles;

/// Rows of a table that has no limit of its own.
const ROWS: usize = 10;

/// Prints a report; titles are named as `titles` says.
pub(crate) fn print(verdicts: &VerdictReport, titles: &Titles) -> Result<()> {
    output::print_line(&format!(
        "verdicts: {} pairs went live ({} hours viewed), {} went dark ({}), {} have other blockers, {} other tracks\n",
        grouped(verdicts.went_live),
        grouped(verdicts.weight_live),
        grouped(verdicts.went_dark),
        grouped(verdicts.weight_dark),
        grouped(verdicts.other_blockers),
        grouped(verdicts.other_tracks),
    ))?;
    let cells = verdicts.cells.iter().map(|cell| {
        let [live, dark, hours] = counts(&cell.count);
        vec![
            cell.blocker.clone(),
            cell.country.clone(),
            live,
            dark,
            hours,
        ]
    });
    let header = [
        "blocker",
        "country",
        "went live",
        "went dark",
        "hours viewed",
    ];
    table(&header, &header[2..], cells, ROWS)?;
    let rules = verdicts.rules.iter().map(|rule| {
        vec![
            rule.code.clone(),
            grouped(rule.lifted),
            grouped(rule.placed),
        ]
    });
    let header = ["rule", "blocks no more", "blocks now"];
    table(&header, &header[1..], rules, usize::MAX)?;
    let tracks = verdicts.tracks.iter().map(|track| {
        vec![
            track.track.clone(),
            grouped(track.added),
            grouped(track.removed),
        ]
    });
    let header = ["track", "live now", "live no more"];
    table(&header, &header[1..], tracks, ROWS)?;
    let countries = verdicts.countries.iter().map(|row| {
        let [live, dark, hours] = counts(&row.count);
        vec![row.name.clone(), live, dark, hours]
    });
    let header = ["country", "went live", "went dark", "hours viewed"];
    table(&header, &header[1..], countries, ROWS)?;
    let videos = verdicts.videos.iter().map(|row| {
        vec![
            format!("{} ({})", titles.title(row.video), row.video),
            grouped(row.weight),
            codes(&row.went_live),
            codes(&row.went_dark),
            row.blockers.join(" "),
        ]
    });
    let header = [
        "video",
        "hours viewed",
        "went live in",
        "went dark in",
        "blockers that changed",
    ];
    table(&header, &header[1..2], videos, usize::MAX)?;
    let rest = verdicts
        .videos_flipped
        .saturating_sub(verdicts.videos.len() as u64);
    if rest > 0 {
        output::print_line(&format!(
            "... and {} more videos (--limit shows more)",
            grouped(rest)
        ))?;
    }
    Ok(())
}

/// Prints the first rows, and how many more there are; nothing where there are none.
fn table(
    header: &[&str],
    right: &[&str],
    rows: impl ExactSizeIterator<Item = Vec<String>>,
    shown: usize,
) -> Result<()> {
    let all = rows.len();
    if all == 0 {
        return Ok(());
    }
    let mut table = output::table(header, right);
    for row in rows.take(shown) {
        table.add_row(row);
    }
    output::print_line(&table)?;
    if all > shown {
        output::print_line(&format!("... and {} more", grouped((all - shown) as u64)))?;
    }
    output::print_line(&"")
}

fn counts(count: &Count) -> [String; 3] {
    [
        grouped(count.went_live),
        grouped(count.went_dark),
        grouped(count.weight_live.saturating_add(count.weight_dark)),
    ]
}

/// The first few countries and how many more there are.
pub(crate) fn codes(codes: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = codes.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match codes.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} +{more}", shown.join(" ")),
        _ => shown.join(" "),
    }
}
