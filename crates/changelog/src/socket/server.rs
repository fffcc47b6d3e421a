//! The owner's side: accepts connections and runs each in a thread of its own until it is told to stop.

use super::frame::{Incoming, read_frame, write_frame};
use super::{MAX_FRAME_BYTES, Request, Response, io_error, to_bytes, with_short_path};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::io::BufReader;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A service: answers the requests that name it. Called from many threads at once.
pub trait Handler: Send + Sync {
    /// Answers one request with a response body.
    ///
    /// # Errors
    /// A message for the operator on the other side. Errors that the other side's program must tell apart belong into
    /// the body.
    fn handle(&self, call: &Call<'_>, body: &[u8]) -> std::result::Result<Vec<u8>, String>;
}

/// What a handler may want to know about the call it serves.
#[derive(Debug)]
pub struct Call<'a> {
    stopping: &'a AtomicBool,
}

impl Call<'_> {
    /// Whether the server is shutting down. Handlers that wait look at this at least a few times per second.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// A socket being served. Dropping it shuts it down.
pub struct Server {
    path: PathBuf,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
    /// The listening socket again, to wake the accepting thread also when the file is gone.
    listening: UnixStream,
}

struct Shared {
    handlers: BTreeMap<String, Arc<dyn Handler>>,
    stopping: AtomicBool,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, (UnixStream, Option<JoinHandle<()>>)>,
    ended: Vec<JoinHandle<()>>,
}

impl Server {
    /// Serves `handlers`, by service name, on the socket `path`. A socket file that nobody serves any more (its owner
    /// was killed) is replaced; whoever calls this holds the directory's lock, so nobody else does the same now.
    ///
    /// # Errors
    /// [`Error::AlreadyServed`] where another process answers on it, [`Error::Io`] for the rest.
    pub fn serve(path: &Path, handlers: Vec<(String, Arc<dyn Handler>)>) -> Result<Self> {
        let listener = bind(path)?;
        let again = listener
            .try_clone()
            .map_err(io_error("serve the socket", path))?;
        let shared = Arc::new(Shared {
            handlers: handlers.into_iter().collect(),
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = std::thread::Builder::new()
            .name("socket-accept".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || accept(&listener, &shared)
            })
            .map_err(io_error("start a thread for", path))?;
        Ok(Self {
            path: path.to_owned(),
            shared,
            accepting: Some(accepting),
            listening: UnixStream::from(OwnedFd::from(again)),
        })
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stops accepting, lets requests under way finish and get their response, closes the connections and removes the
    /// socket file. Returns when all threads have ended.
    pub fn shutdown(&mut self) {
        let Some(accepting) = self.accepting.take() else {
            return;
        };
        self.shared.stopping.store(true, Ordering::Release);
        let _ = self.listening.shutdown(Shutdown::Both);
        let _ = std::fs::remove_file(&self.path);
        let _ = accepting.join();
        let threads: Vec<_> = {
            let mut connections = self.shared.connections();
            for (stream, _) in connections.open.values() {
                let _ = stream.shutdown(Shutdown::Read);
            }
            let ended = std::mem::take(&mut connections.ended);
            connections
                .open
                .values_mut()
                .filter_map(|(_, thread)| thread.take())
                .chain(ended)
                .collect()
        };
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        // Nothing in there is left half done by a panic, so a poisoned lock is as good as any.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn bind(path: &Path) -> Result<UnixListener> {
    match with_short_path(path, |path| UnixListener::bind(path)) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if with_short_path(path, |path| UnixStream::connect(path)).is_ok() {
                return Err(Error::AlreadyServed {
                    path: path.to_owned(),
                });
            }
            std::fs::remove_file(path).map_err(io_error("remove the stale socket", path))?;
            with_short_path(path, |path| UnixListener::bind(path))
                .map_err(io_error("serve the socket", path))
        }
        other => other.map_err(io_error("serve the socket", path)),
    }
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.stopping.load(Ordering::Acquire) {
            return;
        }
        for thread in std::mem::take(&mut shared.connections().ended) {
            let _ = thread.join();
        }
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely; others will close theirs.
                tracing::warn!(%error, "accept on the socket");
                std::thread::sleep(std::time::Duration::from_millis(50));
                continue;
            }
        };
        if let Err(error) = start_connection(stream, shared) {
            tracing::warn!(%error, "start a thread for a connection");
        }
    }
}

fn start_connection(stream: UnixStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    let ours = stream.try_clone()?;
    let mut connections = shared.connections();
    let id = connections.next;
    connections.next += 1;
    let thread = std::thread::Builder::new()
        .name("socket-call".to_owned())
        .spawn({
            let shared = Arc::clone(shared);
            move || {
                if let Err(error) = converse(&stream, &shared) {
                    tracing::debug!(%error, "a connection ended early");
                }
                let mut connections = shared.connections();
                if let Some((_, Some(thread))) = connections.open.remove(&id) {
                    connections.ended.push(thread);
                }
            }
        })?;
    connections.open.insert(id, (ours, Some(thread)));
    Ok(())
}

fn converse(stream: &UnixStream, shared: &Shared) -> std::io::Result<()> {
    let mut input = BufReader::new(stream);
    let mut output = stream;
    let mut frame = Vec::new();
    while !shared.stopping.load(Ordering::Acquire) {
        match read_frame(&mut input, &mut frame)? {
            Incoming::End => return Ok(()),
            Incoming::TooLarge(bytes) => {
                let answer = Err(format!(
                    "a request of {bytes} bytes is too large; the limit is {MAX_FRAME_BYTES}"
                ));
                return write_frame(&mut output, &response(answer));
            }
            Incoming::Frame => {}
        }
        write_frame(&mut output, &response(answer(&frame, shared)))?;
        if frame.capacity() > 1 << 20 {
            frame = Vec::new();
        }
    }
    Ok(())
}

fn answer(frame: &[u8], shared: &Shared) -> std::result::Result<Vec<u8>, String> {
    let request: Request<'_> = rmp_serde::from_slice(frame)
        .map_err(|error| format!("the request is not understood: {error}"))?;
    let handler = shared.handlers.get(request.service).ok_or_else(|| {
        let known: Vec<_> = shared.handlers.keys().map(String::as_str).collect();
        format!(
            "there is no service {:?} on this socket, only {}",
            request.service,
            known.join(", ")
        )
    })?;
    let call = Call {
        stopping: &shared.stopping,
    };
    // A handler that panics must not take the other clients with it.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        handler.handle(&call, request.body)
    }))
    .unwrap_or_else(|_| {
        Err(format!(
            "the service {:?} failed on this request; see its log",
            request.service
        ))
    })
}

fn response(answer: std::result::Result<Vec<u8>, String>) -> Vec<u8> {
    let encode = |ok, body: &[u8]| to_bytes(&Response { ok, body });
    let encoded = match &answer {
        Ok(body) => encode(true, body),
        Err(message) => encode(false, message.as_bytes()),
    };
    match encoded {
        Ok(bytes) if bytes.len() <= MAX_FRAME_BYTES => bytes,
        Ok(bytes) => {
            let message = format!(
                "the answer of {} bytes is larger than a frame may be; ask for less",
                bytes.len()
            );
            encode(false, message.as_bytes()).unwrap_or_default()
        }
        Err(_) => Vec::new(),
    }
}
