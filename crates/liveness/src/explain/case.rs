//! What a rule that blocks may ask and say of one video in one country: its facts, in words, with the records behind them.
//!
//! Evaluation works on all countries at once and keeps no reasons, so a rule finds them anew when somebody asks.

use super::{Input, KeyPart};
use crate::country::Country;
use crate::facts::{ABSENT, Facts, Hold, Ids, Need, Policy, Rating, Slot, Text, Window};
use crate::language::Language;
use crate::record::TrackKind;

/// What a rule says about one video and country.
pub struct Finding {
    /// What exactly is wrong, in plain words.
    pub message: String,
    /// The records that decided.
    pub inputs: Vec<Input>,
}

/// One video in one country at one instant, for a rule to explain.
pub struct Case<'a> {
    /// The facts.
    pub facts: &'a Facts,
    /// The video's row.
    pub slot: Slot,
    /// The country.
    pub country: Country,
    /// The instant, ms.
    pub now: i64,
    pub(super) policy: &'a Policy,
    /// Whether a language may be served by one that it falls back to.
    pub(super) fallback: bool,
}

/// Which records a video has.
pub struct Records<'a> {
    facts: &'a Facts,
    slot: Slot,
}

impl Records<'_> {
    fn own(&self) -> Ids {
        self.facts.row(self.slot).own
    }

    /// Whether it has a record in `rights`.
    pub fn has_rights(&self) -> bool {
        self.own().rights != ABSENT
    }

    /// Whether it has a record in `ratings`.
    pub fn has_ratings(&self) -> bool {
        self.own().ratings != ABSENT
    }

    /// Whether it has a record in `streams`.
    pub fn has_streams(&self) -> bool {
        self.own().streams != ABSENT
    }

    /// Whether it has a record of a language in `texts`.
    pub fn has_text(&self, language: Language) -> bool {
        let texts = self.facts.pools.texts.get(self.own().texts);
        texts.iter().any(|text| text.language == language)
    }

    /// Whether it has a record of a kind and language in `assets`.
    pub fn has_track(&self, kind: TrackKind, language: Language) -> bool {
        let tracks = self.facts.pools.tracks.get(self.own().tracks);
        tracks
            .iter()
            .any(|track| track.kind == kind && track.language == language)
    }

    /// Whether it has a record of a language in `artwork`.
    pub fn has_artwork(&self, language: Language) -> bool {
        let artwork = self.facts.pools.artwork.get(self.own().artwork);
        artwork.iter().any(|pictures| pictures.language == language)
    }
}

impl<'a> Case<'a> {
    /// The video's id.
    pub fn video(&self) -> i64 {
        self.facts.video(self.slot)
    }

    /// The country's policy.
    pub fn policy(&self) -> &'a Policy {
        self.policy
    }

    fn effective(&self) -> Ids {
        self.facts.row(self.slot).effective
    }

    /// The windows that the video stands under.
    pub fn windows(&self) -> &'a [Window] {
        self.facts.pools.rights.get(self.effective().rights)
    }

    /// The ratings that the video stands under.
    pub fn ratings(&self) -> &'a [Rating] {
        self.facts.pools.ratings.get(self.effective().ratings)
    }

    /// The holds on the video and on what it belongs to.
    pub fn holds(&self) -> &'a [Hold] {
        self.facts.pools.holds.get(self.effective().holds)
    }

    /// The texts that the video stands under.
    pub fn texts(&self) -> &'a [Text] {
        self.facts.pools.texts.get(self.effective().texts)
    }

    /// Which records the video has itself.
    pub fn row(&self) -> Records<'a> {
        self.records(self.slot)
    }

    fn records(&self, slot: Slot) -> Records<'a> {
        Records {
            facts: self.facts,
            slot,
        }
    }

    /// An input by dataset and key.
    pub fn input(&self, dataset: &str, key: Vec<KeyPart>, present: bool) -> Input {
        Input {
            dataset: dataset.to_owned(),
            key,
            present,
        }
    }

    /// The country's policy as an input.
    pub fn policy_input(&self) -> Input {
        self.input("policies", vec![self.country.code().into()], true)
    }

    /// The records of the video and of what it belongs to, up to the first that is there.
    pub fn nearest(&self, dataset: &str, has: impl Fn(&Records<'_>) -> bool) -> Vec<Input> {
        let mut inputs = Vec::new();
        for slot in self.facts.lineage(self.slot) {
            let present = has(&self.records(slot));
            inputs.push(self.input(dataset, vec![self.facts.video(slot).into()], present));
            if present {
                break;
            }
        }
        inputs
    }

    /// The same for a record by language: those that are there, in the language or in one that it
    /// falls back to, or else those in the language that are not.
    pub fn nearest_in_language(
        &self,
        dataset: &str,
        before: &[KeyPart],
        want: Language,
        has: impl Fn(&Records<'_>, Language) -> bool,
    ) -> Vec<Input> {
        let languages = &self.facts.languages;
        let key = |slot: Slot, language: Language| {
            let mut key = vec![KeyPart::from(self.facts.video(slot))];
            key.extend_from_slice(before);
            key.push(languages.tag(language).into());
            key
        };
        let reach = if self.fallback { usize::MAX } else { 1 };
        let mut inputs = Vec::new();
        for language in languages.chain(want).take(reach) {
            let mut lineage = self.facts.lineage(self.slot);
            if let Some(slot) = lineage.find(|&slot| has(&self.records(slot), language)) {
                inputs.push(self.input(dataset, key(slot, language), true));
            }
        }
        if inputs.is_empty() {
            let lineage = self.facts.lineage(self.slot);
            inputs.extend(lineage.map(|slot| self.input(dataset, key(slot, want), false)));
        }
        inputs
    }

    /// Tags joined for a sentence.
    pub fn tags(&self, languages: &[Language], between: &str) -> String {
        let tags: Vec<&str> = languages
            .iter()
            .map(|&language| self.facts.languages.tag(language))
            .collect();
        tags.join(between)
    }

    /// The finding of a text that is missing in the languages of a need.
    pub(crate) fn lacks_text(
        &self,
        what: &str,
        need: &Need,
        is_there: impl Fn(&Text) -> bool,
    ) -> Finding {
        let missing = self.unmet(need, |language| {
            let mut texts = self.texts().iter();
            texts.any(|text| text.language == language && is_there(text))
        });
        let mut inputs = vec![self.policy_input()];
        for &language in &missing {
            inputs.extend(
                self.nearest_in_language("texts", &[], language, |row, language| {
                    row.has_text(language)
                }),
            );
        }
        Finding {
            message: format!("No {what} is ready in {}.", self.wanted(need, &missing)),
            inputs,
        }
    }

    /// The finding of tracks that are missing in the languages of a need.
    pub(crate) fn lacks_tracks(&self, what: &str, need: &Need, kinds: &[TrackKind]) -> Finding {
        let missing = self.unmet(need, |language| self.hears(kinds, language));
        Finding {
            message: format!("{what} ready in {}.", self.wanted(need, &missing)),
            inputs: self.track_inputs(&missing, kinds),
        }
    }

    /// The finding of tracks that are there and not licensed.
    pub(crate) fn lacks_licence(&self, what: &str, need: &Need, kinds: &[TrackKind]) -> Finding {
        let missing = self.unmet(need, |language| self.hears(kinds, language));
        let mut languages = need.languages.to_vec();
        languages.retain(|language| !missing.contains(language));
        self.sort_by_tag(&mut languages);
        let mut inputs = self.track_inputs(&languages, kinds);
        inputs.extend(self.nearest("rights", |row| row.has_rights()));
        Finding {
            message: format!(
                "{what} in {} is there, but no open window for {} licenses it.",
                self.wanted(need, &languages),
                self.country
            ),
            inputs,
        }
    }

    fn track_inputs(&self, languages: &[Language], kinds: &[TrackKind]) -> Vec<Input> {
        let mut inputs = vec![
            self.policy_input(),
            self.input("titles", vec![self.video().into()], true),
        ];
        for &language in languages {
            for &kind in kinds {
                let before = [KeyPart::from(kind.name())];
                inputs.extend(
                    self.nearest_in_language("assets", &before, language, |row, at| {
                        row.has_track(kind, at)
                    }),
                );
            }
        }
        inputs
    }

    /// Whether viewers hear or read a language, licensed or not.
    fn hears(&self, kinds: &[TrackKind], want: Language) -> bool {
        let row = self.facts.row(self.slot);
        let speech = self.facts.pools.speech.get(row.speech);
        let languages = &self.facts.languages;
        let in_original = speech
            .original
            .is_some_and(|original| languages.serves(original, want));
        let mut tracks = speech.tracks.iter();
        in_original
            || tracks
                .any(|track| track.ready && kinds.contains(&track.kind) && track.language == want)
    }

    /// The languages of a need that are not there: all if one would do.
    fn unmet(&self, need: &Need, is_there: impl Fn(Language) -> bool) -> Vec<Language> {
        let reach = if self.fallback { usize::MAX } else { 1 };
        let mut languages = need.languages.to_vec();
        languages.retain(|&want| !self.facts.languages.chain(want).take(reach).any(&is_there));
        self.sort_by_tag(&mut languages);
        languages
    }

    fn sort_by_tag(&self, languages: &mut [Language]) {
        languages.sort_by_key(|&language| self.facts.languages.tag(language));
    }

    fn wanted(&self, need: &Need, languages: &[Language]) -> String {
        self.tags(languages, if need.all { " and " } else { " or " })
    }
}
