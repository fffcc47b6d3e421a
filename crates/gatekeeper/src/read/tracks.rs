//! The inputs keyed by video and language: texts, assets and artwork.

use std::marker::PhantomData;
use std::sync::Arc;

use hollow::ObjectView;
use liveness::Facts;
use liveness::facts::{Artwork, Text, Track};
use liveness::record::{READY, TrackKind};

use super::strings::{NameField, text};
use super::{Reader, Root};
use crate::Result;
use crate::input::Input;

fn string(record: &ObjectView<'_>, field: usize) -> String {
    record
        .string(field)
        .map(|string| text(string).into_owned())
        .unwrap_or_default()
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
    type Key = (i64, String);
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

    fn key(&self, record: &ObjectView<'a>) -> Self::Key {
        let video = record.long(self.video).unwrap_or_default();
        (video, string(record, self.language))
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let (Some(video), Some(language)) = (record.long(self.video), record.string(self.language))
        else {
            return;
        };
        let ready = is_ready(record, self.status);
        let language = facts.languages.intern(&text(language));
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

    fn remove((video, tag): Self::Key, facts: &mut Facts) {
        let language = facts.languages.intern(&tag);
        facts.remove_text(video, language);
    }
}

pub(super) struct Assets<'a> {
    root: PhantomData<&'a ()>,
    video: usize,
    kind: usize,
    language: usize,
    status: usize,
}

impl<'a> Reader<'a> for Assets<'a> {
    type Key = (i64, String, String);
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

    fn key(&self, record: &ObjectView<'a>) -> Self::Key {
        let video = record.long(self.video).unwrap_or_default();
        (
            video,
            string(record, self.kind),
            string(record, self.language),
        )
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let (Some(video), Some(language)) = (record.long(self.video), record.string(self.language))
        else {
            return;
        };
        let kind = record.string(self.kind);
        let Some(kind) = kind.and_then(|kind| TrackKind::from_name(&text(kind))) else {
            return;
        };
        let fact = Track {
            kind,
            language: facts.languages.intern(&text(language)),
            ready: is_ready(record, self.status),
        };
        facts.set_track(video, fact);
    }

    fn remove((video, kind, tag): Self::Key, facts: &mut Facts) {
        if let Some(kind) = TrackKind::from_name(&kind) {
            let language = facts.languages.intern(&tag);
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
    type Key = (i64, String);
    const INPUT: Input = Input::Artwork;

    fn new(root: Root<'a>) -> Result<Self> {
        Ok(Self {
            video: root.field("video")?,
            language: root.field("language")?,
            formats: NameField::of(&root, root.records, "formats")?,
            status: root.field("status")?,
        })
    }

    fn key(&self, record: &ObjectView<'a>) -> Self::Key {
        let video = record.long(self.video).unwrap_or_default();
        (video, string(record, self.language))
    }

    fn put(&mut self, record: &ObjectView<'a>, facts: &mut Facts) {
        let (Some(video), Some(language)) = (record.long(self.video), record.string(self.language))
        else {
            return;
        };
        let formats = match is_ready(record, self.status) {
            true => self.formats.get(record, facts).unwrap_or_default(),
            false => Arc::default(),
        };
        let language = facts.languages.intern(&text(language));
        facts.set_artwork(video, Artwork { language, formats });
    }

    fn remove((video, tag): Self::Key, facts: &mut Facts) {
        let language = facts.languages.intern(&tag);
        facts.remove_artwork(video, language);
    }
}
