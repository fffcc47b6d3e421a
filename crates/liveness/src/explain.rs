//! Why a video is or is not live in a country: every blocker, and the records that decided.

mod case;

use serde::{Deserialize, Serialize};

pub use self::case::{Case, Finding, Records};

use crate::country::Country;
use crate::evaluate::{Evaluator, Scratch};
use crate::facts::{self, Facts, Slot, Speech, Window};
use crate::rules::ALL;
use crate::tracks::{self, Obstacle, TrackName, TrackSet};
use crate::verdict::{Group, Outcome};
use crate::{Applies, Error, Result, licence};

/// The verdict on a video in a country.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// The video's id.
    pub video: i64,
    /// The country's code.
    pub country: String,
    /// The instant of the verdict, ms.
    pub now: i64,
    /// Whether it is live.
    pub live: bool,
    /// What holds it back; none where it is live.
    pub blockers: Vec<Blocker>,
    /// Its tracks, by kind and language: of a show or season those that are live, else all.
    pub tracks: Vec<TrackVerdict>,
    /// What will change by itself, if anything.
    pub next_change: Option<Change>,
}

/// A verdict to come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Its first instant, ms.
    pub at: i64,
    /// Whether the video is live then.
    pub live: bool,
    /// The tracks that are live then and are not now.
    pub tracks_added: Vec<Track>,
    /// The tracks that are live now and are not then.
    pub tracks_removed: Vec<Track>,
}

/// A track of a video.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Track {
    /// Subtitles, dub, captions or description.
    pub kind: String,
    /// The language's tag.
    pub language: String,
}

/// The verdict on a track.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrackVerdict {
    /// Subtitles, dub, captions or description.
    pub kind: String,
    /// The language's tag.
    pub language: String,
    /// Whether it is live.
    pub live: bool,
    /// What keeps it from being live besides what holds back the video, as [`Obstacle::code`].
    pub obstacles: Vec<String>,
}

impl From<&TrackName> for Track {
    fn from(track: &TrackName) -> Self {
        Self {
            kind: track.kind.name().to_owned(),
            language: track.language.to_string(),
        }
    }
}

/// One thing that holds a video back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Blocker {
    /// The rule's code.
    pub code: String,
    /// What exactly is wrong, in plain words.
    pub message: String,
    /// The team that can fix it.
    pub owner: String,
    /// What would fix it.
    pub fix: String,
    /// The records that decided.
    pub inputs: Vec<Input>,
}

/// A record that decided, or whose absence did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Input {
    /// The dataset.
    pub dataset: String,
    /// The record's key.
    pub key: Vec<KeyPart>,
    /// Whether the dataset has the record.
    pub present: bool,
}

/// One field of a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeyPart {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl From<i64> for KeyPart {
    fn from(number: i64) -> Self {
        KeyPart::Number(number)
    }
}

impl From<&str> for KeyPart {
    fn from(text: &str) -> Self {
        KeyPart::Text(text.to_owned())
    }
}

/// The code of the blocker of countries that are not evaluated because they have no policy.
pub const NO_POLICY: &str = "policy.missing";

impl Evaluator {
    /// Why a video is or is not live in a country at an instant.
    ///
    /// # Errors
    /// [`Error::UnknownVideo`] where `titles` has no such video.
    pub fn explain(
        &self,
        facts: &Facts,
        video: i64,
        country: Country,
        now: i64,
    ) -> Result<Explanation> {
        let slot = facts.slot(video).ok_or(Error::UnknownVideo { video })?;
        let mut outcomes: Vec<(Slot, std::sync::Arc<Outcome>)> = Vec::new();
        let mut visit = |slot: Slot, outcome: &std::sync::Arc<Outcome>| {
            outcomes.push((slot, outcome.clone()));
        };
        let outcome = self.outcome(facts, slot, now, &mut Scratch::default(), &mut visit);
        let mut explanation = Explanation {
            video,
            country: country.code().to_owned(),
            now,
            live: outcome.live.contains(country),
            blockers: Vec::new(),
            tracks: Vec::new(),
            next_change: None,
        };
        let (Some(group), Some(policy)) = (outcome.group(country), facts.policies().get(country))
        else {
            explanation.blockers.push(no_policy(country));
            return Ok(explanation);
        };
        explanation.next_change = group.next.as_ref().map(|next| Change {
            at: next.at,
            live: next.live,
            tracks_added: without(&next.tracks, &group.tracks),
            tracks_removed: without(&group.tracks, &next.tracks),
        });
        explanation.tracks = verdicts_on_tracks(facts, slot, country, now, group);
        outcomes.sort_by_key(|&(slot, _)| {
            let is_collection = facts.kind(slot).is_some_and(|kind| !kind.is_playable());
            (is_collection, facts.video(slot))
        });
        for place in group.blockers.places() {
            let rule = ALL[place];
            let case = |slot| Case {
                facts,
                slot,
                country,
                now,
                policy,
                fallback: self
                    .settings(place)
                    .is_some_and(|settings| settings.flag("fallback")),
            };
            let is_collection = facts.kind(slot).is_some_and(|kind| !kind.is_playable());
            let own = match rule.applies == Applies::Played && is_collection {
                true => None,
                false => Some((rule.explain)(&case(slot))),
            };
            let finding = own.filter(|own| !own.inputs.is_empty()).or_else(|| {
                let (witness, mut finding) = outcomes
                    .iter()
                    .filter(|(_, outcome)| outcome.blocked()[place].contains(country))
                    .map(|&(slot, _)| (slot, (rule.explain)(&case(slot))))
                    .find(|(_, finding)| !finding.inputs.is_empty())?;
                let of = facts.video(witness);
                finding.message += &format!(" So it is with every part; shown for {of}.");
                Some(finding)
            });
            let Some(finding) = finding else { continue };
            explanation.blockers.push(Blocker {
                code: rule.code.to_owned(),
                message: finding.message,
                owner: rule.owner.to_owned(),
                fix: rule.fix.to_owned(),
                inputs: finding.inputs,
            });
        }
        Ok(explanation)
    }
}

/// The tracks of a set that are not in another.
fn without(tracks: &TrackSet, others: &TrackSet) -> Vec<Track> {
    let left = tracks.iter().filter(|track| !others.contains(track));
    left.map(Track::from).collect()
}

/// The verdicts on the tracks of a video.
fn verdicts_on_tracks(
    facts: &Facts,
    slot: Slot,
    country: Country,
    now: i64,
    group: &Group,
) -> Vec<TrackVerdict> {
    let verdict = |track: &TrackName, obstacles: &[Obstacle]| TrackVerdict {
        kind: track.kind.name().to_owned(),
        language: track.language.to_string(),
        live: group.tracks.contains(track),
        obstacles: obstacles.iter().map(|it| it.code().to_owned()).collect(),
    };
    if facts.kind(slot).is_some_and(|kind| !kind.is_playable()) {
        let live = group.tracks.iter();
        return live.map(|track| verdict(track, &[])).collect();
    }
    let row = facts.row(slot);
    let speech = facts.pools.speech.get(row.speech);
    let windows: &[Window] = facts.pools.rights.get(row.effective.rights);
    let mut all: Vec<(TrackName, Vec<Obstacle>)> = Vec::new();
    for track in speech.tracks.iter() {
        let name = TrackName {
            kind: track.kind,
            language: facts.languages.shared_tag(track.language),
        };
        all.push((name, obstacles(facts, speech, windows, track, country, now)));
    }
    all.sort();
    let named = all
        .iter()
        .map(|(track, obstacles)| verdict(track, obstacles));
    named.collect()
}

/// What keeps a track from being live in a country, whatever becomes of its video.
fn obstacles(
    facts: &Facts,
    speech: &Speech,
    windows: &[Window],
    track: &facts::Track,
    country: Country,
    now: i64,
) -> Vec<Obstacle> {
    let languages = &facts.languages;
    let mut is_licensed = true;
    let here = [country].into_iter().collect();
    licence::regions(windows, now, here, |licensed, _| {
        let key = (track.kind, track.language);
        is_licensed = tracks::is_licensed(languages, speech, key, licensed);
    });
    let policy = facts.policies().get(country);
    let offered = policy.and_then(|policy| policy.offered.as_deref());
    let all = [
        (!track.ready, Obstacle::NotReady),
        (!is_licensed, Obstacle::NotLicensed),
        (
            !tracks::covers(languages, offered, track.language),
            Obstacle::NotOffered,
        ),
    ];
    let met = all.into_iter().filter(|(stands, _)| *stands);
    met.map(|(_, obstacle)| obstacle).collect()
}

fn no_policy(country: Country) -> Blocker {
    Blocker {
        code: NO_POLICY.to_owned(),
        message: format!("{country} has no policy, so nothing is evaluated there."),
        owner: "country policy".to_owned(),
        fix: "Deliver a policy for the country.".to_owned(),
        inputs: vec![Input {
            dataset: "policies".to_owned(),
            key: vec![country.code().into()],
            present: false,
        }],
    }
}
