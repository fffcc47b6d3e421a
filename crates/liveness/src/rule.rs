//! What a rule is.
//!
//! A rule answers one question for all countries at once: which of them does it block? Its
//! [`Check`] says which facts it looks at; the evaluator asks it once per distinct value of those
//! facts, not once per video. A rule names its blocker by a code that never changes, says in a
//! plain sentence what holds a video back, who can fix that and how, and which input records
//! decided.

use crate::configuration::{Parameter, Settings};
use crate::country::CountrySet;
use crate::explain::{Case, Finding};
use crate::facts::{Artwork, Hold, Names, Need, Policies, Rating, Speech, Streams, Text, Window};
use crate::language::{Language, Languages};
use crate::record::TrackKind;
use crate::tracks::covers;

/// One rule: a blocker and when it stands.
pub struct Rule {
    /// The blocker's code: `subject.reason`, never changed or used again.
    pub code: &'static str,
    /// Grows when the same facts and parameters start to give another answer.
    pub revision: u32,
    /// A plain sentence for title operations.
    pub summary: &'static str,
    /// The team that can fix it.
    pub owner: &'static str,
    /// What would fix it.
    pub fix: &'static str,
    /// Which videos it is about.
    pub applies: Applies,
    /// What can be set, with the defaults.
    pub parameters: &'static [Parameter],
    /// Which countries it blocks.
    pub check: Check,
    /// Says for one video and country what exactly is wrong, and by which records.
    pub explain: fn(&Case<'_>) -> Finding,
}

/// Which videos a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applies {
    /// Movies and episodes.
    Played,
    /// Shows and seasons.
    Collections,
    /// All.
    Every,
}

/// The facts that a rule looks at, and its answer: the countries it blocks. What it answers
/// outside the markets does not count.
#[derive(Clone, Copy)]
pub enum Check {
    /// Whether the video's parents are known.
    Ancestry(fn(orphan: bool, &Terms<'_>) -> CountrySet),
    /// The seasons of a show, the episodes of a season.
    Children(fn(&Children, &Terms<'_>) -> CountrySet),
    /// The licence windows, at an instant.
    Rights(fn(&[Window], at: i64, &Terms<'_>) -> CountrySet),
    /// The holds on the video and what it belongs to, at an instant.
    Holds(fn(&[Hold], at: i64, &Terms<'_>) -> CountrySet),
    /// The ratings.
    Ratings(fn(&[Rating], &Terms<'_>) -> CountrySet),
    /// The texts.
    Texts(fn(&[Text], &Terms<'_>) -> CountrySet),
    /// The tracks, all of them taken as licensed.
    Speech(fn(&Heard<'_>, &Terms<'_>) -> CountrySet),
    /// The same question asked of the tracks that are licensed at an instant: blocks the countries
    /// that would not be blocked if all were.
    Licences(fn(&Heard<'_>, &Terms<'_>) -> CountrySet),
    /// The artwork.
    Artwork(fn(&[Artwork], &Terms<'_>) -> CountrySet),
    /// The encodes.
    Streams(fn(&Streams, &Terms<'_>) -> CountrySet),
}

/// What a rule may look at besides its facts.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// What the countries ask.
    pub policies: &'a Policies,
    /// The languages and their fallbacks.
    pub languages: &'a Languages,
    /// The other names.
    pub names: &'a Names,
    /// The rule's parameters.
    pub settings: &'a Settings,
}

/// What a show or season collects.
#[derive(Clone, Copy, Debug)]
pub struct Children {
    /// How many seasons or episodes there are.
    pub count: usize,
    /// Where at least one is live.
    pub live: CountrySet,
}

/// The tracks of a video as far as they are licensed.
#[derive(Clone, Copy)]
pub struct Heard<'a> {
    /// The tracks.
    pub speech: &'a Speech,
    /// The languages licensed for them, sorted; `None`: all.
    pub licensed: Option<&'a [Language]>,
}

impl Terms<'_> {
    /// The countries whose need is not met, where `has` says whether a language is there.
    pub fn lacking(
        &self,
        needs: &[(Need, CountrySet)],
        has: impl Fn(Language) -> bool,
    ) -> CountrySet {
        let mut lacking = CountrySet::EMPTY;
        for (need, countries) in needs {
            let mut languages = need.languages.iter().copied();
            let met = match need.all {
                true => languages.all(&has),
                false => languages.any(&has),
            };
            if !met {
                lacking |= *countries;
            }
        }
        lacking
    }

    /// Whether a wanted language is there, itself or, if the parameter `fallback` is set, as
    /// something that it falls back to.
    pub fn served(&self, want: Language, has: impl Fn(Language) -> bool) -> bool {
        match self.settings.falls_back() {
            true => self.languages.chain(want).any(has),
            false => has(want),
        }
    }
}

impl Heard<'_> {
    /// Whether viewers hear a language in the original.
    pub fn in_original(&self, want: Language, terms: &Terms<'_>) -> bool {
        self.speech
            .original
            .is_some_and(|original| terms.languages.serves(original, want))
    }

    /// Whether there is a track of a kind and language that is ready and licensed.
    pub fn has(&self, kind: TrackKind, want: Language, terms: &Terms<'_>) -> bool {
        terms.served(want, |language| {
            let tracks = &self.speech.tracks;
            tracks
                .binary_search_by_key(&(kind, language), |track| (track.kind, track.language))
                .is_ok_and(|at| tracks[at].ready)
                && covers(terms.languages, self.licensed, language)
        })
    }
}
