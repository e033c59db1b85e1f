//! What the program cannot do, it says in a sentence; it exits with an error and leaves nothing half-written.

use std::fs;

use crate::support::{Place, RESULTS};

#[test]
fn bad_numbers_are_refused() {
    let place = Place::new(20, 10);
    let cases = [
        ("--lr nan", "above 0"),
        ("--lr inf", "above 0"),
        ("--lr 0", "above 0"),
        ("--lr=-1", "above 0"),
        ("--lr fast", "invalid float"),
        ("--gamma nan", "above 0"),
        ("--gamma 0", "above 0"),
        ("--epochs 0", "at least 1"),
        ("--epochs 1.5", "invalid digit"),
        ("--epochs=-3", "invalid digit"),
        ("--epochs 99999999999999999999", "too large"),
        ("--batch-size 0", "at least 1"),
        ("--test-batch-size 0", "at least 1"),
        ("--log-interval 0", "at least 1"),
        ("--threads 0", "at least 1"),
        ("--limit 0", "at least 1"),
        ("--seed one", "invalid digit"),
        ("--checkpoint-interval=-1", "invalid digit"),
        ("--device tpu", "possible values: flex, cuda"),
        ("--no-save-model --resume", "cannot be used with"),
        ("--epoch 3", "--epochs"),
    ];
    for (arguments, reason) in cases {
        let said = place.train_badly(&format!("--out out {arguments}"));
        let option = arguments.split([' ', '=']).next().unwrap();
        assert!(said.contains(option) && said.contains(reason), "{arguments}: {said}");
    }
    let said = place.train_badly("--out out --limit 21");
    assert!(said.contains("--limit 21 asks for more than the 20 training images that there are"), "{said}");
    assert_eq!(place.names("."), ["data"]);
}

/// Numbers of any size that are not refused must work.
#[test]
fn batches_may_be_larger_than_the_data() {
    let place = Place::new(20, 10);
    let largest = usize::MAX;
    place.train_well(&format!("--batch-size {largest} --test-batch-size {largest} --epochs 1 --out out"));
    place.train_well("--batch-size 20 --epochs 1 --out same");
    assert!(place.read("out/model.safetensors") == place.read("same/model.safetensors"));
}

/// Whoever asks for the GPU learns how to get it.
#[cfg(not(feature = "cuda"))]
#[test]
fn without_its_feature_cuda_is_refused() {
    let place = Place::new(20, 10);
    let said = place.train_badly("--device cuda --out out");
    assert!(said.contains("built without CUDA") && said.contains("cargo xtask train --device cuda"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(place.names("."), ["data"]);
    place.train_well("--device cuda --no-cuda --epochs 1 --out out");
}

#[test]
fn missing_or_damaged_data_is_reported() {
    let place = Place::new(20, 10);
    let fails_with = |reason: &str| {
        let said = place.train_badly("--out out");
        assert!(said.contains("no usable data in data") && said.contains("cargo xtask fetch mnist"), "{said}");
        assert!(said.contains(reason), "{reason}: {said}");
        assert_eq!(place.names("."), ["data"]);
    };
    let images = place.path("data/train-images-idx3-ubyte");
    let good = fs::read(&images).unwrap();
    fs::write(&images, &good[..good.len() - 1]).unwrap();
    fails_with("is truncated");
    fs::write(&images, [b"<html>".as_slice(), &good].concat()).unwrap();
    fails_with("in IDX format begin with");
    fs::write(&images, &good).unwrap();
    fs::write(place.path("data/t10k-labels-idx1-ubyte"), []).unwrap();
    fails_with("t10k-labels-idx1-ubyte begins with []");
    fs::remove_dir_all(place.path("data")).unwrap();
    let said = place.train_badly("--out out");
    assert!(said.contains("cannot read data/train-images-idx3-ubyte"), "{said}");
    assert!(place.names(".").is_empty());
}

#[test]
fn a_learning_rate_that_loses_the_weights_is_reported() {
    let place = Place::new(20, 10);
    let said = place.train_badly("--lr 1e30 --batch-size 4 --epochs 2 --out out");
    assert!(said.contains("the loss is no longer a number at epoch 1") && said.contains("smaller"), "{said}");
    assert!(place.names("out").is_empty(), "{:?}", place.names("out"));
}

/// A file in the folder's place fails for every user; missing permissions would not for root.
#[test]
fn a_folder_that_cannot_be_made_is_reported() {
    let place = Place::new(20, 10);
    fs::write(place.path("taken"), "mine").unwrap();
    for out in ["taken", "taken/below"] {
        let said = place.train_badly(&format!("--epochs 1 --out {out}"));
        assert!(said.contains(&format!("cannot create {out}")) || said.contains("cannot open"), "{said}");
    }
    assert_eq!(place.read("taken"), b"mine");
    assert_eq!(place.names("."), ["data", "taken"]);
}

/// A damaged checkpoint is neither used nor removed, and what can be done about it is said.
#[test]
fn a_damaged_checkpoint_is_refused() {
    let place = Place::new(24, 10);
    // The second epoch cannot end well, so the checkpoint of the first one stays.
    let options = "--batch-size 8 --epochs 2 --lr 0.001 --gamma 1e30 --out out";
    place.train_badly(options);
    assert_eq!(place.names("out"), ["checkpoint.safetensors"]);
    let good = place.read("out/checkpoint.safetensors");
    let middle = good.len() / 2;
    let flipped = [&good[..middle], &[good[middle] ^ 1], &good[middle + 1..]].concat();
    let damaged: [(&[u8], &str); 3] = [
        (&good[..good.len() - 1], "is not a usable checkpoint"),
        (&good[..100], "is not a usable checkpoint"),
        (&flipped, "does not match its SHA-256"),
    ];
    let checkpoint = place.path("out/checkpoint.safetensors");
    for (bytes, reason) in damaged {
        fs::write(&checkpoint, bytes).unwrap();
        let said = place.train_badly(&format!("{options} --resume"));
        assert!(said.contains(reason) && said.contains("checkpoint.safetensors"), "{said}");
        assert!(said.contains("remove it to start from the beginning"), "{said}");
        assert!(place.read("out/checkpoint.safetensors") == bytes);
    }
    // What does not begin like one may be anybody's.
    for bytes in [&b""[..], b"not a checkpoint at all"] {
        fs::write(&checkpoint, bytes).unwrap();
        let said = place.train_badly(&format!("{options} --resume"));
        assert!(said.contains("checkpoint.safetensors is there and was not written by Kiln"), "{said}");
        assert!(place.read("out/checkpoint.safetensors") == bytes);
    }
    // The pipeline asks for it only if it is usable.
    fs::write(&checkpoint, &good[..100]).unwrap();
    let said = place.train_well("--batch-size 8 --epochs 1 --in-pipeline --out out");
    assert!(said.starts_with("Train Epoch: 1 [0/24 (0%)]"), "{said}");
    assert_eq!(place.names("out"), RESULTS);
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let place = Place::new(24, 10);
    place.train_badly("--batch-size 8 --epochs 2 --lr 0.001 --gamma 1e30 --out out");
    let said = place.train_badly("--batch-size 8 --epochs 3 --lr 0.002 --gamma 1e30 --resume --out out");
    assert!(said.contains("of another run: its epochs is 2, not 3, its learning rate is 0.001, not 0.002"), "{said}");
    assert_eq!(place.names("out"), ["checkpoint.safetensors"]);

    fs::write(place.path("data/t10k-labels-idx1-ubyte"), [0, 0, 8, 1, 0, 0, 0, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0])
        .unwrap();
    let said = place.train_badly("--batch-size 8 --epochs 2 --lr 0.001 --gamma 1e30 --resume --out out");
    assert!(said.contains("of another run: its data.t10k-labels-idx1-ubyte is "), "{said}");
}

#[test]
fn a_finished_training_is_not_resumed() {
    let place = Place::new(24, 10);
    // With nothing there, it starts at the beginning.
    place.train_well("--batch-size 8 --epochs 1 --resume --out out");
    let weights = place.read("out/model.safetensors");
    let said = place.train_badly("--batch-size 8 --epochs 1 --seed 9 --resume --out out");
    assert!(said.contains("out holds a finished training and no checkpoint"), "{said}");
    assert!(place.read("out/model.safetensors") == weights);
}

/// The shell's limit on the size of files stands for a full disk: a write fails half-way.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_what_was_there() {
    use std::process::Command;

    let place = Place::new(24, 10);
    place.train_well("--batch-size 8 --epochs 1 --seed 5 --out out");
    let before = place.read("out/model.safetensors");
    let limited = |arguments: &str| {
        // Some shells count blocks of 512 bytes, some of 1024: the checkpoint has 14 MB, and neither 1 nor 2 will do.
        let script = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command.current_dir(place.path(".")).args(["-c", script, env!("CARGO_BIN_EXE_train"), "--data", "data"]);
        let output = command.args(arguments.split_whitespace()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        crate::support::stderr(&output)
    };
    let said = limited("--batch-size 8 --epochs 1 --out out");
    assert!(said.contains("the checkpoint was not saved: cannot write out/checkpoint.safetensors"), "{said}");
    assert_eq!(place.names("out"), RESULTS);
    assert!(place.read("out/model.safetensors") == before);
    let said = limited("--batch-size 8 --epochs 1 --out new");
    assert!(said.contains("cannot write new/checkpoint.safetensors"), "{said}");
    assert!(place.names("new").is_empty());
}
