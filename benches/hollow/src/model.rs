//! The rights-like dataset of the benches: videos as a function of index and revision, over shared country and subtitle
//! sets. `Model.java` makes the same.

use std::collections::HashSet;

use crate::draws::{below, draw};

const DAY_MS: i64 = 86_400_000;
const FIRST_START_MS: i64 = 1_420_070_400_000;
const COUNTRIES: usize = 250;
const COUNTRY_SETS: usize = 500;
const LANGUAGES: usize = 61;
const SUBTITLE_SETS: usize = 2_000;
const WORDS: usize = 1_000;
/// Windows of a video at most.
pub const WINDOWS_MAX: usize = 3;

/// A time in which a video may be shown in some countries; times are UTC milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// From.
    pub start: i64,
    /// Until.
    pub end: i64,
    /// Which of the country sets.
    pub country_set: usize,
}

/// The root record.
#[derive(Debug, Clone)]
pub struct Video {
    /// The primary key.
    pub id: i64,
    /// Two to five words.
    pub title: String,
    windows: [Window; WINDOWS_MAX],
    window_count: usize,
    /// Which of the subtitle sets.
    pub subtitle_set: usize,
}

impl Video {
    /// One to three windows.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows[..self.window_count]
    }
}

/// The dataset as of a cycle.
#[derive(Debug)]
pub struct Model {
    /// Codes of all countries.
    pub countries: Vec<String>,
    /// Members of the country sets, as indexes into `countries`.
    pub country_sets: Vec<Vec<usize>>,
    /// Codes of all subtitle languages.
    pub languages: Vec<String>,
    /// Members of the subtitle sets, as indexes into `languages`.
    pub subtitle_sets: Vec<Vec<usize>>,
    /// The root records.
    pub videos: Vec<Video>,
    words: Vec<String>,
}

impl Model {
    /// `count` videos as of the first state.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let members = |stream: u64, set: usize, of: usize, out_of: usize, classes: usize| {
            let picked = move |i: &usize| {
                *i == set % of
                    || below(draw(stream, set as u64, *i as u64), out_of) <= set % classes
            };
            (0..of).filter(picked).collect::<Vec<_>>()
        };
        let words = (0..WORDS as u64)
            .map(|word| {
                let length = 3 + below(draw(19, word, 0), 7) as u64;
                (0..length)
                    .map(|i| letter(b'a', below(draw(20, word, i), 26)))
                    .collect()
            })
            .collect();
        let mut model = Self {
            countries: (0..COUNTRIES).map(|i| code(b'A', i)).collect(),
            country_sets: (0..COUNTRY_SETS)
                .map(|set| members(1, set, COUNTRIES, 20, 10))
                .collect(),
            languages: (0..LANGUAGES).map(|i| code(b'a', i)).collect(),
            subtitle_sets: (0..SUBTITLE_SETS)
                .map(|set| members(6, set, LANGUAGES, 16, 7))
                .collect(),
            videos: Vec::with_capacity(count),
            words,
        };
        for video in 0..count {
            let first = model.video(video, 0);
            model.videos.push(first);
        }
        model
    }

    /// The primary key of a video.
    #[must_use]
    pub fn id(video: usize) -> i64 {
        80_000_000 + video as i64 * 7 + below(draw(3, video as u64, 0), 7) as i64
    }

    /// The video's record as of a revision; revision 0 is the first state.
    #[must_use]
    pub fn video(&self, video: usize, revision: u64) -> Video {
        let v = video as u64;
        let window_count = 1 + below(draw(4, v, revision), WINDOWS_MAX);
        let mut windows = [Window::default(); WINDOWS_MAX];
        for (w, window) in (0u64..).zip(&mut windows[..window_count]) {
            window.start = FIRST_START_MS + below(draw(5 + w, v, revision), 3_650) as i64 * DAY_MS;
            window.end =
                window.start + (30 + below(draw(8 + w, v, revision), 1_000) as i64) * DAY_MS;
            window.country_set = below(draw(11 + w, v, revision), COUNTRY_SETS);
        }
        let subtitles_as = if below(draw(14, v, revision), 4) == 0 {
            revision
        } else {
            0
        };
        let title_as = if below(draw(16, v, revision), 8) == 0 {
            revision
        } else {
            0
        };
        Video {
            id: Self::id(video),
            title: self.title(v, title_as),
            windows,
            window_count,
            subtitle_set: below(draw(15, v, subtitles_as), SUBTITLE_SETS),
        }
    }

    fn title(&self, video: u64, revision: u64) -> String {
        let count = 2 + below(draw(17, video, revision), 4) as u64;
        let words: Vec<&str> = (0..count)
            .map(|i| self.words[below(draw(21 + i, video, revision), WORDS)].as_str())
            .collect();
        words.join(" ")
    }

    /// The distinct videos that a cycle changes, in the order of drawing.
    #[must_use]
    pub fn changed(&self, cycle: u64, count: usize) -> Vec<usize> {
        let mut seen = HashSet::with_capacity(count);
        (0u64..)
            .map(|k| below(draw(18, cycle, k), self.videos.len()))
            .filter(|&video| seen.insert(video))
            .take(count)
            .collect()
    }

    /// Changes the cycle's videos in place and returns which they are.
    pub fn advance(&mut self, cycle: u64, count: usize) -> Vec<usize> {
        let changed = self.changed(cycle, count);
        for &video in &changed {
            self.videos[video] = self.video(video, cycle);
        }
        changed
    }
}

fn letter(first: u8, i: usize) -> char {
    char::from(first + i as u8)
}

fn code(first: u8, i: usize) -> String {
    [letter(first, i / 26), letter(first, i % 26)]
        .iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_sets_are_distinct() {
        let model = Model::new(0);
        assert_eq!(
            model.country_sets.iter().collect::<HashSet<_>>().len(),
            COUNTRY_SETS
        );
        assert_eq!(
            model.subtitle_sets.iter().collect::<HashSet<_>>().len(),
            SUBTITLE_SETS
        );
    }

    #[test]
    fn a_cycle_changes_distinct_videos_and_nothing_else() {
        let mut model = Model::new(1_000);
        let before = model.videos.clone();
        let changed = model.advance(3, 100);
        assert_eq!(changed.iter().collect::<HashSet<_>>().len(), 100);
        for (video, (before, after)) in before.iter().zip(&model.videos).enumerate() {
            assert_eq!(before.id, after.id);
            if !changed.contains(&video) {
                assert_eq!(before.title, after.title);
                assert_eq!(before.subtitle_set, after.subtitle_set);
            }
        }
    }
}
