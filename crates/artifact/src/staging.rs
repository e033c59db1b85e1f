//! Where outputs are made before they take their place.
//!
//! A staging folder is a neighbour of the target, `.name.<random>.partial`. It holds a mark with a known text, on which the
//! writer keeps a lock for as long as it lives. What a killed process left is told from a user's own files by that mark, or by there
//! being nothing else, never by its name alone, and is removed by the next writer of the same target.

use std::fs::{self, File, TryLockError};
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

/// How often a folder is made anew that others take away.
const ATTEMPTS: usize = 16;

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
        for _ in 0..ATTEMPTS {
            let (folder, temporary) = Temporary::make(make, TempDir::path).map_err(FileError::new("create", target))?;
            if let Some(lock) = mark(folder.path()).map_err(FileError::new("create", target))? {
                return Ok(Self { folder, _lock: lock, _temporary: temporary });
            }
        }
        Err(FileError::new("create", target)(io::Error::other("other programs remove what is begun beside it")))
    }

    /// The place of `name` in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Marks a folder and locks the mark. `None` if another writer took the folder for an abandoned one before it was locked.
fn mark(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join(MARK);
    let mut lock = match File::create_new(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        made => made?,
    };
    // A file system without locks only loses the sweeping.
    if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) || !path.exists() {
        return Ok(None);
    }
    lock.write_all(TEXT.as_bytes())?;
    Ok(Some(lock))
}

/// Removes what killed writers of `target` left beside it.
pub fn sweep(target: impl AsRef<Path>) {
    let Ok(Place { parent, prefix }) = Place::of(target.as_ref()) else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(PARTIAL) {
            // Failing to is no reason not to write.
            let _ = clear(&entry.path());
        }
    }
}

/// Removes a staging folder whose writer is gone, however far that came; nothing else.
fn clear(folder: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Ok(());
    }
    // An empty folder holds nothing of anybody's.
    if fs::remove_dir(folder).is_ok() {
        return Ok(());
    }
    let mark = folder.join(MARK);
    if !fs::symlink_metadata(&mark)?.is_file() {
        return Ok(());
    }
    let file = File::open(mark)?;
    let mut text = String::new();
    (&file).take(TEXT.len() as u64 + 1).read_to_string(&mut text)?;
    // A mark that is not whole is ours if nothing else is there yet.
    let is_ours = text == TEXT || (TEXT.starts_with(&text) && fs::read_dir(folder)?.count() == 1);
    if is_ours && file.try_lock().is_ok() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
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
        // Killed before the mark was there, and before it was whole.
        fs::create_dir(path(".model.empty0.partial")).unwrap();
        for (name, text) in [(".model.begun0.partial", ""), (".model.begun1.partial", "Kiln makes")] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join(MARK), text).unwrap();
        }
        fs::create_dir(path(".model.begun2.partial")).unwrap();
        fs::write(path(".model.begun2.partial").join(MARK), "").unwrap();
        fs::write(path(".model.begun2.partial/thesis"), "thesis").unwrap();
        // A clock that was set back leaves files of the future.
        let future = std::time::SystemTime::now() + std::time::Duration::from_secs(1 << 20);
        File::open(path(".model.Zz9Yy8.partial").join(MARK)).and_then(|file| file.set_modified(future)).unwrap();

        sweep(path("model"));
        for name in [".model.Zz9Yy8.partial", ".model.empty0.partial", ".model.begun0.partial", ".model.begun1.partial"]
        {
            assert!(!path(name).exists(), "{name}");
        }
        assert!(path(".other.Zz9Yy8.partial").exists());
        for name in [
            ".model.a1B2c3.partial",
            ".model.thesis.partial/thesis",
            ".model.marked.partial",
            ".model.begun2.partial/thesis",
        ] {
            assert!(path(name).exists(), "{name}");
        }
        assert!(alive.path(MARK).exists());
    }
}
