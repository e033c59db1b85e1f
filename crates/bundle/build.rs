//! Asks cargo what the programs that make a model and its bundle are made of, for the bill of materials.
//!
//! Cargo itself tells it, from the lock file of this workspace, without the network. Where it cannot, as when this crate is built
//! without its workspace, the bill says that it does not know.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What trains, exports, and evaluates and bundles.
const PROGRAMS: [&str; 3] = ["train", "export", "infer"];

fn main() {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let workspace = package.ancestors().nth(2).unwrap_or(&package).to_owned();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", workspace.join("Cargo.lock").display());
    let tree = tree(&workspace).unwrap_or_else(|reason| {
        println!("cargo::warning=the bill of materials of bundles will not name crates: {}", reason.trim());
        String::new()
    });
    let place = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("crates.txt");
    if let Err(error) = std::fs::write(&place, tree) {
        println!("cargo::error={} cannot be written: {error}", place.display());
    }
}

/// A line for each crate, with its depth, its licence, and no path of this machine.
fn tree(workspace: &Path) -> Result<String, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["tree", "--quiet", "--offline", "--locked", "--edges=normal", "--prefix=depth", "--format={p}|{l}|"]);
    command.arg("--target").arg(std::env::var_os("TARGET").unwrap_or_default());
    command.args(PROGRAMS.iter().flat_map(|program| ["--package", program])).current_dir(workspace);
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let here = format!(" ({}", workspace.display());
    let portable = |line: &str| match line.split_once(here.as_str()) {
        Some((package, rest)) => format!("{package}{}", rest.split_once(')').map_or(rest, |(_, rest)| rest)),
        None => line.to_owned(),
    };
    Ok(text.lines().map(|line| portable(line) + "\n").collect())
}
