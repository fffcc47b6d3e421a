use super::frame::{Incoming, read_frame, write_frame};
use super::*;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

struct Echo;
impl Handler for Echo {
    fn handle(&self, _: &Call<'_>, body: &[u8]) -> std::result::Result<Vec<u8>, String> {
        match body {
            b"fail" => Err("as asked".to_owned()),
            b"panic" => panic!("as asked"),
            _ => Ok(body.to_vec()),
        }
    }
}

/// Answers when as many calls as expected are under way at once, or when the server stops.
struct Meeting {
    barrier: Barrier,
    waiting: AtomicUsize,
}
impl Handler for Meeting {
    fn handle(&self, call: &Call<'_>, body: &[u8]) -> std::result::Result<Vec<u8>, String> {
        if body == b"until stop" {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            while !call.stopping() {
                std::thread::yield_now();
            }
            return Ok(b"stopped".to_vec());
        }
        self.barrier.wait();
        Ok(Vec::new())
    }
}

fn serve(path: &Path) -> Server {
    Server::serve(path, vec![("echo".to_owned(), Arc::new(Echo))]).unwrap()
}

#[test]
fn answers_errors_and_panics_come_back_on_one_connection() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    let _server = serve(&path);
    let client = Client::connect(&path).unwrap();
    assert_eq!(client.call_bytes("echo", b"hello").unwrap(), b"hello");
    let said = |body: &[u8]| client.call_bytes("echo", body).unwrap_err().to_string();
    assert!(said(b"fail").contains("as asked"));
    assert!(said(b"panic").contains("\"echo\" failed"));
    let error = client.call_bytes("other", b"").unwrap_err().to_string();
    assert!(
        error.contains("no service \"other\"") && error.contains("echo"),
        "{error}"
    );
    let large = vec![7; 20 << 20];
    assert_eq!(client.call_bytes("echo", &large).unwrap(), large);
}

#[test]
fn calls_run_at_once_and_shutdown_lets_them_finish() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    let meeting = Arc::new(Meeting {
        barrier: Barrier::new(4),
        waiting: AtomicUsize::new(0),
    });
    let mut server =
        Server::serve(&path, vec![("meet".to_owned(), Arc::clone(&meeting) as _)]).unwrap();
    let client = Client::connect(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| client.call_bytes("meet", b"").unwrap());
        }
    });
    std::thread::scope(|scope| {
        let last = scope.spawn(|| client.call_bytes("meet", b"until stop").unwrap());
        while meeting.waiting.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        server.shutdown();
        assert_eq!(last.join().unwrap(), b"stopped");
    });
    assert!(!path.exists());
    assert!(matches!(
        client.call_bytes("meet", b""),
        Err(Error::NotServed { .. })
    ));
}

#[test]
fn a_stale_socket_is_replaced_and_a_served_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    // A listener that goes away without removing its file, as a killed process does.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(matches!(
        Client::connect(&path),
        Err(Error::NotServed { .. })
    ));
    let server = serve(&path);
    assert!(matches!(
        Server::serve(&path, Vec::new()),
        Err(Error::AlreadyServed { .. })
    ));
    let client = Client::connect(&path).unwrap();
    drop(server);
    // The client's idle connection is dead; it must find the new server by itself.
    let _server = serve(&path);
    assert_eq!(client.call_bytes("echo", b"again").unwrap(), b"again");
}

#[test]
fn strange_clients_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    let _server = serve(&path);
    let mut frame = Vec::new();
    let mut stream = UnixStream::connect(&path).unwrap();
    write_frame(&mut stream, b"no messagepack").unwrap();
    assert_eq!(
        read_frame(&mut stream, &mut frame).unwrap(),
        Incoming::Frame
    );
    let answer: Response<'_> = rmp_serde::from_slice(&frame).unwrap();
    assert!(!answer.ok && String::from_utf8_lossy(answer.body).contains("not understood"));
    stream.write_all(&u32::MAX.to_be_bytes()).unwrap();
    assert_eq!(
        read_frame(&mut stream, &mut frame).unwrap(),
        Incoming::Frame
    );
    let answer: Response<'_> = rmp_serde::from_slice(&frame).unwrap();
    assert!(!answer.ok && String::from_utf8_lossy(answer.body).contains("too large"));
    let mut cut = UnixStream::connect(&path).unwrap();
    cut.write_all(&[0, 0, 1]).unwrap();
    drop(cut);
    let client = Client::connect(&path).unwrap();
    assert_eq!(client.call_bytes("echo", b"fine").unwrap(), b"fine");
    let error = client
        .call_bytes("echo", &vec![0; MAX_FRAME_BYTES])
        .unwrap_err();
    assert!(matches!(error, Error::FrameTooLarge { .. }), "{error}");
}

#[test]
fn a_deep_directory_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a".repeat(90)).join("b".repeat(60));
    std::fs::create_dir_all(&deep).unwrap();
    let path = deep.join("s.sock");
    let mut server = serve(&path);
    assert_eq!(
        Client::connect(&path)
            .unwrap()
            .call_bytes("echo", b"x")
            .unwrap(),
        b"x"
    );
    server.shutdown();
    assert!(!path.exists());
}

#[test]
fn shutdown_ends_also_when_the_directory_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = serve(&dir.path().join("s.sock"));
    drop(dir);
    server.shutdown();
}
