//! Over Kafka and SeaweedFS: producers dead or suspended at every step, servers that are killed, and answers of the store that
//! are late, wrong or lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use dataset::Step;
use ingest::{Ended, IncrementalProducer};
use tests_faults::{
    Moment, Place, Upstream, World, child as run_child, matrix, random_run, seed, suspended,
};
use tests_servers::{Fault, Kafka, Proxy, SeaweedFs};

struct Servers {
    kafka: Kafka,
    seaweed: SeaweedFs,
    dir: tempfile::TempDir,
}

fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| Servers {
        kafka: Kafka::start().unwrap(),
        seaweed: SeaweedFs::start().unwrap(),
        dir: tempfile::tempdir().unwrap(),
    })
}

fn place(dataset: &str, s3: &str) -> Place {
    let servers = servers();
    Place {
        dir: servers.dir.path().to_owned(),
        dataset: dataset.to_owned(),
        real: Some((servers.kafka.bootstrap(), format!("{s3}/states"))),
    }
}

#[test]
#[ignore = "runs as a child process of `a_producer_dies_at_every_step`"]
fn child() {
    run_child();
}

#[test]
fn a_producer_dies_at_every_step() {
    let s3 = servers().seaweed.endpoint();
    let deaths = matrix(|at| place(&format!("titles-{at}"), &s3), 20, 1);
    println!("{deaths} deaths");
    assert!(deaths > 30, "only {deaths} places to die at");
}

#[test]
fn a_producer_that_was_suspended_at_a_step_and_overtaken_stops() {
    let s3 = servers().seaweed.endpoint();
    let times = suspended(|at| place(&format!("suspended-{at}"), &s3), 12, 1);
    println!("{times} times");
    assert!(times > 20, "only {times} places to stand still at");
}

/// Servers of its own, which are killed and suspended.
struct Unsteady {
    servers: Arc<Mutex<(Kafka, SeaweedFs)>>,
    dir: tempfile::TempDir,
}

impl Unsteady {
    fn start() -> Self {
        let servers = (Kafka::start().unwrap(), SeaweedFs::start().unwrap());
        Self {
            servers: Arc::new(Mutex::new(servers)),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn place(&self, s3: Option<String>) -> Place {
        let (kafka, seaweed) = &*self.servers.lock().unwrap();
        let s3 = s3.unwrap_or(seaweed.endpoint());
        Place {
            dir: self.dir.path().to_owned(),
            dataset: "titles".to_owned(),
            real: Some((kafka.bootstrap(), format!("{s3}/states"))),
        }
    }
}

fn restart(servers: &Mutex<(Kafka, SeaweedFs)>, which: Which) {
    let (kafka, seaweed) = &mut *servers.lock().unwrap();
    if which != Which::S3 {
        kafka.kill().unwrap();
    }
    if which != Which::Kafka {
        seaweed.kill().unwrap();
        seaweed.start_again().unwrap();
    }
    if which != Which::S3 {
        kafka.start_again().unwrap();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Kafka,
    S3,
    Both,
}

/// Broker and store are killed and started again in the middle of a cycle, at its steps; then neither answers for a minute.
#[test]
fn servers_that_are_killed_in_a_cycle_or_away_for_a_minute_lose_nothing() {
    let unsteady = Unsteady::start();
    let mut world = World::open(&unsteady.place(None));
    let mut upstream = Upstream::new(seed());
    upstream.send(&world, 30, 1);
    let order = Arc::new(Mutex::new(None::<(Step, Which)>));
    let hook = {
        let (servers, order) = (Arc::clone(&unsteady.servers), Arc::clone(&order));
        move |step| {
            let mut order = order.lock().unwrap();
            if let Some((_, which)) = order.take_if(|(at, _)| *at == step) {
                restart(&servers, which);
            }
            Ok(())
        }
    };
    let mut producer = world.producer_with("one", Arc::new(hook)).unwrap();
    world.settle(&mut producer);
    let orders = [
        (Step::Populated, Which::Both),
        (Step::Minted, Which::S3),
        (Step::BlobsStaged, Which::Kafka),
        (Step::Guarded, Which::Both),
        (Step::Accepted, Which::S3),
        (Step::BlobPromoted, Which::Kafka),
        (Step::Announced, Which::Both),
    ];
    for killed in orders {
        *order.lock().unwrap() = Some(killed);
        // It may get over it, or be rolled back.
        for _ in 0..5 {
            upstream.send(&world, 6, 2);
            let _ = world.cycle(&mut producer);
            if order.lock().unwrap().is_none() {
                break;
            }
        }
        assert_eq!(*order.lock().unwrap(), None, "no cycle came to that step");
        settle_in_time(&mut world, &mut producer);
        upstream.model.check(&world);
    }

    upstream.send(&world, 6, 2);
    let signal = |signal| {
        let servers = unsteady.servers.lock().unwrap();
        servers.0.process().unwrap().signal(signal).unwrap();
        servers.1.process().unwrap().signal(signal).unwrap();
    };
    signal("STOP");
    let away = Instant::now();
    let mut cycles = 0;
    while away.elapsed() < Duration::from_secs(60) {
        let ended = world.cycle(&mut producer);
        cycles += 1;
        let is_over = matches!(ended, Ok(Ended::Announced(_) | Ended::Unchanged));
        assert!(!is_over, "without servers: {ended:?}");
    }
    signal("CONT");
    println!("{cycles} cycles failed in {:?}", away.elapsed());
    settle_in_time(&mut world, &mut producer);
    upstream.model.check(&world);
    world.check_chain();
}

/// Servers need a moment to be all there; meanwhile cycles fail, and that is all.
fn settle_in_time(world: &mut World, producer: &mut IncrementalProducer) {
    for _ in 0..200 {
        match world.cycle(producer) {
            Ok(Ended::Announced(_) | Ended::Unchanged) => return world.settle(producer),
            Ok(_) => {}
            Err(error) => assert!(!error.is_lost(), "{error:?}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the servers are up, and cycles fail on");
}

/// How many cycles the random run has; `GREENLIGHT_FAULT_CYCLES` for more.
fn cycles() -> u64 {
    std::env::var("GREENLIGHT_FAULT_CYCLES").map_or(60, |cycles| cycles.parse().unwrap())
}

/// What can fail on the way to a store in whatever time.
const FAULTS: [Fault; 7] = [
    Fault::Status(500),
    Fault::Status(503),
    Fault::LoseAnswer,
    Fault::CutRequest,
    Fault::CutAnswer,
    Fault::Refuse,
    Fault::Delay(Duration::from_millis(200)),
];

/// The run of thousands of cycles that the embedded log gets, shorter, and with servers that fail and are killed.
#[test]
fn cycles_with_random_faults_of_everything() {
    let (seed, cycles) = (seed(), cycles());
    let unsteady = Unsteady::start();
    let s3 = unsteady.servers.lock().unwrap().1.endpoint();
    let proxy = Proxy::start(&s3).unwrap();
    let mut world = World::open(&unsteady.place(Some(proxy.endpoint())));
    let mut restarts = 0;
    let tally = random_run(&mut world, seed, cycles, |moment, random| match moment {
        Moment::Cycle(cycle) => {
            proxy.random(seed ^ cycle, 50, FAULTS);
            if cycle % 30 == 15 {
                let which = [Which::Kafka, Which::S3, Which::Both][random.below(3) as usize];
                restart(&unsteady.servers, which);
                restarts += 1;
            }
        }
        Moment::Calm => proxy.always(Fault::None),
    });
    println!("{tally:?}, servers killed {restarts} times");
    assert!(tally.failed * 20 > cycles && tally.killed > 1);
}

#[test]
fn a_store_that_answers_late_wrongly_or_not_at_all_costs_nothing_but_time() {
    let seed = seed();
    let proxy = Proxy::start(&servers().seaweed.endpoint()).unwrap();
    let mut world = World::open(&place("proxied", &proxy.endpoint()));
    let mut upstream = Upstream::new(seed);
    upstream.send(&world, 30, 1);
    let mut producer = world.producer("one").unwrap();
    world.settle(&mut producer);
    proxy.random(seed, 250, FAULTS);
    for round in 0..40 {
        upstream.send(&world, 5, 2);
        // What the store's own patience does not cover rolls the cycle back.
        let _ = world.cycle(&mut producer);
        if round % 10 == 9 {
            drop(producer);
            producer = world.producer("one").unwrap();
        }
    }
    // Five seconds for an answer, and none at all.
    for fault in [Fault::Delay(Duration::from_secs(5)), Fault::Stall] {
        proxy.always(Fault::None);
        proxy.next([Fault::None, fault, Fault::None, fault]);
        upstream.send(&world, 5, 2);
        world.settle(&mut producer);
        upstream.model.check(&world);
    }
    world.check_chain();
}
