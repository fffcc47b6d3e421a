//! Our side of every row under criterion, for work on one of them: `cargo bench -p bench-hollow -- lookup`. The blobs
//! come from the peer: run `make bench-hollow` once before, or set `GREENLIGHT_BENCH_BLOBS`.

use std::path::PathBuf;
use std::time::Duration;

use bench_hollow::ours::Ours;
use bench_hollow::rows::ROWS;
use criterion::{Criterion, criterion_group, criterion_main};

fn rows(criterion: &mut Criterion) {
    let videos = std::env::var("GREENLIGHT_BENCH_VIDEOS")
        .ok()
        .and_then(|videos| videos.parse().ok());
    let videos: usize = videos.unwrap_or(250_000);
    let default = format!(
        "{}/../../out/bench/blobs-{videos}",
        env!("CARGO_MANIFEST_DIR")
    );
    let blobs = PathBuf::from(std::env::var("GREENLIGHT_BENCH_BLOBS").unwrap_or(default));

    let mut group = criterion.benchmark_group("rows");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    let mut seen = Vec::new();
    for row in ROWS {
        let command = row.command(row.ours, videos);
        if seen.contains(&command) {
            continue;
        }
        seen.push(command.clone());
        let mut ours = Ours::new(videos, &blobs);
        group.bench_function(row.name, |bencher| {
            bencher.iter_custom(|count| {
                // The row measures itself, since part of each run prepares the next.
                (0..count)
                    .map(|_| match ours.run(&command) {
                        Ok(measured) if row.unit == "ns" => {
                            Duration::from_secs_f64(measured.value / 1e9)
                        }
                        Ok(measured) => Duration::from_secs_f64(measured.value / 1e3),
                        Err(error) => panic!("{}: {error}", row.name),
                    })
                    .sum()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, rows);
criterion_main!(benches);
