//! The release programs that do the work: building and starting them.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use artifact::interrupt::{self, Interrupted};
use artifact::process::{self, end_with_this};
use cli::path::{STANDS_IN, stands_in};
use cli::train::CommonRecipe;

use crate::workspace;

/// The time from one look at a running program to the next.
const LOOK: Duration = Duration::from_millis(20);

/// How long an interrupted program may take to end: a training writes a checkpoint.
const FAREWELL: Duration = Duration::from_secs(5);

/// The number of the signal of Ctrl-C.
const INTERRUPT: i32 = 2;

/// Something that a program of the workspace does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Brings declared files here.
    Fetch,
    /// Trains.
    Train,
    /// Writes ONNX.
    Export,
    /// Validates and times.
    Eval,
    /// Shows what a network makes of an input.
    Predict,
    /// Shows which execution providers work.
    Doctor,
    /// Writes one page over all networks.
    Report,
    /// Writes a folder ready to ship.
    Bundle,
    /// Shows what a file is.
    Inspect,
    /// Writes what a network is asked about as inputs.
    Samples,
    /// Writes a model of 8-bit integers.
    Quantize,
}

impl Program {
    /// The package, which is also the name of the binary.
    pub fn package(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Train => "train",
            Self::Export => "export",
            Self::Eval | Self::Predict | Self::Doctor | Self::Bundle | Self::Inspect | Self::Samples => "infer",
            Self::Report => "report",
            Self::Quantize => "quantize",
        }
    }

    /// What the binary is told first.
    fn subcommand(self) -> Option<&'static str> {
        match self {
            Self::Fetch | Self::Train | Self::Export | Self::Report => None,
            Self::Eval => Some("eval"),
            Self::Predict => Some("predict"),
            Self::Doctor => Some("doctor"),
            Self::Bundle => Some("bundle"),
            Self::Inspect => Some("inspect"),
            Self::Samples => Some("samples"),
            Self::Quantize => Some("quantize"),
        }
    }

    /// Options for the record, which users do not give.
    fn provenance(self) -> Vec<OsString> {
        match self {
            Self::Train | Self::Export | Self::Bundle => {
                workspace::revision().map(|revision| format!("--revision={revision}").into()).into_iter().collect()
            }
            Self::Fetch
            | Self::Eval
            | Self::Predict
            | Self::Doctor
            | Self::Report
            | Self::Inspect
            | Self::Samples
            | Self::Quantize => Vec::new(),
        }
    }
}

/// The built programs.
pub struct Programs {
    executables: HashMap<String, PathBuf>,
}

impl Programs {
    /// Builds what `program` needs and nothing else, so that the first result comes soon. Whatever is built, the crates that lie
    /// below have the same features (`crates/unified` sees to that), so that Burn is compiled once.
    pub fn for_program(program: Program) -> Result<Self> {
        Self::for_programs(&[program], &[])
    }

    /// Builds several programs, and the engines that are programs of their own.
    pub fn for_programs(programs: &[Program], engines: &[&str]) -> Result<Self> {
        let packages = programs.iter().map(|program| program.package()).chain(engines.iter().copied());
        let selection: Vec<&str> = packages.flat_map(|package| ["--package", package]).collect();
        Self::build(&selection)
    }

    /// Builds what training by `recipe` needs. For a GPU that is a program of its own in a folder of its own: Burn has other
    /// features there, and that for CUDA brings LLVM along. With `mpi` only the trainer itself differs.
    pub fn for_training(recipe: &CommonRecipe, mpi: bool) -> Result<Self> {
        match recipe.device().feature() {
            Some(_) if mpi => bail!("--mpi shares a training on CPUs: leave out --device"),
            Some(feature) => {
                let folder = format!("target/{feature}");
                Self::build(&["--package", "train", "--features", feature, "--target-dir", &folder])
            }
            None if mpi => crate::mpi::build(),
            None => Self::for_program(Program::Train),
        }
    }

    fn build(selection: &[&str]) -> Result<Self> {
        Self::build_with(selection, &[])
    }

    /// Builds with variables for the build scripts.
    pub fn build_with(selection: &[&str], variables: &[(&str, OsString)]) -> Result<Self> {
        let output = workspace::cargo()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .args(["build", "--release", "--bins", "--message-format=json-render-diagnostics"])
            .args(selection)
            .stderr(Stdio::inherit())
            .output()
            .context("cargo cannot be started")?;
        if !output.status.success() {
            bail!("the programs do not compile; the messages above say why");
        }
        let executables = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|message| {
                let name = message.pointer("/target/name")?.as_str()?.to_owned();
                Some((name, message.pointer("/executable")?.as_str()?.into()))
            })
            .collect();
        Ok(Self { executables })
    }

    /// Where `program` was built.
    pub fn path(&self, program: Program) -> Result<PathBuf> {
        let package = program.package();
        self.executables.get(package).cloned().with_context(|| format!("cargo did not build `{package}`"))
    }

    /// A command that runs `program` at the workspace's root.
    pub fn command(&self, program: Program) -> Result<Command> {
        let mut command = Command::new(self.path(program)?);
        command.args(program.subcommand()).current_dir(workspace::root());
        command.envs(stands_in().map(|folder| (STANDS_IN, folder)));
        Ok(command)
    }

    /// A command that runs `program` with these words and, behind them, what is for the record.
    pub fn told(&self, program: Program, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Command> {
        let mut command = self.command(program)?;
        command.args(words).args(program.provenance());
        Ok(command)
    }
}

/// Builds `program` and runs it with the words that follow the subcommand of xtask.
pub fn forward(program: Program) -> Result<ExitCode> {
    forward_to(&Programs::for_program(program)?, program)
}

/// The engines among these names that are programs of their own; all of them where none is named and `any` is meant.
pub fn foreign<'a>(names: &[String], any: bool) -> Vec<&'a str> {
    let wanted = |name: &str| names.iter().any(|asked| asked == name) || (any && name == "tract");
    [("tract", "tract-engine"), ("candle", "candle-engine")]
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(_, package)| package)
        .collect()
}

/// Runs `program`, one of those that were built, with the words that follow the subcommand of xtask.
pub fn forward_to(programs: &Programs, program: Program) -> Result<ExitCode> {
    let mut command = programs.told(program, std::env::args_os().skip(2))?;
    become_program(&mut command).with_context(|| format!("`{}` cannot be started", program.package()))
}

/// The program takes the place of xtask, so that a signal to one is a signal to the other.
#[cfg(unix)]
fn become_program(command: &mut Command) -> std::io::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn become_program(command: &mut Command) -> std::io::Result<ExitCode> {
    command.status().map(exit_code)
}

/// Fetches what the manifests of these names declare; whether it is all there.
pub fn fetch(names: &[&str]) -> Result<bool> {
    succeeds(Programs::for_program(Program::Fetch)?.command(Program::Fetch)?.args(names))
}

/// Runs a command to its end; whether it succeeded.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    Ok(run(command)?.success())
}

/// Runs a command, which ends with xtask, however that ends. When xtask is interrupted, so is the command, and it gets a moment.
///
/// # Errors
/// When it cannot be started, or somebody interrupts it or xtask.
pub fn run(command: &mut Command) -> Result<ExitStatus> {
    // xtask stays until the program has ended: were it gone at once, the system would kill the program before that has finished. How to
    // go on is told by the program, or by a pipeline that has said so before.
    interrupt::exit_in_turn("");
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = || format!("`{program}` cannot be started");
    let mut child = end_with_this(command).spawn().with_context(failed)?;
    while !interrupt::asked() {
        match child.try_wait()? {
            Some(status) if was_interrupted(status) => {
                // The same key reached both; xtask is about to hear of it.
                thread::sleep(2 * LOOK);
                interrupt::check()?;
                return Err(Interrupted.into());
            }
            Some(status) => return Ok(status),
            None => thread::sleep(LOOK),
        }
    }
    process::interrupt(&mut child);
    let started = Instant::now();
    while child.try_wait()?.is_none() && started.elapsed() < FAREWELL {
        thread::sleep(LOOK);
    }
    // That it has ended by itself is as good.
    let _ = child.kill();
    let _ = child.wait();
    Err(Interrupted.into())
}

/// Whether Ctrl-C ended a process.
fn was_interrupted(status: ExitStatus) -> bool {
    #[cfg(unix)]
    if std::os::unix::process::ExitStatusExt::signal(&status) == Some(INTERRUPT) {
        return true;
    }
    status.code() == Some(128 + INTERRUPT)
}

/// A program's own exit status, or failure if a signal ended it.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
