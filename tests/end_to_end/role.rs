//! A role as a process: its health, its log, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Demo, text};

/// A role that runs.
pub(crate) struct Role {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Role {
    /// Starts a role in the name of `name` on a demo, and waits until it serves its health.
    pub(crate) fn start(demo: &Demo, args: &[&str], name: &str) -> Self {
        let mut command = demo.command(args);
        command
            .env("GREENLIGHT_NAME", name)
            .env("GREENLIGHT_LISTEN", "127.0.0.1:0");
        Self::spawn(command)
    }

    /// Starts the role of a command and waits until it serves its health.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
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
                .unwrap_or_else(|| panic!("{command:?} ended: {said}"))
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

    /// Where it serves its pages.
    pub(crate) fn address(&self) -> &str {
        &self.address
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
    pub(crate) fn row(&self, dataset: &str) -> Value {
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
        let status = Command::new("kill")
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
