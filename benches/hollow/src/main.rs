//! Prints the table of `docs/benchmarks/hollow.md` and writes `out/bench/hollow.tsv`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bench_hollow::ours::Ours;
use bench_hollow::peer::{Peer, Tuning, java};
use bench_hollow::rows::{GROWTH, Growth, PEAK_LIMIT, ROWS, Row};
use bench_hollow::{Error, Result, median};
use bench_table::{self as table, Line};

/// Alternating runs of which the median counts.
const RUNS: usize = 5;
const MIB: f64 = (1 << 20) as f64;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-hollow: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let sizes = sizes()?;
    let jar = PathBuf::from(variable(
        "GREENLIGHT_BENCH_JAR",
        "interop/target/interop.jar",
    ));
    let out = PathBuf::from(variable("GREENLIGHT_BENCH_OUT", "out/bench"));
    println!(
        "the dataset engine beside Java Hollow 7.14.23 ({}), {RUNS} alternating runs, medians, {} threads",
        java(),
        rayon::current_num_threads()
    );
    let bench = Bench {
        jar,
        out,
        rows: variable("GREENLIGHT_BENCH_ROWS", ""),
    };
    let mut lines = Vec::new();
    println!("{}", table::heading());
    for &videos in &sizes {
        bench.size(videos, &mut lines)?;
    }
    if let [small, large] = sizes[..]
        && large == 4 * small
    {
        for growth in GROWTH.iter().filter(|growth| bench.wants(growth.name)) {
            report(&mut lines, bench.growth(growth, small, large)?);
        }
    }
    let path = bench.out.join("hollow.tsv");
    table::write(&path, &lines).map_err(|source| Error::Io {
        what: format!("write {}", path.display()),
        source,
    })?;
    println!("{}", table::summary(&path, &lines));
    Ok(())
}

struct Bench {
    jar: PathBuf,
    out: PathBuf,
    /// Names of rows to run, comma-separated; empty for all.
    rows: String,
}

impl Bench {
    fn wants(&self, name: &str) -> bool {
        self.rows.is_empty()
            || self
                .rows
                .split(',')
                .any(|wanted| name.contains(wanted.trim()))
    }

    fn blobs(&self, videos: usize) -> PathBuf {
        self.out.join(format!("blobs-{videos}"))
    }

    fn start(&self, videos: usize, tuning: Tuning) -> Result<Peer> {
        let mut peer = Peer::start(&self.jar, videos, &self.blobs(videos), tuning)?;
        peer.run("prepare")?;
        Ok(peer)
    }

    fn size(&self, videos: usize, lines: &mut Vec<Line>) -> Result<()> {
        let mut ours = Ours::new(videos, &self.blobs(videos));
        for tuning in [Tuning::Writing, Tuning::Reading] {
            let rows: Vec<&Row> = ROWS
                .iter()
                .filter(|row| row.tuning == tuning && self.wants(row.name))
                .collect();
            if rows.is_empty() {
                continue;
            }
            let mut peer = self.start(videos, tuning)?;
            for row in rows {
                report(lines, compare(row, videos, &mut ours, &mut peer)?);
                peer.run("drop")?;
            }
        }
        if self.wants("memory") {
            drop(ours);
            let mut peer = self.start(videos, Tuning::Reading)?;
            for line in memory(videos, &self.blobs(videos), &mut peer)? {
                report(lines, line);
            }
        }
        Ok(())
    }

    /// Alternates between the two sizes.
    fn growth(&self, growth: &Growth, small: usize, large: usize) -> Result<Line> {
        let command = |(row, divisor): (&str, usize), videos: usize| match divisor {
            0 => row.to_owned(),
            divisor => format!("{row} {}", videos / divisor),
        };
        let mut sides = [
            (
                Ours::new(small, &self.blobs(small)),
                command(growth.small, small),
                Vec::new(),
            ),
            (
                Ours::new(large, &self.blobs(large)),
                command(growth.large, large),
                Vec::new(),
            ),
        ];
        for run in 0..RUNS + 3 {
            for (ours, command, values) in &mut sides {
                let measured = ours.run(command)?;
                if run >= 3 {
                    values.push(measured.value);
                }
            }
        }
        let [small, large] = sides.map(|(_, _, values)| median(&values));
        Ok(Line {
            row: growth.name.to_owned(),
            ours: large / small,
            peer: growth.limit,
            unit: "x (limit)",
            goal: 1.0,
        })
    }
}

fn compare(row: &Row, videos: usize, ours: &mut Ours, peer: &mut Peer) -> Result<Line> {
    let our_command = row.command(row.ours, videos);
    let peer_command = row.command(row.peer, videos);
    let mut our_values = Vec::new();
    let mut peer_values = Vec::new();
    // A JVM is warm by work, of which a run at a million does several times as much.
    let warm_ups = row
        .warm_ups
        .div_ceil(if videos >= 1_000_000 { 3 } else { 1 });
    for run in 0..warm_ups + RUNS {
        let theirs = peer.run(&peer_command)?;
        peer.rest();
        let our = ours.run(&our_command)?;
        if row.same_check && our.check != theirs.check {
            return Err(Error::Differ {
                row: row.name.to_owned(),
                ours: our.check,
                peer: theirs.check,
            });
        }
        if run >= warm_ups {
            our_values.push(our.value);
            peer_values.push(theirs.value);
        }
    }
    Ok(Line {
        row: format!("{}, {}", row.name, size(videos)),
        ours: median(&our_values),
        peer: median(&peer_values),
        unit: row.unit,
        goal: row.goal,
    })
}

/// Live bytes of state and key index on both sides, and our peak during a delta.
fn memory(videos: usize, blobs: &Path, peer: &mut Peer) -> Result<[Line; 2]> {
    let mut theirs = Vec::new();
    for _ in 0..RUNS {
        theirs.push(peer.run("memory")?.value);
    }
    let (state, peak) = our_memory(blobs)?;
    Ok([
        Line {
            row: format!("memory, state and key index, {}", size(videos)),
            ours: state / MIB,
            peer: median(&theirs) / MIB,
            unit: "MiB",
            goal: 1.0,
        },
        Line {
            row: format!("memory, peak during a 0.1 % delta, {}", size(videos)),
            ours: peak / state,
            peer: PEAK_LIMIT,
            unit: "x (limit)",
            goal: 1.0,
        },
    ])
}

/// A process of its own, whose allocator counts.
fn our_memory(blobs: &Path) -> Result<(f64, f64)> {
    let io = |source| Error::Io {
        what: "run bench-hollow-memory".to_owned(),
        source,
    };
    let program = std::env::current_exe()
        .map_err(io)?
        .with_file_name("bench-hollow-memory");
    let output = Command::new(program).arg(blobs).output().map_err(io)?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = answer
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers[..] {
        [state, peak] => Ok((state, peak)),
        _ => Err(Error::Data(format!(
            "bench-hollow-memory said {answer:?} {}",
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

fn report(lines: &mut Vec<Line>, line: Line) {
    println!("{}", table::print(&line));
    lines.push(line);
}

fn size(videos: usize) -> String {
    match videos {
        n if n % 1_000_000 == 0 => format!("{}M", n / 1_000_000),
        n if n % 1_000 == 0 => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}

fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

fn sizes() -> Result<Vec<usize>> {
    let name = "GREENLIGHT_BENCH_VIDEOS";
    let value = variable(name, "250000,1000000");
    let expected = "numbers of at least 4000, comma-separated";
    value
        .split(',')
        .map(|size| size.trim().parse().ok().filter(|&size| size >= 4_000))
        .collect::<Option<_>>()
        .ok_or(Error::Setting {
            variable: name,
            value,
            expected,
        })
}
