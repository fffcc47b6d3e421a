//! `docker-compose.yml` starts what works: the command of each of our services is read from it and run here, with the same
//! files under `config/`, on real servers.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Instant;

use tests_servers::{Apicurio, SeaweedFs};

use crate::role::Role;
use crate::scenario;
use crate::support::{Servers, root, text};

/// A service that runs our image.
#[derive(Debug, Default)]
struct Service {
    command: Vec<String>,
    environment: BTreeMap<String, String>,
}

/// Our services, by name. Reads no more of YAML than that file uses: two spaces a level, commands as JSON.
fn services() -> BTreeMap<String, Service> {
    let file = fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let (_, file) = file.split_once("\nservices:\n").unwrap();
    let mut services = BTreeMap::new();
    let mut name = String::new();
    let mut is_ours = false;
    let mut in_environment = false;
    for line in file.lines() {
        let indent = line.len() - line.trim_start().len();
        let entry = line.trim();
        if entry.is_empty() || entry.starts_with('#') {
            continue;
        }
        match indent {
            0 => break,
            2 => {
                name = entry.trim_end_matches(':').to_owned();
                is_ours = false;
            }
            4 => {
                in_environment = entry == "environment:";
                is_ours |= entry == "<<: *role";
                if let Some(command) = entry.strip_prefix("command: ").filter(|_| is_ours) {
                    let service: &mut Service = services.entry(name.clone()).or_default();
                    service.command = serde_json::from_str(command).unwrap();
                }
            }
            6 if in_environment && is_ours => {
                let (variable, value) = entry.split_once(": ").unwrap();
                let service: &mut Service = services.entry(name.clone()).or_default();
                service
                    .environment
                    .insert(variable.to_owned(), value.to_owned());
            }
            _ => {}
        }
    }
    services
}

#[test]
fn every_role_of_docker_compose_works_with_its_files() {
    let services = services();
    let Servers { kafka, bucket } = crate::servers().unwrap();
    let registry = Apicurio::start().unwrap();
    let checkpoints = tempfile::tempdir().unwrap();
    let command = |name: &str| {
        let service = &services[name];
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        command
            .current_dir(root())
            .args(&service.command)
            .envs(&service.environment)
            // What differs here: host names, ports, and a directory of this machine.
            .env("GREENLIGHT_KAFKA", kafka.bootstrap())
            .env("GREENLIGHT_S3", &bucket)
            .env("GREENLIGHT_SCHEMAS", registry.url())
            .env("GREENLIGHT_CHECKPOINT", checkpoints.path())
            .env("GREENLIGHT_LISTEN", "127.0.0.1:0")
            .env("AWS_ACCESS_KEY_ID", SeaweedFs::ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SeaweedFs::SECRET_KEY);
        command
    };
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    let roles = ["gatekeeper", "producer", "producer-standby", "sweeper"];
    for name in roles {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }

    let output = command("demo")
        .arg("--scenario")
        .arg(scenario::small().path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));

    let mut producer = Role::spawn(command("producer"));
    let mut gatekeeper = Role::spawn(command("gatekeeper"));
    for dataset in ["prod/titles", "prod/popularity"] {
        producer.wait_for_state(dataset, "producing");
    }
    gatekeeper.wait_for_state("prod/liveness", "producing");
    let sweeper = Role::spawn(command("sweeper"));
    assert_eq!(sweeper.get("/health/live").0, 200);
    let mut standby = Role::spawn(command("producer-standby"));
    standby.wait_for_state("prod/titles", "standing_by");
    standby.wait("readiness", |role| role.get("/health/ready").0 == 200);

    // Suspended: the standby goes by the silence, and the owner that comes back stops.
    producer.signal("STOP");
    let suspended = Instant::now();
    standby.wait_for_state("prod/titles", "producing");
    println!(
        "taken over {:?} after the owner was suspended",
        suspended.elapsed()
    );
    standby.wait("readiness", |role| role.get("/health/ready").0 == 200);
    producer.signal("CONT");
    let (code, said) = producer.end();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("another producer has taken over"), "{said}");

    // Started again it is the standby, and the other is killed.
    let mut producer = Role::spawn(command("producer"));
    producer.wait_for_state("prod/titles", "standing_by");
    drop(standby);
    let killed = Instant::now();
    producer.wait_for_state("prod/titles", "producing");
    println!(
        "taken over {:?} after the owner was killed",
        killed.elapsed()
    );
    producer.wait("readiness", |role| role.get("/health/ready").0 == 200);

    let output = command("commands").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    for words in ["prod/liveness", "producer-1", "gatekeeper-1"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    for role in [producer, gatekeeper, sweeper] {
        role.signal("TERM");
        let (code, said) = role.end();
        assert_eq!(code, Some(0), "{said}");
    }
}
