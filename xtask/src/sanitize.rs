//! `sanitize`: the `unsafe` code of the kernels under AddressSanitizer, and under Miri where it is installed.

use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;
use clap::Args;
use terminal::program::note;

use crate::programs::{exit_code, succeeds};
use crate::workspace;

/// Run the tests of the kernels under AddressSanitizer, and under Miri where that is installed.
///
/// AddressSanitizer sees each access outside an allocation, with the instructions of this processor. Miri interprets the portable
/// kernels and sees undefined behaviour of any kind. Nothing is installed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask sanitize
  cargo xtask sanitize -- convolution      only tests with this in their names

The exit status is 0 if AddressSanitizer found nothing, and neither did Miri where it is. Miri comes with a nightly toolchain:
  rustup toolchain install nightly --component miri")]
pub struct SanitizeArgs {
    /// Which tests, by parts of their names; all by default.
    #[arg(last = true)]
    filters: Vec<String>,
}

/// The crate with the kernels.
const KERNELS: &str = "flex-kernels";

/// A program whose dependencies have the features that they have in all programs. With it, Burn need not be compiled again.
const PROGRAM: &str = "candle-engine";

/// Where the tests of the kernels are.
const TESTS: &str = "suite";

/// Tells this program that cargo starts it in place of the compiler.
const COMPILER_VARIABLE: &str = "KILN_SANITIZED_COMPILER";

/// Runs both.
pub fn sanitize(arguments: &SanitizeArgs) -> Result<ExitCode> {
    note("== AddressSanitizer");
    if !succeeds(address(arguments)?.args(&arguments.filters))? {
        note("error: the tests failed under AddressSanitizer; the message above says where");
        return Ok(ExitCode::FAILURE);
    }
    note("== AddressSanitizer: nothing found");
    if !has_miri() {
        note("LEFT OUT: Miri is not installed; `rustup toolchain install nightly --component miri` brings it");
        return Ok(ExitCode::SUCCESS);
    }
    note("== Miri");
    if !succeeds(&mut miri())? {
        note("error: the tests failed under Miri; the message above says where");
        return Ok(ExitCode::FAILURE);
    }
    note("== Miri: nothing found");
    Ok(ExitCode::SUCCESS)
}

/// The kernels and their tests are compiled for the sanitizer, and nothing below them.
fn address(arguments: &SanitizeArgs) -> Result<Command> {
    let mut command = workspace::cargo();
    command.args(["test", "--release", "--package", KERNELS, "--package", PROGRAM, "--test", TESTS]);
    command.env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?).env(COMPILER_VARIABLE, "1");
    // What lives as long as the process is no leak.
    command.env("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=1");
    if !arguments.filters.is_empty() {
        command.arg("--");
    }
    Ok(command)
}

/// Whether cargo started this program in place of the compiler; then its exit status.
///
/// Every compiler has the sanitizer; only the option for it is kept from the stable one, but for this variable. Were that set for
/// cargo as a whole, everything would be compiled anew.
pub fn as_compiler() -> Option<ExitCode> {
    std::env::var_os(COMPILER_VARIABLE)?;
    let mut words = std::env::args_os().skip(1);
    let mut command = Command::new(words.next()?);
    let is_question = std::env::args().any(|word| word == "-vV" || word == "-");
    command.args(words).env("RUSTC_BOOTSTRAP", "1");
    if !is_question {
        command.arg("-Zsanitizer=address");
    }
    // Cargo shows what the compiler says, and notices when it is missing.
    Some(command.status().map_or(ExitCode::FAILURE, exit_code))
}

fn miri() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root());
    command.args(["+nightly", "miri", "test", "--package", KERNELS, "--test", TESTS, "--target-dir", "target/miri"]);
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation");
    command
}

fn has_miri() -> bool {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "miri", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
