//! The inputs keyed by video and language: texts, assets and artwork.

use std::marker::PhantomData;
use std::sync::Arc;

use hollow::ObjectView;
use liveness::facts::{Artwork, Text, Track};
use liveness::record::{READY, TrackKind};
use liveness::{Facts, Language};

use super::strings::{NameField, text};
use super::{Reader, Root};
use crate::Result;
use crate::input::Input;

fn language(record: &ObjectView<'_>, field: usize, facts: &mut Facts) -> Option<Language> {
    let tag = record.string(field)?;
    Some(facts.languages.intern(&text(tag)))
}

fn is_ready(record: &ObjectView<'_>, status: usize) -> bool {
    record.string(status).is_some_and(|status| status == READY)
}

pub(super) struct Texts<'a> {
    root: PhantomData<&'a ()>,
    video: usize,
    language: usize,
    title: usize,
    synopsis: usize,
    status: usize,
}

impl<'a> Reader<'a> for Texts<'a> {
    type Key = (i64, Option<Language>);
    const INPUT: Input = Input::Texts;

    fn new(root: Root<'a>) -> Result<Self> {
        Ok(Self {
            video: root.field("video")?,
            language: root.field("language")?,
            title: root.field("title")?,
            synopsis: root.field("synopsisLength")?,
            status: root.field("status")?,
            root: PhantomData,
        })
    }

    fn key(&self, record: &ObjectView<'a>, facts: &mut Facts) -> Self::Key {
        let video = record.long(self.video).unwrap_or_default();
        (video, language(record, self.language, facts))
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let language = language(record, self.language, facts);
        let (Some(video), Some(language)) = (record.long(self.video), language) else {
            return;
        };
        let ready = is_ready(record, self.status);
        let fact = Text {
            language,
            title: ready
                && record
                    .string(self.title)
                    .is_some_and(|title| !title.is_empty()),
            synopsis: ready && record.int(self.synopsis).is_some_and(|length| length > 0),
        };
        facts.set_text(video, fact);
    }

    fn remove((video, language): Self::Key, facts: &mut Facts) {
        if let Some(language) = language {
            facts.remove_text(video, language);
        }
    }
}

pub(super) struct Assets<'a> {
    root: PhantomData<&'a ()>,
    video: usize,
    kind: usize,
    language: usize,
    status: usize,
}

impl Assets<'_> {
    fn kind(&self, record: &ObjectView<'_>) -> Option<TrackKind> {
        let kind = record.string(self.kind)?;
        TrackKind::from_name(&text(kind))
    }
}

impl<'a> Reader<'a> for Assets<'a> {
    type Key = (i64, Option<TrackKind>, Option<Language>);
    const INPUT: Input = Input::Assets;

    fn new(root: Root<'a>) -> Result<Self> {
        Ok(Self {
            video: root.field("video")?,
            kind: root.field("kind")?,
            language: root.field("language")?,
            status: root.field("status")?,
            root: PhantomData,
        })
    }

    fn key(&self, record: &ObjectView<'a>, facts: &mut Facts) -> Self::Key {
        let video = record.long(self.video).unwrap_or_default();
        let language = language(record, self.language, facts);
        (video, self.kind(record), language)
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let language = language(record, self.language, facts);
        let (Some(video), Some(kind), Some(language)) =
            (record.long(self.video), self.kind(record), language)
        else {
            return;
        };
        let fact = Track {
            kind,
            language,
            ready: is_ready(record, self.status),
        };
        facts.set_track(video, fact);
    }

    fn remove((video, kind, language): Self::Key, facts: &mut Facts) {
        if let (Some(kind), Some(language)) = (kind, language) {
            facts.remove_track(video, kind, language);
        }
    }
}

pub(super) struct AllArtwork<'a> {
    video: usize,
    language: usize,
    formats: NameField<'a>,
    status: usize,
}

impl<'a> Reader<'a> for AllArtwork<'a> {
    type Key = (i64, Option<Language>);
    const INPUT: Input = Input::Artwork;

    fn new(root: Root<'a>) -> Result<Self> {
        Ok(Self {
            video: root.field("video")?,
            language: root.field("language")?,
            formats: NameField::of(&root, root.records, "formats")?,
            status: root.field("status")?,
        })
    }

    fn key(&self, record: &ObjectView<'a>, facts: &mut Facts) -> Self::Key {
        let video = record.long(self.video).unwrap_or_default();
        (video, language(record, self.language, facts))
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let language = language(record, self.language, facts);
        let (Some(video), Some(language)) = (record.long(self.video), language) else {
            return;
        };
        let formats = match is_ready(record, self.status) {
            true => self.formats.get(record, facts).unwrap_or_default(),
            false => Arc::default(),
        };
        facts.set_artwork(video, Artwork { language, formats });
    }

    fn remove((video, language): Self::Key, facts: &mut Facts) {
        if let Some(language) = language {
            facts.remove_artwork(video, language);
        }
    }
}
