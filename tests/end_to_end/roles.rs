//! The roles as processes: they work, tell how they are, hand over in good order, and take over from the dead.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::scenario;
use crate::support::{Demo, text};

/// A role that runs.
pub(crate) struct Role {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Role {
    /// Starts a role in the name of `name` and waits until it serves its health.
    pub(crate) fn start(demo: &Demo, args: &[&str], name: &str) -> Self {
        let mut command = demo.command(args);
        let mut child = command
            .env("GREENLIGHT_NAME", name)
            .env("GREENLIGHT_LISTEN", "127.0.0.1:0")
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let address = loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("{args:?} ended: {said}"))
                .unwrap();
            said.push_str(&line);
            said.push('\n');
            if let Some((_, rest)) = line.split_once("listen=") {
                break rest.split_whitespace().next().unwrap().to_owned();
            }
        };
        let log = Arc::new(Mutex::new(said));
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self {
            child,
            address,
            log,
            reader: Some(reader),
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Status and body of a page.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: greenlight\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = text(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// How a dataset stands.
    fn row(&self, dataset: &str) -> Value {
        let (_, body) = self.get("/health/live");
        let health: Value = serde_json::from_str(&body).unwrap();
        let rows = health["datasets"].as_array().unwrap();
        rows.iter()
            .find(|row| row["dataset"] == dataset)
            .unwrap_or_else(|| panic!("no {dataset} in {body}"))
            .clone()
    }

    pub(crate) fn wait_for_state(&mut self, dataset: &str, state: &str) {
        let what = format!("{dataset} to be {state}");
        self.wait(&what, |role| role.row(dataset)["state"] == state);
    }

    pub(crate) fn wait(&mut self, what: &str, is_there: impl Fn(&Self) -> bool) {
        while !is_there(self) {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "it ended while waiting for {what}: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = std::process::Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the end; the exit code and everything it said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status.code(), self.log())
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) const PRODUCE: &[&str] = &["produce", "--config", "config/producer.toml"];
const EVALUATE: &[&str] = &["evaluate", "--config", "config/gatekeeper.toml"];

/// The owner that `status` tells of a dataset.
fn owner(demo: &Demo, dataset: &str) -> Value {
    let status = demo.json(&["status"]);
    let rows = status["datasets"].as_array().unwrap();
    let row = rows.iter().find(|row| row["dataset"] == dataset).unwrap();
    row["owner"].clone()
}

#[test]
fn roles_produce_evaluate_and_hand_over() {
    let scenario = scenario::small();
    let demo = Demo::new(scenario.path());
    // The demo's own roles stop with their process, without resigning: as if they had been killed.
    demo.run_once();
    let versions = || {
        demo.json(&["versions", "liveness"])["latest"]
            .as_i64()
            .unwrap()
    };
    let before = versions();

    // Someone has to keep an embedded directory open; real servers need nobody.
    let keeper = demo.keep_open();
    let mut producer = Role::start(&demo, PRODUCE, "producer-1");
    let mut gatekeeper = Role::start(&demo, EVALUATE, "gatekeeper-1");
    let started = Instant::now();
    producer.wait_for_state("prod/titles", "producing");
    gatekeeper.wait_for_state("prod/liveness", "producing");
    println!("producing {:?} after their start", started.elapsed());
    producer.wait("readiness", |role| role.get("/health/ready").0 == 200);
    assert_eq!(owner(&demo, "prod/titles"), "producer-1");
    // The clock has moved on since the scenario's day, and with it what is live.
    gatekeeper.wait("a new version", |_| versions() > before);

    let (status, metrics) = producer.get("/metrics");
    assert_eq!(status, 200);
    for line in [
        "greenlight_producing{dataset=\"prod/titles\"} 1",
        "greenlight_takeovers_total{dataset=\"prod/rights\"} 1",
        "# HELP greenlight_cycle_duration_seconds How long cycles took",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let (_, metrics) = gatekeeper.get("/metrics");
    assert!(
        metrics.contains("greenlight_pairs{verdict=\"live\"}"),
        "{metrics}"
    );
    assert!(metrics.contains("greenlight_blocked_pairs{blocker=\"rights.no-window\"}"));

    // A second process stands by, and is given the datasets when the first is told to stop.
    let mut second = Role::start(&demo, PRODUCE, "producer-2");
    second.wait_for_state("prod/titles", "standing_by");
    assert_eq!(second.get("/health/ready").0, 200);
    producer.signal("TERM");
    let (code, said) = producer.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("resigned"), "{said}");
    second.wait_for_state("prod/titles", "producing");
    second.wait("readiness", |role| role.get("/health/ready").0 == 200);

    // Its standby takes over when it is suspended, and it stops when it comes back.
    let mut third = Role::start(&demo, PRODUCE, "producer-3");
    third.wait_for_state("prod/titles", "standing_by");
    second.signal("STOP");
    let suspended = Instant::now();
    for dataset in ["prod/titles", "prod/rights", "prod/holds"] {
        third.wait_for_state(dataset, "producing");
    }
    println!(
        "taken over {:?} after the owner was stopped",
        suspended.elapsed()
    );
    second.signal("CONT");
    let (code, said) = second.end();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("another producer has taken over"), "{said}");
    assert_eq!(owner(&demo, "prod/titles"), "producer-3");
    third.signal("TERM");
    assert_eq!(third.end().0, Some(0));
    gatekeeper.signal("TERM");
    let (code, said) = gatekeeper.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(owner(&demo, "prod/liveness"), Value::Null);
    drop(keeper);
    for dataset in ["titles", "liveness"] {
        let versions = demo.json(&["versions", dataset, "--limit", "1000000"]);
        for pair in versions["versions"].as_array().unwrap().windows(2) {
            assert_eq!(pair[0]["previous"], pair[1]["version"], "{dataset} forked");
        }
    }
}
