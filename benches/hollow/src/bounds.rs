//! What the bytes of a row cost without the engine: loops over flat arrays that do nothing but touch them.
//!
//! A missed goal is only understood beside what no program can go below on the same machine in the same run. Each loop
//! here reads and writes about what its row must, in the same order, with nothing around it: no format, no checks, no
//! versions. Rows that use both cores have loops that do.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use hollow::index::PrimaryKeyIndex;
use hollow::read::{Filter, ReadState};
use rayon::prelude::*;

use crate::draws::{below, draw};
use crate::model::Model;
use crate::ours::{DELTAS, read_blob};
use crate::{Error, Result};

/// A row and the loop beside it.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// The row's name in the table.
    pub name: &'static str,
    /// Our command of the row.
    pub ours: &'static str,
    /// What the loop does.
    pub does: &'static str,
    /// The unit of both.
    pub unit: &'static str,
    make: fn(usize, &Path) -> Result<Loop>,
}

/// A loop over prepared data; gives its time in the row's unit.
type Loop = Box<dyn FnMut() -> f64>;

/// All loops.
pub const BOUNDS: &[Bound] = &[
    Bound {
        name: "lookup, independent keys",
        ours: "lookup-independent",
        does: "key, line of an index and row in three flat arrays",
        unit: "ns",
        make: |videos, _| Ok(lookup(videos)),
    },
    Bound {
        name: "snapshot load",
        ours: "load",
        does: "each word of the blob turned around and written, each key hashed into a table",
        unit: "ms",
        make: load,
    },
    Bound {
        name: "delta apply, 0.1 % changed",
        ours: "delta",
        does: "as many pages allocated, copied and dropped, of rows and index",
        unit: "ms",
        make: delta,
    },
    Bound {
        name: "diff, 1 % changed, across chains",
        ours: "diff-across",
        does: "keys joined in one flat table, rows of both sides compared in flat arrays",
        unit: "ms",
        make: |videos, _| Ok(diff(videos)),
    },
    Bound {
        name: "full cycle",
        ours: "write-full-tree",
        does: "each member of each set written, found in a flat table, its ordinal written",
        unit: "ms",
        make: |videos, _| Ok(trees(videos)),
    },
    Bound {
        name: "full cycle, shared sets known",
        ours: "write-full",
        does: "each record written, compared with the one of the cycle before, and written to a blob",
        unit: "ms",
        make: records,
    },
];

impl Bound {
    /// Prepares the loop for `videos` videos, with the blobs that the peer wrote to `blobs`.
    pub fn prepare(&self, videos: usize, blobs: &Path) -> Result<Loop> {
        (self.make)(videos, blobs)
    }
}

const LINE: usize = 16;

fn hash(key: u64) -> u64 {
    let product = u128::from(key ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
    product as u64 ^ (product >> 64) as u64
}

fn timed(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64() * 1e3
}

fn lookup(videos: usize) -> Loop {
    const LOOKUPS: usize = 1_000_000;
    let lines = videos * 4 / 3 / LINE + 1;
    let home = move |hash: u64| (((hash >> 32) * lines as u64) >> 32) as usize;
    let keys: Vec<u64> = (0..videos).map(|video| Model::id(video) as u64).collect();
    let mut table = vec![[u32::MAX; LINE]; lines];
    // A line that is full loses keys, which the loop then does not find: it gets the same reads.
    for (ordinal, &key) in keys.iter().enumerate() {
        let line = &mut table[home(hash(key))];
        if let Some(slot) = line.iter_mut().find(|slot| **slot == u32::MAX) {
            *slot = (hash(key) as u32) << 20 | ordinal as u32;
        }
    }
    let rows: Vec<[u64; 2]> = keys.iter().map(|&key| [key, key / 3]).collect();
    let order: Vec<u32> = (0..LOOKUPS as u64)
        .map(|i| below(draw(30, i, 0), videos) as u32)
        .collect();
    Box::new(move || {
        let mut sum = 0;
        let taken = timed(|| {
            for &i in &order {
                let key = keys[i as usize];
                let hash = hash(key);
                let tag = (hash as u32) << 20;
                let alike = table[home(hash)]
                    .iter()
                    .enumerate()
                    .fold(0, |alike, (at, &slot)| {
                        alike | u32::from((slot ^ tag) >> 20 == 0) << at
                    });
                let slot = table[home(hash)][alike.trailing_zeros() as usize % LINE];
                let row = rows[(slot & 0xf_ffff) as usize % rows.len()];
                sum += row[1] & u64::from(row[0] == key).wrapping_neg();
            }
        });
        black_box(sum);
        taken * 1e6 / LOOKUPS as f64
    })
}

fn load(videos: usize, blobs: &Path) -> Result<Loop> {
    let blob = read_blob(blobs, "tenth/snapshot-0")?;
    let keys: Vec<u64> = (0..videos).map(|video| Model::id(video) as u64).collect();
    let slots = videos * 4 / 3;
    Ok(Box::new(move || {
        timed(|| {
            let (words, _) = blob.as_chunks::<8>();
            let turn = |words: &[[u8; 8]]| -> Vec<u64> {
                words.iter().map(|word| u64::from_be_bytes(*word)).collect()
            };
            let (low, high) = words.split_at(words.len() / 2);
            let index = |keys: &[u64]| {
                let mut table = vec![0u32; slots / 2];
                for (ordinal, &key) in keys.iter().enumerate() {
                    table[(((hash(key) >> 32) * (slots / 2) as u64) >> 32) as usize] =
                        ordinal as u32;
                }
                table
            };
            let (low_keys, high_keys) = keys.split_at(keys.len() / 2);
            black_box(rayon::join(
                || (turn(low), index(low_keys)),
                || (turn(high), index(high_keys)),
            ));
        })
    }))
}

/// Pages of 64 rows and of the key index that each of the chain's deltas makes anew.
fn delta(videos: usize, blobs: &Path) -> Result<Loop> {
    const INDEX_PAGE: usize = 1 << 10;
    let first =
        ReadState::from_snapshot(&read_blob(blobs, "tenth/snapshot-0")?[..], &Filter::all())?;
    let mut state = first.clone();
    // Per type the words of a page and how many there are, then by delta which ones are made anew.
    let mut sizes: Vec<(usize, usize)> = first
        .types()
        .map(|records| {
            let pages = records
                .last_ordinal()
                .map_or(0, |last| last as usize / 64 + 1);
            (records.heap_bytes() / pages.max(1) / 8, pages)
        })
        .collect();
    let index_pages = PrimaryKeyIndex::build(&first, "Video", None)?.heap_bytes() / INDEX_PAGE;
    sizes.push((INDEX_PAGE / 8, index_pages));
    let mut touched: Vec<(usize, usize)> = Vec::new();
    for i in 0..DELTAS {
        let blob = read_blob(blobs, &format!("tenth/delta-{i}-{}", i + 1))?;
        let (next, changes) = state.apply(&blob[..])?;
        for (of, records) in first.types().enumerate() {
            let Some(changed) = changes.of(records.name()) else {
                continue;
            };
            let mut pages: Vec<usize> = changed
                .added
                .iter()
                .map(|ordinal| *ordinal as usize / 64)
                .collect();
            pages.dedup();
            touched.extend(pages.into_iter().map(|page| (of, page)));
        }
        let changed = videos / 1_000;
        let index = sizes.len() - 1;
        touched.extend(
            (0..changed as u64).map(|k| (index, below(draw(40, i as u64, k), index_pages))),
        );
        state = next;
    }
    let mut pages: Vec<Vec<Box<[u64]>>> = sizes
        .iter()
        .map(|&(words, pages)| vec![vec![1; words].into_boxed_slice(); pages])
        .collect();
    Ok(Box::new(move || {
        timed(|| {
            for &(of, page) in &touched {
                if let Some(page) = pages[of].get_mut(page) {
                    *page = black_box(page.clone());
                }
            }
        }) / DELTAS as f64
    }))
}

fn diff(videos: usize) -> Loop {
    type Side = (Vec<[u64; 4]>, Vec<[u32; 4]>, Vec<[u64; 2]>);
    let model = Model::new(videos);
    // One side in the order of the model, the other shuffled; both hold the same.
    let mut shuffled: Vec<usize> = (0..videos).collect();
    for at in (1..videos).rev() {
        shuffled.swap(at, below(draw(41, at as u64, 0), at + 1));
    }
    let side = |order: &mut dyn Iterator<Item = usize>| -> Side {
        let mut side: Side = Default::default();
        for (ordinal, video) in order.enumerate() {
            let record = &model.videos[video];
            let title = record
                .title
                .bytes()
                .fold(0, |sum, byte| sum * 31 + u64::from(byte));
            side.0.push([
                record.id as u64,
                title,
                ordinal as u64,
                record.subtitle_set as u64,
            ]);
            let mut list = [u32::MAX; 4];
            for (at, window) in record.windows().iter().enumerate() {
                list[at] = side.2.len() as u32;
                side.2.push([
                    window.start as u64,
                    (window.end as u64) << 9 | window.country_set as u64,
                ]);
            }
            side.1.push(list);
        }
        side
    };
    let old = side(&mut shuffled.into_iter());
    let new = side(&mut (0..videos));
    Box::new(move || {
        timed(|| {
            let slots = videos * 2;
            let home = |key: u64| (((hash(key) >> 32) * slots as u64) >> 32) as usize;
            let mut table = vec![u32::MAX; slots];
            for (ordinal, row) in old.0.iter().enumerate() {
                let mut at = home(row[0]);
                while table[at] != u32::MAX {
                    at = (at + 1) % slots;
                }
                table[at] = ordinal as u32;
            }
            let differs = |(ordinal, row): (usize, &[u64; 4])| {
                let mut at = home(row[0]);
                let partner = loop {
                    match old.0.get(table[at] as usize) {
                        Some(other) if other[0] == row[0] => break other,
                        Some(_) => at = (at + 1) % slots,
                        None => return true,
                    }
                };
                let lists = (old.1[partner[2] as usize], new.1[ordinal]);
                let windows = lists.0.iter().zip(&lists.1);
                partner[1] != row[1]
                    || partner[3] != row[3]
                    || windows
                        .filter(|(_, b)| **b != u32::MAX)
                        .any(|(&a, &b)| old.2.get(a as usize) != new.2.get(b as usize))
            };
            black_box(
                new.0
                    .par_iter()
                    .enumerate()
                    .filter(|&row| differs(row))
                    .count(),
            );
        })
    })
}

fn trees(videos: usize) -> Loop {
    let model = Model::new(videos);
    Box::new(move || {
        timed(|| {
            let written = model.videos.par_chunks(1 << 12).map(|videos| {
                let (mut bytes, mut ordinals) = (Vec::new(), Vec::new());
                let mut table = [(0u32, 0u32); 1 << 10];
                let mut sum = 0;
                let mut member = |code: &str| {
                    let code = code.as_bytes();
                    let record = [2, code[0], code[1], 0];
                    bytes.extend_from_slice(&record);
                    let word = u32::from_le_bytes(record);
                    let slot = &mut table[(word.wrapping_mul(0x9e37_79b9) >> 22) as usize];
                    if slot.0 != word {
                        *slot = (word, word >> 8);
                    }
                    ordinals.push(slot.1);
                };
                for video in videos {
                    for window in video.windows() {
                        for &country in &model.country_sets[window.country_set] {
                            member(&model.countries[country]);
                        }
                    }
                    for &language in &model.subtitle_sets[video.subtitle_set] {
                        member(&model.languages[language]);
                    }
                }
                sum += bytes.len() + ordinals.len();
                black_box((bytes, ordinals));
                sum
            });
            black_box(written.sum::<usize>());
        })
    })
}

fn records(videos: usize, blobs: &Path) -> Result<Loop> {
    let model = Model::new(videos);
    let snapshot = read_blob(blobs, "tenth/snapshot-0")?;
    if snapshot.is_empty() {
        return Err(Error::Data("an empty snapshot".to_owned()));
    }
    let serialize = move || -> Vec<Vec<u8>> {
        let pieces = model.videos.par_chunks(videos.div_ceil(2));
        pieces
            .map(|videos| {
                let mut bytes = Vec::new();
                for video in videos {
                    for window in video.windows() {
                        bytes.extend_from_slice(&window.start.to_be_bytes());
                        bytes.extend_from_slice(&window.end.to_be_bytes());
                        bytes.extend_from_slice(&(window.country_set as u16).to_be_bytes());
                    }
                    bytes.extend_from_slice(&video.id.to_be_bytes());
                    bytes.extend_from_slice(video.title.as_bytes());
                    bytes.extend_from_slice(&(video.subtitle_set as u64).to_be_bytes());
                }
                bytes
            })
            .collect()
    };
    let before = serialize();
    Ok(Box::new(move || {
        timed(|| {
            let now = serialize();
            black_box(now == before);
            let (low, high) = snapshot.split_at(snapshot.len() / 2);
            black_box(rayon::join(|| low.to_vec(), || high.to_vec()));
        })
    }))
}
