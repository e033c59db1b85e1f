//! `fuzz`: every reader of files from strangers, fed with what a fuzzer makes of good files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use artifact::FileError;
use clap::Args;
use cli::path::reading;
use terminal::program::{note, print_line};

use crate::programs::{run, succeeds};
use crate::workspace::{self, host};

/// Feed the readers of files with what a fuzzer makes of good files.
///
/// A panic that leaves a reader, a sum that overflows in Kiln's code, ten seconds without an answer and a gibibyte in one piece are
/// finds. What a run learnt stays in `target/fuzz/corpus` for the next. It needs a C++ compiler, for libFuzzer.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask fuzz --list
  cargo xtask fuzz onnx --minutes 30
  cargo xtask fuzz --minutes 1                  all, one after another
  cargo xtask fuzz picture --again target/fuzz/finds/picture-crash-…

The exit status is 0 if nothing was found. A find is a file below target/fuzz/finds; --again reads it once more.")]
pub struct FuzzArgs {
    /// The targets; all by default.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long each target runs.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    minutes: f64,
    /// Show the targets, and run none.
    #[arg(long, conflicts_with = "again")]
    list: bool,
    /// Read this file with the target, once.
    #[arg(long, value_name = "FILE", value_parser = reading())]
    again: Option<PathBuf>,
}

/// A reader.
struct Target {
    name: &'static str,
    /// Whether it needs Burn, which takes minutes to compile.
    needs_burn: bool,
    /// The files of the repository that it starts from, beside those of `fuzz/seeds`: folders, and endings of names.
    seeds: &'static [(&'static str, &'static [&'static str])],
}

const TARGETS: [Target; 16] = [
    Target {
        name: "onnx",
        needs_burn: false,
        seeds: &[("crates/infer/tests/fixtures", &["onnx"]), ("crates/onnx-model/tests/fixtures", &["onnx"])],
    },
    Target { name: "archive", needs_burn: false, seeds: &[] },
    Target { name: "bundle", needs_burn: false, seeds: &[] },
    Target {
        name: "signature",
        needs_burn: false,
        seeds: &[
            ("crates/bundle/tests/fixtures/signed", &["sig", "pem"]),
            ("crates/bundle/tests/fixtures/signed/folder", &["sig"]),
        ],
    },
    Target { name: "manifest", needs_burn: false, seeds: &[("datasets", &["toml"])] },
    Target { name: "answer", needs_burn: false, seeds: &[] },
    Target { name: "expression", needs_burn: false, seeds: &[] },
    Target { name: "inputs", needs_burn: false, seeds: &[] },
    Target {
        name: "safetensors",
        needs_burn: true,
        seeds: &[("crates/models/tests/fixtures/weights", &["safetensors"])],
    },
    Target {
        name: "pytorch",
        needs_burn: true,
        seeds: &[("crates/models/tests/fixtures/weights", &["pth", "pt", "pt2"])],
    },
    Target {
        name: "picture",
        needs_burn: true,
        seeds: &[
            ("crates/models/tests/fixtures/pictures", &["jpg", "gif", "bmp", "tiff", "webp", "png"]),
            ("crates/models/tests/fixtures/avif", &["avif"]),
        ],
    },
    Target {
        name: "tokenizer",
        needs_burn: true,
        seeds: &[("crates/models/tests/fixtures/question_answering", &["json", "txt"])],
    },
    Target { name: "checkpoint", needs_burn: true, seeds: &[] },
    Target { name: "digits", needs_burn: true, seeds: &[] },
    Target { name: "squad", needs_burn: true, seeds: &[("crates/models/tests/fixtures", &["json"])] },
    Target {
        name: "config",
        needs_burn: true,
        seeds: &[("crates/models/tests/fixtures/question_answering", &["json"])],
    },
];

/// Counts the edges of the code that an input takes, and what it compares: the passes of LLVM that libFuzzer asks for.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=16";

/// The bounds of one input: its bytes, seconds, and MiB in all and in one piece.
const BOUNDS: [&str; 4] = ["-max_len=65536", "-timeout=10", "-rss_limit_mb=3072", "-malloc_limit_mb=1024"];

/// Where all of it lies.
const PLACE: &str = "target/fuzz";

/// Builds the targets and runs them in turn.
pub fn fuzz(arguments: &FuzzArgs) -> Result<ExitCode> {
    let unknown = arguments.targets.iter().find(|name| TARGETS.iter().all(|target| target.name != **name));
    if let Some(unknown) = unknown {
        bail!("there is no target `{unknown}`; there are {}", TARGETS.map(|target| target.name).join(", "));
    }
    if arguments.list {
        for target in &TARGETS {
            print_line(format_args!("{}{}", target.name, if target.needs_burn { " (needs Burn)" } else { "" }))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let named =
        |target: &&Target| arguments.targets.is_empty() || arguments.targets.iter().any(|name| name == target.name);
    let targets: Vec<&Target> = TARGETS.iter().filter(named).collect();
    let programs = build(&targets)?;
    let mut found = Vec::new();
    for target in targets {
        let program = programs.join(target.name);
        let is_well = match &arguments.again {
            Some(file) => succeeds(Command::new(program).current_dir(workspace::root()).args(BOUNDS).arg(file))?,
            None => feed(target, &program, arguments.minutes)?,
        };
        if !is_well {
            note(format_args!("error: {}: found something; the message above says where it lies", target.name));
            found.push(target.name);
        }
    }
    match found.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => bail!("found something in {}", found.join(", ")),
    }
}

/// The folder with the programs of the targets.
fn build(targets: &[&Target]) -> Result<PathBuf> {
    let root = workspace::root();
    let (lock, own) = (root.join("Cargo.lock"), root.join("fuzz/Cargo.lock"));
    // The versions are those of the programs; cargo adds libFuzzer's. A lock of its own would go its own way.
    let changed = |path: &Path| path.metadata().and_then(|about| about.modified()).ok();
    if changed(&own) < changed(&lock) {
        fs::copy(&lock, &own).map_err(FileError::new("copy to", &own))?;
    }
    let target = host()?;
    let mut command = workspace::cargo();
    command.args([
        "build",
        "--release",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--target-dir",
        PLACE,
        "--target",
        &target,
    ]);
    command.args(targets.iter().flat_map(|target| ["--bin", target.name])).env("RUSTFLAGS", COVERAGE);
    if targets.iter().any(|target| target.needs_burn) {
        command.args(["--features", "burn"]);
    }
    if !succeeds(&mut command)? {
        bail!("the targets do not compile; the messages above say why");
    }
    Ok(root.join(PLACE).join(target).join("release"))
}

/// Runs one target for a while; whether it found nothing.
fn feed(target: &Target, program: &Path, minutes: f64) -> Result<bool> {
    let root = workspace::root();
    let corpus = root.join(PLACE).join("corpus").join(target.name);
    let temporary = root.join(PLACE).join("temporary").join(target.name);
    let finds = root.join(PLACE).join("finds");
    for folder in [&corpus, &temporary, &finds] {
        fs::create_dir_all(folder).map_err(FileError::new("create", folder))?;
    }
    let own = format!("fuzz/seeds/{}", target.name);
    sow(&root.join(own), &[], &corpus)?;
    for (folder, endings) in target.seeds {
        sow(&root.join(folder), endings, &corpus)?;
    }
    note(format_args!("== {}: {minutes} min from {} files", target.name, fs::read_dir(&corpus)?.count()));
    let mut command = Command::new(program);
    command
        .arg(&corpus)
        .args(BOUNDS)
        .arg("-print_final_stats=1")
        .arg(format!("-max_total_time={}", (minutes * 60.0).ceil()));
    command.arg(format!("-artifact_prefix={}/{}-", finds.display(), target.name));
    command.env("TMPDIR", &temporary).current_dir(&root);
    let status = run(&mut command)?;
    // What an input was written to.
    fs::remove_dir_all(&temporary).map_err(FileError::new("remove", &temporary))?;
    Ok(status.success())
}

/// Copies the files of a folder with one of these endings, all if none is named, to those that the fuzzer starts from.
fn sow(folder: &Path, endings: &[&str], corpus: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let fits = path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted));
        if path.is_file() && (fits || endings.is_empty()) {
            let name = path.file_name().context("a file has a name")?;
            let to = corpus.join(Path::new("seed").with_extension(name));
            fs::copy(&path, &to).map_err(FileError::new("copy to", &to))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_file_and_something_to_start_from() {
        let root = workspace::root();
        let declared = fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
        for target in &TARGETS {
            let name = target.name;
            assert!(root.join(format!("fuzz/targets/{name}.rs")).is_file(), "{name}");
            let (_, rest) = declared.split_once(&format!("name = \"{name}\"\npath")).unwrap();
            let own = rest.split("[[bin]]").next().unwrap();
            assert_eq!(own.contains("required-features"), target.needs_burn, "{name}");
            let corpus = tempfile::tempdir().unwrap();
            sow(&root.join(format!("fuzz/seeds/{name}")), &[], corpus.path()).unwrap();
            for (folder, endings) in target.seeds {
                sow(&root.join(folder), endings, corpus.path()).unwrap();
            }
            assert!(fs::read_dir(corpus.path()).unwrap().count() > 0, "{name} starts from nothing");
        }
        assert_eq!(fs::read_dir(root.join("fuzz/targets")).unwrap().count(), TARGETS.len());
    }
}
