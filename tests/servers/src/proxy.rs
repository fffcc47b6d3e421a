//! Faults between a client and an HTTP server, on order.
//!
//! A real server does not lose an answer when asked to. What stands between does: this proxy forwards requests to the real
//! server and spoils some on the way, so that a test says exactly what goes wrong, and everything else is real.
//!
//! One request per connection: the proxy asks the server to close after its answer. That is all of HTTP/1.1 it needs to
//! know beside where a request ends.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is forwarded, and so is the answer.
    None,
    /// The connection is cut before anything is read.
    Refuse,
    /// It is forwarded after a pause.
    Delay(Duration),
    /// It is answered with an HTTP status, and not forwarded.
    Status(u16),
    /// It is forwarded, carried out, and the answer is lost: the connection is cut instead.
    LoseAnswer,
    /// Half of its body is forwarded, then both connections are cut.
    CutRequest,
    /// It is forwarded, and the connection is cut after half of the answer.
    CutAnswer,
    /// Nothing ever happens: no answer, no end of the connection, as long as the proxy lives.
    Stall,
}

/// An HTTP proxy before one server. It stops when it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    target: String,
    plan: Mutex<Plan>,
    stopped: AtomicBool,
}

struct Plan {
    /// For the next requests, one each.
    next: VecDeque<Fault>,
    /// For all others.
    always: Fault,
    /// Where set, others draw one of the faults with this chance in a thousand.
    random: Option<(u64, u64, Vec<Fault>)>,
    /// The requests so far, `METHOD PATH`, with what happened to them.
    seen: Vec<(String, Fault)>,
}

impl Proxy {
    /// A proxy before the server at `endpoint` (`http://HOST:PORT`), which lets everything pass.
    ///
    /// # Errors
    /// Where there is no port for it.
    pub fn start(endpoint: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("bind"))?;
        let address = listener.local_addr().map_err(Error::io("bind"))?;
        let shared = Arc::new(Shared {
            target: endpoint.trim_start_matches("http://").to_owned(),
            plan: Mutex::new(Plan {
                next: VecDeque::new(),
                always: Fault::None,
                random: None,
                seen: Vec::new(),
            }),
            stopped: AtomicBool::new(false),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if serving.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(client), shared) = (client, serving.clone()) else {
                    continue;
                };
                // An error is a connection that broke, which is what proxies live with.
                thread::spawn(move || shared.serve(client));
            }
        });
        Ok(Self { shared, address })
    }

    /// Where clients connect to, `http://HOST:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on this happens to every request, save those that [`next`](Self::next) speaks of.
    pub fn always(&self, fault: Fault) {
        let mut plan = self.shared.plan();
        plan.always = fault;
        plan.random = None;
    }

    /// These happen to the next requests, one to each in the order they come.
    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.plan().next.extend(faults);
    }

    /// From now on, one of `faults` happens to a request with a chance of `per_mille` in a thousand; which and when depends on
    /// the seed and the order of the requests alone.
    pub fn random(&self, seed: u64, per_mille: u64, faults: impl IntoIterator<Item = Fault>) {
        self.shared.plan().random = Some((seed, per_mille, faults.into_iter().collect()));
    }

    /// The requests so far as `METHOD PATH`, with what happened to them. Forgets them.
    pub fn take_seen(&self) -> Vec<(String, Fault)> {
        std::mem::take(&mut self.shared.plan().seen)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener up.
        let _ = TcpStream::connect(self.address);
    }
}

impl Plan {
    fn draw(&mut self) -> Fault {
        if let Some(fault) = self.next.pop_front() {
            return fault;
        }
        let always = self.always;
        let Some((state, per_mille, faults)) = &mut self.random else {
            return always;
        };
        let draw = split_mix(state);
        if draw % 1000 < *per_mille && !faults.is_empty() {
            faults[(draw / 1000) as usize % faults.len()]
        } else {
            always
        }
    }
}

/// The next number of the SplitMix64 sequence.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The head of a request, without what the proxy decides itself, and how its body ends.
struct Request {
    head: Vec<u8>,
    what: String,
    body: Body,
    expects_continue: bool,
}

enum Body {
    Length(u64),
    Chunked,
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, client: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let Some(request) = read_head(&mut reader)? else {
            return Ok(());
        };
        let fault = {
            let mut plan = self.plan();
            let fault = plan.draw();
            plan.seen.push((request.what.clone(), fault));
            fault
        };
        let mut client = client;
        if request.expects_continue && fault != Fault::Refuse {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        match fault {
            Fault::Refuse => {}
            Fault::Stall => self.wait(Duration::MAX),
            Fault::Status(status) => {
                read_body(&mut reader, &request.body)?;
                let answer = format!(
                    "HTTP/1.1 {status} Spoilt\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                client.write_all(answer.as_bytes())?;
            }
            Fault::CutRequest => {
                let body = read_body(&mut reader, &request.body)?;
                let mut server = TcpStream::connect(&self.target)?;
                server.write_all(&request.head)?;
                server.write_all(&body[..body.len() / 2])?;
            }
            Fault::None | Fault::Delay(_) | Fault::LoseAnswer | Fault::CutAnswer => {
                let body = read_body(&mut reader, &request.body)?;
                if let Fault::Delay(pause) = fault {
                    self.wait(pause);
                }
                let mut server = TcpStream::connect(&self.target)?;
                server.write_all(&request.head)?;
                server.write_all(&body)?;
                if matches!(fault, Fault::None | Fault::Delay(_)) {
                    io::copy(&mut server, &mut client)?;
                } else {
                    let mut answer = Vec::new();
                    server.read_to_end(&mut answer)?;
                    if fault == Fault::CutAnswer {
                        client.write_all(&answer[..answer.len() / 2])?;
                    }
                }
            }
        }
        client.shutdown(Shutdown::Both)
    }

    /// Sleeps, but not longer than the proxy lives.
    fn wait(&self, pause: Duration) {
        let started = Instant::now();
        while started.elapsed() < pause && !self.stopped.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(20).min(pause));
        }
    }
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let what = line
        .rsplit_once(' ')
        .map_or("", |(what, _)| what)
        .to_owned();
    let mut request = Request {
        head: line.as_bytes().to_vec(),
        what,
        body: Body::Length(0),
        expects_continue: false,
    };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let lower = line.to_ascii_lowercase();
        match lower.trim_end().split_once(':') {
            Some(("content-length", length)) => {
                let length = length.trim().parse().map_err(io::Error::other)?;
                request.body = Body::Length(length);
            }
            Some(("transfer-encoding", _)) => request.body = Body::Chunked,
            Some(("expect", _)) => {
                request.expects_continue = true;
                continue;
            }
            Some(("connection", _)) => continue,
            None => {
                request.head.extend_from_slice(b"Connection: close\r\n\r\n");
                return Ok(Some(request));
            }
            Some(_) => {}
        }
        request.head.extend_from_slice(line.as_bytes());
    }
}

/// The body as it is on the wire.
fn read_body(reader: &mut impl BufRead, body: &Body) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match body {
        Body::Length(length) => {
            reader.take(*length).read_to_end(&mut bytes)?;
        }
        Body::Chunked => loop {
            let at = bytes.len();
            reader.read_until(b'\n', &mut bytes)?;
            let size = String::from_utf8_lossy(&bytes[at..]);
            let size = size.trim().split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
            reader.take(size + 2).read_to_end(&mut bytes)?;
            if size == 0 {
                break;
            }
        },
    }
    Ok(bytes)
}
