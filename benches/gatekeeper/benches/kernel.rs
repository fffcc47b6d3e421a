//! The kernel alone, for who works on it; the table has it beside the gatekeeper.

use std::hint::black_box;

use bench_gatekeeper::kernel::Kernel;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const VIDEOS: usize = 250_000;

fn kernel(criterion: &mut Criterion) {
    let mut kernel = Kernel::new(VIDEOS);
    let mut now = 500;
    let mut group = criterion.benchmark_group("kernel");
    group.sample_size(20);
    group.throughput(Throughput::Elements(VIDEOS as u64));
    for (name, threads) in [("one core", 1), ("all cores", rayon::current_num_threads())] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                now += 1;
                black_box(kernel.run(now, threads))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, kernel);
criterion_main!(benches);
