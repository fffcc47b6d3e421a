//! A server process that can't outlive the tests.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// The server runs under this shell, which waits for the end of its standard input: a pipe that the test process holds and
/// the system closes however that process ends. Then it kills the server, whose data nobody wants any more; or stops it in
/// good order, by force where asking does not help, if `gently` came through the pipe.
const KEEPER: &str = r#"
"$@" </dev/null >>"$LOG" 2>&1 &
server=$!
echo $server
if [ "$(cat)" = gently ]; then
  kill -CONT $server
  kill -TERM $server
  ( sleep 10; kill -KILL $server ) >/dev/null 2>&1 &
  wait $server
  kill $!
else
  kill -KILL $server
  wait $server
fi 2>/dev/null
"#;

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(90);

/// A running server.
pub struct Process {
    name: String,
    keeper: Child,
    /// Closing it ends the server.
    hold: Option<ChildStdin>,
    pid: String,
    log: PathBuf,
}

impl Process {
    /// Starts a program with its arguments and environment; what it prints goes to the file `log`.
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &str,
        log: &Path,
        dir: &Path,
        program: impl IntoIterator<Item = A>,
        environment: &[(&str, String)],
    ) -> Result<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(KEEPER).arg(name).args(program);
        command.env("LOG", log).current_dir(dir).process_group(0);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut keeper = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::io(format!("start {name}")))?;
        let mut pid = String::new();
        if let Some(stdout) = keeper.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut pid)
                .map_err(Error::io(format!("start {name}")))?;
        }
        Ok(Self {
            name: name.to_owned(),
            hold: keeper.stdin.take(),
            keeper,
            pid: pid.trim().to_owned(),
            log: log.to_owned(),
        })
    }

    /// Waits until something listens on the loopback port.
    pub(crate) fn wait_for_port(&mut self, port: u16) -> Result<()> {
        self.wait_until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
    }

    /// Waits until `ready` says so.
    pub(crate) fn wait_until(&mut self, ready: impl Fn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready() {
            if !self.is_alive() {
                return Err(self.failed("ended by itself"));
            }
            if started.elapsed() > START_MAX {
                return Err(self.failed("does not answer"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Whether the server runs; one that has ended stays as a zombie until its keeper is asked to end it.
    fn is_alive(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, state)| state);
        state.is_some_and(|state| !state.starts_with('Z'))
    }

    /// Sends a signal by name (`STOP`, `CONT`, `KILL`, `TERM`; `0` only asks whether the process is there).
    ///
    /// # Errors
    /// Where there is no such process any more.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(&self.pid)
            .stderr(Stdio::null())
            .status()
            .map_err(Error::io("run kill"))?;
        if status.success() {
            Ok(())
        } else {
            Err(self.failed("is gone"))
        }
    }

    /// The end of what the server printed.
    pub fn output(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let size = file.metadata()?.len();
            file.seek(SeekFrom::Start(size.saturating_sub(4096)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }

    /// Stops the server in good order, by force after 10 seconds.
    pub(crate) fn stop(mut self) {
        self.ask_gently();
    }

    /// From now on the end of this value is a stop in good order.
    pub(crate) fn ask_gently(&mut self) {
        if let Some(hold) = &mut self.hold {
            // Where the keeper is gone, there is nothing to stop.
            let _ = hold.write_all(b"gently");
        }
    }

    fn failed(&self, what: &str) -> Error {
        Error::Failed {
            name: self.name.clone(),
            what: what.to_owned(),
            output: self.output(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.hold = None;
        let _ = self.keeper.wait();
    }
}

/// Runs a tool of a server to its end.
pub(crate) fn run(name: &str, program: &[OsString], user: Option<(u32, u32)>) -> Result<String> {
    let Some((first, rest)) = program.split_first() else {
        return Ok(String::new());
    };
    let mut command = Command::new(first);
    command.args(rest);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    let output = command.output().map_err(Error::io(format!("run {name}")))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(Error::Failed {
            name: name.to_owned(),
            what: "failed".to_owned(),
            output: String::from_utf8_lossy(&said).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
