//! A pipeline that is killed or interrupted, and programs whose output nobody reads.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use end_to_end::{program, succeed};

/// A second is promised; a machine with more to do than this gets some more.
const AT_LAST: Duration = Duration::from_secs(5);

/// A run with a long training, which has begun.
struct Run {
    folder: tempfile::TempDir,
    child: Child,
}

impl Run {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Self::command(folder.path(), &["--epochs=200"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let run = Self { folder, child };
        let started = Instant::now();
        while !run.checkpoint().exists() {
            assert!(started.elapsed() < Duration::from_secs(120), "no checkpoint was written");
            sleep(Duration::from_millis(20));
        }
        run
    }

    fn command(folder: &Path, options: &[&str]) -> Command {
        let mut command = program("xtask");
        command.arg("run").arg("--artifacts").arg(folder).args(["--limit=640", "--test-batch-size=500"]).args(options);
        command.env_remove("ORT_DYLIB_PATH");
        command
    }

    fn checkpoint(&self) -> std::path::PathBuf {
        self.folder.path().join("mnist/checkpoint.safetensors")
    }

    /// The processes that work for this run, itself left out: their arguments name its folder.
    #[cfg(target_os = "linux")]
    fn programs(&self) -> Vec<String> {
        let folder = self.folder.path().display().to_string();
        let own = self.child.id().to_string();
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        processes
            .filter(|process| *process != own)
            .filter_map(|process| fs::read_to_string(format!("/proc/{process}/cmdline")).ok())
            .filter(|arguments| arguments.contains(&folder))
            .collect()
    }
}

/// The lines that are not cargo's, which indents what it says of the build.
fn own(said: &str) -> Vec<&str> {
    said.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_takes_its_programs_along() {
    let mut run = Run::start();
    let programs = run.programs();
    assert!(programs.len() == 1 && programs[0].contains("train"), "{programs:?}");
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    let started = Instant::now();
    while !run.programs().is_empty() {
        assert!(started.elapsed() < AT_LAST, "{:?}", run.programs());
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_interrupted_run_ends_with_its_programs_and_says_how_to_go_on() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut run = Run::start();
        let interrupted = Instant::now();
        let sent = Command::new("sh").args(["-c", "kill -$0 $1", signal, &run.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let status = run.child.wait().unwrap();
        assert!(interrupted.elapsed() < AT_LAST, "{:?}", interrupted.elapsed());
        assert_eq!(status.code(), Some(code));
        #[cfg(target_os = "linux")]
        assert!(run.programs().is_empty(), "{:?}", run.programs());
        let mut said = String::new();
        run.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(own(&said), ["interrupted: what was done is kept, and the same command goes on from there"]);
        let left: Vec<_> = fs::read_dir(run.folder.path().join("mnist"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left, ["checkpoint.safetensors"]);
    }
}

#[test]
fn a_closed_pipe_ends_a_program_quietly() {
    for (name, arguments) in [
        ("fetch", &["--list"][..]),
        ("fetch", &["--list", "--json"]),
        ("fetch", &["mnist"]),
        ("xtask", &["status"]),
        ("xtask", &["status", "--json"]),
        ("xtask", &["fetch", "--list"]),
        ("train", &["--limit=64", "--test-batch-size=500", "--epochs=1", "--no-save-model"]),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = program(name).args(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), own(&said).concat()), (Some(141), String::new()), "{name} {arguments:?}");
    }
    // With a reader they succeed.
    succeed(program("fetch").arg("--list"));
}
