//! A file of a data set at its place: whether it is what it should be, and how it comes to be there.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use artifact::{AtomicFile, Digest, FileError, Hasher, interrupt, sha256_file};

use crate::record::Record;
use crate::sources::{Observer, SourceError};
use artifact::manifest::FileEntry;

/// Whether the file at `path` is what `entry` says.
pub(crate) fn is_whole(path: &Path, entry: &FileEntry) -> Result<bool, FileError> {
    match fs::metadata(path) {
        Ok(metadata) if entry.bytes.is_some_and(|bytes| bytes != metadata.len()) => Ok(false),
        Ok(_) => entry.sha256.map_or(Ok(true), |sha256| Ok(sha256_file(path)? == sha256)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::new("read", path)(error)),
    }
}

/// Copies `content` to its place, if it is what `entry` says; its size and SHA-256. Never reads more than it should have.
/// `announced` is the size by the source's own word.
pub(crate) fn store(
    entry: &FileEntry,
    folder: &Path,
    content: impl Read,
    announced: Option<u64>,
    observer: &mut dyn Observer,
) -> Result<(u64, Digest), SourceError> {
    let expected = entry.bytes.or(announced);
    let most = expected.unwrap_or(u64::MAX).min(entry.most_bytes());
    let mut content = content.take(most.saturating_add(1));
    let mut file = AtomicFile::create(folder.join(&entry.name))?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        interrupt::check()?;
        let count = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(SourceError::Read { name: entry.source_name().to_owned(), source }),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        hasher.update(bytes);
        file.write_all(bytes).map_err(FileError::new("write", folder.join(&entry.name)))?;
        total += count as u64;
        observer.progress(&entry.name, total, expected);
    }
    let mismatch = |expected: String, found: String| {
        Err(SourceError::Mismatch { name: entry.source_name().to_owned(), expected, found })
    };
    if total > most {
        return mismatch(format!("{most} bytes"), format!("more than {most} bytes"));
    }
    if let Some(expected) = expected.filter(|expected| *expected != total) {
        return mismatch(format!("{expected} bytes"), format!("{total} bytes"));
    }
    let digest = hasher.finish();
    if let Some(expected) = entry.sha256.filter(|expected| *expected != digest) {
        return mismatch(format!("SHA-256 {expected}"), format!("SHA-256 {digest}"));
    }
    if entry.executable {
        make_executable(file.partial_path())?;
    }
    file.commit()?;
    Ok((total, digest))
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(FileError::new("make executable", path))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<(), FileError> {
    Ok(())
}

/// Records what came of a file that nothing is stated of.
pub(crate) fn keep_record(
    record: &mut Record,
    entry: &FileEntry,
    bytes: u64,
    sha256: Digest,
    observer: &mut dyn Observer,
) -> Result<(), FileError> {
    if entry.sha256.is_none() {
        record.add(&entry.name, bytes, sha256)?;
        observer.recorded(&entry.name, sha256);
    }
    Ok(())
}
