//! Sources that fall silent, trickle or never end: each costs its time, and the next one is asked.

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fetch::{Fetched, Manifest, Options, Patience, Source, fetch};

use crate::server::{Server, head, serve, serve_by};
use crate::sources::{Log, content, entry, gzip};

/// Long enough for a test to be sure that nobody waited for a server's end, in milliseconds.
const FOR_EVER: u64 = 120_000;

fn bytes() -> Vec<u8> {
    (0..60_000u32).map(|index| (index % 251) as u8).collect()
}

/// Three seconds of silence, which is enough for an honest server on a machine with other things to do, and 5 kB a second over half
/// a second.
fn impatient() -> Options<'static> {
    let patience = Patience {
        connect: Duration::from_secs(5),
        silence: Duration::from_secs(3),
        least_rate: 5000,
        window: Duration::from_millis(500),
        ..Patience::default()
    };
    Options { platform: "any".to_owned(), from: None, patience }
}

fn https(server: &Server, suffix: &str) -> Source {
    Source::Https { base: server.base.clone(), suffix: suffix.to_owned() }
}

fn manifest(sources: Vec<Source>) -> Manifest {
    let (title, licence) = ("digits".to_owned(), "MIT".to_owned());
    Manifest { title, licence, otherwise: None, files: vec![entry("images", &bytes())], sources }
}

/// Fetches from a server that misbehaves and then from one that does not; what was wrong with the first one.
fn second_after(bad: &Server, suffix: &str) -> String {
    let good = serve(&[("images", bytes())]);
    let folder = tempfile::tempdir().unwrap();
    let (mut log, started) = (Log::default(), Instant::now());
    let manifest = manifest(vec![https(bad, suffix), https(&good, "")]);
    let fetched = fetch(&manifest, folder.path(), &impatient(), &mut log).unwrap();
    assert!(started.elapsed() < Duration::from_millis(FOR_EVER / 2), "{:?}", started.elapsed());
    assert_eq!(fetched, Fetched::From(good.base));
    assert_eq!(content(folder.path()), [("images".to_owned(), bytes())]);
    log.failures.concat()
}

/// Sends pieces with a pause after each, for as long as anybody listens, but not for ever.
fn trickle(stream: &mut TcpStream, piece: &[u8], pause: Duration) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(FOR_EVER) && stream.write_all(piece).is_ok() {
        sleep(pause);
    }
}

#[test]
fn a_server_that_stops_within_a_file_is_left() {
    let server = serve_by(|_, stream| {
        let _ = stream.write_all(&[head("text/plain", 60_000), bytes()[..30_000].to_vec()].concat());
        sleep(Duration::from_millis(FOR_EVER));
    });
    let reason = second_after(&server, "");
    assert!(reason.contains("images cannot be read: nothing came for 3 s after 30000 bytes"), "{reason}");
}

#[test]
fn a_server_that_never_answers_is_left() {
    let silent = serve_by(|_, _| sleep(Duration::from_millis(FOR_EVER)));
    let reason = second_after(&silent, "");
    assert!(reason.contains("timeout") || reason.contains("no answer"), "{reason}");
    // The head of its answer never ends.
    let endless = serve_by(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        trickle(stream, b"X: y\r\n", Duration::from_millis(50));
    });
    let reason = second_after(&endless, "");
    assert!(reason.contains(&endless.base), "{reason}");
}

#[test]
fn a_server_that_trickles_is_left() {
    let server = serve_by(|_, stream| {
        let _ = stream.write_all(&head("text/plain", 60_000));
        trickle(stream, b"x", Duration::from_millis(10));
    });
    let reason = second_after(&server, "");
    assert!(reason.contains("bytes a second came") && reason.contains("too slow"), "{reason}");
}

#[test]
fn a_server_that_is_slow_but_not_too_slow_is_waited_for() {
    let server = serve_by(|_, stream| {
        let _ = stream.write_all(&head("text/plain", 60_000));
        for piece in bytes().chunks(6000) {
            let _ = stream.write_all(piece);
            sleep(Duration::from_millis(60));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest(vec![https(&server, "")]);
    // Judged again and again, by a rate that the pauses leave by far.
    let patience = Patience { least_rate: 1000, window: Duration::from_millis(100), ..Patience::default() };
    let options = Options { patience, ..impatient() };
    fetch(&manifest, folder.path(), &options, &mut Log::default()).unwrap();
    assert_eq!(content(folder.path()), [("images".to_owned(), bytes())]);
}

#[test]
fn no_more_is_taken_than_a_file_can_have() {
    let endless = |piece: &'static [u8]| {
        serve_by(move |_, stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            trickle(stream, piece, Duration::ZERO);
        })
    };
    let server = endless(&[7; 4096]);
    let reason = second_after(&server, "");
    assert!(reason.contains("images has more than 60000 bytes, not 60000 bytes"), "{reason}");

    // The size is not stated, and the server announces none.
    let folder = tempfile::tempdir().unwrap();
    let mut unstated = manifest(vec![https(&server, "")]);
    let file = &mut unstated.files[0];
    (file.bytes, file.sha256, file.at_most) = (None, None, Some(5000));
    let error = fetch(&unstated, folder.path(), &impatient(), &mut Log::default()).unwrap_err().to_string();
    assert!(error.contains("images has more than 5000 bytes"), "{error}");
    // It announces more.
    let large = serve(&[("images", bytes())]);
    unstated.sources = vec![https(&large, "")];
    let error = fetch(&unstated, folder.path(), &impatient(), &mut Log::default()).unwrap_err().to_string();
    assert!(error.contains("images has more than 5000 bytes"), "{error}");
    assert_eq!(content(folder.path()), []);
}

/// A stream that goes on without giving anything: after the header of gzip come stored blocks of no bytes, none of them the last.
#[test]
fn a_packed_file_that_never_gives_anything_is_left() {
    let server = serve_by(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(&gzip(b"")[..10]);
        trickle(stream, &[0, 0, 0, 0xff, 0xff].repeat(1000), Duration::ZERO);
    });
    let reason = second_after(&server, ".gz");
    assert!(reason.contains("it goes on after"), "{reason}");
}
