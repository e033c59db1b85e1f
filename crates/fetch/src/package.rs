//! Archives that package managers bring. Nothing in a package is run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use artifact::{Digest, FileError, sha256_file};

use crate::sources::SourceError;

/// An archive that a package manager brought, in a folder that goes with it.
pub(crate) struct Download {
    pub(crate) path: PathBuf,
    _folder: tempfile::TempDir,
}

pub(crate) fn npm(package: &str, version: &str, sha256: Digest) -> Result<Download, SourceError> {
    let specifier = format!("{package}@{version}");
    download(sha256, "tgz", "npm", |folder| {
        let mut command = Command::new("npm");
        command
            .args([
                "pack",
                "--silent",
                "--ignore-scripts",
                "--fetch-retries=1",
                "--fetch-retry-mintimeout=1000",
                &specifier,
            ])
            .current_dir(folder);
        command
    })
}

/// With an `index`, that one is asked instead of pip's own.
pub(crate) fn wheel(
    package: &str,
    version: &str,
    sha256: Digest,
    tag: &str,
    index: Option<&str>,
) -> Result<Download, SourceError> {
    let requirement = format!("{package}=={version} --hash=sha256:{sha256}\n");
    let command = |program: &'static str, leading: &[&str], folder: &Path| {
        let mut command = Command::new(program);
        command.args(leading).args(["download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
        command.args(["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312", "--platform", tag]);
        command.args([
            "--disable-pip-version-check",
            "--retries",
            "1",
            "--requirement",
            "requirements.txt",
            "--dest",
            ".",
        ]);
        command.args(index.into_iter().flat_map(|index| ["--index-url", index]));
        command.current_dir(folder);
        command
    };
    let prepare = |program: &'static str, leading: &'static [&'static str]| {
        download(sha256, "whl", program, |folder| {
            // A failure shows as pip's own complaint that the file is not there.
            let _ = fs::write(folder.join("requirements.txt"), &requirement);
            command(program, leading, folder)
        })
    };
    match prepare("pip", &[]) {
        Err(SourceError::Start { .. }) => prepare("python3", &["-m", "pip"]),
        result => result,
    }
}

/// Runs a package manager in a fresh folder and verifies the one archive that it leaves there.
fn download(
    sha256: Digest,
    ending: &str,
    program: &'static str,
    command: impl FnOnce(&Path) -> Command,
) -> Result<Download, SourceError> {
    let folder = tempfile::tempdir().map_err(FileError::new("create", std::env::temp_dir()))?;
    let output = command(folder.path())
        .stdin(Stdio::null())
        .output()
        .map_err(|source| SourceError::Start { program, source })?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(SourceError::Client { program, message: complaint(&text).to_owned() });
    }
    let entries = fs::read_dir(folder.path()).map_err(FileError::new("read", folder.path()))?;
    let path = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|found| found == ending))
        .ok_or_else(|| SourceError::Client { program, message: "it left no archive".to_owned() })?;
    let found = sha256_file(&path)?;
    if found != sha256 {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (expected, found) = (format!("SHA-256 {sha256}"), format!("SHA-256 {found}"));
        return Err(SourceError::Mismatch { name, expected, found });
    }
    Ok(Download { path, _folder: folder })
}

/// The first line of what a package manager complained about. Where pip wraps the cause of a lost connection into names of
/// Python's objects, the cause alone.
fn complaint(text: &str) -> &str {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it gave no reason");
    match line.split_once(" connection broken by ").and_then(|(_, wrapped)| wrapped.split_once(">: ")) {
        Some((_, cause)) => cause.split_once("')'").map_or(cause, |(cause, _)| cause),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What pip 23.2 prints without a network, and when it has no such version.
    #[test]
    fn a_complaint_is_told_without_the_objects_of_python() {
        let lost = "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection \
                    broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f1>: Failed to \
                    establish a new connection: [Errno -2] Name or service not known')': /one/\nERROR: No matching one\n";
        assert_eq!(complaint(lost), "Failed to establish a new connection: [Errno -2] Name or service not known");
        assert_eq!(complaint("\nERROR: No matching one\n"), "ERROR: No matching one");
        assert_eq!(complaint(""), "it gave no reason");
    }
}
