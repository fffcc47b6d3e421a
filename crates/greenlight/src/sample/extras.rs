//! Popularity from the viewing reports, and a handful of holds, which no public source has.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Entry, title_key};
use super::dates::{DAY_MS, HOUR_MS};
use super::draw::Draw;
use super::localization::series_name;
use super::output::Output;
use super::records::{Hold, Popularity, Provenance};
use super::source::EngagementRow;
use super::{BASE_MS, CLOCK_MS};

/// Hours viewed by title key: of the first report that has the title, all its seasons together.
pub(crate) fn hours(reports: &[(&str, Vec<EngagementRow>)]) -> BTreeMap<String, (String, i64)> {
    let mut hours: BTreeMap<String, (String, i64)> = BTreeMap::new();
    for (period, rows) in reports {
        for row in rows {
            let english = row.title.split(" // ").next().unwrap_or(&row.title);
            let entry = hours
                .entry(title_key(series_name(english)))
                .or_insert_with(|| ((*period).to_owned(), 0));
            if entry.0 == *period {
                entry.1 += row.hours_viewed;
            }
        }
    }
    hours
}

/// Writes the popularity of an entry, where a report has it.
pub(crate) fn popularity(
    entry: &Entry,
    hours: &BTreeMap<String, (String, i64)>,
    out: &mut Output,
) -> i64 {
    let Some((period, viewed)) = hours.get(&title_key(&entry.facts().title)) else {
        return 0;
    };
    let record = Popularity {
        video: entry.id,
        hours_viewed: *viewed,
        period: period.clone(),
        provenance: Provenance::Derived,
    };
    out.put("popularity", entry.known, &(entry.id,), &record);
    *viewed
}

const REASONS: [&str; 6] = [
    "Music clearance is open for one scene.",
    "A court order is being examined.",
    "The dub was reported as wrong; linguistics is checking.",
    "The partner asked to wait for the theatrical run.",
    "The artwork is disputed.",
    "Subtitles run late by several seconds.",
];

/// Writes holds on some of the most watched titles: a third from before the base, the rest in the
/// course of the changes; some end by themselves, some are lifted, some stay.
pub(crate) fn holds(popular: &[&Entry], out: &mut Output) {
    for number in 0..18_usize {
        let serial = i64::try_from(number).unwrap_or(0) + 1;
        let mut draw = Draw::new("holds", serial);
        let at = draw.range(0, i64::try_from(popular.len()).unwrap_or(0));
        let Some(entry) = usize::try_from(at).ok().and_then(|at| popular.get(at)) else {
            continue;
        };
        let from = match number % 3 {
            0 => BASE_MS - draw.range(1, 60) * DAY_MS,
            1 => draw.range(BASE_MS / DAY_MS + 30, CLOCK_MS / DAY_MS - 30) * DAY_MS,
            _ => CLOCK_MS - draw.range(2, 20) * HOUR_MS,
        };
        let from = from.max(entry.known + HOUR_MS).min(CLOCK_MS - HOUR_MS);
        let hold = format!("H-{serial:04}");
        let somewhere: [&[&str]; 4] = [
            &["DE", "AT", "CH"],
            &["IN"],
            &["BR", "AR", "MX"],
            &["GB", "IE", "US"],
        ];
        let countries = draw.chance(600).then(|| {
            somewhere[number % 4]
                .iter()
                .map(|c| (*c).to_owned())
                .collect::<BTreeSet<_>>()
        });
        let record = Hold {
            hold: hold.clone(),
            video: entry.id,
            countries,
            reason: REASONS[number % REASONS.len()].to_owned(),
            from,
            until: (number % 6 == 2).then_some(CLOCK_MS + draw.range(1, 30) * 60_000),
            provenance: Provenance::Synthesized,
        };
        out.root(0);
        out.put("holds", from, &(&hold,), &record);
        if number % 6 == 1 {
            let lifted = (from + draw.range(10, 60) * DAY_MS).min(CLOCK_MS - 2 * HOUR_MS);
            out.delete("holds", lifted.max(from + 1), &(&hold,));
        }
    }
}
