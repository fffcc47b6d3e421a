use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Process, run};
use crate::{Error, Result, free_ports, installed};

/// PostgreSQL with an empty database, for whoever connects.
pub struct Postgres {
    _process: Process,
    _dir: TempDir,
    port: u16,
}

impl Postgres {
    /// Starts a server with a new cluster. As root it runs as the user `postgres`, since it refuses to be root.
    ///
    /// # Errors
    /// Where it can't be installed or does not start.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir().map_err(Error::io("create a directory"))?;
        let bin = installed()?.join("postgres/bin");
        let bin = fs::canonicalize(&bin).map_err(Error::io(format!("open {}", bin.display())))?;
        let [port] = free_ports()?;
        let data = dir.path().join("data");
        fs::create_dir(&data).map_err(Error::io("create a directory"))?;
        let user = unprivileged()?;
        if let Some((uid, gid)) = user {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))
                .and_then(|()| chown(&data, Some(uid), Some(gid)))
                .map_err(Error::io("give a directory to postgres"))?;
        }
        let initdb: [OsString; 7] = [
            bin.join("initdb").into(),
            "-D".into(),
            data.clone().into(),
            "--username=greenlight".into(),
            "--auth=trust".into(),
            "--no-sync".into(),
            "--encoding=UTF8".into(),
        ];
        run("initdb", &initdb, user)?;
        let mut command: Vec<OsString> = Vec::new();
        if user.is_some() {
            let setpriv = ["setpriv", "--reuid=postgres", "--regid=postgres"];
            command.extend(setpriv.map(OsString::from));
            command.push("--clear-groups".into());
        }
        command.push(bin.join("postgres").into());
        command.extend(["-D".into(), data.into()]);
        command.extend(["-p".into(), port.to_string().into()]);
        command.extend(["-h", "127.0.0.1", "-k", "", "-F"].map(OsString::from));
        command.extend(["-c", "wal_level=logical"].map(OsString::from));
        let log = dir.path().join("postgres.log");
        let mut process = Process::start("postgres", &log, dir.path(), command, &[])?;
        process.wait_for_port(port)?;
        // Killed, it would leave its children and their shared memory behind.
        process.ask_gently();
        Ok(Self {
            _process: process,
            _dir: dir,
            port,
        })
    }

    /// The URL of the database, `postgresql://USER@HOST:PORT/postgres`.
    pub fn url(&self) -> String {
        format!("postgresql://greenlight@127.0.0.1:{}/postgres", self.port)
    }
}

/// User and group of `postgres` where we are root.
fn unprivileged() -> Result<Option<(u32, u32)>> {
    let id = |args: &[&str]| -> Result<Option<u32>> {
        let output = Command::new("id")
            .args(args)
            .output()
            .map_err(Error::io("run id"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
    };
    if id(&["-u"])? != Some(0) {
        return Ok(None);
    }
    Ok(id(&["-u", "postgres"])?.zip(id(&["-g", "postgres"])?))
}
