//! `bench`: measurements beside others, which no test asserts.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::programs::{exit_code, fetch, succeeds};
use crate::workspace;

/// Measure something side by side with others.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench train                      a training step beside Burn's own operations and PyTorch
  cargo xtask bench train --without-python     and without PyTorch
  cargo xtask bench train -- --rounds 30       options of the benchmark itself

Results with their dates are kept in docs/benchmarks.md.")]
pub struct BenchArgs {
    /// What is measured.
    #[arg(value_enum)]
    benchmark: Benchmark,
    /// A Python that has PyTorch; by default an environment is made below `target`, once, with pip (several gigabytes).
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Leave out what needs Python.
    #[arg(long, conflicts_with = "python")]
    without_python: bool,
    /// Options for the benchmark.
    #[arg(last = true)]
    options: Vec<String>,
}

/// A benchmark that stays in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// One training step of the MNIST CNN.
    Train,
}

/// Runs a benchmark.
pub fn bench(arguments: &BenchArgs) -> Result<ExitCode> {
    let Benchmark::Train = arguments.benchmark;
    if !fetch(&["mnist"])? {
        bail!("MNIST cannot be had; the message above says why");
    }
    let mut command = workspace::cargo();
    // Beside `infer`, so that Burn has the features that it has everywhere else and is not compiled again.
    command.args(["bench", "--package=infer", "--package=train", "--bench=step", "--"]);
    if !arguments.without_python {
        let python = match &arguments.python {
            Some(python) => std::path::absolute(python).context("the current folder is gone")?,
            None => environment("train", &workspace::root().join("crates/train/benches/requirements.txt"))?,
        };
        command.arg("--python").arg(python);
    }
    let status = command.args(&arguments.options).status().context("cargo cannot be started")?;
    Ok(exit_code(status))
}

/// The Python of an environment with the packages of `requirements`; it is made if it is not there.
fn environment(name: &str, requirements: &Path) -> Result<PathBuf> {
    let folder = workspace::root().join("target/python").join(name);
    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    if complete.is_file() {
        return Ok(python);
    }
    eprintln!("Making a Python environment in {} (once; it takes minutes).", folder.display());
    let made = succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?
        && succeeds(Command::new(&python).args(["-m", "pip", "install", "--requirement"]).arg(requirements))?;
    if !made {
        bail!(
            "the Python environment cannot be made (the message above says why); name a Python that has PyTorch with \
             --python FILE, or leave it out with --without-python"
        );
    }
    artifact::write_atomic(complete, b"")?;
    Ok(python)
}
