//! Asked to end, or left without a reader, a training keeps what it has learnt and goes on from there.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Place, RESULTS};

const SAME_BYTES: [&str; 3] = ["model.safetensors", "metrics.jsonl", "config.json"];

/// A second is promised; a machine with more to do than this gets some more.
const AT_LAST: Duration = Duration::from_secs(5);

/// How a training ended that was stopped on its way.
struct Stopped {
    code: Option<i32>,
    /// What it said but that the data is one's own.
    said: String,
    took: Duration,
}

/// Starts a training, and stops it when it has printed so many lines that begin with `start`: by a signal, or by closing its output.
fn stop(place: &Place, arguments: &str, (start, lines): (&str, usize), signal: Option<&str>) -> Stopped {
    let mut child = place.train(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let printed = output.by_ref().lines().map(Result::unwrap).filter(|line| line.starts_with(start));
    assert_eq!(printed.take(lines).count(), lines, "it ended before it could be stopped");
    let stopped = Instant::now();
    let reader = match signal {
        Some(signal) => {
            let sent = Command::new("sh").args(["-c", "kill -$0 $1", signal, &child.id().to_string()]).status();
            assert!(sent.unwrap().success());
            // Its output is read to the end.
            std::thread::spawn(move || output.lines().count())
        }
        None => {
            drop(output);
            std::thread::spawn(|| 0)
        }
    };
    let status = child.wait().unwrap();
    let took = stopped.elapsed();
    reader.join().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let said = said.lines().filter(|line| !line.starts_with("note: no manifest")).collect::<Vec<_>>().join("\n");
    Stopped { code: status.code(), said, took }
}

/// The epochs behind the checkpoint in `out`, and the steps of the current one.
fn progress(place: &Place) -> (u64, u64) {
    let bytes = place.read("out/checkpoint.safetensors");
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let header: serde_json::Value = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["training"]).unwrap();
    let number = |name: &str| header["progress"][name].as_u64().unwrap();
    (number("epoch"), number("step"))
}

fn assert_goes_on(place: &Place, options: &str) {
    assert_eq!(place.names("out"), ["checkpoint.safetensors"]);
    place.train_well(&format!("{options} --resume --out out"));
    assert_eq!(place.names("out"), RESULTS);
    for name in SAME_BYTES {
        let read = |folder| place.read(&format!("{folder}/{name}"));
        assert!(read("whole") == read("out"), "{name} differs");
    }
}

#[test]
fn asked_to_end_it_writes_a_checkpoint_and_says_how_to_go_on() {
    let place = Place::new(48, 20);
    // The last checkpoint by the clock would be that of the epoch's end.
    let options = "--batch-size 8 --epochs 3 --log-interval 1";
    place.train_well(&format!("{options} --out whole"));
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let stopped = stop(&place, &format!("{options} --out out"), ("Train Epoch: 2", 3), Some(signal));
        assert_eq!(stopped.code, Some(code), "{}", stopped.said);
        assert_eq!(stopped.said, "interrupted: the same command with --resume goes on from the last checkpoint");
        assert!(stopped.took < AT_LAST, "{:?}", stopped.took);
        let (epoch, step) = progress(&place);
        assert!((epoch, step) >= (1, 3), "epoch {epoch}, step {step}");
        assert_goes_on(&place, options);
        std::fs::remove_dir_all(place.path("out")).unwrap();
    }
}

#[test]
fn in_the_middle_of_an_evaluation_it_ends_too() {
    let place = Place::new(8, 4000);
    let options = "--batch-size 8 --epochs 1 --log-interval 1 --test-batch-size 8";
    place.train_well(&format!("{options} --out whole"));
    // The only step is printed; 500 batches of test images follow.
    let stopped = stop(&place, &format!("{options} --out out"), ("Train Epoch: 1", 1), Some("INT"));
    assert_eq!(stopped.code, Some(130), "{}", stopped.said);
    assert!(stopped.took < AT_LAST, "{:?}", stopped.took);
    assert_eq!(progress(&place), (0, 1));
    assert_goes_on(&place, options);
}

#[test]
fn without_a_reader_it_ends_quietly_and_keeps_its_work() {
    let place = Place::new(48, 20);
    let options = "--batch-size 8 --epochs 3 --log-interval 1";
    place.train_well(&format!("{options} --out whole"));
    let stopped = stop(&place, &format!("{options} --out out"), ("Train Epoch: 2", 1), None);
    assert_eq!((stopped.code, stopped.said.as_str()), (Some(141), ""));
    assert_goes_on(&place, options);
}

#[test]
fn a_training_that_keeps_nothing_ends_as_well() {
    let place = Place::new(48, 20);
    let options = "--batch-size 8 --epochs 1000 --log-interval 1 --no-save-model";
    let stopped = stop(&place, options, ("Train Epoch", 2), Some("INT"));
    assert_eq!((stopped.code, stopped.said.as_str()), (Some(130), "interrupted: nothing was kept"));
    assert_eq!(place.names("."), ["data"]);
}
