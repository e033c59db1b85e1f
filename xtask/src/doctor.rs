//! `doctor`: what the program `infer` finds, and the devices of training, which other programs know.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::ValueEnum;
use cli::doctor::DoctorArgs;
use cli::train::Device;
use serde::Serialize;
use serde_json::{Value, json};
use terminal::program::{print, print_line};
use terminal::table::Table;

use crate::programs::{Program, Programs, exit_code};
use crate::workspace;

/// A device of training.
#[derive(Debug, Serialize)]
struct Trainer {
    device: String,
    works: bool,
    /// Why it does not, or what to do to find out.
    remark: String,
}

/// Shows what works on this machine.
///
/// # Errors
/// When a program cannot be built or started.
pub fn doctor(arguments: &DoctorArgs) -> Result<ExitCode> {
    let mut command = Programs::for_program(Program::Doctor)?.told(Program::Doctor, std::env::args_os().skip(2))?;
    if !arguments.json {
        let status = command.status().context("`infer` cannot be started")?;
        let mut table = Table::left(["device of train", "works", "remark"]);
        for Trainer { device, works, remark } in trainers()? {
            table.row([device, if works { "yes" } else { "no" }.to_owned(), remark]);
        }
        print_line("")?;
        print(table.render())?;
        return Ok(exit_code(status));
    }
    let output = command.stderr(Stdio::inherit()).output().context("`infer` cannot be started")?;
    let mut found: Value = serde_json::from_slice(&output.stdout).context("`infer doctor` gave no JSON")?;
    if let Some(found) = found.as_object_mut() {
        found.insert("training".to_owned(), json!(trainers()?));
    }
    print(serde_json::to_string_pretty(&found)? + "\n")?;
    Ok(exit_code(output.status))
}

fn trainers() -> Result<Vec<Trainer>> {
    Device::value_variants().iter().map(|&device| trainer(device)).collect()
}

fn trainer(device: Device) -> Result<Trainer> {
    let name = device.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let Some(feature) = device.feature() else {
        return Ok(Trainer { device: name, works: true, remark: "the CPU, in every build".to_owned() });
    };
    let program = built(feature);
    if !program.is_file() {
        let remark =
            format!("its program is not built: `cargo xtask train --device {name} --probe` builds it and tells");
        return Ok(Trainer { device: name, works: false, remark });
    }
    let mut probe = Command::new(program);
    probe.args(["--device", &name, "--probe"]).current_dir(workspace::root());
    let output = probe.output().context("the program of a device cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let remark = said.trim().trim_start_matches("error: ").to_owned();
    Ok(Trainer { device: name, works: output.status.success(), remark })
}

/// Where the trainer with a Cargo feature lies, if it was built.
fn built(feature: &str) -> PathBuf {
    let name = format!("train{}", std::env::consts::EXE_SUFFIX);
    workspace::root().join("target").join(feature).join("release").join(name)
}
