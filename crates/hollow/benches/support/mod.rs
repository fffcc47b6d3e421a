//! The data set of the benches: videos with one to three windows over shared country sets, and a shared subtitle set.
#![allow(dead_code, unreachable_pub, reason = "each bench uses its part")]
#![allow(clippy::unwrap_used, reason = "a bench that can't make its data stops")]

use hollow::record::{ListRecord, ObjectRecord, SetRecord};
use hollow::schema::parse_schemas;
use hollow::write::{TypeId, WriteOptions, WriteState};
use hollow::{FieldType, Ordinal};
use std::collections::BTreeMap;

const SCHEMAS: &str = "
    Country { string code; }
    Subtitle { string language; }
    SetOfCountry Set<Country>;
    SetOfSubtitle Set<Subtitle>;
    Window { long start; long end; SetOfCountry countries; }
    ListOfWindow List<Window>;
    Video @PrimaryKey(id) { long id; string title; ListOfWindow windows; SetOfSubtitle subtitles; }
";
const COUNTRIES: usize = 250;
const COUNTRY_SETS: usize = 500;
const LANGUAGES: usize = 61;
const SUBTITLE_SETS: usize = 2_000;

/// A fixed sequence of numbers (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// A producer of the data set.
pub struct Rights {
    pub writer: WriteState,
    pub videos: usize,
    numbers: Numbers,
    version: i64,
    country_sets: Vec<Ordinal>,
    subtitle_sets: Vec<Ordinal>,
}

impl Rights {
    /// The first state, committed, and its snapshot.
    pub fn new(videos: usize) -> (Self, Vec<u8>) {
        let options = WriteOptions {
            target_shard_bytes: Some(16 << 20),
            ..WriteOptions::default()
        };
        let writer = WriteState::new(parse_schemas(SCHEMAS).unwrap(), options).unwrap();
        let mut this = Self {
            writer,
            videos,
            numbers: Numbers(7),
            version: 0,
            country_sets: Vec::new(),
            subtitle_sets: Vec::new(),
        };
        this.writer.begin_total();
        this.country_sets = this.sets("Country", "SetOfCountry", COUNTRIES, COUNTRY_SETS, 90);
        this.subtitle_sets = this.sets("Subtitle", "SetOfSubtitle", LANGUAGES, SUBTITLE_SETS, 20);
        for id in 0..videos {
            this.video(id, false);
        }
        let sealed = this.writer.seal(1 << 40, BTreeMap::new()).unwrap();
        let mut snapshot = Vec::new();
        sealed.write_snapshot(None, &mut snapshot).unwrap();
        this.writer.commit().unwrap();
        (this, snapshot)
    }

    /// Changes that many videos and returns the delta and the reverse delta.
    pub fn advance(&mut self, changes: usize) -> (Vec<u8>, Vec<u8>) {
        self.writer.begin_incremental();
        for _ in 0..changes {
            let id = self.numbers.below(self.videos);
            self.video(id, true);
        }
        self.version += 1;
        let tag = (self.version + 1) << 40;
        let sealed = self.writer.seal(tag, BTreeMap::new()).unwrap();
        let (mut delta, mut reverse) = (Vec::new(), Vec::new());
        sealed.write_delta(None, &mut delta).unwrap();
        sealed.write_reverse_delta(None, &mut reverse).unwrap();
        self.writer.commit().unwrap();
        (delta, reverse)
    }

    fn id(&self, name: &str) -> TypeId {
        self.writer.type_id(name).unwrap()
    }

    fn object(&self, ty: TypeId) -> ObjectRecord {
        ObjectRecord::new(self.writer.schema(ty).as_object().unwrap())
    }

    /// Elements of one text field, and sets of about `size` of them.
    fn sets(
        &mut self,
        element: &str,
        set: &str,
        elements: usize,
        sets: usize,
        size: usize,
    ) -> Vec<Ordinal> {
        let (element, set) = (self.id(element), self.id(set));
        let mut record = self.object(element);
        let ordinals: Vec<Ordinal> = (0..elements)
            .map(|number| {
                record.reset();
                record.set_str(0, &format!("{number:03}"));
                self.writer.add(element, record.bytes()).unwrap()
            })
            .collect();
        let mut record = SetRecord::new();
        (0..sets)
            .map(|number| {
                record.reset();
                record.insert(ordinals[number % elements]);
                for _ in 0..1 + self.numbers.below(size) {
                    record.insert(ordinals[self.numbers.below(elements)]);
                }
                self.writer.add(set, record.bytes()).unwrap()
            })
            .collect()
    }

    fn video(&mut self, id: usize, upsert: bool) {
        const DAY_MS: i64 = 86_400_000;
        let (window, list, video) = (self.id("Window"), self.id("ListOfWindow"), self.id("Video"));
        let mut windows = ListRecord::new();
        let mut record = self.object(window);
        for _ in 0..1 + self.numbers.below(3) {
            let start = 1_420_070_400_000 + self.numbers.below(3_650) as i64 * DAY_MS;
            record.reset();
            record.set_long(0, start);
            record.set_long(1, start + (30 + self.numbers.below(1_000) as i64) * DAY_MS);
            record.set_reference(2, self.country_sets[self.numbers.below(COUNTRY_SETS)]);
            windows.push(self.writer.add(window, record.bytes()).unwrap());
        }
        let windows = self.writer.add(list, windows.bytes()).unwrap();
        let mut title = String::new();
        for _ in 0..2 + self.numbers.below(4) {
            let word = self.numbers.next();
            let length = 3 + self.numbers.below(7);
            title.extend((0..length).map(|at| (b'a' + (word >> (4 * at) & 15) as u8) as char));
            title.push(' ');
        }
        let mut record = self.object(video);
        record.set_long(0, 80_000_000 + 7 * id as i64);
        record.set_str(1, title.trim_end());
        record.set_reference(2, windows);
        record.set_reference(3, self.subtitle_sets[self.numbers.below(SUBTITLE_SETS)]);
        if upsert {
            self.writer.upsert(video, record.bytes()).unwrap();
        } else {
            self.writer.add(video, record.bytes()).unwrap();
        }
    }
}

/// Number of videos: `HOLLOW_BENCH_VIDEOS`, or 250,000.
pub fn videos() -> usize {
    std::env::var("HOLLOW_BENCH_VIDEOS").map_or(250_000, |text| text.parse().unwrap())
}

/// The index of a field.
pub fn field(state: &hollow::TypeState, name: &str, field_type: FieldType) -> usize {
    let object = state.schema().as_object().unwrap();
    let index = object.field_index(name).unwrap();
    assert_eq!(object.fields[index].field_type, field_type);
    index
}
