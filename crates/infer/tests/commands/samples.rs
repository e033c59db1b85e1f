//! `infer samples`: a network's own data as inputs in files.

use std::process::{Command, Output};

use safetensors::SafeTensors;

use crate::setting::{DIGITS, Setting, text};

fn samples(setting: &Setting, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command.current_dir(setting.folder.path()).args(["samples", "mnist", "--data", ".", "--out", "samples"]);
    command.args(["--weights", "model.safetensors"]).args(options).output().unwrap()
}

#[test]
fn the_digits_of_the_training_are_written_with_their_classes() {
    let setting = Setting::new();
    let output = samples(&setting, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("train-images-idx3-ubyte"), "{}", text(&output.stderr));
    for part in ["images-idx3-ubyte", "labels-idx1-ubyte"] {
        std::fs::copy(setting.path(&format!("t10k-{part}")), setting.path(&format!("train-{part}"))).unwrap();
    }
    let output = samples(&setting, &["--limit", "4"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "Wrote 4 samples to samples\n");
    let last = std::fs::read(setting.path("samples/000003.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&last).unwrap();
    assert_eq!(tensors.tensor("input").unwrap().shape(), [1, 1, 28, 28]);
    // Evenly spread over forty digits: the last is the thirtieth, and the classes go round by ten.
    assert_eq!(DIGITS * 3 / 4, 30);
    assert_eq!(tensors.tensor("labels").unwrap().data(), 0_i64.to_le_bytes());
    // They are replaced by others, and nothing else is.
    assert!(samples(&setting, &["--limit", "2"]).status.success());
    assert_eq!(std::fs::read_dir(setting.path("samples")).unwrap().count(), 2);
    std::fs::write(setting.path("samples/notes.txt"), "mine").unwrap();
    let output = samples(&setting, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("notes.txt, which is no sample that was written here"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(std::fs::read_dir(setting.path("samples")).unwrap().count(), 3);
}

#[test]
fn pictures_are_asked_for() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    let output = command.args(["samples", "alexnet", "--out", "nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("name pictures with --image"), "{}", text(&output.stderr));
}
