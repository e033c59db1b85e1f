//! The trainer that shares its work over MPI.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::programs::{Program, Programs};

/// What a machine needs that builds or runs it.
const NEEDS: &str =
    "install Open MPI (Debian: apt-get install openmpi-bin libopenmpi-dev libclang1-14), or leave out --mpi";

/// The variable in which bindgen, which reads MPI's headers, takes options for libclang.
const CLANG_ARGUMENTS: &str = "BINDGEN_EXTRA_CLANG_ARGS";

/// Builds it.
pub fn build() -> Result<Programs> {
    if let Err(error) = Command::new("mpicc").arg("--version").output() {
        bail!("--mpi needs the compiler of an MPI library, and mpicc cannot be started ({error}): {NEEDS}");
    }
    let given = std::env::var_os(CLANG_ARGUMENTS);
    let variables: Vec<_> = given.or_else(own_headers).map(|value| (CLANG_ARGUMENTS, value)).into_iter().collect();
    Programs::build_with(&["--package", "train", "--features", "mpi"], &variables)
}

/// Where GCC keeps `stddef.h`: libclang by itself has none.
fn own_headers() -> Option<OsString> {
    let output = Command::new("gcc").arg("-print-file-name=include").output().ok()?;
    Some(format!("-I{}", String::from_utf8(output.stdout).ok()?.trim_end()).into())
}

/// Sees that the program starts here: a library that is missing keeps it from saying so itself.
pub fn starts(programs: &Programs) -> Result<()> {
    let output = Command::new(programs.path(Program::Train)?).arg("--version").output();
    let output = output.context("the program that --mpi needs cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said.lines().find(|line| !line.is_empty()).unwrap_or("it gives no reason");
        bail!("the program that --mpi needs does not start on this machine ({reason}): {NEEDS}");
    }
    Ok(())
}
