use std::fs;

use tempfile::TempDir;

use crate::process::Process;
use crate::{Error, Result, free_ports, installed};

/// SeaweedFS with its S3 gateway. Signatures are checked.
pub struct SeaweedFs {
    process: Option<Process>,
    dir: TempDir,
    volumes: Volumes,
    /// Master, volume, filer, S3, and the same for gRPC.
    ports: [u16; 8],
}

/// The files that a server packs objects into. When all of a bucket's are full it makes more, and who writes meanwhile waits
/// for up to a second.
#[derive(Clone, Copy)]
struct Volumes {
    megabytes: u32,
    /// How many a bucket gets at once.
    grown: u32,
}

impl Volumes {
    /// For many small buckets: there are forty volumes in all.
    const SMALL: Self = Self {
        megabytes: 64,
        grown: 1,
    };
    /// For one bucket that is written to for minutes: as many at once as the server makes by itself.
    const LARGE: Self = Self {
        megabytes: 1024,
        grown: 7,
    };
}

impl SeaweedFs {
    /// The access key of the one identity there is; its secret is [`SECRET_KEY`](Self::SECRET_KEY).
    pub const ACCESS_KEY: &str = "greenlight";
    /// The secret of [`ACCESS_KEY`](Self::ACCESS_KEY).
    pub const SECRET_KEY: &str = "greenlight-secret";

    /// Starts a server without any bucket, for many small ones.
    ///
    /// # Errors
    /// Where it can't be installed or does not start.
    pub fn start() -> Result<Self> {
        Self::start_with(Volumes::SMALL)
    }

    /// Starts a server without any bucket, for a few that never wait for space, as where it is in service.
    ///
    /// # Errors
    /// Where it can't be installed or does not start.
    pub fn start_large() -> Result<Self> {
        Self::start_with(Volumes::LARGE)
    }

    fn start_with(volumes: Volumes) -> Result<Self> {
        let dir = tempfile::tempdir().map_err(Error::io("create a directory"))?;
        fs::create_dir(dir.path().join("data")).map_err(Error::io("create a directory"))?;
        let identity = format!(
            r#"{{"identities": [{{"name": "greenlight",
              "credentials": [{{"accessKey": "{}", "secretKey": "{}"}}],
              "actions": ["Admin", "Read", "Write", "List", "Tagging"]}}]}}"#,
            Self::ACCESS_KEY,
            Self::SECRET_KEY
        );
        fs::write(dir.path().join("s3.json"), identity).map_err(Error::io("write s3.json"))?;
        let master = format!("[master.volume_growth]\ncopy_1 = {}\n", volumes.grown);
        fs::write(dir.path().join("master.toml"), master)
            .map_err(Error::io("write master.toml"))?;
        let mut server = Self {
            process: None,
            dir,
            volumes,
            ports: free_ports()?,
        };
        server.start_again()?;
        Ok(server)
    }

    /// The S3 endpoint, `http://HOST:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[3])
    }

    /// The running server, to be signalled; `None` after [`stop`](Self::stop) or [`kill`](Self::kill).
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Stops the server in good order; its data stay.
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }

    /// Kills the server (`SIGKILL`); its data stay.
    ///
    /// # Errors
    /// Where it is not running.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.signal("KILL")?;
        }
        Ok(())
    }

    /// Starts the server on the same ports and data, and waits until it answers.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        self.process = None;
        let dir = self.dir.path();
        let mut command: Vec<String> = vec![
            installed()?.join("python/bin/weed").display().to_string(),
            "server".to_owned(),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            format!("-dir={}", dir.join("data").display()),
            format!("-master.volumeSizeLimitMB={}", self.volumes.megabytes),
            "-volume.max=40".to_owned(),
            "-filer".to_owned(),
            "-s3".to_owned(),
            // These two would take the same ports for every server.
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            format!("-s3.config={}", dir.join("s3.json").display()),
        ];
        let flags = [
            "master.port",
            "volume.port",
            "filer.port",
            "s3.port",
            "master.port.grpc",
            "volume.port.grpc",
            "filer.port.grpc",
            "s3.port.grpc",
        ];
        for (flag, port) in flags.iter().zip(self.ports) {
            command.push(format!("-{flag}={port}"));
        }
        let mut process = Process::start("weed", &dir.join("weed.log"), dir, command, &[])?;
        process.wait_for_port(self.ports[3])?;
        self.process = Some(process);
        Ok(())
    }
}
