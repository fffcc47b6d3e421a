use tempfile::TempDir;

use crate::process::Process;
use crate::{Error, Result, free_ports, installed};

/// moto's server, one request at a time: by itself it answers many side by side, looks whether there is an object, and then
/// makes it, so that of racing creators two may be told that they won.
const SERVER: &str = "\
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

application = DomainDispatcherApplication(create_backend_app)
run_simple('127.0.0.1', int(sys.argv[1]), application, threaded=False, request_handler=MotoRequestHandler)
";

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
        let python = installed()?.join("python/bin/python3");
        let mut process = Process::start(
            "moto_server",
            &dir.path().join("moto.log"),
            dir.path(),
            [
                python.display().to_string(),
                "-c".to_owned(),
                SERVER.to_owned(),
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
