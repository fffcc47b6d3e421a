use tempfile::TempDir;

use crate::process::Process;
use crate::{Error, Result, free_ports, installed};

/// moto's S3, in memory: a second opinion on what S3 does. Any credentials will do.
pub struct Moto {
    _process: Process,
    _dir: TempDir,
    port: u16,
}

impl Moto {
    /// Starts a server without any bucket.
    ///
    /// # Errors
    /// Where it can't be installed or does not start.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir().map_err(Error::io("create a directory"))?;
        let [port] = free_ports()?;
        let program = installed()?.join("python/bin/moto_server");
        let mut process = Process::start(
            "moto_server",
            &dir.path().join("moto.log"),
            dir.path(),
            [
                program.display().to_string(),
                "-H".to_owned(),
                "127.0.0.1".to_owned(),
                "-p".to_owned(),
                port.to_string(),
            ],
            &[],
        )?;
        process.wait_for_port(port)?;
        Ok(Self {
            _process: process,
            _dir: dir,
            port,
        })
    }

    /// The S3 endpoint, `http://HOST:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
