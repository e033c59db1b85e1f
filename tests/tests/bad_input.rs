//! What a user reads after a mistake: one clear message, a failure, and nothing half-written.

use std::fs;
use std::path::Path;

use end_to_end::{fail, program, root, succeed};

/// What xtask says about words that it cannot accept.
fn refused(words: &str) -> String {
    let errors = fail(program("xtask").args(words.split(' ')));
    // Building says something first.
    assert!(errors.lines().any(|line| line.starts_with("error: ")), "`{words}`: {errors}");
    errors
}

#[test]
fn words_that_mean_nothing_are_refused_before_anything_is_built() {
    for (words, expected) in [
        ("trian", "unrecognized subcommand 'trian'"),
        ("run resnet", "invalid value 'resnet'"),
        ("export resnet", "invalid value 'resnet'"),
        ("eval resnet", "invalid value 'resnet'"),
        ("predict resnet --index 1", "invalid value 'resnet'"),
        ("train --epochs 0", "invalid value '0' for '--epochs"),
        ("train --epochs many", "invalid value 'many' for '--epochs"),
        ("train --batch-size -1", "'-1'"),
        ("train --lr nan", "invalid value 'nan' for '--lr"),
        ("train --gamma 0", "invalid value '0' for '--gamma"),
        ("train --seed 1.5", "invalid value '1.5' for '--seed"),
        ("train --device gpu", "invalid value 'gpu'"),
        ("train --no-save-model --resume", "cannot be used with"),
        ("run --limit 0", "invalid value '0' for '--limit"),
        ("run --seconds -1", "'-1'"),
        ("eval mnist --seconds 0", "invalid value '0' for '--seconds"),
        ("eval mnist --batches 1,,2", "invalid value ''"),
        ("predict mnist --index six", "invalid value 'six'"),
        ("fetch mnist --list --from .", "cannot be used with"),
        ("test everything", "invalid value 'everything'"),
    ] {
        let errors = refused(words);
        assert!(errors.contains(expected), "`{words}` gave: {errors}");
    }
}

#[test]
fn every_command_explains_itself_with_examples() {
    let all = succeed(program("xtask").arg("--help"));
    for command in [
        "run", "status", "fetch", "train", "export", "eval", "predict", "inspect", "doctor", "scale", "chaos", "test",
        "bench",
    ] {
        assert!(all.contains(&format!("  {command} ")), "{command} is not in {all}");
        let help = succeed(program("xtask").args([command, "--help"]));
        assert!(help.contains("Examples:\n  cargo xtask "), "`{command}` has no examples: {help}");
    }
}

#[test]
fn a_relative_path_is_looked_for_where_the_user_stands_first() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = "crates/infer/tests/fixtures/containers/model.onnx";
    fs::copy(root().join(fixture), folder.path().join("mine.onnx")).unwrap();
    let inspect = |path: &str| succeed(program("xtask").current_dir(folder.path()).args(["inspect", path]));
    let here = inspect("mine.onnx");
    assert!(here.starts_with(&folder.path().join("mine.onnx").display().to_string()), "{here}");
    // What is not there is a path from the root.
    assert!(inspect(fixture).starts_with(fixture));
}

#[test]
fn a_data_set_that_is_not_declared_is_named_with_those_that_are() {
    let errors = refused("fetch mnits");
    assert!(errors.contains("there is no data set `mnits`; there are:") && errors.contains("mnist"), "{errors}");
}

#[test]
fn files_that_are_missing_or_damaged_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.file");
    fs::write(&damaged, b"neither weights nor a network").unwrap();
    let out = folder.path().join("out");
    let missing = Path::new("no/such.file");
    let commands: [(&str, &[&str]); 5] = [
        ("train", &["--data", "FILE", "--out", "OUT"]),
        ("export", &["mnist", "--weights", "FILE", "--out", "OUT"]),
        ("infer", &["eval", "mnist", "--model", "FILE", "--weights", "FILE", "--out", "OUT"]),
        ("infer", &["predict", "mnist", "--index", "100", "--model", "FILE", "--weights", "FILE"]),
        ("infer", &["predict", "mnist", "--index", "100", "--data", "FILE"]),
    ];
    for (name, words) in commands {
        for bad in [missing, &damaged] {
            let words = words.iter().map(|word| match *word {
                "FILE" => bad.as_os_str(),
                "OUT" => out.as_os_str(),
                other => other.as_ref(),
            });
            let words: Vec<_> = words.collect();
            let errors = fail(program(name).args(&words));
            assert!(errors.starts_with("error: "), "{name} {words:?}: {errors}");
            assert!(errors.contains(&*bad.to_string_lossy()), "{name} {words:?} does not name the file: {errors}");
            assert!(!errors.contains("panicked"), "{name} {words:?}: {errors}");
            assert!(!out.is_file(), "{name} {words:?} left a file");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1 + usize::from(out.is_dir()), "something was left");
}

/// A command whose files cannot grow beyond 512 KiB: what a full disk does, on every machine.
#[cfg(unix)]
fn on_a_full_disk(command: &std::process::Command) -> std::process::Command {
    let mut limited = std::process::Command::new("sh");
    // Without the trap the signal would end the program before it could say anything. POSIX counts blocks of 512 bytes,
    // bash of 1024.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$@\"", "sh"]);
    limited.arg(command.get_program()).args(command.get_args()).current_dir(end_to_end::root());
    limited
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let root = end_to_end::root();
    fs::copy(root.join("datasets/mnist.toml"), folder.path().join("mnist.toml")).unwrap();
    let mut fetch = program("fetch");
    fetch.args(["mnist", "--from"]).arg(root.join("datasets/mnist")).arg("--datasets").arg(folder.path());
    let errors = fail(&mut on_a_full_disk(&fetch));
    assert!(errors.contains("cannot write") && errors.contains("train-images-idx3-ubyte"), "{errors}");
    assert_eq!(fs::read_dir(folder.path().join("mnist")).unwrap().count(), 0, "something was left");
    // With room it works.
    succeed(&mut fetch);
    assert_eq!(fs::read_dir(folder.path().join("mnist")).unwrap().count(), 4);
}

/// Without an evaluation there is nothing new to tell of.
#[test]
fn a_file_that_is_no_model_is_named_and_no_page_is_announced() {
    let output = program("xtask").args(["eval", "--onnx", "README.md"]).output().unwrap();
    let (shown, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{shown}{errors}");
    assert!(errors.contains("error: README.md: this is no sound ONNX model") && shown.is_empty(), "{shown}{errors}");
}
