//! Files and folders that appear whole or not at all, and that take nobody's place but their own.
//!
//! What is written goes to a staging folder beside the target, is synced and then renamed. Dropping the writer without
//! [`AtomicFile::commit`] leaves the target as it was. A file replaces a regular file only, through symbolic links: never a
//! device, a folder or what cannot be written to. A folder replaces an empty folder, or one that the caller knows as its own.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::fault::{self, OutputFile, Step};
use crate::staging::{Staging, parent};
use crate::{FileError, interrupt};

/// A file under construction; buffered.
pub struct AtomicFile {
    writer: BufWriter<OutputFile>,
    staging: Staging,
    partial: PathBuf,
    target: PathBuf,
}

impl AtomicFile {
    /// Starts a file that [`commit`](Self::commit) will put at `target`, or where `target` leads if it is a symbolic link.
    /// Missing parent folders are made.
    ///
    /// # Errors
    /// When something other than a regular file that may be written to is there, or the folder cannot be made or written to.
    pub fn create(target: impl AsRef<Path>) -> Result<Self, FileError> {
        let target = file_place(target.as_ref())?;
        let staging = Staging::beside(&target)?;
        let partial = staging.path(&target.file_name().unwrap_or_default().to_string_lossy());
        let file = File::create_new(&partial).map_err(FileError::new("create", &target))?;
        let writer = BufWriter::with_capacity(1 << 18, OutputFile::new(file));
        Ok(Self { writer, staging, partial, target })
    }

    /// Where the file will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where the bytes are for now. What has been written is there only after a [`flush`](Write::flush).
    pub fn partial_path(&self) -> &Path {
        &self.partial
    }

    /// Syncs the bytes and puts the file at its target, in place of the file that was there.
    ///
    /// # Errors
    /// When the bytes cannot be written (a full disk) or the target cannot be replaced; it then stays as it was.
    pub fn commit(self) -> Result<(), FileError> {
        let Self { writer, staging, partial, target } = self;
        let file = writer.into_inner().map_err(|error| FileError::new("write", &target)(error.into_error()))?;
        file.sync().map_err(FileError::new("write", &target))?;
        drop(file);
        rename(partial, &target)?;
        drop(staging);
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
/// As [`AtomicFile`]; `target` is then as it was.
pub fn write_atomic(target: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    let mut file = AtomicFile::create(&target)?;
    file.write_all(bytes.as_ref()).map_err(FileError::new("write", target))?;
    file.commit()
}

/// Puts a synced file at `to`, in place of the file that was there.
///
/// # Errors
/// When something other than a regular file is there, or the file cannot be moved.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), FileError> {
    let to = file_place(to.as_ref())?;
    move_to(from.as_ref(), &to).map_err(FileError::new("write", &to))?;
    sync_parent(&to);
    Ok(())
}

/// Renames, unless a test asks for a failure.
fn move_to(from: &Path, to: &Path) -> io::Result<()> {
    fault::at(Step::Rename)?;
    fs::rename(from, to)
}

/// Where a file under the name `target` goes: through symbolic links, in place of a regular file or of nothing.
///
/// # Errors
/// When something else is there, or a file that is write-protected.
pub fn file_place(target: &Path) -> Result<PathBuf, FileError> {
    let refused = |reason: String| FileError::new("write", target)(io::Error::new(io::ErrorKind::InvalidInput, reason));
    let read = |error| FileError::new("write", target)(error);
    let about = match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(target.to_owned()),
        about => about.map_err(read)?,
    };
    let (place, about) = match about.is_symlink() {
        false => (target.to_owned(), about),
        true => match target.canonicalize() {
            Ok(place) => (place, fs::metadata(target).map_err(read)?),
            Err(error) => return Err(refused(format!("it is a symbolic link that leads nowhere ({error})"))),
        },
    };
    if about.is_dir() {
        return Err(refused("it is a folder; name a file".to_owned()));
    }
    if !about.is_file() {
        return Err(refused("it is a device, a pipe or a socket, and only a regular file is replaced".to_owned()));
    }
    if about.permissions().readonly() {
        return Err(refused("the file there is write-protected".to_owned()));
    }
    Ok(place)
}

/// A folder under construction: fill [`path`](Self::path), then [`commit`](Self::commit).
pub struct AtomicFolder {
    staging: Staging,
    content: PathBuf,
    target: PathBuf,
}

impl AtomicFolder {
    /// Starts a folder that [`commit`](Self::commit) will put at `target`. Missing parent folders are made.
    ///
    /// # Errors
    /// When the parent cannot be made or written to.
    pub fn create(target: impl AsRef<Path>) -> Result<Self, FileError> {
        let target = target.as_ref().to_path_buf();
        let staging = Staging::beside(&target)?;
        let content = staging.path("content");
        fs::create_dir(&content).map_err(FileError::new("create", &target))?;
        Ok(Self { staging, content, target })
    }

    /// Where to put the contents for now.
    pub fn path(&self) -> &Path {
        &self.content
    }

    /// Where the folder will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Starts a file of the folder, with `/` between the parts of its name. Missing folders are made. It is synced with the folder.
    ///
    /// # Errors
    /// When the file is there already, or cannot be made.
    pub fn file(&self, name: &str) -> Result<OutputFile, FileError> {
        let path = self.content.join(name);
        let parent = parent(&path);
        fs::create_dir_all(parent).map_err(FileError::new("create", parent))?;
        Ok(OutputFile::new(File::create_new(&path).map_err(FileError::new("create", &path))?))
    }

    /// Writes a file of the folder.
    ///
    /// # Errors
    /// As [`file`](Self::file), and when the bytes cannot be written.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
        self.file(name)?.write_all(bytes.as_ref()).map_err(FileError::new("write", self.content.join(name)))
    }

    /// Copies a file into the folder.
    ///
    /// # Errors
    /// As [`write`](Self::write), and when `from` cannot be read.
    pub fn copy(&self, name: &str, from: &Path) -> Result<(), FileError> {
        let mut source = File::open(from).map_err(FileError::new("read", from))?;
        io::copy(&mut source, &mut self.file(name)?).map(drop).map_err(FileError::new("copy", from))
    }

    /// Syncs every file that is in the folder for now.
    ///
    /// # Errors
    /// When one cannot be synced.
    pub fn sync(&self) -> Result<(), FileError> {
        sync_tree(&self.content)
    }

    /// Syncs every file and puts the folder at its target. What is there is replaced only if it is an empty folder, or a folder
    /// of which `may_replace` has no objection: a sentence that says what in it would be lost. Between the two the target is
    /// absent for an instant, but never mixed.
    ///
    /// # Errors
    /// When something else is there, a file cannot be synced, or the target cannot be replaced; it then stays as it was.
    pub fn commit(self, may_replace: impl Fn(&Path) -> Result<(), String>) -> Result<(), FileError> {
        self.sync()?;
        let Self { staging, content, target } = self;
        check_replaceable(&target, &may_replace)?;
        interrupt::undivided(|| exchange(&staging, &content, &target, may_replace))
    }
}

/// Puts a folder at `target`, in place of what may be replaced there.
fn exchange(
    staging: &Staging,
    content: &Path,
    target: &Path,
    may_replace: impl Fn(&Path) -> Result<(), String>,
) -> Result<(), FileError> {
    let aside = staging.path("replaced");
    let replaced = match move_to(target, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        result => result.map(|()| true).map_err(FileError::new("replace", target))?,
    };
    // Looked at once more where nobody else reaches it: something may have come in since.
    let put = match replaced {
        true => check_replaceable(&aside, &may_replace).map_err(|error| FileError { path: target.to_owned(), ..error }),
        false => Ok(()),
    };
    let put = put.and_then(|()| move_to(content, target).map_err(FileError::new("write", target)));
    if put.is_err() && replaced {
        fs::rename(&aside, target).map_err(FileError::new("put back", target))?;
    }
    put?;
    sync_parent(target);
    Ok(())
}
/// Refuses what a folder must not take the place of.
///
/// # Errors
/// When `folder` is something else than a folder, or holds something and `may_replace` objects.
pub fn check_replaceable(folder: &Path, may_replace: impl Fn(&Path) -> Result<(), String>) -> Result<(), FileError> {
    let refused =
        |reason: String| FileError::new("replace", folder)(io::Error::new(io::ErrorKind::AlreadyExists, reason));
    let read = |error| FileError::new("read", folder)(error);
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(about) if about.is_dir() => {}
        Ok(about) if about.is_symlink() => {
            return Err(refused("it is a symbolic link; name the folder that it leads to".to_owned()));
        }
        Ok(_) => return Err(refused("it is not a folder".to_owned())),
        Err(error) => return Err(read(error)),
    }
    match fs::read_dir(folder).map_err(read)?.next() {
        None => Ok(()),
        Some(_) => may_replace(folder).map_err(refused),
    }
}

/// Makes a rename durable. Best effort: not every platform opens folders, and the file itself is already synced.
fn sync_parent(target: &Path) {
    if let Ok(folder) = File::open(parent(target)) {
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
            File::open(&path).and_then(|file| OutputFile::new(file).sync()).map_err(FileError::new("sync", &path))?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

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
        AtomicFolder::create(&made).and_then(|folder| folder.commit(|_| Ok(()))).expect("a folder");
        assert_eq!(mode(&made), mode(&plain));
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_a_regular_file_is_replaced() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::write(path("file"), "old").unwrap();
        fs::write(path("protected"), "old").unwrap();
        fs::set_permissions(path("protected"), fs::Permissions::from_mode(0o444)).unwrap();
        fs::create_dir(path("folder")).unwrap();
        symlink("file", path("link")).unwrap();
        symlink("absent", path("nowhere")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        let before = names(place.path());

        for (name, complaint) in [
            ("folder", "it is a folder"),
            ("socket", "only a regular file"),
            ("protected", "write-protected"),
            ("nowhere", "leads nowhere"),
        ] {
            let error = write_atomic(path(name), "new").unwrap_err().to_string();
            assert!(error.contains(complaint) && error.contains(name), "{error}");
        }
        let error = write_atomic("/dev/null", "new").unwrap_err().to_string();
        assert!(error.contains("only a regular file"), "{error}");
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert_eq!(fs::read(path("protected")).unwrap(), b"old");

        write_atomic(path("link"), "new").unwrap();
        assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
        assert_eq!(fs::read(path("file")).unwrap(), b"new");
        assert_eq!(names(place.path()), before);
    }

    #[test]
    fn a_folder_with_something_of_somebody_else_in_it_stays() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let write = |text: &str, may_replace: fn(&Path) -> Result<(), String>| {
            let folder = AtomicFolder::create(&target).unwrap();
            fs::write(folder.path().join("mine"), text).unwrap();
            folder.commit(may_replace)
        };
        fs::create_dir(&target).unwrap();
        write("first", |_| Err("never asked of an empty folder".to_owned())).unwrap();
        let error = write("second", |_| Err("it holds a thesis".to_owned())).unwrap_err().to_string();
        assert!(error.ends_with("out: it holds a thesis"), "{error}");
        assert_eq!(fs::read(target.join("mine")).unwrap(), b"first");
        // What comes in at the last moment is found where it was moved to, and is put back.
        let late = |folder: &Path| match folder.ends_with("replaced") {
            true => Err("something came in".to_owned()),
            false => Ok(()),
        };
        assert!(write("second", late).unwrap_err().to_string().ends_with("out: something came in"));
        assert_eq!(fs::read(target.join("mine")).unwrap(), b"first");
        write("second", |_| Ok(())).unwrap();
        assert_eq!(fs::read(target.join("mine")).unwrap(), b"second");
        assert_eq!(names(place.path()), ["out"]);
        // A folder does not take the place of a file, or of a link to somebody's folder.
        fs::write(place.path().join("file"), "").unwrap();
        symlink("out", place.path().join("link")).unwrap();
        for (name, complaint) in [("file", "not a folder"), ("link", "symbolic link")] {
            let folder = AtomicFolder::create(place.path().join(name)).unwrap();
            assert!(folder.commit(|_| Ok(())).unwrap_err().to_string().contains(complaint));
        }
        assert_eq!(names(place.path()), ["file", "link", "out"]);
    }
}
