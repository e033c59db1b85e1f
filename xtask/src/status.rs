//! `status`: what `run` would do, and why.

use std::process::ExitCode;

use anyhow::Result;
use artifact::pipeline::Lock;
use clap::Args;
use serde_json::json;
use terminal::program::{print, print_line};

use crate::run::{LOCK_FILE, Pipeline, assess, sentence};
use crate::stages::Plan;
use crate::workspace;

/// Show which stages are stale, and why.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask status
  cargo xtask status --epochs 3            what another recipe would run
  cargo xtask status --json

The options are those of `run`, so that status tells what the same `run` would do.")]
pub struct StatusArgs {
    #[command(flatten)]
    pipeline: Pipeline,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Shows the state of every stage; changes nothing.
pub fn status(arguments: &StatusArgs) -> Result<ExitCode> {
    let Pipeline { network, artifacts, .. } = &arguments.pipeline;
    let root = workspace::root();
    let lock = Lock::read(root.join(artifacts).join(LOCK_FILE))?;
    let tasks = Plan::new(&arguments.pipeline, arguments.pipeline.fine_tunes()?)?.tasks(*network);
    let all = assess(&lock, &root, &tasks)?;
    if arguments.json {
        let rows: Vec<_> = tasks
            .iter()
            .zip(&all)
            .map(|(task, reasons)| json!({"stage": task.stage.name, "stale": !reasons.is_empty(), "reasons": reasons}))
            .collect();
        print(serde_json::to_string_pretty(&rows)? + "\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = tasks.iter().map(|task| task.stage.name.len()).max().unwrap_or_default();
    for (task, reasons) in tasks.iter().zip(&all) {
        let name = &task.stage.name;
        match reasons.is_empty() {
            true => print_line(format_args!("{name:width$}  up to date"))?,
            false => print_line(format_args!("{name:width$}  stale: {}", sentence(reasons)))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}
