//! Processes that are interrupted, killed, or wait for each other. Each test starts this program again, in a part of its own.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use artifact::interrupt::{self, Temporary};
use artifact::process::end_with_this;
use artifact::{FileError, claim};

/// The variables that tell the program its part and the folder that it works in.
const PART: &str = "STOPPING_PART";
const FOLDER: &str = "STOPPING_FOLDER";

/// A machine with more to do than this gets some more time.
const PATIENCE: Duration = Duration::from_secs(10);

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// What the program does in its parts; a test of its own, which does nothing when it is not started with one.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let folder = std::env::var_os(FOLDER).unwrap();
    let code = play(&part, Path::new(&folder));
    // The test harness has an exit status of its own.
    std::process::exit(if code == ExitCode::SUCCESS { 0 } else { 99 });
}

fn play(part: &str, folder: &Path) -> ExitCode {
    let ready = || println!("\nready");
    match part {
        "at-once" => {
            interrupt::exit_at_once("begin again");
            let create = || fs::write(folder.join("file"), "x").map(|()| folder.join("file"));
            let (_path, _file) = Temporary::make(create, |path| path).unwrap();
            let create = || fs::create_dir_all(folder.join("folder/below")).map(|()| folder.join("folder"));
            let (_path, _folder) = Temporary::make(create, |path| path).unwrap();
            let create = || fs::write(folder.join("kept"), "x").map(|()| folder.join("kept"));
            drop(Temporary::make(create, |path| path).unwrap());
            ready();
            sleep(PATIENCE);
        }
        "undivided" => {
            interrupt::exit_at_once("");
            interrupt::undivided(|| {
                ready();
                sleep(millis(700));
                fs::write(folder.join("whole"), "x").unwrap();
            });
            sleep(PATIENCE);
        }
        "unnoticed" => {
            interrupt::exit_in_turn("look more often");
            ready();
            sleep(PATIENCE);
        }
        "in-turn" | "too-long" => {
            interrupt::exit_in_turn("go on");
            ready();
            while interrupt::check().is_ok() {
                sleep(millis(5));
            }
            sleep(if part == "in-turn" { millis(1200) } else { PATIENCE });
            fs::write(folder.join("whole"), "x").unwrap();
            std::process::exit(if interrupt::farewell() == Some(ExitCode::from(130)) { 42 } else { 98 });
        }
        "parent" => {
            let mut command = Command::new("sleep");
            let mut child = end_with_this(command.arg("60")).stdin(Stdio::null()).spawn().unwrap();
            println!("\n{}", child.id());
            child.wait().unwrap();
        }
        "holder" => {
            let _held = claim(folder, Duration::ZERO).unwrap().unwrap();
            ready();
            sleep(PATIENCE);
        }
        other => panic!("{other}"),
    }
    ExitCode::SUCCESS
}

/// Starts the program in a part, and gives what it prints first.
fn start(part: &str, folder: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "part", "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let telling = |line: &String| line == "ready" || line.parse::<u32>().is_ok();
    let first = lines.into_iter().find(telling).unwrap();
    (child, first)
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("sh").args(["-c", "kill -$0 $1", signal, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// The exit status, what was said, and how long the end took.
fn end(mut child: Child) -> (Option<i32>, String, Duration) {
    let started = Instant::now();
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status.code(), said, started.elapsed())
}

#[test]
fn what_is_temporary_goes_with_the_process() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let (child, _) = start("at-once", folder.path());
        assert!(folder.path().join("folder/below").is_dir() && folder.path().join("file").is_file());
        send(signal, &child);
        let (status, said, took) = end(child);
        assert_eq!((status, said.as_str()), (Some(code), "interrupted: begin again\n"));
        assert!(took < PATIENCE / 2, "{took:?}");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["kept"]);
    }
}

#[test]
fn what_must_not_be_divided_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (child, _) = start("undivided", folder.path());
    send("INT", &child);
    let (status, said, took) = end(child);
    assert_eq!((status, said.as_str()), (Some(130), ""));
    assert!(folder.path().join("whole").is_file());
    assert!(took < PATIENCE / 2, "{took:?}");
}

#[test]
fn a_program_that_notices_ends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (child, _) = start("in-turn", folder.path());
    send("INT", &child);
    // The same wish by another way, as from a terminal and a parent.
    sleep(millis(50));
    send("INT", &child);
    let (status, said, _) = end(child);
    assert_eq!((status, said.as_str()), (Some(42), "interrupted: go on\n"));
    assert!(folder.path().join("whole").is_file());
}

#[test]
fn a_program_that_does_not_notice_or_takes_too_long_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (child, _) = start("unnoticed", folder.path());
    send("INT", &child);
    let (status, said, took) = end(child);
    assert_eq!((status, said.as_str()), (Some(130), "interrupted: look more often\n"));
    assert!(took < PATIENCE / 2, "{took:?}");

    let (child, _) = start("too-long", folder.path());
    send("INT", &child);
    sleep(millis(900));
    send("INT", &child);
    let (status, _, took) = end(child);
    assert_eq!(status, Some(130));
    assert!(took < PATIENCE / 2, "{took:?}");
    assert!(!folder.path().join("whole").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_process_takes_along_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let (mut parent, child) = start("parent", folder.path());
    let state = || {
        let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        status.lines().find_map(|line| line.strip_prefix("State:\t").map(str::to_owned))
    };
    assert!(state().is_some_and(|state| !state.starts_with('Z')), "{:?}", state());
    parent.kill().unwrap();
    parent.wait().unwrap();
    let started = Instant::now();
    while state().is_some_and(|state| !state.starts_with('Z')) {
        assert!(started.elapsed() < PATIENCE, "{:?}", state());
        sleep(millis(10));
    }
}

#[test]
fn a_claim_waits_for_one_that_was_just_freed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut holder, _) = start("holder", folder.path());
    assert!(claim(folder.path(), Duration::ZERO).unwrap().is_none());
    let killer = std::thread::spawn(move || {
        sleep(millis(300));
        holder.kill().unwrap();
        holder.wait().unwrap();
    });
    let started = Instant::now();
    assert!(claim(folder.path(), PATIENCE).unwrap().is_some());
    assert!(started.elapsed() >= millis(250), "{:?}", started.elapsed());
    killer.join().unwrap();
    let missing: FileError = claim(&folder.path().join("none"), Duration::ZERO).unwrap_err();
    assert!(missing.to_string().starts_with("cannot open "), "{missing}");
}
