//! `test`: every test and lint.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::Result;
use artifact::runtime::platform;
use clap::{Args, ValueEnum};
use terminal::program::note;

use crate::programs::{fetch, succeeds};
use crate::workspace;

/// Run every test and lint, or the steps that are named.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                         everything, as the continuous integration does
  cargo xtask test fmt clippy")]
pub struct TestArgs {
    /// The steps; all by default.
    #[arg(value_enum)]
    steps: Vec<Step>,
}

/// A step. The order is that of running: what is quick comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// The formatting of the code.
    Fmt,
    /// The spelling of code and documents.
    Typos,
    /// Unit, property and end-to-end tests.
    Tests,
    /// Clippy, with warnings denied.
    Clippy,
    /// The documentation, with warnings denied.
    Doc,
}

/// Runs the steps; stops at the first that fails.
pub fn test(arguments: &TestArgs) -> Result<ExitCode> {
    let started = Instant::now();
    for step in Step::value_variants() {
        if !arguments.steps.is_empty() && !arguments.steps.contains(step) {
            continue;
        }
        let name = format!("{step:?}").to_lowercase();
        note(format_args!("== {name}"));
        let step_started = Instant::now();
        if !step.run()? {
            note(format_args!("error: {name} failed"));
            return Ok(ExitCode::FAILURE);
        }
        note(format_args!("== {name}: passed in {} s", step_started.elapsed().as_secs()));
    }
    note(format_args!("Everything passed in {} s.", started.elapsed().as_secs()));
    Ok(ExitCode::SUCCESS)
}

impl Step {
    fn run(self) -> Result<bool> {
        match self {
            Self::Fmt => succeeds(workspace::cargo().args(["fmt", "--all", "--check"])),
            Self::Typos => {
                let program = workspace::root().join("datasets/typos").join(platform()).join("typos");
                Ok(fetch(&["typos"])? && succeeds(Command::new(program).current_dir(workspace::root()))?)
            }
            Self::Tests => {
                // The end-to-end tests start the programs, xtask among them, on real data.
                Ok(fetch(&["mnist", "onnxruntime", "minilm", "imagenet-labels"])?
                    && succeeds(workspace::cargo().args(["build", "--release", "--workspace", "--bins"]))?
                    && succeeds(
                        workspace::cargo()
                            .args(["test", "--release", "--workspace", "--quiet", "--no-fail-fast"])
                            .env("INSTA_UPDATE", "no"),
                    )?)
            }
            Self::Clippy => succeeds(workspace::cargo().args([
                "clippy",
                "--release",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "--deny=warnings",
            ])),
            Self::Doc => succeeds(
                workspace::cargo()
                    .args(["doc", "--release", "--workspace", "--no-deps", "--quiet"])
                    .env("RUSTDOCFLAGS", "--deny=warnings"),
            ),
        }
    }
}
