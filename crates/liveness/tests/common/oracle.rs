//! Liveness by its plain definition: one video, one country, one instant, no sharing, no bits.
//!
//! Knows the records and nothing else of the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use liveness::record::*;

use super::world::World;

/// How the rules are set: those that are off, those that take fallback languages, and what
/// pictures and encodes they want.
#[derive(Clone, Default, Debug)]
pub(crate) struct Setup {
    pub(crate) off: BTreeSet<String>,
    pub(crate) fallback: BTreeMap<String, bool>,
    pub(crate) formats: Vec<String>,
    pub(crate) profiles: Vec<String>,
    pub(crate) drm: Vec<String>,
}

/// Kinds and languages.
pub(crate) type Tracks = BTreeSet<(TrackKind, String)>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub(crate) live: bool,
    pub(crate) blockers: BTreeSet<String>,
    /// The tracks that are live.
    pub(crate) tracks: Tracks,
}

/// A verdict that comes by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Next {
    pub(crate) at: i64,
    pub(crate) live: bool,
    pub(crate) tracks: Tracks,
}

pub(crate) struct Oracle<'a> {
    pub(crate) world: &'a World,
    pub(crate) setup: &'a Setup,
    pub(crate) parents: &'a BTreeMap<String, String>,
}

/// CLDR's table, as the file has it.
pub(crate) fn parents() -> &'static BTreeMap<String, String> {
    static PARENTS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    PARENTS.get_or_init(read_parents)
}

fn read_parents() -> BTreeMap<String, String> {
    include_str!("../../data/parent_locales.csv")
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(locale, parent)| (locale.to_owned(), parent.to_owned()))
        .collect()
}

impl Oracle<'_> {
    /// The verdict; `None` where the video or the country is not evaluated.
    pub(crate) fn verdict(&self, video: i64, country: &str, now: i64) -> Option<Verdict> {
        let title = self.world.titles.get(&video)?;
        let policy = self.world.policies.get(country)?;
        let mut blockers = match title.kind {
            Kind::Movie | Kind::Episode => self.played(title, policy, now),
            Kind::Season | Kind::Show => self.collection(title, country, now),
        };
        if self.held(video, country, now) {
            blockers.insert("hold.active".to_owned());
        }
        if self.lineage(video).is_none() {
            blockers.insert("family.no-parent".to_owned());
        }
        blockers.retain(|code| !self.setup.off.contains(code));
        let live = match title.kind {
            Kind::Movie | Kind::Episode => blockers.is_empty(),
            Kind::Season | Kind::Show => self
                .children(video)
                .into_iter()
                .any(|child| self.verdict(child, country, now).unwrap().live),
        };
        let tracks = match title.kind {
            _ if !live => Tracks::new(),
            Kind::Movie | Kind::Episode => self.tracks(title, policy, now),
            Kind::Season | Kind::Show => self
                .children(video)
                .into_iter()
                .flat_map(|child| self.verdict(child, country, now).unwrap().tracks)
                .collect(),
        };
        Some(Verdict {
            live,
            blockers,
            tracks,
        })
    }

    /// The first instant after now at which something else is live: the video or its tracks.
    pub(crate) fn next_change(&self, video: i64, country: &str, now: i64) -> Option<Next> {
        let verdict = self.verdict(video, country, now)?;
        let mut instants = self.world.instants();
        instants.retain(|&at| at > now);
        instants.into_iter().find_map(|at| {
            let then = self.verdict(video, country, at)?;
            let other = (then.live, &then.tracks) != (verdict.live, &verdict.tracks);
            other.then_some(Next {
                at,
                live: then.live,
                tracks: then.tracks,
            })
        })
    }

    /// The tracks that are live if the video is: ready, licensed and offered.
    fn tracks(&self, title: &Title, policy: &Policy, now: i64) -> Tracks {
        let keys = self.above(title.video).into_iter().flat_map(|video| {
            let assets = self.world.assets.keys();
            assets
                .filter(move |(of, ..)| *of == video)
                .map(|(_, kind, language)| (*kind, language.clone()))
        });
        let mut tracks: Tracks = keys.collect();
        tracks.retain(|(kind, language)| {
            self.obstacles(title, policy, *kind, language, now)
                .is_empty()
        });
        tracks
    }

    /// What keeps a track from being live where its video is.
    pub(crate) fn obstacles(
        &self,
        title: &Title,
        policy: &Policy,
        kind: TrackKind,
        language: &str,
        now: i64,
    ) -> BTreeSet<&'static str> {
        let mut obstacles = BTreeSet::new();
        let asset = self.above(title.video).into_iter().find_map(|video| {
            let key = (video, kind, language.to_owned());
            self.world.assets.get(&key)
        });
        if !asset.unwrap().ready {
            obstacles.insert("track.not-ready");
        }
        let itself_or_more = self.whole_chain(language);
        let covers =
            |languages: &BTreeSet<String>| itself_or_more.iter().any(|tag| languages.contains(tag));
        let open = self.open_windows(title.video, &policy.country, now);
        let licensed = open.is_empty()
            || open
                .iter()
                .any(|window| window.languages.as_ref().is_none_or(covers));
        let of_the_film = matches!(kind, TrackKind::Captions | TrackKind::Description)
            && title
                .original_language
                .as_ref()
                .is_some_and(|original| itself_or_more.contains(original));
        if !licensed && !of_the_film {
            obstacles.insert("track.not-licensed");
        }
        if !policy.track_languages.as_ref().is_none_or(covers) {
            obstacles.insert("track.not-offered");
        }
        obstacles
    }

    fn open_windows(&self, video: i64, country: &str, now: i64) -> Vec<&Window> {
        let above = self.above(video);
        let rights = above.iter().find_map(|video| self.world.rights.get(video));
        rights
            .iter()
            .flat_map(|rights| &rights.windows)
            .filter(|window| window.countries.contains(country))
            .filter(|window| window.start <= now && window.end.is_none_or(|end| now < end))
            .collect()
    }

    fn played(&self, title: &Title, policy: &Policy, now: i64) -> BTreeSet<String> {
        let country = &policy.country;
        let mut blockers = BTreeSet::new();
        let mut block = |code: &str, when: bool| {
            if when {
                blockers.insert(code.to_owned());
            }
        };
        let above = self.above(title.video);

        let open = self.open_windows(title.video, country, now);
        block("rights.no-window", open.is_empty());

        let ratings = above.iter().find_map(|video| self.world.ratings.get(video));
        let counting: Vec<(&String, &Rating)> = ratings
            .iter()
            .flat_map(|ratings| &ratings.ratings)
            .filter(|(_, rating)| policy.rating_systems.contains(&rating.system))
            .collect();
        block(
            "rating.missing",
            policy.rating_required && counting.is_empty(),
        );
        let own = counting.iter().find(|(of, _)| *of == country);
        let age = match own {
            Some((_, rating)) => rating.minimum_age,
            None => counting
                .iter()
                .filter_map(|(_, rating)| rating.minimum_age)
                .max(),
        };
        let limit = policy.maximum_age.unwrap_or(i32::MAX);
        block("rating.too-high", age.is_some_and(|age| age > limit));

        let text = |language: &str| {
            let key = |video: &i64| (*video, language.to_owned());
            let text = above
                .iter()
                .find_map(|video| self.world.texts.get(&key(video)));
            text.filter(|text| text.ready)
        };
        block(
            "text.no-title",
            !self.met("text.no-title", &policy.title, |language| {
                text(language).is_some_and(|text| text.title)
            }),
        );
        block(
            "text.no-synopsis",
            !self.met("text.no-synopsis", &policy.synopsis, |language| {
                text(language).is_some_and(|text| text.synopsis)
            }),
        );

        let anything = open.is_empty() || open.iter().any(|window| window.languages.is_none());
        let track = |code: &str, kind: TrackKind, want: &str, licensed_only: bool| {
            self.chain(code, want).iter().any(|language| {
                let key = |video: &i64| (*video, kind, language.clone());
                let asset = above
                    .iter()
                    .find_map(|video| self.world.assets.get(&key(video)));
                let licensed = anything
                    || !licensed_only
                    || open.iter().any(|window| {
                        let languages = window.languages.as_ref().unwrap();
                        self.whole_chain(language)
                            .iter()
                            .any(|tag| languages.contains(tag))
                    });
                asset.is_some_and(|asset| asset.ready) && licensed
            })
        };
        let spoken = |want: &str| {
            let original = title.original_language.as_ref();
            original.is_some_and(|original| self.whole_chain(want).contains(original))
        };
        let follows = |code: &str, licensed_only: bool| {
            self.each(&policy.subtitles, |want| {
                spoken(want)
                    || track(code, TrackKind::Subtitles, want, licensed_only)
                    || track(code, TrackKind::Dub, want, licensed_only)
            })
        };
        let dubbed = |code: &str, licensed_only: bool| {
            !title.kids
                || self.each(&policy.kids_dub, |want| {
                    spoken(want) || track(code, TrackKind::Dub, want, licensed_only)
                })
        };
        block("subtitles.missing", !follows("subtitles.missing", false));
        let code = "subtitles.not-licensed";
        block(code, follows(code, false) && !follows(code, true));
        block("dub.missing", !dubbed("dub.missing", false));
        let code = "dub.not-licensed";
        block(code, dubbed(code, false) && !dubbed(code, true));

        let pictures = policy.artwork_languages.is_empty()
            || policy.artwork_languages.iter().any(|want| {
                self.chain("artwork.missing", want).iter().any(|language| {
                    let key = |video: &i64| (*video, language.clone());
                    let artwork = above
                        .iter()
                        .find_map(|video| self.world.artwork.get(&key(video)));
                    artwork.is_some_and(|artwork| {
                        artwork.ready
                            && !artwork.formats.is_empty()
                            && self
                                .setup
                                .formats
                                .iter()
                                .all(|format| artwork.formats.contains(format))
                    })
                })
            });
        block("artwork.missing", !pictures);

        let streams = self
            .world
            .streams
            .get(&title.video)
            .filter(|streams| streams.ready);
        let playable = streams.is_some_and(|streams| {
            let profiles = &self.setup.profiles;
            let some = match profiles.is_empty() {
                true => !streams.profiles.is_empty(),
                false => profiles
                    .iter()
                    .any(|profile| streams.profiles.contains(profile)),
            };
            some && self.setup.drm.iter().all(|drm| streams.drm.contains(drm))
        });
        block("streams.missing", !playable);
        blockers
    }

    /// None live, or none there; and what every child is blocked by.
    fn collection(&self, title: &Title, country: &str, now: i64) -> BTreeSet<String> {
        let children = self.children(title.video);
        let verdicts: Vec<Verdict> = children
            .iter()
            .map(|&child| self.verdict(child, country, now).unwrap())
            .collect();
        let mut blockers = verdicts
            .iter()
            .map(|verdict| verdict.blockers.clone())
            .reduce(|all, one| all.intersection(&one).cloned().collect())
            .unwrap_or_default();
        if children.is_empty() {
            blockers.insert("family.no-children".to_owned());
        } else if !verdicts.iter().any(|verdict| verdict.live) {
            blockers.insert("family.none-live".to_owned());
        }
        blockers
    }

    fn held(&self, video: i64, country: &str, now: i64) -> bool {
        self.world.holds.values().any(|hold| {
            self.above(video).contains(&hold.video)
                && hold
                    .countries
                    .as_ref()
                    .is_none_or(|countries| countries.contains(country))
                && hold.from <= now
                && hold.until.is_none_or(|until| now < until)
        })
    }

    fn parent(&self, video: i64) -> Option<i64> {
        let title = &self.world.titles[&video];
        let wanted = match title.kind {
            Kind::Episode => Kind::Season,
            Kind::Season => Kind::Show,
            Kind::Movie | Kind::Show => return None,
        };
        let parent = self.world.titles.get(&title.parent?)?;
        (parent.kind == wanted).then_some(parent.video)
    }

    fn children(&self, video: i64) -> Vec<i64> {
        let all = self.world.titles.keys().copied();
        all.filter(|&child| self.parent(child) == Some(video))
            .collect()
    }

    /// The video and what it belongs to, as far as that is known.
    fn above(&self, video: i64) -> Vec<i64> {
        let mut above = vec![video];
        while let Some(parent) = self.parent(above[above.len() - 1]) {
            above.push(parent);
        }
        above
    }

    /// The same, or `None` if somebody's parent is not known.
    fn lineage(&self, video: i64) -> Option<Vec<i64>> {
        let above = self.above(video);
        let top = &self.world.titles[above.last().unwrap()];
        matches!(top.kind, Kind::Movie | Kind::Show).then_some(above)
    }

    fn each(&self, need: &LanguageNeed, has: impl Fn(&str) -> bool) -> bool {
        match (need.languages.is_empty(), need.all) {
            (true, _) => true,
            (_, true) => need.languages.iter().all(|language| has(language)),
            (_, false) => need.languages.iter().any(|language| has(language)),
        }
    }

    fn met(&self, code: &str, need: &LanguageNeed, has: impl Fn(&str) -> bool) -> bool {
        self.each(need, |want| {
            self.chain(code, want).iter().any(|language| has(language))
        })
    }

    /// The languages that a rule takes for a wanted one.
    fn chain(&self, code: &str, want: &str) -> Vec<String> {
        match self.setup.fallback[code] {
            true => self.whole_chain(want),
            false => vec![want.to_owned()],
        }
    }

    fn whole_chain(&self, want: &str) -> Vec<String> {
        let mut chain = vec![want.to_owned()];
        loop {
            let last = chain.last().unwrap();
            let parent = match self.parents.get(last) {
                Some(parent) if parent == "und" => return chain,
                Some(parent) => parent.clone(),
                None => match last.rsplit_once('-') {
                    Some((parent, _)) => parent.to_owned(),
                    None => return chain,
                },
            };
            chain.push(parent);
        }
    }
}
