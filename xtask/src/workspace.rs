//! The workspace on this machine.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use artifact::process::end_with_this;

/// The folder that holds everything.
pub fn root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().map(PathBuf::from).unwrap_or(package)
}

/// `cargo`, at the workspace's root: the one that started xtask.
///
/// It is not told about xtask's own package, as cargo tells whatever it runs: build scripts of dependencies look at such
/// variables, and would run again each time that somebody built with and without xtask in turn. It ends with xtask.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        // Nor that unstable options are allowed, as tests in random order are told.
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "RUSTC_BOOTSTRAP" {
            command.env_remove(&name);
        }
    }
    command.current_dir(root());
    end_with_this(&mut command);
    command
}

/// The kind of machine that the compiler runs on, by its own name: `x86_64-unknown-linux-gnu`.
pub fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").current_dir(root()).output().context("rustc cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what it runs on")
}

/// The revision of the code, with `-dirty` if it was edited since; nothing outside a git checkout.
pub fn revision() -> Option<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
