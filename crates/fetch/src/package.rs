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

pub(crate) fn wheel(package: &str, version: &str, sha256: Digest, tag: &str) -> Result<Download, SourceError> {
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
        let message = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason").to_owned();
        return Err(SourceError::Client { program, message });
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
