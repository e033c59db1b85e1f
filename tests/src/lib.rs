//! What the end-to-end tests share: the workspace, its programs, and what they printed.

pub mod import;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder that holds everything.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// A release program of the workspace, started at its root.
///
/// # Panics
/// When it was not built.
pub fn program(name: &str) -> Command {
    let path = executable(name);
    assert!(path.is_file(), "{} is not there: `cargo xtask test` builds it before the tests", path.display());
    let mut command = Command::new(path);
    command.current_dir(root());
    command
}

/// Test programs lie in `deps`, beside which cargo puts the binaries of the same profile.
fn executable(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap_or_default();
    let folder = this.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether the exit status was zero.
    pub succeeded: bool,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command) -> Ended {
    match command.output() {
        Ok(Output { status, stdout, stderr }) => Ended {
            succeeded: status.success(),
            output: String::from_utf8_lossy(&stdout).into_owned(),
            errors: String::from_utf8_lossy(&stderr).into_owned(),
        },
        Err(error) => panic!("{} cannot be started: {error}", command.get_program().to_string_lossy()),
    }
}

/// Runs a command that must succeed; returns its standard output.
///
/// # Panics
/// When it fails.
pub fn succeed(command: &mut Command) -> String {
    let ended = run(command);
    assert!(ended.succeeded, "{command:?} failed:\n{}{}", ended.output, ended.errors);
    ended.output
}

/// Runs a command that must fail; returns its standard error.
///
/// # Panics
/// When it succeeds.
pub fn fail(command: &mut Command) -> String {
    let ended = run(command);
    assert!(!ended.succeeded, "{command:?} succeeded:\n{}{}", ended.output, ended.errors);
    ended.errors
}
