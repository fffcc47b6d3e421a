//! Request and response over a Unix socket, for processes that share one embedded directory.
//!
//! RocksDB lets one process in, yet every command must work beside a running demo; so the owner serves what it holds,
//! and others ask it. The protocol is as plain as can be: on a connection, one request at a time gets one response.
//! Each is a frame: its length as a big-endian u32, then MessagePack. A request names its *service*, so that several
//! services (this crate's log, the registry) share one socket and one owner. Clients open a connection per call that is
//! under way and keep idle ones.

mod client;
mod frame;
mod server;

pub use client::Client;
pub use frame::MAX_FRAME_BYTES;
pub use server::{Call, Handler, Server};

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};

#[derive(Debug, Serialize, Deserialize)]
struct Request<'a> {
    service: &'a str,
    #[serde(with = "serde_bytes")]
    body: &'a [u8],
}

#[derive(Debug, Serialize, Deserialize)]
struct Response<'a> {
    ok: bool,
    #[serde(borrow, with = "serde_bytes")]
    body: &'a [u8],
}

/// Encodes a message of a service as MessagePack, fields by name, so that an added field does not shift the others.
///
/// # Errors
/// In words, when the value can't be encoded.
pub fn to_bytes<T: Serialize>(message: &T) -> std::result::Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(message).map_err(|error| format!("encode a message: {error}"))
}

/// Decodes what [`to_bytes`] wrote.
///
/// # Errors
/// In words, when the bytes are not such a message.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> std::result::Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| format!("decode a message: {error}"))
}

/// Runs `open` with a path to the socket that fits the system's limit of about 100 bytes. Longer ones are reached
/// through the open directory's entry under `/proc/self/fd`, where there is one.
fn with_short_path<T>(
    path: &Path,
    open: impl FnOnce(&Path) -> std::io::Result<T>,
) -> std::io::Result<T> {
    use std::os::fd::AsRawFd as _;
    const LONGEST: usize = 100;
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return open(path);
    };
    if path.as_os_str().len() <= LONGEST || !Path::new("/proc/self/fd").is_dir() {
        return open(path);
    }
    let dir = std::fs::File::open(dir)?;
    let mut short = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    short.push(name);
    open(&short)
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        action,
        path,
        source,
    }
}

fn protocol_error(path: &Path, detail: impl Into<String>) -> Error {
    Error::Protocol {
        path: path.to_owned(),
        detail: detail.into(),
    }
}

fn check_frame(bytes: usize) -> Result<()> {
    if bytes > MAX_FRAME_BYTES {
        return Err(Error::FrameTooLarge {
            bytes,
            limit: MAX_FRAME_BYTES,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
