//! Every command that writes, on a disk that fails: the error is told, and what was there is whole still.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::{program, run, succeed};

/// Steps of writing that fail, and what is said of them.
const FAULTS: [(&str, &str); 4] = [
    ("write", "no storage space"),
    ("short", "no storage space"),
    ("sync", "input/output error, as a test asks"),
    ("rename", "input/output error, as a test asks"),
];

/// Endings of files that hold times.
const TIMED: [&str; 4] = ["jsonl", "json", "html", "md"];

/// The steps that fail: the first ones, and then ever farther apart, until the command has no such step.
fn steps() -> impl Iterator<Item = u64> {
    (1..=4).chain((3..24).map(|power| 1 << power))
}

/// The files of a folder with their bytes, by their names inside it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(here) = open.pop() {
        for entry in fs::read_dir(here).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    found.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

/// Runs `command`, which writes into `folder`, with each fault at each of its steps. `before` is what lies there first.
fn try_all(what: &str, folder: &Path, command: impl Fn() -> Command) {
    succeed(&mut command());
    let before = files(folder);
    assert!(!before.is_empty(), "{what} wrote nothing");
    for (fault, reason) in FAULTS {
        let mut failed = 0;
        for step in steps() {
            let ended = run(command().env(artifact::fault::VARIABLE, format!("{fault}:{step}")));
            let mut now = files(folder);
            // A training that could not save its end keeps what it can go on from.
            now.remove(Path::new("checkpoint.safetensors"));
            let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
            // Nothing half-written lies about, and nothing was lost.
            assert_eq!(names(&now), names(&before), "{what}, {fault} {step}: {}", ended.errors);
            assert!(now.values().all(|bytes| !bytes.is_empty()), "{what}, {fault} {step}");
            if ended.succeeded {
                break;
            }
            failed += 1;
            let told = ended.errors.lines().any(|line| line.starts_with("error: ") && line.contains(reason));
            assert!(told, "{what}, {fault} {step}: {}", ended.errors);
            // Each file is what it was, or whole and new: those that hold no times are the same in any case.
            for (name, bytes) in &before {
                let timed = name.extension().is_some_and(|ending| TIMED.map(OsStr::new).contains(&ending));
                assert!(timed || now.get(name) == Some(bytes), "{what}, {fault} {step}: {} changed", name.display());
            }
        }
        assert!(failed > 0, "{what} has no step `{fault}`");
    }
    succeed(&mut command());
}

#[test]
fn a_failing_disk_costs_no_command_what_was_there() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let in_folder = |name: &str, arguments: &[&str]| {
        let mut command = program(name);
        command.args(arguments).env_remove("ORT_DYLIB_PATH");
        command
    };
    let train = at("train");
    try_all("train", &train, || {
        let mut command = in_folder("train", &["--limit=64", "--test-batch-size=500", "--epochs=1", "--out"]);
        command.arg(&train);
        command
    });
    let (weights, onnx) = (train.join("model.safetensors"), at("onnx"));
    for external in [&[][..], &["--external"]] {
        try_all("export", &onnx, || {
            let mut command = in_folder("export", &["mnist", "--weights"]);
            command.arg(&weights).arg("--out").arg(onnx.join("mnist.onnx")).args(external);
            command
        });
        if external.is_empty() {
            fs::remove_dir_all(&onnx).unwrap();
        }
    }
    let (model, evaluation) = (onnx.join("mnist.onnx"), at("results/mnist"));
    try_all("eval", &evaluation, || {
        let mut command =
            in_folder("infer", &["eval", "mnist", "--limit=8", "--batches=1", "--seconds=0.01", "--weights"]);
        command.arg(&weights).arg("--model").arg(&model).arg("--out").arg(evaluation.join("eval.json"));
        command
    });
    let report = at("report");
    try_all("report", &report, || {
        let mut command = in_folder("report", &["--artifacts"]);
        command.arg(at("results")).arg("--out").arg(&report);
        command
    });
    let bundle = at("bundles");
    try_all("bundle", &bundle, || {
        let mut command = in_folder("infer", &["bundle", "mnist", "--weights"]);
        command.arg(&weights).arg("--onnx").arg(&model).arg("--evaluation").arg(evaluation.join("eval.json"));
        command.arg("--out").arg(bundle.join("mnist"));
        command
    });
}

/// A file that is fetched is there whole, or not at all.
#[test]
fn a_failing_disk_leaves_no_part_of_what_is_fetched() {
    let place = tempfile::tempdir().unwrap();
    let (from, datasets) = (place.path().join("from"), place.path().join("datasets"));
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::create_dir_all(&from).unwrap();
    fs::create_dir_all(&datasets).unwrap();
    fs::write(from.join("file"), &bytes).unwrap();
    let manifest = format!(
        "title = \"a file\"\nlicence = \"MIT\"\nsource = []\n[[file]]\nname = \"file\"\nbytes = {}\nsha256 = \"{}\"\n",
        bytes.len(),
        artifact::sha256_bytes(&bytes)
    );
    fs::write(datasets.join("small.toml"), manifest).unwrap();
    let fetch = || {
        let mut command = program("fetch");
        command.args(["small", "--from"]).arg(&from).arg("--datasets").arg(&datasets);
        command
    };
    for (fault, reason) in FAULTS {
        let mut failed = 0;
        for step in steps() {
            let ended = run(fetch().env(artifact::fault::VARIABLE, format!("{fault}:{step}")));
            let found = files(&datasets.join("small"));
            if ended.succeeded {
                assert!(found.len() == 1 && found.values().all(|found| *found == bytes), "{fault} {step}");
                break;
            }
            failed += 1;
            assert!(found.is_empty(), "{fault} {step}: {:?}", found.keys());
            assert!(ended.errors.contains(reason), "{fault} {step}: {}", ended.errors);
        }
        assert!(failed > 0, "`fetch` has no step `{fault}`");
        fs::remove_dir_all(datasets.join("small")).unwrap();
    }
}
