//! What a producer makes of sweeps, against a plain model of the source.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking")]

mod support;

use changelog::{ChangeLog, EmbeddedLog, EmbeddedOptions, NewRecord};
use dataset::StepHook;
use ingest::sweep::{Marker, MarkerKind, SweepProgress, SweepStage, sweeps_of_tags};
use ingest::{Channel, Components, Ended, IncrementalProducer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use support::{Random, World, abort_after, delete, item, key, seed};

const DAY_MS: i64 = 86_400_000;
const ALL: &str = "source_versions = \"required\"\nsweep_delete_share_max = 1.0";
const SOME: &str = "source_versions = \"required\"";

/// A world whose log can be compacted by hand.
struct Site {
    world: World,
    log: Arc<EmbeddedLog>,
    clock: Arc<AtomicI64>,
}

impl Site {
    fn new(settings: &str) -> Self {
        let world = World::with(settings);
        let clock = Arc::new(AtomicI64::new(world.now_ms));
        let ours = Arc::clone(&clock);
        let options = EmbeddedOptions {
            clock: Arc::new(move || ours.load(Ordering::SeqCst)),
            ..EmbeddedOptions::default()
        };
        let log = EmbeddedLog::open_with(&world.dir.path().join("log"), options).unwrap();
        for topic in world.spec.topics() {
            log.create_topic(&topic).unwrap();
        }
        Self {
            world,
            log: Arc::new(log),
            clock,
        }
    }

    /// The same topics, and nothing else.
    fn rebuilt(&self, settings: &str) -> Self {
        Self {
            world: World {
                now_ms: self.world.now_ms,
                ..World::with(settings)
            },
            log: Arc::clone(&self.log),
            clock: Arc::clone(&self.clock),
        }
    }

    fn pass(&mut self, ms: i64) {
        self.world.now_ms += ms;
        self.clock.store(self.world.now_ms, Ordering::SeqCst);
    }

    fn open(&mut self, hook: Option<StepHook>) -> ingest::Result<IncrementalProducer> {
        self.pass(1000);
        let log: Arc<dyn ChangeLog> = Arc::<EmbeddedLog>::clone(&self.log);
        let components = Components {
            log,
            ..self.world.components()
        };
        let options = self.world.options(hook);
        IncrementalProducer::open(
            self.world.spec.clone(),
            components,
            options,
            self.world.now_ms,
        )
    }

    fn cycle(&mut self, producer: &mut IncrementalProducer) -> Ended {
        self.pass(1000);
        producer.cycle(self.world.now_ms).unwrap()
    }

    /// Cycles until nothing is left to read or to publish.
    fn settle(&mut self, producer: &mut IncrementalProducer) {
        for _ in 0..20 {
            let ended = self.cycle(producer);
            assert!(!matches!(ended, Ended::RolledBack(_)), "{ended:?}");
            let progress = producer.progress();
            if progress.pending == 0 && progress.behind == 0 {
                return;
            }
        }
        panic!("{:?}", producer.progress());
    }

    fn send(&self, channel: Channel, records: &[NewRecord]) {
        let topic = self.world.spec.topic_of(channel);
        self.log.append(&topic, records).unwrap();
    }

    fn mark(&self, sweep: &str, kind: MarkerKind) {
        self.mark_some(sweep, kind, 0..3);
    }

    fn mark_some(&self, sweep: &str, kind: MarkerKind, partitions: std::ops::Range<u32>) {
        let sweep = sweep.to_owned();
        let marker = Marker { sweep, kind };
        let records: Vec<_> = partitions
            .map(|partition| marker.record(self.world.now_ms, partition))
            .collect();
        self.send(Channel::Sweep, &records);
    }

    fn row(&self, sweep: &str, id: i64, version: i64) -> NewRecord {
        item(&self.world, id, "en", version, content(version)).with_header("gl-sweep", sweep)
    }

    fn rows(&self, sweep: &str, rows: impl IntoIterator<Item = (i64, i64)>) {
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(id, version)| self.row(sweep, id, version))
            .collect();
        self.send(Channel::Sweep, &rows);
    }

    fn change(&self, id: i64, version: i64) -> NewRecord {
        item(&self.world, id, "en", version, content(version))
    }

    /// A whole sweep of these rows (id, version).
    fn sweep(&self, sweep: &str, as_of: i64, rows: impl IntoIterator<Item = (i64, i64)>) {
        self.mark(sweep, begin(as_of));
        self.rows(sweep, rows);
        self.mark(sweep, MarkerKind::End);
    }

    /// What the newest state says: the text of each id.
    fn state(&self) -> BTreeMap<i64, Option<String>> {
        let state = self.world.load().unwrap();
        let items = state.type_state("Item").unwrap();
        let read = |ordinal| {
            let item = items.object(ordinal).unwrap();
            let text = item.string(2).map(|text| text.to_string());
            (item.long(0).unwrap(), text)
        };
        items.ordinals().map(read).collect()
    }

    fn ids(&self) -> Vec<i64> {
        self.state().into_keys().collect()
    }

    fn compact(&self) {
        for topic in self.world.spec.topics() {
            self.log.compact(&topic.name).unwrap();
        }
    }
}

fn begin(as_of: i64) -> MarkerKind {
    MarkerKind::Begin {
        as_of,
        filtered: false,
    }
}

/// Content that tells the version.
fn content(version: i64) -> u64 {
    version.unsigned_abs() * 5 + 1
}

fn text(version: i64) -> Option<String> {
    Some(format!("text {}", content(version)))
}

fn sweeps(producer: &IncrementalProducer) -> SweepProgress {
    producer.progress().sweeps
}

/// A site with ids 1 to 100 at version 1, folded.
fn hundred(settings: &str) -> (Site, IncrementalProducer) {
    let mut site = Site::new(settings);
    let records: Vec<_> = (1..=100).map(|id| site.change(id, 1)).collect();
    site.send(Channel::Changes, &records);
    let mut producer = site.open(None).unwrap();
    site.settle(&mut producer);
    (site, producer)
}

/// The source: rows with versions, of which events are emitted, late or never.
struct Source {
    random: Random,
    clock: i64,
    keys: u64,
    rows: BTreeMap<i64, i64>,
    /// Keys of which the last event was never emitted.
    missed: BTreeSet<i64>,
    /// Events that are on their way.
    events: Vec<NewRecord>,
    /// Whether the events of a key arrive in their order, as compaction asks for; they may be late all the same.
    in_order: bool,
    sweeps: Vec<Running>,
    begun: u32,
}

/// A sweep that runs: rows up to `cursor` are read, and those of `read` are not sent yet.
struct Running {
    id: String,
    cursor: i64,
    read: Vec<(i64, i64)>,
}

impl Source {
    fn new(seed: u64, keys: u64, in_order: bool) -> Self {
        Self {
            random: Random(seed),
            clock: 10,
            keys,
            rows: BTreeMap::new(),
            missed: BTreeSet::new(),
            events: Vec::new(),
            in_order,
            sweeps: Vec::new(),
            begun: 0,
        }
    }

    fn change(&mut self, site: &Site, count: u64) {
        for _ in 0..count {
            let id = i64::try_from(self.random.below(self.keys)).unwrap();
            self.clock += 1;
            let event = if self.rows.contains_key(&id) && self.random.one_in(4) {
                self.rows.remove(&id);
                delete(id, "en", self.clock)
            } else {
                self.rows.insert(id, self.clock);
                site.change(id, self.clock)
            };
            if self.random.one_in(20) {
                self.missed.insert(id);
            } else {
                self.missed.remove(&id);
                self.events.push(event);
            }
        }
    }

    /// Some of the events arrive.
    fn deliver(&mut self, site: &Site, one_in: u64) {
        let mut arriving = Vec::new();
        let mut is_chosen = BTreeMap::new();
        for event in std::mem::take(&mut self.events) {
            let mut chosen = self.random.one_in(one_in);
            if self.in_order {
                chosen = *is_chosen.entry(event.key.clone()).or_insert(chosen);
            }
            if chosen {
                arriving.push(event);
            } else {
                self.events.push(event);
            }
        }
        if !self.in_order {
            for at in (1..arriving.len()).rev() {
                let other = usize::try_from(self.random.below(at as u64 + 1)).unwrap();
                arriving.swap(at, other);
            }
        }
        site.send(Channel::Changes, &arriving);
    }

    fn begin_sweep(&mut self, site: &Site) {
        self.begun += 1;
        let id = format!("sweep-{}", self.begun);
        site.mark(&id, begin(self.clock));
        self.sweeps.push(Running {
            id,
            cursor: -1,
            read: Vec::new(),
        });
    }

    /// A running sweep reads on, sends some of what it read before, and ends with the last row.
    fn sweep_on(&mut self, site: &Site, rows: usize) {
        if self.sweeps.is_empty() {
            return;
        }
        let at = usize::try_from(self.random.below(self.sweeps.len() as u64)).unwrap();
        let running = &mut self.sweeps[at];
        let next = self.rows.range(running.cursor + 1..).take(rows);
        let next: Vec<_> = next.map(|(&id, &version)| (id, version)).collect();
        let is_last = next.len() < rows;
        let late = if is_last {
            running.read.len()
        } else {
            usize::try_from(self.random.below(running.read.len() as u64 + 1)).unwrap()
        };
        site.rows(&running.id, running.read.drain(..late));
        running.cursor = next.last().map_or(running.cursor, |(id, _)| *id);
        running.read.extend(next);
        if is_last {
            site.rows(&running.id, running.read.drain(..));
            site.mark(&running.id, MarkerKind::End);
            self.sweeps.remove(at);
        }
    }

    fn expected(&self) -> BTreeMap<i64, Option<String>> {
        let row = |(&id, &version): (&i64, &i64)| (id, text(version));
        self.rows.iter().map(row).collect()
    }

    /// Everything arrives. What was emitted must be in the state, whatever the sweeps did.
    fn check_emitted(&mut self, site: &mut Site, producer: &mut IncrementalProducer) {
        while !self.sweeps.is_empty() {
            self.sweep_on(site, 50_000);
        }
        self.deliver(site, 1);
        site.settle(producer);
        let (mut state, mut expected) = (site.state(), self.expected());
        for id in &self.missed {
            state.remove(id);
            expected.remove(id);
        }
        assert_equal(&state, &expected);
    }

    /// One more sweep heals the rest.
    fn check_healed(&mut self, site: &mut Site, producer: &mut IncrementalProducer) {
        self.begin_sweep(site);
        while !self.sweeps.is_empty() {
            self.sweep_on(site, 50_000);
        }
        site.settle(producer);
        assert_equal(&site.state(), &self.expected());
        self.missed.clear();
    }
}

fn assert_equal(found: &BTreeMap<i64, Option<String>>, expected: &BTreeMap<i64, Option<String>>) {
    let wrong = |id: &&i64| found.get(id) != expected.get(id);
    let ids: BTreeSet<_> = found.keys().chain(expected.keys()).filter(wrong).collect();
    let wrong: Vec<_> = ids
        .iter()
        .take(5)
        .map(|id| (**id, found.get(id), expected.get(id)))
        .collect();
    assert!(ids.is_empty(), "{} keys differ: {wrong:?}", ids.len());
}

/// Changes, events, sweeps, cycles, restarts and compaction in any order.
fn interleave(
    site: &mut Site,
    source: &mut Source,
    mut producer: IncrementalProducer,
    steps: u64,
    compacts: bool,
) -> IncrementalProducer {
    let part = source.keys / 40 + 1;
    let rows = usize::try_from(source.keys / 6 + 1).unwrap();
    for _ in 0..steps {
        match source.random.below(12) {
            0..3 => source.change(site, part),
            3 => source.deliver(site, 2),
            4 if source.sweeps.len() < 2 => source.begin_sweep(site),
            4..8 => source.sweep_on(site, rows),
            8 if source.random.one_in(4) && !source.sweeps.is_empty() => {
                // A sweeper dies for good.
                source.sweeps.remove(0);
            }
            9 if source.random.one_in(2) => {
                drop(producer);
                producer = site.open(None).unwrap();
            }
            10 if compacts => site.compact(),
            _ => drop(site.cycle(&mut producer)),
        }
    }
    producer
}

fn start(site: &mut Site, source: &mut Source) -> IncrementalProducer {
    for id in 0..i64::try_from(source.keys).unwrap() {
        source.clock += 1;
        source.rows.insert(id, source.clock);
        if source.random.one_in(50) {
            source.missed.insert(id);
        } else {
            source.events.push(site.change(id, source.clock));
        }
    }
    source.deliver(site, 1);
    let mut producer = site.open(None).unwrap();
    site.cycle(&mut producer);
    producer
}

#[test]
fn late_sweeps_racing_changes_lose_and_resurrect_nothing() {
    let seed = seed();
    for (run, keys, steps) in [(0, 100_000, 40), (1, 300, 400), (2, 300, 400), (3, 20, 400)] {
        let mut site = Site::new(ALL);
        let mut source = Source::new(seed.wrapping_mul(100) + run, keys, false);
        let producer = start(&mut site, &mut source);
        let mut producer = interleave(&mut site, &mut source, producer, steps, false);
        source.check_emitted(&mut site, &mut producer);
        source.check_healed(&mut site, &mut producer);
        assert!(sweeps(&producer).open.is_empty(), "{:?}", sweeps(&producer));
    }
}

#[test]
fn a_producer_rebuilt_from_compacted_topics_resurrects_nothing() {
    let seed = seed();
    for (run, keys, steps) in [(0, 100_000, 30), (1, 300, 300), (2, 20, 300)] {
        let mut site = Site::new(ALL);
        let mut source = Source::new(seed.wrapping_mul(100) + 50 + run, keys, true);
        let producer = start(&mut site, &mut source);
        let mut producer = interleave(&mut site, &mut source, producer, steps, true);
        source.check_emitted(&mut site, &mut producer);
        source.check_healed(&mut site, &mut producer);
        // More happens after the last sweep, and deletes are gone from the log for good when it is read again.
        source.change(&site, keys / 10 + 1);
        source.deliver(&site, 1);
        site.settle(&mut producer);
        site.compact();

        let mut early = site.rebuilt(ALL);
        let mut again = early.open(None).unwrap();
        early.settle(&mut again);
        assert_equal(&early.state(), &site.state());
        drop(again);

        site.pass(2 * DAY_MS);
        site.compact();
        let mut late = site.rebuilt(ALL);
        let mut again = late.open(None).unwrap();
        for _ in 0..3 {
            assert_eq!(late.cycle(&mut again), Ended::Waiting);
            assert!(sweeps(&again).is_awaited && late.world.load().is_none());
        }
        interleave_waiting(&mut late, &mut source, &mut again);
        source.check_healed(&mut late, &mut again);
    }
}

/// A first state that waits reads on; changes and an unfinished sweep don't make it appear.
fn interleave_waiting(site: &mut Site, source: &mut Source, producer: &mut IncrementalProducer) {
    source.change(site, 20);
    source.deliver(site, 1);
    source.begin_sweep(site);
    assert_eq!(site.cycle(producer), Ended::Waiting);
    source.sweeps.clear();
}

#[test]
fn a_sweep_heals_what_was_never_emitted() {
    let (mut site, mut producer) = hundred(SOME);
    // Row 7 is gone, row 8 changed, row 101 is new; nobody said so.
    let rows = (1..=101).filter(|&id| id != 7);
    let rows = rows.map(|id| (id, if [8, 101].contains(&id) { 5 } else { 1 }));
    site.sweep("s", 5, rows);
    assert!(matches!(site.cycle(&mut producer), Ended::Announced(_)));
    let state = site.state();
    assert_eq!(state.len(), 100);
    assert_eq!(
        (state.get(&7), &state[&8], &state[&101]),
        (None, &text(5), &text(5))
    );
    assert_eq!(producer.progress().last_records.swept, 1);
    assert_eq!(sweeps(&producer).ended.applied, 1);
    // The state says which sweep it was.
    let origin = ingest::origin(&site.world.load().unwrap(), key(7, "en").as_bytes()).unwrap();
    assert_eq!((origin.source_version, origin.swept), (Some(5), Some(1)));
    assert_eq!(
        (origin.channel, origin.offset, origin.deleted),
        (Channel::Sweep, 0, true)
    );

    // An old event of the row is late: it stays deleted. A new one brings it back.
    site.send(Channel::Changes, &[site.change(7, 5)]);
    site.settle(&mut producer);
    assert!(!site.state().contains_key(&7));
    site.send(Channel::Changes, &[site.change(7, 6)]);
    site.settle(&mut producer);
    assert_eq!(site.state()[&7], text(6));
}

#[test]
fn a_later_sweep_brings_back_what_an_earlier_one_did_not_see() {
    let (mut site, mut producer) = hundred(SOME);
    let rows = |but: i64| (1..=100).filter(move |&id| id != but).map(|id| (id, 1));
    site.mark("old", begin(9));
    site.sweep("s", 9, rows(7));
    site.settle(&mut producer);
    assert!(!site.state().contains_key(&7));
    // A row of a sweep that began before says nothing new; one of a later sweep does, if it is not older than what was deleted.
    site.rows("old", [(7, 1)]);
    site.mark("later", begin(9));
    site.rows("later", [(7, 0)]);
    site.settle(&mut producer);
    assert!(!site.state().contains_key(&7));
    site.rows("later", [(7, 1)]);
    site.settle(&mut producer);
    assert_eq!(site.state()[&7], text(1));
}

#[test]
fn filtered_cancelled_and_unfinished_sweeps_delete_nothing() {
    type Spoil = fn(&Site);
    let spoils: [(&str, Spoil); 6] = [
        ("filtered", |site| {
            let filtered = MarkerKind::Begin {
                as_of: 9,
                filtered: true,
            };
            site.mark("s", filtered);
            site.mark("s", MarkerKind::End);
        }),
        ("cancelled", |site| {
            site.mark("s", begin(9));
            let mut row = site.row("s", 3, 1);
            row.key = Some(b"[3]".to_vec());
            site.send(Channel::Sweep, &[row]);
            site.mark("s", MarkerKind::End);
        }),
        ("cancelled", |site| {
            site.mark_some("s", begin(9), 0..2);
            site.mark_some("s", begin(8), 2..3);
            site.mark("s", MarkerKind::End);
        }),
        ("cancelled", |site| {
            site.mark("s", begin(9));
            site.mark_some("s", begin(9), 1..2);
            site.mark("s", MarkerKind::End);
        }),
        ("open", |site| {
            site.mark("s", begin(9));
            site.mark_some("s", MarkerKind::End, 0..2);
        }),
        ("open", |site| {
            site.mark_some("s", begin(9), 0..2);
            site.mark("s", MarkerKind::End);
        }),
    ];
    for (end, spoil) in spoils {
        let (mut site, mut producer) = hundred(ALL);
        spoil(&site);
        site.settle(&mut producer);
        assert_eq!(site.ids().len(), 100, "{end}");
        let progress = sweeps(&producer);
        let ended = progress.ended;
        assert_eq!(ended.filtered, u64::from(end == "filtered"));
        assert_eq!(ended.cancelled, u64::from(end == "cancelled"));
        assert_eq!(
            progress.open.len(),
            usize::from(end == "open"),
            "{progress:?}"
        );
        // The next sweep is none the worse for it, and ends what did not end.
        site.sweep("next", 9, (2..=100).map(|id| (id, 1)));
        site.settle(&mut producer);
        assert_eq!(site.ids().len(), 99, "{end}");
        let progress = sweeps(&producer);
        assert_eq!(progress.ended.abandoned, u64::from(end == "open"));
        assert!(progress.open.is_empty());
        // Its end comes too late.
        site.mark("s", MarkerKind::End);
        site.settle(&mut producer);
        assert_eq!(site.ids().len(), 99, "{end}");
    }
}

#[test]
fn a_row_that_is_dead_lettered_late_or_of_another_sweep_was_seen() {
    let (mut site, mut producer) = hundred(ALL);
    site.mark("s", begin(9));
    site.mark("other", begin(9));
    let dead = |id| {
        let mut row = site.row("s", id, 1);
        row.value.as_mut().unwrap().truncate(6);
        row
    };
    // 101 is not known when its row is dead-lettered; its event is late.
    site.send(Channel::Sweep, &[dead(1), dead(101)]);
    site.rows("other", [(2, 1)]);
    site.rows("s", (5..=100).map(|id| (id, 1)));
    site.settle(&mut producer);
    site.send(Channel::Changes, &[site.change(101, 1)]);
    site.mark("s", MarkerKind::End);
    // After the end, but before the producer looked.
    site.rows("s", [(3, 1)]);
    site.settle(&mut producer);
    let missing: Vec<_> = (1..=101).filter(|id| !site.ids().contains(id)).collect();
    assert_eq!(missing, [4]);
}

#[test]
fn what_arrives_before_the_topics_ends_counts() {
    let (mut site, mut producer) = hundred(ALL);
    site.sweep("s", 9, (3..=100).map(|id| (id, 1)));
    // Row 1 was made anew after as-of, row 2 deleted for good.
    site.send(Channel::Changes, &[site.change(1, 12), delete(2, "en", 11)]);
    site.settle(&mut producer);
    assert_eq!(site.state()[&1], text(12));
    assert!(!site.state().contains_key(&2));
    let origin = ingest::origin(&site.world.load().unwrap(), key(2, "en").as_bytes()).unwrap();
    assert_eq!(
        (origin.channel, origin.source_version),
        (Channel::Changes, Some(11))
    );
    assert_eq!(producer.progress().records.swept, 0);
}

#[test]
fn too_many_deletes_wait_for_an_operator() {
    for (decision, left) in [
        ("confirm", 90),
        ("few", 100),
        ("reject", 100),
        ("covered", 89),
    ] {
        let (mut site, mut producer) = hundred(SOME);
        site.sweep("s", 9, (11..=100).map(|id| (id, 1)));
        site.settle(&mut producer);
        for _ in 0..2 {
            assert_eq!(site.ids().len(), 100);
            let held = SweepStage::Held {
                deletes: 10,
                keys: 100,
            };
            assert_eq!(sweeps(&producer).open[0].stage, held);
            // Everybody can see it.
            let info = site.world.home.registry().dataset(&site.world.spec.name);
            let tags = info.unwrap().unwrap().confirmation.unwrap().tags;
            assert_eq!(sweeps_of_tags(&tags), sweeps(&producer).open);
            // A restart does not forget it.
            drop(producer);
            producer = site.open(None).unwrap();
            site.settle(&mut producer);
        }
        match decision {
            "confirm" => site.mark_some("s", MarkerKind::Confirm { deletes: 10 }, 0..1),
            "few" => site.mark_some("s", MarkerKind::Confirm { deletes: 9 }, 0..1),
            "reject" => site.mark_some("s", MarkerKind::Reject, 0..1),
            _ => {
                site.sweep("later", 9, (12..=100).map(|id| (id, 1)));
                site.settle(&mut producer);
                assert_eq!(sweeps(&producer).held().count(), 2);
                site.mark_some("later", MarkerKind::Confirm { deletes: 11 }, 0..1);
            }
        }
        site.settle(&mut producer);
        assert_eq!(site.ids().len(), left, "{decision}");
        let is_held = decision == "few";
        assert_eq!(
            sweeps(&producer).open.len(),
            usize::from(is_held),
            "{decision}"
        );
        let ended = sweeps(&producer).ended;
        assert_eq!(ended.rejected, u64::from(decision == "reject"));
    }
}

#[test]
fn a_restart_in_the_middle_of_a_sweep_reads_again_from_its_begin() {
    let (mut site, mut producer) = hundred(ALL);
    site.mark("s", begin(9));
    site.rows("s", (1..=50).map(|id| (id, 1)));
    site.send(Channel::Changes, &[site.change(60, 2)]);
    site.settle(&mut producer);
    let tags = site.world.load().unwrap().header_tags().clone();
    let id = site.log.topic("items.sweep").unwrap().unwrap().id;
    assert_eq!(tags["gl.position.sweep"], format!("{id}:0,0,0"));
    let ends = site.log.end_offsets("items.sweep").unwrap();
    let ends: Vec<_> = ends.iter().map(ToString::to_string).collect();
    assert_eq!(
        tags["gl.position.sweep.high"],
        format!("{id}:{}", ends.join(","))
    );
    // The next one may read one record a cycle, but nothing is published before it has caught up.
    drop(producer);
    let read: u64 = ends.iter().map(|end| end.parse::<u64>().unwrap()).sum();
    site.send(Channel::Changes, &[site.change(61, 2)]);
    site.pass(1000);
    let log: Arc<dyn ChangeLog> = Arc::<EmbeddedLog>::clone(&site.log);
    let components = Components {
        log,
        ..site.world.components()
    };
    let mut options = site.world.options(None);
    options.records_per_cycle = 1;
    let mut producer = IncrementalProducer::open(
        site.world.spec.clone(),
        components,
        options,
        site.world.now_ms,
    )
    .unwrap();
    site.cycle(&mut producer);
    assert_eq!(producer.progress().last_records.read, read + 1);
    site.rows("s", (51..=99).map(|id| (id, 1)));
    site.mark("s", MarkerKind::End);
    for _ in 0..60 {
        site.cycle(&mut producer);
    }
    assert_eq!(site.ids(), (1..=99).collect::<Vec<_>>());
    assert_eq!(site.state()[&61], text(2));
}

#[test]
fn a_stop_after_any_step_of_the_cycle_that_deletes_changes_nothing() {
    let run = |steps: Option<i64>| {
        let (mut site, mut producer) = hundred(ALL);
        drop(producer);
        site.sweep("s", 9, (3..=101).map(|id| (id, 2)));
        let (hook, hit) = abort_after(steps.unwrap_or(i64::MAX));
        let before = steps.map(|_| hook);
        if let Ok(mut stopped) = site.open(before) {
            site.pass(1000);
            let _ = stopped.cycle(site.world.now_ms);
            drop(stopped);
        }
        producer = site.open(None).unwrap();
        site.settle(&mut producer);
        assert_eq!(site.ids(), (3..=101).collect::<Vec<_>>());
        let digest = producer.publisher().digest();
        let was_hit = hit.lock().unwrap().is_some();
        (digest, was_hit)
    };
    let (digest, _) = run(None);
    let mut steps = 0;
    while {
        let (found, was_hit) = run(Some(steps));
        assert_eq!(found, digest, "stopped after step {steps}");
        was_hit
    } {
        steps += 1;
    }
    assert!(steps > 8, "only {steps} steps");
}

#[test]
fn partitions_added_in_the_middle_of_a_sweep_leave_it_without_an_end() {
    let (mut site, mut producer) = hundred(ALL);
    site.mark("s", begin(9));
    site.settle(&mut producer);
    for topic in ["items", "items.sweep"] {
        site.log.add_partitions(topic, 4).unwrap();
    }
    site.mark("s", MarkerKind::End);
    site.settle(&mut producer);
    assert_eq!((site.ids().len(), sweeps(&producer).open.len()), (100, 1));
    site.mark_some("t", begin(9), 0..4);
    site.rows("t", (2..=100).map(|id| (id, 1)));
    site.mark_some("t", MarkerKind::End, 0..4);
    site.settle(&mut producer);
    assert_eq!((site.ids().len(), sweeps(&producer).open.len()), (99, 0));
}
