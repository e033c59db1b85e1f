//! `sanitize`: the `unsafe` code of the kernels under AddressSanitizer, and under Miri where it is installed.

use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;
use clap::Args;
use terminal::program::note;

use crate::programs::succeeds;
use crate::workspace::{self, host};

/// Run the tests of the kernels under AddressSanitizer, and under Miri where that is installed.
///
/// AddressSanitizer sees each access outside an allocation, with the instructions of this processor. Miri interprets the portable
/// kernels and sees undefined behaviour of any kind. The first takes minutes, for Burn is compiled again; nothing is installed.
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

/// Modules that do without Burn, for the interpreter.
const INTERPRETED: [&str; 1] = ["simd"];

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

/// The sanitizer is part of every compiler, and only its option is kept from the stable one. With a target of its own, the programs
/// that run while compiling are spared.
fn address(arguments: &SanitizeArgs) -> Result<Command> {
    let mut command = workspace::cargo();
    command.args([
        "test",
        "--package",
        KERNELS,
        "--lib",
        "--tests",
        "--target-dir",
        "target/sanitize",
        "--target",
        &host()?,
    ]);
    command.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address").env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    // What lives as long as the process is no leak.
    command.env("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=1");
    if !arguments.filters.is_empty() {
        command.arg("--");
    }
    Ok(command)
}

fn miri() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(workspace::root());
    command.args(["+nightly", "miri", "test", "--package", KERNELS, "--lib", "--target-dir", "target/miri", "--"]);
    command.args(INTERPRETED).env("MIRIFLAGS", "-Zmiri-disable-isolation");
    command
}

fn has_miri() -> bool {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "miri", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
