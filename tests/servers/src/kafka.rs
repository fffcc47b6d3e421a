use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::process::{Process, run};
use crate::{Error, Result, free_ports, installed};

/// Apache Kafka: one combined broker and controller, compacting quickly where topics ask for it.
pub struct Kafka {
    process: Option<Process>,
    dir: TempDir,
    port: u16,
}

impl Kafka {
    /// Starts a broker with an empty log. It creates no topics by itself.
    ///
    /// # Errors
    /// Where it can't be installed or does not start.
    pub fn start() -> Result<Self> {
        Self::start_with("")
    }

    /// As [`start`](Self::start), with more lines for `server.properties`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(properties: &str) -> Result<Self> {
        let dir = tempfile::tempdir().map_err(Error::io("create a directory"))?;
        let [port, controller] = free_ports()?;
        let data = dir.path().join("data");
        let text = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             log.dirs={}\n\
             offsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n\
             auto.create.topics.enable=false\n\
             message.max.bytes=67108864\n\
             log.cleaner.backoff.ms=200\n\
             {properties}\n",
            data.display()
        );
        let config = dir.path().join("server.properties");
        fs::write(&config, text).map_err(Error::io("write server.properties"))?;
        let java = |class: &str, args: &[&str]| -> Result<Vec<OsString>> {
            let mut command = vec!["java".into(), "-cp".into(), class_path()?.into()];
            command.push(class.into());
            command.extend(args.iter().map(OsString::from));
            Ok(command)
        };
        let tool = "kafka.tools.StorageTool";
        let id = run("StorageTool", &java(tool, &["random-uuid"])?, None)?;
        let id = id.lines().last().unwrap_or_default();
        let mut format = java(tool, &["format", "-t", id, "-c"])?;
        format.push(config.into());
        run("StorageTool", &format, None)?;
        let mut kafka = Self {
            process: None,
            dir,
            port,
        };
        kafka.start_again()?;
        Ok(kafka)
    }

    /// `HOST:PORT` for clients.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The running broker, to be signalled; `None` after [`stop`](Self::stop) or [`kill`](Self::kill).
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Stops the broker in good order; its log stays.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    /// Kills the broker (`SIGKILL`); its log stays.
    ///
    /// # Errors
    /// Where it is not running.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.signal("KILL")?;
        }
        Ok(())
    }

    /// Starts the broker on the same port and log, and waits until it answers.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        self.process = None;
        let dir = self.dir.path();
        let mut process = Process::start(
            "kafka",
            &dir.join("kafka.log"),
            dir,
            [
                "java".into(),
                "-Xmx512m".into(),
                "-Xms256m".into(),
                "-XX:+UseSerialGC".into(),
                "-cp".into(),
                class_path()?,
                "kafka.Kafka".into(),
                dir.join("server.properties"),
            ],
            &[],
        )?;
        process.wait_for_port(self.port)?;
        self.process = Some(process);
        Ok(())
    }
}

fn class_path() -> Result<PathBuf> {
    Ok(installed()?.join("kafka/libs/*"))
}
