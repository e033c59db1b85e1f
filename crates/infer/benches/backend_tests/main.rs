//! ONNX's own backend tests, each evaluated as a user would: `eval --onnx` with the inputs and outputs of the test.
//!
//! ```sh
//! cargo xtask bench backend-tests
//! ```
//!
//! Whether a verdict is right is told by ONNX's own measure: ONNX Runtime's outputs, from a session without any evaluation, may
//! differ from those of the test by 1e-3 of each value and 1e-7, or by what float32 rounds the largest value.

mod outcome;
mod verdict;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use clap::Parser;
use engines::runtime::Runtime;
use outcome::Outcome;
use terminal::table::{Table, grouped};
use verdict::Bench;

/// Evaluates ONNX's backend tests.
#[derive(Parser)]
struct Arguments {
    /// The folder with a folder for each test.
    #[arg(long)]
    data: PathBuf,
    /// Only the tests whose names contain this.
    #[arg(long, default_value = "")]
    filter: String,
    /// Tests at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    let tests = tests(&arguments.data, &arguments.filter)?;
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let runtime = Runtime::load(&root.join("datasets/onnxruntime"))?;
    let bench = Bench { root, program: PathBuf::from(env!("CARGO_BIN_EXE_infer")), runtime };
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = bench.evaluate(test);
                    let name = test.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    if let Ok(mut found) = found.lock() {
                        if outcome != Outcome::Passed {
                            eprintln!("{name}: {}: {}", outcome.kind(), outcome.reason());
                        }
                        found.insert(name, outcome);
                        if found.len().is_multiple_of(100) {
                            eprintln!("{} of {}", grouped(&found.len().to_string()), grouped(&tests.len().to_string()));
                        }
                    }
                }
            });
        }
    });
    let Ok(found) = found.into_inner() else { bail!("a thread ended early") };
    print!("{}", text(&found));
    Ok(())
}

/// The folders of the tests that have a model, in the order of their names.
fn tests(data: &Path, filter: &str) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(data).with_context(|| format!("{} cannot be read", data.display()))?;
    let mut tests: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(filter));
    tests.retain(|path| path.join("model.onnx").is_file() && named(path));
    tests.sort();
    match tests.is_empty() {
        true => bail!("{} holds no test whose name contains `{filter}`", data.display()),
        false => Ok(tests),
    }
}

/// The counts, and every test that did not pass by the reason.
fn text(found: &BTreeMap<String, Outcome>) -> String {
    let mut groups: BTreeMap<&Outcome, Vec<&str>> = BTreeMap::new();
    for (name, outcome) in found {
        groups.entry(outcome).or_default().push(name);
    }
    let mut table = Table::new(["outcome", "tests"]);
    for kind in outcome::KINDS {
        let count = found.values().filter(|outcome| outcome.kind() == kind).count();
        table.row([kind.to_owned(), grouped(&count.to_string())]);
    }
    table.row(["all".to_owned(), grouped(&found.len().to_string())]);
    let mut text = table.render();
    for (outcome, names) in groups.iter().filter(|(outcome, _)| !matches!(outcome, Outcome::Passed)) {
        text += &format!("\n{}: {} ({})\n  {}\n", outcome.kind(), outcome.reason(), names.len(), names.join(" "));
    }
    text
}
