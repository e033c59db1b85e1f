//! Archives that package managers bring. Nothing in a package is run.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use artifact::interrupt::{self, Interrupted, TemporaryFolder};
use artifact::process::end_with_this;
use artifact::{Digest, FileError, sha256_file};

use crate::patience::Patience;
use crate::sources::SourceError;

/// The folder, in that of a download, for what a package manager has not finished.
const TEMPORARY: &str = "temporary";

/// The time from one look at a package manager to the next.
const LOOK: Duration = Duration::from_millis(50);

/// The bytes of complaints that are kept.
const WORDS: u64 = 1 << 16;

/// An archive that a package manager brought, in a folder that goes with it.
pub(crate) struct Download {
    pub(crate) path: PathBuf,
    _folder: TemporaryFolder,
}

pub(crate) fn npm(package: &str, version: &str, sha256: Digest, patience: &Patience) -> Result<Download, SourceError> {
    let specifier = format!("{package}@{version}");
    download(sha256, "tgz", "npm", patience, |folder| {
        let mut command = Command::new("npm");
        command.args(["pack", "--silent", "--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]);
        // What it has brought so far shows there.
        command.arg("--cache").arg(folder.join(TEMPORARY)).arg(&specifier);
        command
    })
}

/// With an `index`, that one is asked instead of pip's own.
pub(crate) fn wheel(
    package: &str,
    version: &str,
    sha256: Digest,
    (tag, index): (&str, Option<&str>),
    patience: &Patience,
) -> Result<Download, SourceError> {
    let requirement = format!("{package}=={version} --hash=sha256:{sha256}\n");
    let prepare = |program: &'static str, leading: &'static [&'static str]| {
        download(sha256, "whl", program, patience, |folder| {
            // A failure shows as pip's own complaint that the file is not there.
            let _ = fs::write(folder.join("requirements.txt"), &requirement);
            let mut command = Command::new(program);
            command.args(leading).args(["download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
            command.args(["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312", "--platform", tag]);
            command.args(["--disable-pip-version-check", "--retries", "1"]);
            command.args(["--requirement", "requirements.txt", "--dest", "."]);
            command.args(index.into_iter().flat_map(|index| ["--index-url", index]));
            command
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
    patience: &Patience,
    command: impl FnOnce(&Path) -> Command,
) -> Result<Download, SourceError> {
    let folder = TemporaryFolder::new()?;
    let temporary = folder.path().join(TEMPORARY);
    fs::create_dir(&temporary).map_err(FileError::new("create", &temporary))?;
    let mut command = command(folder.path());
    run(command.current_dir(folder.path()).env("TMPDIR", temporary), program, folder.path(), patience)?;
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

/// Runs a package manager until it ends, or until `folder` has not grown for too long.
fn run(command: &mut Command, program: &'static str, folder: &Path, patience: &Patience) -> Result<(), SourceError> {
    let failed = |source| SourceError::Start { program, source };
    let mut child = end_with_this(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let errors = child.stderr.take();
    let complaints = thread::spawn(move || errors.map(first_words).unwrap_or_default());
    let (mut size, mut grown) = (0, Instant::now());
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        thread::sleep(LOOK);
        if interrupt::asked() {
            stop(&mut child);
            return Err(Interrupted.into());
        }
        let now = size_below(folder);
        if now != size {
            (size, grown) = (now, Instant::now());
        }
        if grown.elapsed() > patience.idle_client {
            stop(&mut child);
            let message = format!("it brought nothing for {} s", patience.idle_client.as_secs_f64());
            return Err(SourceError::Client { program, message });
        }
    };
    if status.success() {
        return Ok(());
    }
    let words = complaints.join().unwrap_or_default();
    Err(SourceError::Client { program, message: complaint(&words).to_owned() })
}

/// Ends a package manager. That it has ended by itself is as good.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The bytes of all files below a folder. What vanishes meanwhile counts nothing.
fn size_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => size_below(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The beginning of what is printed; the rest is read as well, so that nobody waits for a reader.
fn first_words(mut errors: impl Read) -> String {
    let mut words = Vec::new();
    // A pipe that breaks ends the words.
    let _ = errors.by_ref().take(WORDS).read_to_end(&mut words);
    let _ = io::copy(&mut errors, &mut io::sink());
    String::from_utf8_lossy(&words).into_owned()
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
