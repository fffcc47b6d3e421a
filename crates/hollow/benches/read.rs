//! Loading a snapshot, applying a delta of 0.1 % of the videos, reading fields by ordinal.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

mod support;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hollow::{FieldType, Filter, ReadState};
use std::hint::black_box;
use support::{Numbers, Rights, field, videos};

fn read(criterion: &mut Criterion) {
    let videos = videos();
    let (mut rights, snapshot) = Rights::new(videos);
    let state = ReadState::from_snapshot(&snapshot, &Filter::all()).unwrap();
    println!(
        "{videos} videos, snapshot {} bytes, state {} bytes",
        snapshot.len(),
        state.heap_bytes()
    );
    let mut group = criterion.benchmark_group("read");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(snapshot.len() as u64));
    group.bench_function("snapshot-load", |bencher| {
        bencher.iter_batched(
            || (),
            |()| ReadState::from_snapshot(&snapshot, &Filter::all()).unwrap(),
            BatchSize::PerIteration,
        );
    });
    let (delta, _) = rights.advance(videos / 1000);
    group.throughput(Throughput::Elements(videos as u64 / 1000));
    group.bench_function("delta-apply", |bencher| {
        bencher.iter_batched(
            || (),
            |()| state.apply(&delta).unwrap(),
            BatchSize::PerIteration,
        );
    });
    let next = state.apply(&delta).unwrap().0;
    group.bench_function("changed-ordinals", |bencher| {
        bencher.iter(|| {
            state
                .types()
                .zip(next.types())
                .map(|(old, new)| new.changed_ordinals(old).added.len())
                .sum::<usize>()
        });
    });
    drop(group);

    let video = state.type_state("Video").unwrap();
    let subtitles = field(video, "subtitles", FieldType::Reference);
    let title = field(video, "title", FieldType::String);
    let mut numbers = Numbers(1);
    let order: Vec<u32> = (0..10_000).map(|_| numbers.below(videos) as u32).collect();
    let mut group = criterion.benchmark_group("field-by-ordinal");
    group.throughput(Throughput::Elements(order.len() as u64));
    group.bench_function("reference", |bencher| {
        bencher.iter(|| {
            order
                .iter()
                .filter_map(|&ordinal| video.object(ordinal)?.reference(subtitles))
                .map(u64::from)
                .sum::<u64>()
        });
    });
    group.bench_function("string", |bencher| {
        bencher.iter(|| {
            order
                .iter()
                .filter_map(|&ordinal| video.object(ordinal)?.string(title))
                .map(|title| black_box(title.stored()).len())
                .sum::<usize>()
        });
    });
}

criterion_group!(benches, read);
criterion_main!(benches);
