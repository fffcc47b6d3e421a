//! Contracts. No public source has any, but their outcomes are public: when a title joined the US
//! catalogue, that it left, where it was on. A contract here is the least that explains those;
//! ends that nobody observed are drawn and labelled.

use std::collections::BTreeSet;

use super::availability::Presence;
use super::catalogue::Entry;
use super::countries::World;
use super::dates::DAY_MS;
use super::draw::Draw;
use super::records::{Provenance, Rights, Window};
use super::{BASE_MS, CLOCK_MS, LATER_MS};

/// A contract and what becomes of it.
#[derive(Clone, Debug)]
struct Contract {
    /// When it is first delivered.
    known: i64,
    start: i64,
    end: Option<i64>,
    /// When its end is delivered; an end known from the start comes with the contract.
    end_known: i64,
    /// When it is taken out again.
    dropped: Option<i64>,
    countries: BTreeSet<String>,
    languages: Option<BTreeSet<String>>,
    provenance: Provenance,
}

/// What the eve of the scenario's day brings for a title, so that something happens by the clock
/// alone while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eve {
    Nothing,
    /// A title that had left comes back at this instant.
    Returns(i64),
    /// Its contracts end at this instant.
    Ends(i64),
}

/// The rights of one title over time.
pub(crate) struct History {
    /// Each state of the record with the instant it was delivered, ascending.
    pub(crate) states: Vec<(i64, Rights)>,
    /// All countries of all contracts.
    pub(crate) countries: BTreeSet<String>,
    /// When it left the US for good, as far as the sources say.
    pub(crate) left_us: Option<i64>,
}

/// The history of the rights of `entry`.
pub(crate) fn history(entry: &Entry, presence: &Presence, world: &World, eve: Eve) -> History {
    let mut contracts = Vec::new();
    let left_us = united_states(entry, presence, &mut contracts);
    observed(entry, presence, &mut contracts);
    elsewhere(entry, presence, world, &mut contracts);
    turn(entry, eve, &mut contracts);
    contracts.retain(|contract| !contract.countries.is_empty());
    let countries = contracts
        .iter()
        .flat_map(|c| c.countries.iter().cloned())
        .collect();
    History {
        states: states(entry.id, &contracts),
        countries,
        left_us,
    }
}

/// The US: the start is the real `date_added` of each snapshot.
fn united_states(entry: &Entry, presence: &Presence, contracts: &mut Vec<Contract>) -> Option<i64> {
    let mut draw = Draw::new("us", entry.id);
    let contract = |known, start| Contract {
        known,
        start,
        end: None,
        end_known: known,
        dropped: None,
        countries: BTreeSet::from(["US".to_owned()]),
        languages: None,
        provenance: Provenance::Real,
    };
    let base = entry.base.as_ref().and_then(|facts| facts.added);
    let later = entry.later.as_ref().and_then(|facts| facts.added);
    let first = base.or(if entry.is_new() { later } else { None });
    if let Some(start) = first {
        contracts.push(contract(entry.known, start));
    }
    // A date that was missing is filled in, or a new run starts.
    if let (false, Some(start)) = (entry.is_new() || later == base, later) {
        if let Some(old) = contracts.last_mut() {
            old.dropped = Some(entry.updated);
        }
        contracts.push(contract(entry.updated, start));
    }
    // Gone from the later snapshot, or, in March, not among the countries where it was on.
    let left = if entry.later.is_none() {
        draw.range(BASE_MS / DAY_MS + 20, LATER_MS / DAY_MS)
    } else if presence.provenance == Provenance::Real && !presence.observed.contains("US") {
        draw.range(LATER_MS / DAY_MS + 2, CLOCK_MS / DAY_MS - 1)
    } else {
        return None;
    };
    let left = left * DAY_MS + 8 * super::dates::HOUR_MS;
    if let Some(last) = contracts.last_mut() {
        if last.start >= left {
            last.dropped = Some(left);
        } else {
            last.end = Some(left);
            last.end_known = (left - 30 * DAY_MS)
                .max(BASE_MS + DAY_MS)
                .max(last.known + DAY_MS);
        }
    }
    Some(left)
}

/// The start for the countries outside the US: when it was first seen anywhere.
fn first_start(entry: &Entry, presence: &Presence) -> i64 {
    presence
        .first_seen
        .or(entry.first_facts().added)
        .or(entry.facts().added)
        .unwrap_or(entry.known)
}

fn known(entry: &Entry, start: i64) -> i64 {
    if start > BASE_MS {
        entry.known.max(start - 20 * DAY_MS)
    } else {
        entry.known
    }
}

/// The other observed countries; no end was observed, so none is given.
fn observed(entry: &Entry, presence: &Presence, contracts: &mut Vec<Contract>) {
    let start = first_start(entry, presence);
    let mut countries = presence.observed.clone();
    countries.remove("US");
    contracts.push(Contract {
        known: known(entry, start),
        start,
        end: None,
        end_known: 0,
        dropped: None,
        countries,
        languages: None,
        provenance: presence.provenance,
    });
}

/// The countries that others stand in for, in up to three contracts with ends of their own.
fn elsewhere(entry: &Entry, presence: &Presence, world: &World, contracts: &mut Vec<Contract>) {
    let start = first_start(entry, presence);
    let known = known(entry, start);
    for part in 0..3_u64 {
        let mut draw = Draw::new("elsewhere", entry.id * 4 + part.cast_signed());
        let countries: BTreeSet<String> = presence
            .elsewhere
            .iter()
            .filter(|code| code.bytes().map(u64::from).sum::<u64>() % 3 == part)
            .cloned()
            .collect();
        let mut contract = Contract {
            known,
            start,
            end: None,
            end_known: known,
            dropped: None,
            countries,
            languages: None,
            provenance: presence.provenance.max(Provenance::Derived),
        };
        // One in eight has run out since, a third has an end ahead.
        let over = start + 90 * DAY_MS < CLOCK_MS && draw.chance(125);
        if over {
            let end = draw.range(start.max(BASE_MS + 40 * DAY_MS) + 60 * DAY_MS, CLOCK_MS) / DAY_MS;
            contract.end = Some(end.min(CLOCK_MS / DAY_MS - 1) * DAY_MS);
            contract.end_known = contract.end.unwrap_or(CLOCK_MS) - 30 * DAY_MS;
        } else if draw.chance(333) {
            contract.end = Some((CLOCK_MS / DAY_MS + draw.range(1, 900)) * DAY_MS);
        }
        if draw.chance(50) {
            contract.languages = Some(licensed(entry.id, &contract.countries, world));
            contract.provenance = Provenance::Synthesized;
        }
        contracts.push(contract);
    }
}

/// A licence that is limited to English and some of what is understood where it holds: what else
/// there is may not be shown.
fn licensed(id: i64, countries: &BTreeSet<String>, world: &World) -> BTreeSet<String> {
    let mut languages = BTreeSet::from(["en".to_owned()]);
    for country in &world.countries {
        if countries.contains(&country.code) {
            languages.extend(country.understood.iter().cloned());
        }
    }
    languages.retain(|tag| tag == "en" || Draw::coded("licensed", id, tag).chance(700));
    languages
}

/// What the eve brings, delivered in the last day before the clock.
fn turn(entry: &Entry, eve: Eve, contracts: &mut Vec<Contract>) {
    let at = CLOCK_MS - Draw::new("eve", entry.id).range(60, 1_200) * 60_000;
    match eve {
        Eve::Nothing => {}
        Eve::Returns(start) => {
            let countries = contracts
                .iter()
                .flat_map(|c| c.countries.iter().cloned())
                .collect();
            for contract in contracts.iter_mut() {
                contract.dropped = contract.dropped.or(Some(at));
            }
            contracts.push(Contract {
                known: at,
                start,
                end: None,
                end_known: at,
                dropped: None,
                countries,
                languages: None,
                provenance: Provenance::Synthesized,
            });
        }
        Eve::Ends(end) => {
            for contract in contracts
                .iter_mut()
                .filter(|c| c.end.is_none_or(|end| end > CLOCK_MS))
            {
                contract.end = Some(end);
                contract.end_known = at;
            }
        }
    }
}

/// The record after every delivery.
fn states(id: i64, contracts: &[Contract]) -> Vec<(i64, Rights)> {
    let mut times = BTreeSet::new();
    for contract in contracts {
        times.insert(contract.known);
        times.extend(contract.dropped);
        times.extend(contract.end.map(|_| contract.end_known.max(contract.known)));
    }
    times
        .into_iter()
        .map(|at| {
            let mut windows: Vec<Window> = contracts
                .iter()
                .enumerate()
                .filter(|(_, c)| c.known <= at && c.dropped.is_none_or(|dropped| at < dropped))
                .map(|(number, c)| {
                    let end = c.end.filter(|_| c.end_known <= at);
                    Window {
                        contract: format!("C-{id}-{}", number + 1),
                        start: c.start,
                        end,
                        countries: c.countries.clone(),
                        languages: c.languages.clone(),
                        provenance: if end.is_some() {
                            Provenance::Synthesized
                        } else {
                            c.provenance
                        },
                    }
                })
                .collect();
            windows.sort_by(|a, b| (a.start, &a.contract).cmp(&(b.start, &b.contract)));
            (at, Rights { video: id, windows })
        })
        .collect()
}
