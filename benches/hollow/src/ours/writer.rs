//! Writes the model with the low-level API.

use hollow::record::{ListRecord, ObjectRecord, SetRecord};
use hollow::schema::parse_schemas;
use hollow::write::{RecordBatch, TypeId, WriteOptions, WriteState};
use hollow::{Ordinal, Schema};
use rayon::prelude::*;

use crate::model::{Model, Video, Window};
use crate::{Error, Result};

const SCHEMAS: &str = "
    Country { string code; }
    SetOfCountry Set<Country> @HashKey(code);
    Subtitle { string language; }
    SetOfSubtitle Set<Subtitle> @HashKey(language);
    Window { long start; long end; SetOfCountry countries; }
    ListOfWindow List<Window>;
    Video @PrimaryKey(id) { long id; string title; ListOfWindow windows; SetOfSubtitle subtitles; }
";

/// Bytes that a shard holds at most, as in the peer and in Hollow's producer.
const SHARD_BYTES: u64 = 16 << 20;
/// Videos whose records are serialized before they are added: few enough for the records to stay in the cache.
const CHUNK: usize = 1 << 13;
/// Sets whose members are serialized before they are added.
const SET_CHUNK: usize = 1 << 11;

/// A write state of the model.
#[derive(Debug)]
pub struct Writer {
    /// The write state.
    pub state: WriteState,
    country: TypeId,
    country_set: TypeId,
    subtitle: TypeId,
    subtitle_set: TypeId,
    window: TypeId,
    list: TypeId,
    video: TypeId,
    builders: Builders,
    /// Serialized records of the shared sets; they stay valid as long as the members live.
    country_sets: Vec<Vec<u8>>,
    subtitle_sets: Vec<Vec<u8>>,
}

/// Reusable builders of one thread.
#[derive(Debug, Clone)]
struct Builders {
    code: ObjectRecord,
    window: ObjectRecord,
    video: ObjectRecord,
    set: SetRecord,
    list: ListRecord,
}

impl Builders {
    fn window(&mut self, window: &Window, countries: Ordinal) -> &[u8] {
        self.window.reset();
        self.window.set_long(0, window.start);
        self.window.set_long(1, window.end);
        self.window.set_reference(2, countries);
        self.window.bytes()
    }

    fn list(&mut self, windows: &[Ordinal]) -> &[u8] {
        self.list.reset();
        windows.iter().for_each(|&window| self.list.push(window));
        self.list.bytes()
    }

    fn video(&mut self, video: &Video, windows: Ordinal, subtitles: Ordinal) -> &[u8] {
        self.video.reset();
        self.video.set_long(0, video.id);
        self.video.set_str(1, &video.title);
        self.video.set_reference(2, windows);
        self.video.set_reference(3, subtitles);
        self.video.bytes()
    }

    fn code(&mut self, code: &str) -> &[u8] {
        self.code.reset();
        self.code.set_str(0, code);
        self.code.bytes()
    }

    fn set(&mut self, members: impl Iterator<Item = Ordinal>) -> &[u8] {
        self.set.reset();
        members.for_each(|member| self.set.insert(member));
        self.set.bytes()
    }
}

impl Writer {
    /// A writer of a new chain.
    pub fn new() -> Result<Self> {
        let schemas = parse_schemas(SCHEMAS)?;
        let object = |name: &str| {
            let schema = schemas
                .iter()
                .find(|schema| schema.name() == name)
                .and_then(Schema::as_object);
            schema
                .map(ObjectRecord::new)
                .ok_or_else(|| Error::Data(format!("no schema of {name}")))
        };
        let builders = Builders {
            code: object("Country")?,
            window: object("Window")?,
            video: object("Video")?,
            set: SetRecord::new(),
            list: ListRecord::new(),
        };
        let options = WriteOptions {
            target_shard_bytes: Some(SHARD_BYTES),
            ..WriteOptions::default()
        };
        let state = WriteState::new(schemas, options)?;
        let id = |name: &str| {
            state
                .type_id(name)
                .ok_or_else(|| Error::Data(format!("no type {name}")))
        };
        Ok(Self {
            country: id("Country")?,
            country_set: id("SetOfCountry")?,
            subtitle: id("Subtitle")?,
            subtitle_set: id("SetOfSubtitle")?,
            window: id("Window")?,
            list: id("ListOfWindow")?,
            video: id("Video")?,
            state,
            builders,
            country_sets: Vec::new(),
            subtitle_sets: Vec::new(),
        })
    }

    /// Adds all videos to a total cycle; the shared sets are added once.
    pub fn add_all(&mut self, model: &Model) -> Result<()> {
        let (country_sets, subtitle_sets) = self.add_sets(model)?;
        for videos in model.videos.chunks(CHUNK) {
            let sets = videos
                .iter()
                .flat_map(Video::windows)
                .map(|window| country_sets[window.country_set])
                .collect();
            let subtitles = videos
                .iter()
                .map(|video| subtitle_sets[video.subtitle_set])
                .collect();
            self.add_videos(videos, sets, subtitles)?;
        }
        Ok(())
    }

    /// Adds all videos with every record that they refer to, as if nothing were known of what they share.
    pub fn add_all_trees(&mut self, model: &Model) -> Result<()> {
        for videos in model.videos.chunks(CHUNK) {
            let country_sets: Vec<&[usize]> = videos
                .iter()
                .flat_map(Video::windows)
                .map(|window| model.country_sets[window.country_set].as_slice())
                .collect();
            let subtitle_sets: Vec<&[usize]> = videos
                .iter()
                .map(|video| model.subtitle_sets[video.subtitle_set].as_slice())
                .collect();
            let sets = self.add_set_trees(
                &country_sets,
                &model.countries,
                self.country,
                self.country_set,
            )?;
            let subtitles = self.add_set_trees(
                &subtitle_sets,
                &model.languages,
                self.subtitle,
                self.subtitle_set,
            )?;
            self.add_videos(videos, sets, subtitles)?;
        }
        Ok(())
    }

    fn add_set_trees(
        &mut self,
        sets: &[&[usize]],
        codes: &[String],
        member: TypeId,
        set: TypeId,
    ) -> Result<Vec<Ordinal>> {
        let mut members = Vec::with_capacity(sets.iter().map(|set| set.len()).sum());
        for sets in sets.chunks(SET_CHUNK) {
            let batch = self.batch(sets, |builders, set, batch| {
                set.iter()
                    .for_each(|&member| batch.push(builders.code(&codes[member])));
            });
            members.append(&mut self.add(member, &batch)?);
        }
        let mut end = 0;
        let spans: Vec<&[Ordinal]> = sets
            .iter()
            .map(|set| {
                let start = end;
                end += set.len();
                &members[start..end]
            })
            .collect();
        let batch = self.batch(&spans, |builders, span, batch| {
            batch.push(builders.set(span.iter().copied()))
        });
        self.add(set, &batch)
    }

    /// Adds videos whose sets are there already, `sets` being one for each window.
    fn add_videos(
        &mut self,
        videos: &[Video],
        sets: Vec<Ordinal>,
        subtitles: Vec<Ordinal>,
    ) -> Result<()> {
        let windows: Vec<(&Window, Ordinal)> =
            videos.iter().flat_map(Video::windows).zip(sets).collect();
        let batch = self.batch(&windows, |builders, &(window, set), batch| {
            batch.push(builders.window(window, set))
        });
        let windows = self.add(self.window, &batch)?;

        let mut end = 0;
        let spans: Vec<&[Ordinal]> = videos
            .iter()
            .map(|video| {
                let start = end;
                end += video.windows().len();
                &windows[start..end]
            })
            .collect();
        let batch = self.batch(&spans, |builders, span, batch| {
            batch.push(builders.list(span))
        });
        let lists = self.add(self.list, &batch)?;

        let videos: Vec<(&Video, Ordinal, Ordinal)> = videos
            .iter()
            .zip(lists)
            .zip(subtitles)
            .map(|((video, list), set)| (video, list, set))
            .collect();
        let batch = self.batch(&videos, |builders, &(video, list, subtitles), batch| {
            batch.push(builders.video(video, list, subtitles));
        });
        self.add(self.video, &batch)?;
        Ok(())
    }

    /// Serializes records on all threads, each a piece of the items in order.
    fn batch<T: Sync>(
        &self,
        items: &[T],
        each: impl Fn(&mut Builders, &T, &mut RecordBatch) + Sync,
    ) -> Vec<RecordBatch> {
        items
            .par_chunks(items.len().div_ceil(rayon::current_num_threads()).max(1))
            .map(|piece| {
                let mut builders = self.builders.clone();
                let mut batch = RecordBatch::new();
                piece
                    .iter()
                    .for_each(|item| each(&mut builders, item, &mut batch));
                batch
            })
            .collect()
    }

    fn add(&mut self, type_id: TypeId, pieces: &[RecordBatch]) -> Result<Vec<Ordinal>> {
        let mut ordinals = Vec::with_capacity(pieces.iter().map(RecordBatch::len).sum());
        for batch in pieces {
            self.state.add_batch(type_id, batch, &mut ordinals)?;
        }
        Ok(ordinals)
    }

    /// Adds the shared sets and keeps their serialized records.
    fn add_sets(&mut self, model: &Model) -> Result<(Vec<Ordinal>, Vec<Ordinal>)> {
        self.country_sets.clear();
        self.subtitle_sets.clear();
        let mut countries = Vec::with_capacity(model.countries.len());
        for code in &model.countries {
            countries.push(self.state.add(self.country, self.builders.code(code))?);
        }
        let mut country_sets = Vec::with_capacity(model.country_sets.len());
        for set in &model.country_sets {
            let record = self
                .builders
                .set(set.iter().map(|&member| countries[member]));
            country_sets.push(self.state.add(self.country_set, record)?);
            self.country_sets.push(record.to_vec());
        }
        let mut languages = Vec::with_capacity(model.languages.len());
        for code in &model.languages {
            languages.push(self.state.add(self.subtitle, self.builders.code(code))?);
        }
        let mut subtitle_sets = Vec::with_capacity(model.subtitle_sets.len());
        for set in &model.subtitle_sets {
            let record = self
                .builders
                .set(set.iter().map(|&member| languages[member]));
            subtitle_sets.push(self.state.add(self.subtitle_set, record)?);
            self.subtitle_sets.push(record.to_vec());
        }
        Ok((country_sets, subtitle_sets))
    }

    /// Upserts some videos in an incremental cycle, children first.
    pub fn change(&mut self, model: &Model, changed: &[usize]) -> Result<()> {
        let mut windows = Vec::new();
        for &video in changed {
            let video = &model.videos[video];
            windows.clear();
            for window in video.windows() {
                let set = self
                    .state
                    .add(self.country_set, &self.country_sets[window.country_set])?;
                windows.push(
                    self.state
                        .add(self.window, self.builders.window(window, set))?,
                );
            }
            let list = self.state.add(self.list, self.builders.list(&windows))?;
            let subtitles = self
                .state
                .add(self.subtitle_set, &self.subtitle_sets[video.subtitle_set])?;
            self.state
                .upsert(self.video, self.builders.video(video, list, subtitles))?;
        }
        Ok(())
    }
}
