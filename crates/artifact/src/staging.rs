//! Where outputs are made before they take their place.
//!
//! A staging folder is a neighbour of the target, `.name.<random>.partial`. It holds a mark with a known text, on which the
//! writer keeps a lock for as long as it lives. What a killed process left is told from a user's own files by that mark, never by
//! its name, and is removed by the next writer of the same target.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::FileError;
use crate::interrupt::Temporary;

/// The ending of every staging folder.
const PARTIAL: &str = ".partial";

/// The file that marks a staging folder.
const MARK: &str = ".kiln-staging";

/// The content of the mark.
const TEXT: &str = "Kiln makes a file or folder here and holds a lock on this file meanwhile.\n";

/// A folder beside the target, on the same file system; removed with all that is in it when dropped.
pub(crate) struct Staging {
    folder: TempDir,
    /// Tells other writers that this folder is in use.
    _lock: File,
    /// Has it removed when the process is interrupted.
    _temporary: Temporary,
}

impl Staging {
    /// A staging folder for `target`. Missing parent folders are made; what killed writers of `target` left is removed.
    pub(crate) fn beside(target: &Path) -> Result<Self, FileError> {
        let Place { parent, prefix } = Place::of(target)?;
        fs::create_dir_all(&parent).map_err(FileError::new("create", &parent))?;
        sweep(target);
        let make = || tempfile::Builder::new().prefix(&prefix).suffix(PARTIAL).tempdir_in(&parent);
        let (folder, temporary) = Temporary::make(make, TempDir::path).map_err(FileError::new("create", target))?;
        let mut lock = File::create_new(folder.path().join(MARK)).map_err(FileError::new("create", target))?;
        // Never contended: the name is new. A file system without locks only loses the sweeping. The text comes after the
        // lock, so that a folder with a whole mark and no lock is one whose writer is gone.
        let _ = lock.try_lock();
        lock.write_all(TEXT.as_bytes()).map_err(FileError::new("create", target))?;
        Ok(Self { folder, _lock: lock, _temporary: temporary })
    }

    /// The place of `name` in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Removes what killed writers of `target` left beside it.
pub fn sweep(target: impl AsRef<Path>) {
    let Ok(Place { parent, prefix }) = Place::of(target.as_ref()) else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(PARTIAL) && is_abandoned(&entry.path()) {
            // Failing to is no reason not to write.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether this is a staging folder whose writer is gone.
fn is_abandoned(folder: &Path) -> bool {
    let is_real =
        |path: &Path, kind: fn(&fs::Metadata) -> bool| fs::symlink_metadata(path).is_ok_and(|about| kind(&about));
    let mark = folder.join(MARK);
    if !is_real(folder, fs::Metadata::is_dir) || !is_real(&mark, fs::Metadata::is_file) {
        return false;
    }
    let Ok(file) = File::open(mark) else { return false };
    let mut text = String::new();
    let read = (&file).take(TEXT.len() as u64 + 1).read_to_string(&mut text);
    read.is_ok() && text == TEXT && file.try_lock().is_ok()
}

/// Where the staging folders of a target go, and how they are named.
struct Place {
    parent: PathBuf,
    prefix: String,
}

impl Place {
    fn of(target: &Path) -> Result<Self, FileError> {
        let Some(name) = target.file_name() else {
            let no_name = io::Error::new(io::ErrorKind::InvalidInput, "the path ends in no file name");
            return Err(FileError::new("create", target)(no_name));
        };
        Ok(Self { parent: parent(target).to_owned(), prefix: format!(".{}.", name.to_string_lossy()) })
    }
}

/// The folder that a path lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a writer leaves that is killed: everything but the lock.
    fn abandoned(folder: &Path) {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join(MARK), TEXT).unwrap();
        fs::write(folder.join("half"), "half").unwrap();
    }

    #[test]
    fn only_what_a_killed_writer_left_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        // Their own files and folders, under names that look like ours.
        fs::write(path(".model.a1B2c3.partial"), "thesis").unwrap();
        fs::create_dir(path(".model.thesis.partial")).unwrap();
        fs::write(path(".model.thesis.partial/thesis"), "thesis").unwrap();
        fs::create_dir(path(".model.marked.partial")).unwrap();
        fs::write(path(".model.marked.partial").join(MARK), "another text").unwrap();
        let alive = Staging::beside(&path("model")).unwrap();
        abandoned(&path(".model.Zz9Yy8.partial"));
        abandoned(&path(".other.Zz9Yy8.partial"));
        // A clock that was set back leaves files of the future.
        let future = std::time::SystemTime::now() + std::time::Duration::from_secs(1 << 20);
        File::open(path(".model.Zz9Yy8.partial").join(MARK)).and_then(|file| file.set_modified(future)).unwrap();

        sweep(path("model"));
        assert!(!path(".model.Zz9Yy8.partial").exists());
        assert!(path(".other.Zz9Yy8.partial").exists());
        for name in [".model.a1B2c3.partial", ".model.thesis.partial/thesis", ".model.marked.partial"] {
            assert!(path(name).exists(), "{name}");
        }
        assert!(alive.path(MARK).exists());
    }
}
