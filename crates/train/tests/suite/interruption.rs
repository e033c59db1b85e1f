//! Killed at any moment and resumed, a training ends with the bytes of an uninterrupted one.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Place, RESULTS};

const SAME_BYTES: [&str; 3] = ["model.safetensors", "metrics.jsonl", "config.json"];

/// A training at work, whose output is read so that it can go on.
pub struct Training {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Training {
    pub fn start(place: &Place, arguments: &str) -> Self {
        let mut child = place.train(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Returns when it has printed `count` more lines that begin with `start`, or has ended.
    pub fn wait_for(&mut self, start: &str, count: usize) {
        let printed = self.lines.by_ref().map(Result::unwrap).filter(|line| line.starts_with(start));
        let _ = printed.take(count).count();
    }

    /// Kills it (SIGKILL on Unix) after a delay in milliseconds. Returns whether it was still at work.
    pub fn kill(mut self, delay: u64) -> bool {
        std::thread::sleep(Duration::from_millis(delay));
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.code().is_none_or(|code| code == 0), "{status}");
        !status.success()
    }
}

/// Kills a training as soon as it has printed so many lines, and a delay later. Returns whether it was still at work.
fn interrupt(place: &Place, arguments: &str, start: &str, lines: usize, delay: u64) -> bool {
    let mut training = Training::start(place, arguments);
    training.wait_for(start, lines);
    training.kill(delay)
}

fn assert_same(place: &Place, expected: &str, found: &str) {
    assert_eq!(place.names(found), RESULTS);
    assert_same_files(place, expected, found, &SAME_BYTES);
}

/// Files of these names hold the same in both folders.
pub fn assert_same_files(place: &Place, expected: &str, found: &str, names: &[&str]) {
    for name in names {
        let read = |folder| place.read(&format!("{folder}/{name}"));
        assert!(read(expected) == read(found), "{name} differs");
    }
}

/// With a checkpoint after each step, most of these moments fall into the writing of one; others into a step, an
/// evaluation, the reading of the checkpoint, or the writing of the results.
#[test]
fn killed_again_and_again_it_ends_with_the_same_bytes() {
    let place = Place::new(40, 20);
    let options = "--batch-size 16 --epochs 4 --log-interval 1 --checkpoint-interval 0";
    place.train_well(&format!("{options} --out whole"));
    let resume = format!("{options} --resume --out killed");
    let moments = [
        ("Train Epoch: 1", 1, 0),
        ("Train Epoch: 1", 2, 0),
        ("Train Epoch", 2, 20),
        ("Train Epoch", 1, 60),
        ("Test set", 1, 0),
        ("Train Epoch", 2, 5),
        ("Train Epoch: 3", 1, 35),
        ("Train Epoch", 0, 100),
    ];
    for (start, lines, delay) in moments {
        assert!(interrupt(&place, &resume, start, lines, delay), "it ended before it could be killed");
    }
    // After the last evaluation there may be too little left to do to be killed in.
    interrupt(&place, &resume, "Test set: ", 5 - epochs_done(&place), 0);
    place.train_well(&resume);
    assert_same(&place, "whole", "killed");
}

/// Epochs that the checkpoint counts, plus one: the lines "Test set" that a resumed training would not print, plus one.
fn epochs_done(place: &Place) -> usize {
    let bytes = place.read("killed/checkpoint.safetensors");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let header = &metadata.metadata().as_ref().unwrap()["training"];
    let header: serde_json::Value = serde_json::from_str(header).unwrap();
    1 + header["progress"]["epoch"].as_u64().unwrap() as usize
}

/// The modern recipe has an average to keep as well.
#[test]
fn a_modern_training_is_resumed_with_its_average() {
    let place = Place::new(24, 10);
    let options = "--recipe modern --batch-size 8 --epochs 3 --log-interval 1 --checkpoint-interval 0";
    place.train_well(&format!("{options} --threads 1 --out whole"));
    let resume = format!("{options} --threads 3 --resume --out killed");
    for (start, lines) in [("Train Epoch", 2), ("Train Epoch: 2", 2)] {
        assert!(interrupt(&place, &resume, start, lines, 10));
    }
    place.train_well(&resume);
    assert_same(&place, "whole", "killed");
    let said = place.train_badly("--recipe modern --gamma 0.5");
    assert!(said.contains("--gamma belongs to the article's recipe"), "{said}");
}

/// Between two checkpoints the work since the last one is lost, but not the result. Threads may differ.
#[test]
fn killed_between_checkpoints_it_ends_with_the_same_bytes() {
    let place = Place::new(48, 20);
    let options = "--batch-size 8 --epochs 3 --log-interval 1";
    place.train_well(&format!("{options} --threads 1 --out whole"));
    let resume = format!("{options} --threads 2 --resume --out killed");
    assert!(interrupt(&place, &resume, "Train Epoch: 2", 4, 0));
    // The checkpoint is that of the end of the first epoch: its steps are not repeated.
    let said = place.train_well(&resume);
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("Train Epoch: 2 [0/48 (0%)]"), "{first}");
    assert_same(&place, "whole", "killed");
}

/// A training that is killed while it writes leaves a hidden folder; the next one removes it, and nothing that looks like it.
#[test]
fn parts_of_files_are_cleared_away() {
    let place = Place::new(40, 20);
    let options = "--batch-size 8 --epochs 1000000 --log-interval 1 --checkpoint-interval 0 --out out";
    std::fs::create_dir(place.path("out")).unwrap();
    let is_left = || place.names("out").iter().any(|name| name.starts_with(".checkpoint.safetensors."));
    let met = (0..40).any(|_| {
        let mut training = place.train(options).stdout(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while !is_left() && start.elapsed() < Duration::from_secs(30) {
            std::hint::spin_loop();
        }
        training.kill().unwrap();
        training.wait().unwrap();
        is_left()
    });
    assert!(met, "no kill met a file that was being written");
    for name in [".checkpoint.safetensors.a1B2c3.partial", ".notes.partial"] {
        std::fs::write(place.path("out").join(name), "mine").unwrap();
    }
    place.train_well("--epochs 1 --out out");
    let mut expected = vec![".checkpoint.safetensors.a1B2c3.partial", ".notes.partial"];
    expected.extend(RESULTS);
    assert_eq!(place.names("out"), expected);
}

/// A folder of another program keeps its files of the same names.
#[test]
fn results_take_the_place_of_nobody_elses_files() {
    let place = Place::new(8, 4);
    std::fs::create_dir(place.path("out")).unwrap();
    for name in ["config.json", "model.safetensors", "metrics.jsonl"] {
        std::fs::write(place.path("out").join(name), "{\"model_type\": \"bert\"}").unwrap();
        let said = place.train_badly("--epochs 1 --out out");
        assert!(said.contains(name) && said.contains("was not written by Kiln") && said.contains("--force"), "{said}");
        assert_eq!(place.names("out"), [name]);
        std::fs::remove_file(place.path("out").join(name)).unwrap();
    }
    std::fs::write(place.path("out/config.json"), "{}").unwrap();
    place.train_well("--epochs 1 --out out --force");
    place.train_well("--epochs 1 --out out");
    assert_eq!(place.names("out"), RESULTS);
}

#[test]
fn without_resume_a_checkpoint_is_no_beginning() {
    let place = Place::new(24, 10);
    let options = "--batch-size 8 --epochs 2 --log-interval 1 --checkpoint-interval 0 --out out";
    assert!(interrupt(&place, options, "Train Epoch: 2", 1, 0));
    let said = place.train_well(options);
    assert!(said.starts_with("Train Epoch: 1 [0/24 (0%)]"), "{said}");
}

/// Only one training works in a folder; when it is gone, however it went, the next one may.
#[test]
fn two_trainings_do_not_share_a_folder() {
    let place = Place::new(24, 10);
    let options = "--batch-size 8 --epochs 1000000 --log-interval 1 --out out";
    let mut first = Training::start(&place, options);
    first.wait_for("Train Epoch", 1);
    let said = place.train_badly("--epochs 1 --out out");
    assert!(said.contains("another training is at work in out") && said.contains("--out"), "{said}");
    assert!(first.kill(0));
    place.train_well("--epochs 1 --out out");
    assert_eq!(place.names("out"), RESULTS);
}
