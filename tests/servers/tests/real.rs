//! Each server starts, answers, survives being killed where it keeps data, and is gone when it is dropped.

use std::net::TcpStream;

use tests_servers::{Apicurio, Kafka, Moto, Postgres, SeaweedFs};

fn listens(address: &str) -> bool {
    TcpStream::connect(address.trim_start_matches("http://")).is_ok()
}

#[test]
fn kafka_comes_back_after_a_kill_and_goes_when_dropped() {
    let mut kafka = Kafka::start().unwrap();
    let bootstrap = kafka.bootstrap();
    kafka.kill().unwrap();
    assert!(!listens(&bootstrap));
    kafka.start_again().unwrap();
    assert!(listens(&bootstrap));
    drop(kafka);
    assert!(!listens(&bootstrap));
}

#[test]
fn seaweedfs_comes_back_after_a_kill_and_goes_when_dropped() {
    let mut seaweed = SeaweedFs::start().unwrap();
    let endpoint = seaweed.endpoint();
    seaweed.kill().unwrap();
    assert!(!listens(&endpoint));
    seaweed.start_again().unwrap();
    drop(seaweed);
    assert!(!listens(&endpoint));
}

#[test]
fn moto_apicurio_and_postgres_start_and_go() {
    let moto = Moto::start().unwrap();
    let endpoint = moto.endpoint();
    let apicurio = Apicurio::start().unwrap();
    let postgres = Postgres::start().unwrap();
    assert!(postgres.url().starts_with("postgresql://greenlight@"));
    assert!(apicurio.url().ends_with("/apis/ccompat/v7"));
    assert!(listens(&endpoint));
    drop((moto, apicurio, postgres));
    assert!(!listens(&endpoint));
}
