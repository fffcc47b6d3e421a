//! What an evaluation can't go below: per video eight numbers of country masks and one to three windows, looked up and
//! combined. No rule, no grouping, no memory of facts; what the rest of the gatekeeper does on top is measured against it.

use bench_hollow::draws::{below, draw};
use rayon::prelude::*;

/// Masks in a table.
pub const MASKS: usize = 2_000;
/// Tables of masks that a video looks into.
pub const SUBJECTS: usize = 8;
const COUNTRIES: u64 = 250;
/// Videos of a task.
const CHUNK: usize = 4_096;

type Mask = [u64; 4];

/// One video: numbers into the tables, and its windows.
#[derive(Clone, Copy)]
struct Row {
    ids: [u16; SUBJECTS],
    /// Start, end and countries of each window in use.
    windows: [(i64, i64, u16); 3],
    count: u8,
}

/// The tables and the videos.
pub struct Kernel {
    tables: Vec<Vec<Mask>>,
    rows: Vec<Row>,
    /// What every video came to the time before.
    last: Vec<Mask>,
}

impl Kernel {
    /// `videos` videos, drawn.
    #[must_use]
    pub fn new(videos: usize) -> Self {
        let mask = |table: u64, at: u64| -> Mask {
            std::array::from_fn(|word| {
                let one = draw(70 + table, at, word as u64);
                let countries = match word as u64 {
                    3 => (1 << (COUNTRIES % 64)) - 1,
                    _ => u64::MAX,
                };
                // Rules pass more countries than they block.
                (one | draw(90 + table, at, word as u64)) & countries
            })
        };
        let tables = (0..=SUBJECTS as u64)
            .map(|table| (0..MASKS as u64).map(|at| mask(table, at)).collect())
            .collect();
        let rows: Vec<Row> = (0..videos as u64)
            .map(|at| Row {
                ids: std::array::from_fn(|subject| {
                    below(draw(110, at, subject as u64), MASKS) as u16
                }),
                windows: std::array::from_fn(|window| {
                    let start = below(draw(111, at, window as u64), 1_000) as i64;
                    let days = below(draw(112, at, window as u64), 1_000) as i64;
                    let countries = below(draw(113, at, window as u64), MASKS) as u16;
                    (start, start + days, countries)
                }),
                count: 1 + below(draw(114, at, 0), 3) as u8,
            })
            .collect();
        Self {
            tables,
            last: vec![[0; 4]; rows.len()],
            rows,
        }
    }

    /// Evaluates all videos at an instant on `threads` threads, compares with the time before, and returns a sum over all
    /// verdicts and how many changed.
    pub fn run(&mut self, now: i64, threads: usize) -> (u64, usize) {
        let tables = &self.tables;
        if threads == 1 {
            return chunk(tables, &self.rows, &mut self.last, now);
        }
        self.rows
            .par_chunks(CHUNK)
            .zip(self.last.par_chunks_mut(CHUNK))
            .map(|(rows, last)| chunk(tables, rows, last, now))
            .reduce(|| (0, 0), |a, b| (a.0.wrapping_add(b.0), a.1 + b.1))
    }
}

fn chunk(tables: &[Vec<Mask>], rows: &[Row], last: &mut [Mask], now: i64) -> (u64, usize) {
    let mut sum = 0_u64;
    let mut changed = 0;
    for (row, last) in rows.iter().zip(last) {
        let mut live: Mask = [0; 4];
        for &(start, end, countries) in &row.windows[..usize::from(row.count)] {
            if start <= now && now < end {
                let open = &tables[SUBJECTS][usize::from(countries)];
                live = std::array::from_fn(|word| live[word] | open[word]);
            }
        }
        for (table, &id) in tables.iter().zip(&row.ids) {
            let passed = &table[usize::from(id)];
            live = std::array::from_fn(|word| live[word] & passed[word]);
        }
        changed += usize::from(live != *last);
        *last = live;
        for word in live {
            sum = sum.rotate_left(5) ^ word;
        }
    }
    (sum, changed)
}
