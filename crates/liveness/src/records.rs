//! Facts from plain records, for feeders that have them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::country::{Country, CountrySet};
use crate::facts::{self, Countries, Facts, Name, OPEN, Policy, TitleFact};
use crate::language::Language;
use crate::record;

impl Facts {
    /// Sets a record of `titles`.
    pub fn put_title(&mut self, title: &record::Title) {
        let original = title.original_language.as_deref();
        let fact = TitleFact {
            kind: title.kind,
            parent: title.parent,
            original: original.map(|tag| self.languages.intern(tag)),
            kids: title.kids,
        };
        self.set_title(title.video, Some(fact));
    }

    /// Sets a record of `rights`.
    pub fn put_rights(&mut self, rights: &record::Rights) {
        let windows = rights
            .windows
            .iter()
            .map(|window| facts::Window {
                start: window.start,
                end: window.end.unwrap_or(OPEN),
                countries: countries(&window.countries),
                languages: window.languages.as_ref().map(|tags| self.tags(tags)),
            })
            .collect();
        self.set_rights(rights.video, Some(windows));
    }

    /// Sets a record of `ratings`; ratings of unknown countries are left out.
    pub fn put_ratings(&mut self, ratings: &record::Ratings) {
        let list = ratings
            .ratings
            .iter()
            .filter_map(|(code, rating)| {
                Some(facts::Rating {
                    country: Country::from_code(code)?,
                    system: self.names.intern(&rating.system),
                    minimum_age: rating.minimum_age,
                })
            })
            .collect();
        self.set_ratings(ratings.video, Some(list));
    }

    /// Sets a record of `texts`.
    pub fn put_text(&mut self, text: &record::Text) {
        let fact = facts::Text {
            language: self.languages.intern(&text.language),
            title: text.ready && text.title,
            synopsis: text.ready && text.synopsis,
        };
        self.set_text(text.video, fact);
    }

    /// Sets a record of `assets`.
    pub fn put_asset(&mut self, asset: &record::Asset) {
        let fact = facts::Track {
            kind: asset.kind,
            language: self.languages.intern(&asset.language),
            ready: asset.ready,
        };
        self.set_track(asset.video, fact);
    }

    /// Sets a record of `artwork`.
    pub fn put_artwork(&mut self, artwork: &record::Artwork) {
        let formats = match artwork.ready {
            true => self.name_all(&artwork.formats),
            false => Arc::from([]),
        };
        let language = self.languages.intern(&artwork.language);
        self.set_artwork(artwork.video, facts::Artwork { language, formats });
    }

    /// Sets a record of `streams`.
    pub fn put_streams(&mut self, streams: &record::Streams) {
        let fact = match streams.ready {
            true => facts::Streams {
                profiles: self.name_all(&streams.profiles),
                drm: self.name_all(&streams.drm),
            },
            false => facts::Streams::default(),
        };
        self.set_streams(streams.video, Some(fact));
    }

    /// Sets a record of `holds`.
    pub fn put_hold(&mut self, hold: &record::Hold) {
        let fact = facts::Hold {
            hold: Arc::from(hold.hold.as_str()),
            countries: match &hold.countries {
                Some(codes) => countries(codes),
                None => Countries(CountrySet::all()),
            },
            from: hold.from,
            until: hold.until.unwrap_or(OPEN),
            reason: Arc::from(hold.reason.as_str()),
        };
        self.set_hold(hold.video, fact);
    }

    /// Sets a record of `popularity`.
    pub fn put_popularity(&mut self, popularity: &record::Popularity) {
        self.set_popularity(popularity.video, Some(popularity.hours_viewed));
    }

    /// Sets a record of `policies`; one of an unknown country is left out.
    pub fn put_policy(&mut self, policy: &record::Policy) {
        let Some(country) = Country::from_code(&policy.country) else {
            return;
        };
        let fact = Policy {
            rating_systems: self.name_all(&policy.rating_systems).to_vec(),
            rating_required: policy.rating_required,
            maximum_age: policy.maximum_age,
            title: self.need(&policy.title),
            synopsis: self.need(&policy.synopsis),
            subtitles: self.need(&policy.subtitles),
            kids_dub: self.need(&policy.kids_dub),
            artwork: policy
                .artwork_languages
                .iter()
                .map(|tag| self.languages.intern(tag))
                .collect(),
            offered: policy.track_languages.as_ref().map(|tags| self.tags(tags)),
        };
        self.set_policy(country, Some(fact));
    }

    fn need(&mut self, need: &record::LanguageNeed) -> facts::Need {
        facts::Need {
            all: need.all,
            languages: self.tags(&need.languages),
        }
    }

    fn tags(&mut self, tags: &BTreeSet<String>) -> Arc<[Language]> {
        let mut languages: Vec<Language> =
            tags.iter().map(|tag| self.languages.intern(tag)).collect();
        languages.sort_unstable();
        languages.dedup();
        Arc::from(languages)
    }

    fn name_all(&mut self, texts: &BTreeSet<String>) -> Arc<[Name]> {
        let mut names: Vec<Name> = texts.iter().map(|text| self.names.intern(text)).collect();
        names.sort_unstable();
        Arc::from(names)
    }
}

/// The countries of codes; unknown ones are left out.
fn countries(codes: &BTreeSet<String>) -> Countries {
    let known = codes.iter().filter_map(|code| Country::from_code(code));
    Countries(known.collect())
}
