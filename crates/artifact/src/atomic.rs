//! Files and folders that appear whole or not at all.
//!
//! What is written goes to a temporary neighbour of the target (`.name.<random>.partial`), is synced and then renamed.
//! Dropping the writer without [`AtomicFile::commit`] removes the neighbour and leaves the target as it was. A neighbour
//! that a killed process left is removed by the next writer of the same target: a live writer holds a lock on its own.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

use crate::FileError;

/// The ending of every temporary neighbour.
const PARTIAL: &str = ".partial";

/// A neighbour younger than this may belong to a writer that has not taken its lock yet.
const SETTLED: Duration = Duration::from_secs(10);

/// A file under construction; buffered.
pub struct AtomicFile {
    writer: BufWriter<NamedTempFile>,
    target: PathBuf,
}

impl AtomicFile {
    /// Starts a file that [`commit`](Self::commit) will put at `target`. Missing parent folders are made.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn create(target: impl AsRef<Path>) -> Result<Self, FileError> {
        let target = target.as_ref().to_path_buf();
        let place = Neighbour::of(&target)?;
        place.sweep(SETTLED);
        let file = place.builder(0o666).tempfile_in(&place.folder).map_err(FileError::new("create", &target))?;
        // Never contended: the name is new. A file system without locks only loses the sweeping.
        let _ = file.as_file().try_lock();
        Ok(Self { writer: BufWriter::with_capacity(1 << 18, file), target })
    }

    /// Where the file will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where the bytes are for now. What has been written is there only after a [`flush`](Write::flush).
    pub fn partial_path(&self) -> &Path {
        self.writer.get_ref().path()
    }

    /// Syncs the bytes and puts the file at its target, in place of what was there.
    ///
    /// # Errors
    /// When the bytes cannot be written (a full disk) or the target cannot be replaced; it then stays as it was.
    pub fn commit(self) -> Result<(), FileError> {
        let Self { writer, target } = self;
        let temporary = writer.into_inner().map_err(|error| FileError::new("write", &target)(error.into_error()))?;
        temporary.as_file().sync_all().map_err(FileError::new("write", &target))?;
        temporary.persist(&target).map_err(|error| FileError::new("write", &target)(error.error))?;
        sync_parent(&target);
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes `bytes` to `target` in one step. Missing parent folders are made.
///
/// # Errors
/// When the file cannot be written; `target` is then as it was.
pub fn write_atomic(target: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    let mut file = AtomicFile::create(&target)?;
    file.write_all(bytes.as_ref()).map_err(FileError::new("write", target))?;
    file.commit()
}

/// Puts a synced file at `to`, in place of what was there.
///
/// # Errors
/// When the file cannot be moved.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), FileError> {
    let to = to.as_ref();
    fs::rename(from, to).map_err(FileError::new("write", to))?;
    sync_parent(to);
    Ok(())
}

/// Removes at once what killed writers of `target` left beside it. Only for a caller that keeps other writers away by a
/// lock of its own; without one, the next writer removes it when it is old enough.
pub fn sweep(target: impl AsRef<Path>) {
    if let Ok(place) = Neighbour::of(target.as_ref()) {
        place.sweep(Duration::ZERO);
    }
}

/// A folder under construction: fill [`path`](Self::path), then [`commit`](Self::commit).
pub struct AtomicFolder {
    folder: TempDir,
    target: PathBuf,
    /// Holds the lock that tells other writers that this folder is in use.
    _lock: Option<File>,
}

impl AtomicFolder {
    /// Starts a folder that [`commit`](Self::commit) will put at `target`. Missing parent folders are made.
    ///
    /// # Errors
    /// When the parent cannot be made or written to.
    pub fn create(target: impl AsRef<Path>) -> Result<Self, FileError> {
        let target = target.as_ref().to_path_buf();
        let place = Neighbour::of(&target)?;
        place.sweep(SETTLED);
        let folder = place.builder(0o777).tempdir_in(&place.folder).map_err(FileError::new("create", &target))?;
        let lock = File::open(folder.path()).ok().filter(|file| file.try_lock().is_ok());
        Ok(Self { folder, target, _lock: lock })
    }

    /// Where to put the contents for now.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the folder will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs every file that is in the folder for now.
    ///
    /// # Errors
    /// When one cannot be synced.
    pub fn sync(&self) -> Result<(), FileError> {
        sync_tree(self.folder.path())
    }

    /// Syncs every file and puts the folder at its target; a folder that was there is removed. Between the two the
    /// target is absent for an instant, but never mixed.
    ///
    /// # Errors
    /// When a file cannot be synced or the target cannot be replaced.
    pub fn commit(self) -> Result<(), FileError> {
        self.sync()?;
        let replaced = if self.target.exists() {
            let place = Neighbour::of(&self.target)?;
            let aside =
                place.builder(0o777).tempdir_in(&place.folder).map_err(FileError::new("replace", &self.target))?;
            fs::rename(&self.target, aside.path()).map_err(FileError::new("replace", &self.target))?;
            Some(aside)
        } else {
            None
        };
        fs::rename(self.folder.path(), &self.target).map_err(FileError::new("write", &self.target))?;
        // It has moved: there is nothing left for the drop to remove.
        let _ = self.folder.keep();
        sync_parent(&self.target);
        drop(replaced);
        Ok(())
    }
}

/// Where the temporary neighbours of a target go, and how they are named.
struct Neighbour {
    folder: PathBuf,
    prefix: String,
}

impl Neighbour {
    fn of(target: &Path) -> Result<Self, FileError> {
        let Some(name) = target.file_name() else {
            let no_name = io::Error::new(io::ErrorKind::InvalidInput, "the path ends in no file name");
            return Err(FileError::new("create", target)(no_name));
        };
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&folder).map_err(FileError::new("create", &folder))?;
        Ok(Self { folder, prefix: format!(".{}.", name.to_string_lossy()) })
    }

    /// `mode` is what the umask takes from, as for any file or folder that a program makes: an artifact is not private.
    fn builder(&self, mode: u32) -> tempfile::Builder<'_, 'static> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(&self.prefix).suffix(PARTIAL);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        let _ = mode;
        builder
    }

    /// Removes what killed writers of the same target left longer ago than `settled`. Failing to is no reason not to write.
    fn sweep(&self, settled: Duration) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(&self.prefix) && name.ends_with(PARTIAL) && abandoned(&entry.path(), settled) {
                let _ = match entry.file_type() {
                    Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
                    _ => fs::remove_file(entry.path()),
                };
            }
        }
    }
}

/// Nobody holds the lock of this neighbour, and its writer had this time to take it.
fn abandoned(path: &Path, settled: Duration) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let age = file.metadata().and_then(|about| about.modified()).ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age >= settled) && file.try_lock().is_ok()
}

/// Makes a rename durable. Best effort: not every platform opens folders, and the file itself is already synced.
fn sync_parent(target: &Path) {
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(parent) {
        let _ = folder.sync_all();
    }
}

fn sync_tree(folder: &Path) -> Result<(), FileError> {
    for entry in fs::read_dir(folder).map_err(FileError::new("read", folder))? {
        let entry = entry.map_err(FileError::new("read", folder))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(FileError::new("read", &path))?;
        if kind.is_dir() {
            sync_tree(&path)?;
        } else if kind.is_file() {
            File::open(&path).and_then(|file| file.sync_all()).map_err(FileError::new("sync", &path))?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn others_may_read_what_they_may_read_of_any_new_file() {
        let place = tempfile::tempdir().expect("a folder");
        let mode = |path: &Path| fs::metadata(path).map(|about| about.permissions().mode()).expect("a file");
        let (plain, written) = (place.path().join("plain"), place.path().join("written"));
        fs::write(&plain, "").expect("a file");
        write_atomic(&written, "").expect("a file");
        assert_eq!(mode(&written), mode(&plain));
        let (plain, made) = (place.path().join("folder"), place.path().join("made"));
        fs::create_dir(&plain).expect("a folder");
        AtomicFolder::create(&made).and_then(AtomicFolder::commit).expect("a folder");
        assert_eq!(mode(&made), mode(&plain));
    }
}
