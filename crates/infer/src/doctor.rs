//! `infer doctor`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use cli::doctor::DoctorArgs;
use engines::doctor::examine;
use engines::libraries::Libraries;
use engines::worker::remote::Launcher;

/// Examines this machine and prints what it found. The exit status says whether the plain CPU provider works.
pub fn execute(arguments: &DoctorArgs) -> Result<ExitCode> {
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    let mut libraries = Libraries::find(&arguments.datasets, launcher)?;
    let diagnosis = examine(&mut libraries);
    match arguments.json {
        true => crate::print(serde_json::to_string_pretty(&diagnosis)? + "\n")?,
        false => crate::print(diagnosis.text())?,
    }
    Ok(if diagnosis.healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
