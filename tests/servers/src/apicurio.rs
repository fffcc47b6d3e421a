use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::Process;
use crate::{Error, Result, free_ports, installed};

/// Apicurio Registry, which speaks the API of Confluent's schema registry. Its schemas are in memory.
pub struct Apicurio {
    process: Process,
    _dir: TempDir,
    port: u16,
}

impl Apicurio {
    /// Starts an empty registry.
    ///
    /// # Errors
    /// Where it can't be installed or does not start; it needs Java 21 or later under `/usr/lib/jvm`, or the program
    /// that `GREENLIGHT_JAVA` names.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir().map_err(Error::io("create a directory"))?;
        let [port, management] = free_ports()?;
        let home = installed()?.join("apicurio");
        let mut process = Process::start(
            "apicurio",
            &dir.path().join("apicurio.log"),
            dir.path(),
            [
                newest_java().as_os_str(),
                "-Xmx512m".as_ref(),
                "-XX:+UseSerialGC".as_ref(),
                "-XX:TieredStopAtLevel=1".as_ref(),
                "-jar".as_ref(),
                jar(&home).as_os_str(),
            ],
            &[
                ("QUARKUS_HTTP_HOST", "127.0.0.1".to_owned()),
                ("QUARKUS_HTTP_PORT", port.to_string()),
                ("QUARKUS_MANAGEMENT_HOST", "127.0.0.1".to_owned()),
                ("QUARKUS_MANAGEMENT_PORT", management.to_string()),
                ("APICURIO_STORAGE_KIND", "sql".to_owned()),
            ],
        )?;
        process.wait_until(|| answers(port))?;
        Ok(Self {
            process,
            _dir: dir,
            port,
        })
    }

    /// The running registry, to be signalled.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The base URL of the Confluent-compatible API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }
}

fn jar(home: &Path) -> PathBuf {
    let direct = home.join("quarkus-run.jar");
    if direct.exists() {
        return direct;
    }
    let entries = std::fs::read_dir(home).into_iter().flatten().flatten();
    let nested = entries.map(|entry| entry.path().join("quarkus-run.jar"));
    nested
        .into_iter()
        .find(|jar| jar.exists())
        .unwrap_or(direct)
}

/// The highest-numbered JDK that is installed; the one in the `PATH` may be too old.
fn newest_java() -> PathBuf {
    if let Some(java) = std::env::var_os("GREENLIGHT_JAVA") {
        return java.into();
    }
    let entries = std::fs::read_dir("/usr/lib/jvm").into_iter().flatten();
    let javas = entries.flatten().filter_map(|entry| {
        let java = entry.path().join("bin/java");
        let name = entry.file_name().into_string().ok()?;
        let digits = |part: &str| part.parse::<u32>().ok();
        let version = name.split(['-', '.']).find_map(digits)?;
        java.exists().then_some((version, java))
    });
    javas
        .max()
        .map_or_else(|| PathBuf::from("java"), |(_, java)| java)
}

fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.write_all(b"GET /apis/ccompat/v7/subjects HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.split(' ').nth(1) == Some("200"))
    };
    ask().unwrap_or(false)
}
