//! Sweeps of a real PostgreSQL, and sweeps over a real Kafka.

use super::support::{World, item, value};
use changelog::{ChangeLog, KafkaLog, KafkaOptions};
use ingest::sweep::{
    PostgresAsOf, PostgresConfig, SourceConfig, SweepOptions, SweepReport, Sweeper, compare,
};
use ingest::{Channel, Components, Ended, Error, IncrementalProducer};
use postgres::{Client, NoTls};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tests_servers::{Kafka, Postgres};

const ALL: &str = "source_versions = \"required\"\nsweep_delete_share_max = 1.0";

fn options(world: &World, stop: &Arc<AtomicBool>) -> SweepOptions {
    let now_ms = world.now_ms;
    SweepOptions {
        batch_rows: 300,
        state_dir: Some(world.dir.path().join("sweeper")),
        stop: Arc::clone(stop),
        ..SweepOptions::new(Arc::new(move || now_ms))
    }
}

/// Sweeps, and stops when so many rows are delivered.
fn sweep(
    world: &World,
    log: &Arc<dyn ChangeLog>,
    config: &SourceConfig,
    rows_max: u64,
) -> ingest::Result<SweepReport> {
    let stop = Arc::new(AtomicBool::new(false));
    let options = SweepOptions {
        filtered: config.is_filtered(),
        ..options(world, &stop)
    };
    let sweeper = Sweeper::new(world.spec.clone(), Arc::clone(log), options)?;
    let mut source = config.open(&world.spec, &*world.schemas)?;
    sweeper.run(&mut *source, &mut |run| {
        stop.store(run.rows >= rows_max, Ordering::SeqCst);
    })
}

fn settle(world: &mut World, producer: &mut IncrementalProducer) {
    for _ in 0..20 {
        let ended = world.cycle(producer).unwrap();
        assert!(!matches!(ended, Ended::RolledBack(_)), "{ended:?}");
        let progress = producer.progress();
        if progress.pending == 0 && progress.behind == 0 {
            return;
        }
    }
    panic!("{:?}", producer.progress());
}

fn ids(world: &World) -> BTreeSet<i64> {
    let state = world.load().unwrap();
    let items = state.type_state("Item").unwrap();
    let id = |ordinal| items.object(ordinal).unwrap().long(0).unwrap();
    items.ordinals().map(id).collect()
}

fn insert(client: &mut Client, ids: std::ops::RangeInclusive<i64>) {
    let mut rows = Vec::new();
    for id in ids {
        let row = value(id, "en", 6);
        rows.push(format!(
            "({id}, 'en', 'text 6', '{}', '{}', 1)",
            row["tags"], row["spans"]
        ));
    }
    client
        .batch_execute(&format!("INSERT INTO app.items VALUES {}", rows.join(",")))
        .unwrap();
}

#[test]
fn a_table_is_swept_by_ranges_of_its_key() {
    let server = Postgres::start().unwrap();
    let mut client = Client::connect(&server.url(), NoTls).unwrap();
    client
        .batch_execute(
            "CREATE SCHEMA app; CREATE TABLE app.items (id bigint, language text, text text, tags jsonb, spans jsonb, \
             version bigint, PRIMARY KEY (id, language))",
        )
        .unwrap();
    insert(&mut client, 1..=2000);
    client.batch_execute("ANALYZE app.items").unwrap();
    let postgres = PostgresConfig {
        url: format!("{}?sslmode=disable", server.url()),
        table: Some("app.items".to_owned()),
        query: None,
        filter: None,
        as_of: PostgresAsOf::Max,
        as_of_lag: 0,
        page_rows: 300,
        ca_file: None,
    };
    let with = |postgres: PostgresConfig| SourceConfig {
        postgres: Some(postgres),
        file: None,
        ..SourceConfig::of_file(PathBuf::new())
    };
    let config = with(postgres.clone());

    let mut world = World::with(ALL);
    world.create_topics();
    let log = Arc::clone(world.log());
    let mut producer = world.open(None).unwrap();
    // Nobody ever emitted anything: the first sweep is the dataset.
    let report = sweep(&world, &log, &config, u64::MAX).unwrap();
    assert_eq!((report.as_of, report.rows, report.unfit), (1, 2000, 0));
    assert_eq!((report.reads.rows, report.reads.requests), (2000, 2 + 7));
    settle(&mut world, &mut producer);
    assert_eq!(ids(&world).len(), 2000);
    let events: Vec<_> = (1..=3).map(|id| item(&world, id, "en", 1, 6)).collect();
    world.send(Channel::Changes, &events);
    settle(&mut world, &mut producer);
    assert_eq!(
        producer.progress().last_records.changed,
        0,
        "the rows are the same"
    );

    // Changes without any event; a sweep that is broken off and goes on, while more changes come.
    client
        .batch_execute(
            "DELETE FROM app.items WHERE id IN (5, 1500); UPDATE app.items SET text = 'new', version = 7 WHERE id = 6",
        )
        .unwrap();
    insert(&mut client, 2001..=2001);
    let stop = Arc::default();
    let mut source = config.open(&world.spec, &*world.schemas).unwrap();
    let state = world.load().unwrap();
    let components = world.components();
    let told = compare(
        &world.spec,
        &components,
        Some(&state),
        &mut *source,
        false,
        &stop,
        &mut |_| {},
    );
    let told = told.unwrap();
    assert_eq!(
        (told.added, told.changed, told.deleted, told.unfit),
        (1, 1, 2, 0)
    );
    assert!(matches!(
        sweep(&world, &log, &config, 900),
        Err(Error::Stopped)
    ));
    client
        .batch_execute("DELETE FROM app.items WHERE id = 7")
        .unwrap();
    insert(&mut client, 2002..=2002);
    let report = sweep(&world, &log, &config, u64::MAX).unwrap();
    assert_eq!((report.as_of, report.rows), (7, 2000));
    settle(&mut world, &mut producer);
    let found = ids(&world);
    let expected: BTreeSet<_> = (1..=2002).filter(|id| ![5, 1500].contains(id)).collect();
    assert_eq!(found, expected);
    assert_eq!(producer.progress().records.dead, 0);

    // A part of the table deletes nothing.
    let part = with(PostgresConfig {
        filter: Some("id <= 100".to_owned()),
        ..postgres.clone()
    });
    let report = sweep(&world, &log, &part, u64::MAX).unwrap();
    assert_eq!(report.rows, 98);
    settle(&mut world, &mut producer);
    assert_eq!(ids(&world), expected);

    // Versions that are places in the log of the server, of a query.
    client
        .batch_execute(
            "UPDATE app.items SET version = (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint",
        )
        .unwrap();
    let query = with(PostgresConfig {
        table: None,
        query: Some("SELECT * FROM app.items WHERE id > 0".to_owned()),
        as_of: PostgresAsOf::Lsn,
        ..postgres.clone()
    });
    assert!(matches!(
        sweep(&world, &log, &query, 300),
        Err(Error::Stopped)
    ));
    let report = sweep(&world, &log, &query, u64::MAX).unwrap();
    assert!(report.as_of > 1000 && report.rows == 1999, "{report:?}");
    settle(&mut world, &mut producer);
    let expected: BTreeSet<_> = (1..=2002).filter(|id| ![5, 7, 1500].contains(id)).collect();
    assert_eq!(ids(&world), expected);

    // Mistakes say what is wrong, and never the password.
    for (config, words) in [
        (
            PostgresConfig {
                table: Some("nothing".to_owned()),
                ..postgres.clone()
            },
            "does not exist",
        ),
        (
            PostgresConfig {
                query: Some("SELECT 1".to_owned()),
                ..postgres.clone()
            },
            "either table or query",
        ),
        (
            PostgresConfig {
                url: "postgres://u:secret@127.0.0.1:1/d?sslmode=disable".to_owned(),
                ..postgres.clone()
            },
            "refused",
        ),
    ] {
        let error = sweep(&world, &log, &with(config), u64::MAX)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(words) && !error.contains("secret"),
            "{error}"
        );
    }
}

#[test]
fn sweeps_over_kafka_survive_restarts_of_broker_sweeper_and_producer() {
    let mut kafka = Kafka::start().unwrap();
    let mut world = World::with(ALL);
    let mut options = KafkaOptions::new(&kafka.bootstrap());
    options.budget_ms = 60_000;
    let log: Arc<dyn ChangeLog> = Arc::new(KafkaLog::connect(options).unwrap());
    let open = |world: &mut World| {
        world.now_ms += 1000;
        let components = Components {
            log: Arc::clone(&log),
            ..world.components()
        };
        let options = world.options(None);
        IncrementalProducer::open(world.spec.clone(), components, options, world.now_ms).unwrap()
    };
    let mut producer = open(&mut world);
    let events: Vec<_> = (1..=2000).map(|id| item(&world, id, "en", 1, 6)).collect();
    log.append("items", &events).unwrap();
    settle(&mut world, &mut producer);
    assert_eq!(ids(&world).len(), 2000);

    // Row 1 to 10 are gone and 2001 is new, without any event.
    let path = world.dir.path().join("rows.jsonl");
    let rows: String = (11..=2001)
        .map(|id| {
            let mut row = value(id, "en", 6);
            row["version"] = 1.into();
            format!("{row}\n")
        })
        .collect();
    std::fs::write(&path, rows).unwrap();
    let config = SourceConfig::of_file(path);
    assert!(matches!(
        sweep(&world, &log, &config, 600),
        Err(Error::Stopped)
    ));
    settle(&mut world, &mut producer);
    drop(producer);
    kafka.kill().unwrap();
    kafka.start_again().unwrap();
    let mut producer = open(&mut world);
    settle(&mut world, &mut producer);
    // The high-water mark was passed, and the sweep is still open.
    assert_eq!(ids(&world).len(), 2000);
    assert_eq!(producer.progress().sweeps.open.len(), 1);
    // A newer change races the sweep's end.
    log.append("items", &[item(&world, 3, "en", 9, 4)]).unwrap();
    let report = sweep(&world, &log, &config, u64::MAX).unwrap();
    assert_eq!(report.rows, 1991);
    settle(&mut world, &mut producer);
    let expected: BTreeSet<_> = (11..=2001).chain([3]).collect();
    assert_eq!(ids(&world), expected);
    assert_eq!(producer.progress().sweeps.ended.applied, 1);
}
