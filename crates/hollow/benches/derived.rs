//! What is derived from states: key index, sums, diff, history.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hollow::diff::diff;
use hollow::history::SegmentBuilder;
use hollow::index::PrimaryKeyIndex;
use hollow::sums::{ChainSum, Digest};
use hollow::write::{WriteOptions, WriteState};
use hollow::{Filter, ReadState, Value};
use std::collections::BTreeMap;
use std::hint::black_box;
use support::{Numbers, Rights, videos};

/// A few changed records, within the chain and in a chain of its own.
fn derived(criterion: &mut Criterion) {
    let videos = videos();
    let (mut rights, snapshot) = Rights::new(videos);
    let state = ReadState::from_snapshot(&snapshot, &Filter::all()).unwrap();
    let (delta, _) = rights.advance(videos / 1000);
    let (next, changes) = state.apply(&delta).unwrap();
    let (delta, _) = rights.advance(videos / 100);
    let (later, _) = next.apply(&delta).unwrap();

    let mut group = criterion.benchmark_group("key-index");
    group.sample_size(20);
    group.throughput(Throughput::Elements(videos as u64));
    group.bench_function("build", |bencher| {
        bencher.iter(|| PrimaryKeyIndex::build(&state, "Video", None).unwrap());
    });
    let index = PrimaryKeyIndex::build(&state, "Video", None).unwrap();
    println!(
        "index: {} bytes for {} keys",
        index.heap_bytes(),
        index.len()
    );
    group.throughput(Throughput::Elements(videos as u64 / 1000));
    group.bench_function("update", |bencher| {
        bencher.iter(|| index.updated(&state, &next, &changes).unwrap());
    });
    drop(group);

    let mut numbers = Numbers(1);
    let keys: Vec<i64> = (0..100_000)
        .map(|_| 80_000_000 + 7 * numbers.below(videos) as i64)
        .collect();
    let subtitles = 3;
    let mut group = criterion.benchmark_group("lookup");
    group.sample_size(20);
    group.throughput(Throughput::Elements(keys.len() as u64));
    group.bench_function("independent", |bencher| {
        bencher.iter(|| {
            keys.iter()
                .filter_map(|&key| index.find_long(key)?.reference(subtitles))
                .map(u64::from)
                .sum::<u64>()
        });
    });
    group.bench_function("dependent", |bencher| {
        bencher.iter(|| {
            // The next key hangs on the field read last, in a way that changes nothing.
            let mut last = 0;
            for &key in &keys {
                let key = key + i64::from(black_box(last) >> 30);
                last = index
                    .find_long(key)
                    .and_then(|view| view.reference(subtitles))
                    .unwrap_or(0);
            }
            last
        });
    });
    group.bench_function("batched", |bencher| {
        bencher.iter(|| {
            let mut sum = 0u64;
            index.find_longs(&keys, |_, found| {
                sum += found
                    .and_then(|(_, view)| view.reference(subtitles))
                    .map_or(0, u64::from);
            });
            sum
        });
    });
    group.bench_function("ordinal-only", |bencher| {
        bencher.iter(|| {
            keys.iter()
                .filter_map(|&key| index.get_long(key))
                .map(u64::from)
                .sum::<u64>()
        });
    });
    drop(group);

    let mut group = criterion.benchmark_group("sums");
    group.sample_size(10);
    group.bench_function("digest", |bencher| {
        bencher.iter(|| Digest::of(&state).unwrap())
    });
    group.bench_function("chain-sum", |bencher| bencher.iter(|| ChainSum::of(&state)));
    let (digest, sum) = (Digest::of(&state).unwrap(), ChainSum::of(&state));
    group.bench_function("digest-update", |bencher| {
        bencher.iter(|| digest.updated(&state, &next, &changes).unwrap());
    });
    group.bench_function("chain-sum-update", |bencher| {
        bencher.iter(|| sum.updated(&state, &next, &changes));
    });
    drop(group);

    let mut group = criterion.benchmark_group("diff");
    group.sample_size(10);
    group.bench_function("within-chain", |bencher| {
        bencher.iter(|| diff(&next, &later, "Video").unwrap().changed.len());
    });
    // The same writer started anew: most ordinals are the same, but nothing is shared.
    let mut alone = Vec::new();
    let sealed = resealed(&later);
    alone.extend_from_slice(&sealed);
    let like = ReadState::from_snapshot(&alone, &Filter::all()).unwrap();
    group.bench_function("across-chains", |bencher| {
        bencher.iter(|| diff(&next, &like, "Video").unwrap().changed.len());
    });
    let reversed = reversed(&later);
    group.bench_function("across-chains-other-ordinals", |bencher| {
        bencher.iter(|| diff(&next, &reversed, "Video").unwrap().changed.len());
    });
    assert_eq!(
        diff(&next, &later, "Video").unwrap().changed.len(),
        diff(&next, &reversed, "Video").unwrap().changed.len()
    );
    drop(group);

    criterion.bench_function("history-segment", |bencher| {
        bencher.iter(|| {
            let mut builder = SegmentBuilder::new(1, 2);
            builder.record(&state, &next, &changes, "Video").unwrap();
            let mut bytes = Vec::new();
            builder.write(&mut bytes).unwrap();
            bytes.len()
        });
    });
}

/// The snapshot of a chain that goes on from `state` in another process.
fn resealed(state: &ReadState) -> Vec<u8> {
    let schemas = state.schemas().cloned().collect();
    let mut writer = WriteState::restore(state, schemas, WriteOptions::default()).unwrap();
    writer.begin_incremental();
    let sealed = writer.seal(99 << 40, BTreeMap::new()).unwrap();
    let mut snapshot = Vec::new();
    sealed.write_snapshot(None, &mut snapshot).unwrap();
    snapshot
}

/// The same records by another writer, in the opposite order.
fn reversed(state: &ReadState) -> ReadState {
    let schemas = state.schemas().cloned().collect();
    let mut writer = WriteState::new(schemas, WriteOptions::default()).unwrap();
    writer.begin_total();
    let ordinals: Vec<u32> = state.type_state("Video").unwrap().ordinals().collect();
    for ordinal in ordinals.into_iter().rev() {
        Value::read(state, "Video", ordinal)
            .unwrap()
            .unwrap()
            .add(&mut writer, "Video")
            .unwrap();
    }
    let sealed = writer.seal(98 << 40, BTreeMap::new()).unwrap();
    let mut snapshot = Vec::new();
    sealed.write_snapshot(None, &mut snapshot).unwrap();
    ReadState::from_snapshot(&snapshot, &Filter::all()).unwrap()
}

criterion_group!(benches, derived);
criterion_main!(benches);
