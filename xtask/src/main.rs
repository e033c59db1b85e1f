//! The command line of the workspace: `cargo xtask …`.
//!
//! xtask explains and checks every option, builds the release programs, and starts them with the user's own words. It
//! never depends on Burn, ort or candle, so that it compiles in seconds.

mod bench;
mod chaos;
mod code;
mod doctor;
mod fuzz;
mod mpi;
mod native;
mod programs;
mod public;
mod quantize;
mod run;
mod sanitize;
mod scale;
mod stages;
mod status;
mod test;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use cli::bundle::BundleArgs;
use cli::doctor::DoctorArgs;
use cli::eval::EvalArgs;
use cli::export::ExportArgs;
use cli::fetch::FetchArgs;
use cli::inspect::InspectArgs;
use cli::predict::PredictArgs;
use cli::quantize::QuantizeArgs;
use cli::report::ReportArgs;
use cli::samples::SamplesArgs;
use cli::train::TrainArgs;
use terminal::program::{note, print_line};

use crate::programs::{Program, Programs, exit_code};

/// From training to deployment: train in Burn, export to ONNX, validate and time under ONNX Runtime.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
#[command(after_help = "\
Examples:
  cargo xtask run            everything: data, training, export, evaluation; only what is stale
  cargo xtask predict mnist --index 100
  cargo xtask test           every test and lint

A relative path is looked for where you stand, then at the workspace's root.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::RunArgs),
    Status(status::StatusArgs),
    Fetch(FetchArgs),
    Train(TrainArgs),
    Export(ExportArgs),
    Eval(Box<EvalArgs>),
    Predict(PredictArgs),
    Doctor(DoctorArgs),
    Report(ReportArgs),
    Bundle(BundleArgs),
    Inspect(InspectArgs),
    Samples(SamplesArgs),
    Quantize(Box<QuantizeArgs>),
    Test(test::TestArgs),
    Bench(bench::BenchArgs),
    Chaos(chaos::ChaosArgs),
    Fuzz(fuzz::FuzzArgs),
    Sanitize(sanitize::SanitizeArgs),
    Scale(scale::ScaleArgs),
}

fn main() -> ExitCode {
    if let Some(status) = sanitize::as_compiler() {
        return status;
    }
    if let Ok(folder) = std::env::current_dir() {
        cli::path::stands_in_folder(folder);
    }
    if let Err(error) = std::env::set_current_dir(workspace::root()) {
        note(format_args!("{} cannot be entered: {error}", workspace::root().display()));
        return ExitCode::FAILURE;
    }
    terminal::program::end(dispatch(Arguments::parse().command))
}

fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Chaos(arguments) => chaos::chaos(&arguments),
        Command::Fuzz(arguments) => fuzz::fuzz(&arguments),
        Command::Sanitize(arguments) => sanitize::sanitize(&arguments),
        Command::Scale(arguments) => scale::scale(&arguments),
        Command::Fetch(_) => programs::forward(Program::Fetch),
        Command::Train(arguments) => {
            let trained = arguments.trained();
            if !public::before_train(&trained)? {
                return Ok(ExitCode::FAILURE);
            }
            let programs = Programs::for_training(trained.common(), trained.run().mpi)?;
            if trained.run().mpi {
                mpi::starts(&programs)?;
            }
            programs::forward_to(&programs, Program::Train)
        }
        Command::Export(arguments) => {
            if !public::before_export(&arguments)? {
                return Ok(ExitCode::FAILURE);
            }
            programs::forward(Program::Export)
        }
        Command::Eval(arguments) => eval(&arguments),
        Command::Predict(arguments) => {
            if !public::before_predict(&arguments)? {
                return Ok(ExitCode::FAILURE);
            }
            let engines = programs::foreign(&arguments.engines.names, false);
            programs::forward_to(&Programs::for_programs(&[Program::Predict], &engines)?, Program::Predict)
        }
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Report(_) => programs::forward(Program::Report),
        Command::Bundle(_) => programs::forward(Program::Bundle),
        Command::Inspect(_) => programs::forward(Program::Inspect),
        Command::Samples(_) => programs::forward(Program::Samples),
        Command::Quantize(arguments) => quantize::quantize(&arguments),
    }
}

/// Evaluates, and writes the page over all networks anew if there is another evaluation where that looks for them.
fn eval(arguments: &EvalArgs) -> Result<ExitCode> {
    let asked = &arguments.measure.engines;
    let any = arguments.network.is_none() && asked.engines.is_empty() && asked.providers.is_empty();
    let engines = programs::foreign(&asked.engines, any);
    let programs = Programs::for_programs(&[Program::Eval, Program::Report], &engines)?;
    let mut command = programs.command(Program::Eval)?;
    let before = evaluations();
    let status = command.args(std::env::args_os().skip(2)).status().context("`infer` cannot be started")?;
    if evaluations() != before && !arguments.measure.json {
        // The evaluation stands by itself: that there is no page is told, and no more.
        if !programs::succeeds(programs.command(Program::Report)?.stdout(std::process::Stdio::null()))? {
            note("Note: the page over all networks was not written; `cargo xtask report` does it.");
        } else {
            print_line(format_args!("All networks: {}/report/index.html", catalogue::ARTIFACTS))?;
        }
    }
    Ok(exit_code(status))
}

/// The evaluations that the page over all networks is made of, each with the time of its last change.
fn evaluations() -> Vec<(PathBuf, Option<SystemTime>)> {
    let files = stages::evaluations(Path::new(catalogue::ARTIFACTS)).into_values();
    let changed = |path: &Path| workspace::root().join(path).metadata().and_then(|about| about.modified()).ok();
    files.map(|path| (path.clone(), changed(&path))).collect()
}
