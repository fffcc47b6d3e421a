//! Texts, tracks and pictures per language. The sources have a few hundred real packages,
//! translations and pictures; from these come the shares by which the bulk is drawn. What is drawn
//! is labelled, and no text but the titles is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Entry, title_key};
use super::countries::World;
use super::dates::DAY_MS;
use super::draw::Draw;
use super::output::Output;
use super::records::{Artwork, Asset, Provenance, Status, Text};
use super::source::{ImageRow, PackageRow, TranslationLine};
use super::{BASE_MS, CLOCK_MS};

/// The translations at hand were written by volunteers; a service commissions its own. A gap is
/// this many times rarer than theirs.
const VOLUNTEER_GAPS: u32 = 8;

/// Shares per language, in per mille, as measured.
pub(crate) struct Shares {
    subtitles: BTreeMap<String, u32>,
    dubs: BTreeMap<String, u32>,
    posters: BTreeMap<String, u32>,
    no_title: u32,
    no_synopsis: u32,
}

fn per_mille(part: usize, whole: usize) -> u32 {
    u32::try_from(part * 1_000 / whole.max(1)).unwrap_or(1_000)
}

impl Shares {
    /// Measures: of the packages in countries that speak a language, how many have subtitles or
    /// sound in it. Few packages say little, so every language starts from four average ones.
    pub(crate) fn measure(
        packages: &[PackageRow],
        translations: &[TranslationLine],
        images: &[ImageRow],
        world: &World,
    ) -> Self {
        let mut counts: BTreeMap<(bool, String), (usize, usize)> = BTreeMap::new();
        let mut total = [(0, 0); 2];
        for row in packages {
            let Some(country) = world.countries.iter().find(|c| c.code == row.country) else {
                continue;
            };
            for (sound, list) in [
                (false, &row.subtitle_languages),
                (true, &row.audio_languages),
            ] {
                let has = world.tags(list);
                // An empty cell is "the collector did not know", not "none".
                if has.is_empty() {
                    continue;
                }
                for language in &country.official {
                    let spoken = usize::from(has.contains(language));
                    let count = counts.entry((sound, language.clone())).or_default();
                    *count = (count.0 + spoken, count.1 + 1);
                    let all = &mut total[usize::from(sound)];
                    *all = (all.0 + spoken, all.1 + 1);
                }
            }
        }
        let share = |sound: bool, language: &String| {
            let (has, all) = counts
                .get(&(sound, language.clone()))
                .copied()
                .unwrap_or_default();
            let average = total[usize::from(sound)];
            per_mille(
                has * average.1.max(1) + 4 * average.0,
                (all + 4) * average.1.max(1),
            )
        };
        let all = |sound: bool| {
            world
                .served
                .iter()
                .map(|language| (language.clone(), share(sound, language)))
                .collect()
        };
        let mut posters = BTreeMap::new();
        for image in images.iter().filter(|image| image.image_kind == "poster") {
            *posters.entry(image.language.clone()).or_insert(400) += 30;
        }
        let gaps = |empty: usize| per_mille(empty, translations.len()) / VOLUNTEER_GAPS;
        Self {
            subtitles: all(false),
            dubs: all(true),
            posters,
            no_title: gaps(
                translations
                    .iter()
                    .filter(|line| line.title.is_empty())
                    .count(),
            ),
            no_synopsis: gaps(
                translations
                    .iter()
                    .filter(|line| line.overview.is_empty())
                    .count(),
            ),
        }
    }
}

/// What a title's localization is drawn from.
pub(crate) struct Localization<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) original_language: Option<&'a str>,
    /// Its title in the original language, where the viewing reports have one.
    pub(crate) original_title: Option<&'a str>,
    /// The languages of the countries it has contracts for.
    pub(crate) languages: BTreeSet<String>,
    /// In how many of the 30 observed countries it is on: widely shown titles are better served.
    pub(crate) breadth: u32,
    /// Per mille of titles with an audio description.
    pub(crate) described: u32,
}

impl Localization<'_> {
    /// Writes all records.
    pub(crate) fn emit(&self, shares: &Shares, out: &mut Output) {
        for language in &self.languages {
            self.texts(language, shares, out);
            self.tracks(language, shares, out);
            self.pictures(language, shares, out);
        }
        self.pictures("zxx", shares, out);
    }

    fn is_original(&self, language: &str) -> bool {
        self.original_language == Some(language)
    }

    /// When the package of a language is delivered, and whether something of it was late.
    fn delivery(&self, language: &str) -> i64 {
        let mut draw = Draw::coded("delivery", self.entry.id, language);
        let known = self.entry.known;
        match self.entry.facts().added {
            Some(added) if self.entry.is_new() && added > known + 2 * DAY_MS => {
                // One in sixteen arrives after the title should have started.
                if draw.chance(62) {
                    (added + draw.range(1, 30) * DAY_MS).min(CLOCK_MS - DAY_MS)
                } else {
                    draw.range(known + DAY_MS, added) / 60_000 * 60_000
                }
            }
            _ => known,
        }
    }

    /// When a gap is closed: in one of three cases, some time after the base.
    fn healed(draw: &mut Draw, delivered: i64) -> Option<i64> {
        let at = draw.range(delivered.max(BASE_MS) + 5 * DAY_MS, CLOCK_MS + 150 * DAY_MS);
        (draw.chance(333) && at < CLOCK_MS).then_some(at / 60_000 * 60_000)
    }

    fn texts(&self, language: &str, shares: &Shares, out: &mut Output) {
        let id = self.entry.id;
        let mut draw = Draw::coded("texts", id, language);
        let at = self.delivery(language);
        let english = language == "en";
        let own = english || self.is_original(language);
        let (title, provenance) = match self.original_title {
            _ if english => (self.entry.first_facts().title.as_str(), Provenance::Real),
            Some(title) if own => (title, Provenance::Real),
            _ => (
                self.entry.first_facts().title.as_str(),
                Provenance::Synthesized,
            ),
        };
        let synopsis_length = if english {
            self.entry.first_facts().synopsis_length
        } else {
            self.entry.first_facts().synopsis_length
                * i32::try_from(draw.range(80, 130)).unwrap_or(100)
                / 100
        };
        let full = Text {
            video: id,
            language: language.to_owned(),
            title: Some(title.to_owned()),
            synopsis_length: Some(synopsis_length),
            status: Status::Ready,
            provenance,
        };
        let mut first = full.clone();
        if !english {
            let missing = if own { 8 } else { 1 };
            first.title = first
                .title
                .filter(|_| !draw.chance(shares.no_title / missing));
            first.synopsis_length = first
                .synopsis_length
                .filter(|_| !draw.chance(shares.no_synopsis / missing));
            if draw.chance(12) {
                first.status = Status::Pending;
            }
        }
        let gap = first != full;
        out.put("texts", at, &(id, language), &first);
        if let (true, Some(healed)) = (gap, Self::healed(&mut draw, at)) {
            out.put("texts", healed, &(id, language), &full);
        }
        // The English title follows the catalogue.
        if let (true, false, Some(later)) = (english, self.entry.is_new(), &self.entry.later) {
            let text = Text {
                title: Some(later.title.clone()),
                synopsis_length: Some(later.synopsis_length),
                ..full
            };
            out.put("texts", self.entry.updated, &(id, language), &text);
        }
    }

    fn tracks(&self, language: &str, shares: &Shares, out: &mut Output) {
        // Titles shown in few countries are localized for fewer.
        let breadth = 700 + self.breadth.min(30) * 10;
        let share = |table: &BTreeMap<String, u32>| table.get(language).copied().unwrap_or(0);
        if self.is_original(language) {
            self.track("captions", language, 900, out);
            self.track("description", language, self.described, out);
            return;
        }
        let subtitles = (share(&shares.subtitles) * breadth / 1_000).min(985);
        self.track(
            "subtitles",
            language,
            if language == "en" { 985 } else { subtitles },
            out,
        );
        // Children can't read along: what is made for them is dubbed or not bought.
        let dubs = share(&shares.dubs) * breadth / 1_000;
        let dubs = if self.entry.facts().kids {
            dubs.max(880)
        } else {
            dubs * 2 / 3
        };
        self.track("dub", language, dubs, out);
    }

    fn track(&self, kind: &'static str, language: &str, chance: u32, out: &mut Output) {
        let id = self.entry.id;
        let mut draw = Draw::coded(kind, id, language);
        let at = self.delivery(language);
        let track = |status, ready_since| Asset {
            video: id,
            kind,
            language: language.to_owned(),
            status,
            ready_since,
            provenance: Provenance::Synthesized,
        };
        let key = (id, kind, language);
        if draw.chance(chance) {
            out.put("assets", at, &key, &track(Status::Ready, Some(at)));
            // A faulty track is taken back, and mostly mended.
            if draw.chance(2) {
                let from = at.max(BASE_MS) + DAY_MS;
                let back = draw.range(from, CLOCK_MS.max(from + 1)) / 60_000 * 60_000;
                if back < CLOCK_MS {
                    out.put("assets", back, &key, &track(Status::Withdrawn, None));
                    let mended = back + draw.range(2, 40) * DAY_MS;
                    if mended < CLOCK_MS {
                        out.put("assets", mended, &key, &track(Status::Ready, Some(mended)));
                    }
                }
            }
            return;
        }
        // Half of what is missing was never ordered.
        if kind == "subtitles" && draw.chance(500) {
            out.put("assets", at, &key, &track(Status::Pending, None));
        }
        if let (true, Some(healed)) = (kind == "subtitles", Self::healed(&mut draw, at)) {
            out.put("assets", healed, &key, &track(Status::Ready, Some(healed)));
        }
    }

    fn pictures(&self, language: &str, shares: &Shares, out: &mut Output) {
        let id = self.entry.id;
        let mut draw = Draw::coded("artwork", id, language);
        let chance = match language {
            "zxx" => 900,
            "en" => 980,
            other => shares.posters.get(other).copied().unwrap_or(0).min(950),
        };
        let ready = draw.chance(chance);
        let at = self.delivery(language);
        let artwork = |status| Artwork {
            video: id,
            language: language.to_owned(),
            formats: if language == "zxx" {
                vec!["backdrop", "still"]
            } else {
                vec!["poster", "logo"]
            },
            status,
            provenance: Provenance::Synthesized,
        };
        if ready {
            out.put("artwork", at, &(id, language), &artwork(Status::Ready));
        } else if chance > 0 && draw.chance(300) {
            out.put("artwork", at, &(id, language), &artwork(Status::Pending));
            if let Some(healed) = Self::healed(&mut draw, at) {
                out.put("artwork", healed, &(id, language), &artwork(Status::Ready));
            }
        }
    }
}

/// English titles with the title in the original language, by title key: a third of the viewing
/// reports' rows have both.
pub(crate) fn original_titles<'a>(
    titles: impl Iterator<Item = &'a str>,
) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for title in titles {
        if let Some((english, original)) = title.split_once(" // ") {
            pairs
                .entry(title_key(series_name(english)))
                .or_insert_with(|| series_name(original).trim().to_owned());
        }
    }
    pairs
}

/// A report's title without its season (`: Season 1`, `: Limited Series`, localized too).
pub(crate) fn series_name(title: &str) -> &str {
    match title.rsplit_once(": ") {
        Some((name, part))
            if part.chars().any(|c| c.is_ascii_digit())
                || [
                    "Limited Series",
                    "Miniserie",
                    "리미티드 시리즈",
                    "Mini",
                    "Serie limitada",
                ]
                .iter()
                .any(|word| part.starts_with(word)) =>
        {
            name
        }
        _ => title,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_title_loses_its_season_in_both_languages() {
        let pairs = original_titles(
            [
                "The Glory: Season 1 // 더 글로리: 시즌 1",
                "Exit // Exit: Special",
            ]
            .into_iter(),
        );
        assert_eq!(pairs.get("theglory").map(String::as_str), Some("더 글로리"));
        assert_eq!(series_name("Mask Girl: Limited Series"), "Mask Girl");
        assert_eq!(series_name("Mission: Impossible"), "Mission: Impossible");
    }
}
