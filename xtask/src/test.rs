//! `test`: every test and lint.

use std::hint;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Instant, SystemTime};

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
  cargo xtask test fmt clippy
  cargo xtask test --repeat 20 --shuffle --load 2
                                           the tests, 20 times in random order, beside two threads that keep the cores busy")]
pub struct TestArgs {
    /// The steps; all by default, and with --repeat the tests alone.
    #[arg(value_enum)]
    steps: Vec<Step>,
    /// Run the steps so many times; the first failure ends it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    repeat: u64,
    /// Run the tests of each program in random order. Documentation's examples, each a process of its own, are left out then.
    #[arg(long)]
    shuffle: bool,
    /// What the order is drawn from; each round takes the next number [default: the time]
    #[arg(long, value_name = "N", requires = "shuffle")]
    seed: Option<u64>,
    /// Threads that do nothing but keep cores busy meanwhile.
    #[arg(long, value_name = "N", default_value_t = 0)]
    load: usize,
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
    let time = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let first = arguments.seed.unwrap_or_else(time);
    let _load = Load::new(arguments.load);
    let is_asked = |step: &Step| match arguments.steps.as_slice() {
        [] if arguments.repeat > 1 => *step == Step::Tests,
        [] => true,
        steps => steps.contains(step),
    };
    for round in 0..arguments.repeat {
        let seed = arguments.shuffle.then(|| first.wrapping_add(round));
        if arguments.repeat > 1 {
            note(format_args!("== round {} of {}", round + 1, arguments.repeat));
        }
        for step in Step::value_variants().iter().filter(|step| is_asked(step)) {
            let name = format!("{step:?}").to_lowercase();
            let order = seed.map_or_else(String::new, |seed| format!(", in the order of seed {seed}"));
            note(format_args!("== {name}{order}"));
            let step_started = Instant::now();
            if !step.run(seed)? {
                note(format_args!("error: {name} failed"));
                return Ok(ExitCode::FAILURE);
            }
            note(format_args!("== {name}: passed in {} s", step_started.elapsed().as_secs()));
        }
    }
    note(format_args!("Everything passed in {} s.", started.elapsed().as_secs()));
    Ok(ExitCode::SUCCESS)
}

/// Keeps cores busy as long as it lives.
struct Load(Arc<AtomicBool>);

impl Load {
    fn new(threads: usize) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        for _ in 0..threads {
            let ended = Arc::clone(&ended);
            thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    hint::spin_loop();
                }
            });
        }
        Self(ended)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The tests of the workspace, in an order drawn from `seed` if there is one.
fn tests(seed: Option<u64>) -> Result<Command> {
    let mut command = workspace::cargo();
    command.args(["test", "--release", "--workspace", "--quiet", "--no-fail-fast"]).env("INSTA_UPDATE", "no");
    if let Some(seed) = seed {
        // The order is an unstable option of the tests' own harness. The variable that allows it is seen by the tests alone: cargo and
        // the compiler would build everything anew.
        let runner = format!("target.{}.runner=[\"env\", \"RUSTC_BOOTSTRAP=1\"]", workspace::host()?);
        command.args(["--lib", "--bins", "--tests", "--examples", "--config", &runner]);
        command.args(["--", "-Zunstable-options", "--shuffle-seed", &seed.to_string()]);
    }
    Ok(command)
}

impl Step {
    fn run(self, seed: Option<u64>) -> Result<bool> {
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
                    && succeeds(&mut tests(seed)?)?)
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
