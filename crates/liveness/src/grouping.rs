//! Groups countries by what blocks them, by what is live and by what will change next.
//!
//! Countries are cut into cells, first those where the video is live by its tracks and the others by their blockers, then all
//! by what comes next. A cell names tracks by their places in the moments, and is small and plain; only the cells that are left
//! in the end become groups.

use std::sync::Arc;

use crate::country::CountrySet;
use crate::tracks::TrackSet;
use crate::verdict::{BlockerSet, Group, Moment, NextChange, Outcome};

/// What is live in a country at a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Dark,
    /// The video without tracks.
    Bare,
    /// With tracks: their place in the moment.
    With(u32),
}

/// Countries that agree in all that was looked at.
#[derive(Clone, Copy)]
struct Cell {
    countries: CountrySet,
    blockers: BlockerSet,
    now: Verdict,
    /// What comes next: the place of the moment, and the verdict then.
    next: Option<(u32, Verdict)>,
}

/// Room for the cells of one outcome after the other.
#[derive(Default)]
pub(crate) struct Grouping {
    cells: Vec<Cell>,
    order: Vec<(u32, u32)>,
}

impl Grouping {
    /// The outcome of rules that block some countries, by place, and of what is live from each moment on.
    pub(crate) fn outcome(
        &mut self,
        markets: CountrySet,
        blocked: &[(usize, CountrySet)],
        timeline: Arc<[Moment]>,
    ) -> Outcome {
        self.cells.clear();
        let live = timeline.first().map_or(CountrySet::EMPTY, |now| now.live);
        self.add(Verdict::Dark, markets - live);
        self.block(0, blocked, markets - live);
        let dark = self.cells.len();
        if let Some((now, later)) = timeline.split_first() {
            now.cut(live, |verdict, countries| self.add(verdict, countries));
            self.block(dark, blocked, live);
            for (at, then) in (0..).zip(later) {
                self.change(now, at, then);
            }
        }
        Outcome {
            groups: self.groups(&timeline),
            live,
            timeline,
        }
    }

    fn add(&mut self, now: Verdict, countries: CountrySet) {
        if !countries.is_empty() {
            self.cells.push(Cell {
                countries,
                blockers: BlockerSet::EMPTY,
                now,
                next: None,
            });
        }
    }

    /// Cuts the cells from some on, which are those of some countries, by what blocks them.
    fn block(&mut self, from: usize, blocked: &[(usize, CountrySet)], among: CountrySet) {
        for &(place, countries) in blocked {
            let countries = countries & among;
            if countries.is_empty() {
                continue;
            }
            for at in from..self.cells.len() {
                let cell = self.cells[at];
                let inside = cell.countries & countries;
                if inside.is_empty() {
                    continue;
                }
                let outside = cell.countries - inside;
                if !outside.is_empty() {
                    self.cells.push(Cell {
                        countries: outside,
                        ..cell
                    });
                }
                let cell = &mut self.cells[at];
                cell.countries = inside;
                cell.blockers.0 |= 1 << place;
            }
        }
    }

    /// Cuts the cells by what a later moment changes, as far as nothing did before.
    fn change(&mut self, now: &Moment, at: u32, then: &Moment) {
        for place in 0..self.cells.len() {
            let cell = self.cells[place];
            if cell.next.is_some() {
                continue;
            }
            let same = cell.countries & then.with(now, cell.now);
            let changed = cell.countries - same;
            if changed.is_empty() {
                continue;
            }
            // The first piece takes the place of a cell of which nothing stays.
            let mut free = match same.is_empty() {
                true => Some(place),
                false => {
                    self.cells[place].countries = same;
                    None
                }
            };
            then.cut(changed, |verdict, countries| {
                let piece = Cell {
                    countries,
                    next: Some((at, verdict)),
                    ..cell
                };
                match free.take() {
                    Some(place) => self.cells[place] = piece,
                    None => self.cells.push(piece),
                }
            });
        }
    }

    /// The cells as groups, by their first country.
    fn groups(&mut self, timeline: &[Moment]) -> Vec<Group> {
        let first = |cell: &Cell| cell.countries.first().map_or(0, |it| it.index() as u32);
        self.order.clear();
        let firsts = self.cells.iter().map(first).zip(0..);
        self.order.extend(firsts);
        self.order.sort_unstable();
        let cells = self.order.iter().map(|&(_, at)| &self.cells[at as usize]);
        let group = |cell: &Cell| Group {
            live: cell.now != Verdict::Dark,
            countries: cell.countries,
            blockers: cell.blockers,
            tracks: timeline
                .first()
                .map_or_else(TrackSet::default, |now| now.tracks_of(cell.now)),
            next: cell.next.and_then(|(at, verdict)| {
                let then = timeline.get(at as usize + 1)?;
                Some(NextChange {
                    at: then.at,
                    live: verdict != Verdict::Dark,
                    tracks: then.tracks_of(verdict),
                })
            }),
        };
        cells.map(group).collect()
    }
}

impl Moment {
    /// Cuts countries by their verdicts.
    fn cut(&self, among: CountrySet, mut each: impl FnMut(Verdict, CountrySet)) {
        let mut cut = |verdict: Verdict, countries: CountrySet| {
            if !countries.is_empty() {
                each(verdict, countries);
            }
        };
        cut(Verdict::Dark, among - self.live);
        let mut rest = among & self.live;
        for (at, (_, countries)) in (0..).zip(&self.tracks) {
            if rest.is_empty() {
                return;
            }
            cut(Verdict::With(at), rest & *countries);
            rest = rest - *countries;
        }
        cut(Verdict::Bare, rest);
    }

    /// The countries with a verdict of another moment.
    fn with(&self, other: &Self, verdict: Verdict) -> CountrySet {
        match verdict {
            Verdict::Dark => CountrySet::all() - self.live,
            Verdict::Bare => {
                let tracks = self.tracks.iter();
                tracks.fold(self.live, |rest, &(_, countries)| rest - countries)
            }
            Verdict::With(at) => {
                let (wanted, _) = &other.tracks[at as usize];
                let mut tracks = self.tracks.iter();
                let found = tracks.find(|(tracks, _)| tracks.is_same(wanted));
                found.map_or(CountrySet::EMPTY, |&(_, countries)| countries)
            }
        }
    }

    fn tracks_of(&self, verdict: Verdict) -> TrackSet {
        match verdict {
            Verdict::With(at) => self.tracks[at as usize].0.clone(),
            Verdict::Dark | Verdict::Bare => TrackSet::default(),
        }
    }
}
