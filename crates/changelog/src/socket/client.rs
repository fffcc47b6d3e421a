//! The other processes' side: calls that each use a connection of their own while they last.

use super::frame::{Incoming, read_frame, write_frame};
use super::{
    Request, Response, check_frame, from_bytes, io_error, protocol_error, to_bytes, with_short_path,
};
use crate::error::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Calls services on a socket. Shared by threads; each call under way has its own connection.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    idle: Mutex<Vec<UnixStream>>,
}

/// Idle connections kept for the next call.
const IDLE_MAX: usize = 8;

impl Client {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`Error::NotServed`] where nobody answers there.
    pub fn connect(path: &Path) -> Result<Self> {
        let client = Self {
            path: path.to_owned(),
            idle: Mutex::default(),
        };
        let stream = client.open()?;
        client.keep(stream);
        Ok(client)
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends `request` to `service` and waits for its answer, however long that takes. A request whose connection
    /// breaks may have been done or not.
    ///
    /// # Errors
    /// [`Error::NotServed`], [`Error::Remote`] with the service's words, [`Error::FrameTooLarge`] before anything is
    /// sent, [`Error::Protocol`], and [`Error::Io`] when the connection breaks.
    pub fn call<Q: Serialize, A: DeserializeOwned>(&self, service: &str, request: &Q) -> Result<A> {
        let body = to_bytes(request).map_err(|detail| protocol_error(&self.path, detail))?;
        let answer = self.call_bytes(service, &body)?;
        from_bytes(&answer).map_err(|detail| protocol_error(&self.path, detail))
    }

    /// As [`call`](Self::call), with bodies that the caller encodes.
    ///
    /// # Errors
    /// As for `call`.
    pub fn call_bytes(&self, service: &str, body: &[u8]) -> Result<Vec<u8>> {
        let request = to_bytes(&Request { service, body })
            .map_err(|detail| protocol_error(&self.path, detail))?;
        check_frame(request.len())?;
        let mut stream = self.take_idle().map_or_else(|| self.open(), Ok)?;
        write_frame(&mut stream, &request).map_err(io_error("send to", &self.path))?;
        let mut frame = Vec::new();
        match read_frame(&mut stream, &mut frame).map_err(io_error("receive from", &self.path))? {
            Incoming::Frame => {}
            Incoming::End => {
                let source = std::io::ErrorKind::UnexpectedEof.into();
                return Err(Error::Io {
                    action: "receive from",
                    path: self.path.clone(),
                    source,
                });
            }
            Incoming::TooLarge(bytes) => {
                return Err(protocol_error(
                    &self.path,
                    format!("a frame of {bytes} bytes"),
                ));
            }
        }
        let response: Response<'_> = rmp_serde::from_slice(&frame)
            .map_err(|error| protocol_error(&self.path, error.to_string()))?;
        self.keep(stream);
        if response.ok {
            return Ok(response.body.to_vec());
        }
        let message = String::from_utf8_lossy(response.body).into_owned();
        Err(Error::Remote {
            path: self.path.clone(),
            message,
        })
    }

    fn open(&self) -> Result<UnixStream> {
        with_short_path(&self.path, |path| UnixStream::connect(path)).map_err(|source| {
            Error::NotServed {
                path: self.path.clone(),
                source,
            }
        })
    }

    fn keep(&self, stream: UnixStream) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(stream);
        }
    }

    /// An idle connection whose peer is still there. One that was closed meanwhile would fail a request that a new
    /// owner of the directory could answer.
    fn take_idle(&self) -> Option<UnixStream> {
        loop {
            let stream = self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop()?;
            if is_open(&stream).unwrap_or(false) {
                return Some(stream);
            }
        }
    }
}

fn is_open(mut stream: &UnixStream) -> std::io::Result<bool> {
    stream.set_nonblocking(true)?;
    let read = stream.read(&mut [0]);
    stream.set_nonblocking(false)?;
    // Nothing to read is what an idle connection must show; an end or a stray byte means that it can't be used.
    Ok(matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock))
}
