//! The program, interrupted or without a reader.
#![cfg(unix)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use artifact::sha256_bytes;

use crate::server::{head, serve_by};
use crate::sources::content;

/// A second is promised; a machine with more to do than this gets some more.
const AT_LAST: Duration = Duration::from_secs(5);

fn fetch(folder: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fetch"));
    command.args(arguments).arg("--datasets").arg(folder).stderr(Stdio::piped());
    command
}

#[test]
fn interrupted_it_keeps_what_is_complete_and_leaves_nothing_else() {
    let server = serve_by(|path, stream| {
        let answer = match path {
            "/first" => [head("text/plain", 5), b"first".to_vec()].concat(),
            _ => [head("text/plain", 1_000_000), vec![0; 400_000]].concat(),
        };
        let _ = stream.write_all(&answer);
        if path != "/first" {
            sleep(Duration::from_secs(14));
        }
    });
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        server.asked.lock().unwrap().clear();
        let folder = tempfile::tempdir().unwrap();
        let entry = |name: &str, bytes: &[u8]| {
            format!("[[file]]\nname = '{name}'\nbytes = {}\nsha256 = '{}'\n", bytes.len(), sha256_bytes(bytes))
        };
        let files = entry("first", b"first") + &entry("second", &vec![0; 1_000_000]);
        let source = format!("[[source]]\nkind = 'https'\nbase = '{}'\n", server.base);
        let manifest = format!("title = 'T'\nlicence = 'MIT'\n{files}{source}");
        std::fs::write(folder.path().join("data.toml"), manifest).unwrap();
        let child = fetch(folder.path(), &["data"]).spawn().unwrap();
        let started = Instant::now();
        while server.asked.lock().unwrap().len() < 2 {
            assert!(started.elapsed() < Duration::from_secs(30), "it did not ask");
            sleep(Duration::from_millis(10));
        }
        sleep(Duration::from_millis(100));
        let interrupted = Instant::now();
        let sent = Command::new("sh").args(["-c", "kill -$0 $1", signal, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert!(interrupted.elapsed() < AT_LAST, "{:?}", interrupted.elapsed());
        let said = String::from_utf8_lossy(&output.stderr);
        let line = "interrupted: what is complete is kept, and the same command brings the rest\n";
        assert_eq!((output.status.code(), said.as_ref()), (Some(code), line));
        assert_eq!(content(&folder.path().join("data")), [("first".to_owned(), b"first".to_vec())]);
    }
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets");
    for arguments in [&["--list"][..], &["--list", "--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = fetch(manifests.as_ref(), arguments).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.as_ref()), (Some(141), ""), "{arguments:?}");
    }
}

#[test]
fn the_list_for_machines_is_json() {
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets");
    let output = fetch(manifests.as_ref(), &["--list", "--json"]).output().unwrap();
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(all.as_array().is_some_and(|all| all.len() > 5), "{all}");
}
