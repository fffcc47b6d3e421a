//! The rows under criterion, for work on one of them: `cargo bench -p bench-ingest -- rights/ours`.

use bench_ingest::transcode::{Bench, Counting, DATASETS};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;

fn transcode(criterion: &mut Criterion) {
    for dataset in DATASETS {
        let mut bench = match Bench::new(dataset) {
            Ok(bench) => bench,
            Err(error) => panic!("{error}"),
        };
        let mut group = criterion.benchmark_group(dataset);
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .throughput(Throughput::Elements(bench.len() as u64));
        group.bench_function("ours", |bencher| {
            bencher.iter(|| bench.ours(&mut Counting::default()).is_ok());
        });
        group.bench_function("by hand", |bencher| {
            bencher.iter(|| bench.by_hand(&mut Counting::default()).is_ok());
        });
        group.bench_function("apache-avro", |bencher| {
            bencher.iter(|| bench.library().is_ok())
        });
        group.finish();
    }
}

criterion_group!(benches, transcode);
criterion_main!(benches);
