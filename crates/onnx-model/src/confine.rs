//! Where the values of a model may lie.
//!
//! A model says in plain text which file holds its weights, and that text is not to be trusted: it may point out of
//! the model's folder, at a link, at a device, or beyond the end (CVE-2022-25882, CVE-2024-27318, CVE-2026-27489,
//! CVE-2026-34445, CVE-2026-34446, CVE-2026-34447). Only plain files with one name inside the model's folder are read.
//!
//! The cache of a model hub is the one place where links are lawful: there `hub/models--a--b/snapshots/<revision>/model.onnx` and
//! its data are links into `hub/models--a--b/blobs`. Where the user's own path goes through `snapshots`, and the model is a
//! link into the `blobs` beside that folder, its data may be such links as well.

use std::fs::{self, File, OpenOptions};
use std::path::{Component, Path, PathBuf};

use artifact::FileError;

/// External data that was not read.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// The location leads out of the model's folder, or is written in a way that could.
    #[error("tensor {tensor:?} names the file {location:?}, which is not below the model's folder")]
    Outside {
        /// The tensor.
        tensor: String,
        /// The location in the model.
        location: String,
    },
    /// The location is a link, or a file with several names, or no plain file.
    #[error("tensor {tensor:?} names the file {location:?}, which is {kind}; only plain files are read")]
    Kind {
        /// The tensor.
        tensor: String,
        /// The location in the model.
        location: String,
        /// What it is.
        kind: &'static str,
    },
    /// The values would lie beyond the end of the file.
    #[error(
        "tensor {tensor:?} wants {length} bytes from byte {offset} of {location:?}, which has {available} bytes in all"
    )]
    Beyond {
        /// The tensor.
        tensor: String,
        /// The location in the model.
        location: String,
        /// The first byte.
        offset: u64,
        /// The number of bytes.
        length: u64,
        /// Bytes of the file.
        available: u64,
    },
    /// The length that the model states is not what type and shape ask for.
    #[error("tensor {tensor:?} needs {expected} bytes, and the model says that {location:?} has {stated} for it")]
    Length {
        /// The tensor.
        tensor: String,
        /// The location in the model.
        location: String,
        /// Bytes that type and shape ask for.
        expected: u64,
        /// Bytes that the model states.
        stated: u64,
    },
    /// The weights together exceed what the caller allows.
    #[error("the external data takes {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes that would be read.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The folder of a model.
pub struct Place {
    folder: PathBuf,
    /// The folder of blobs, where the model is a link into one.
    blobs: Option<PathBuf>,
}

impl Place {
    /// The place of the model at `path`.
    pub fn of(path: &Path) -> Self {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { folder: folder.to_path_buf(), blobs: blobs(path) }
    }

    /// Opens a location for reading, once it is known to be a plain file in its place.
    pub fn open(&self, location: &str, tensor: &str) -> Result<(File, PathBuf), ExternalError> {
        let outside = || ExternalError::Outside { tensor: tensor.to_owned(), location: location.to_owned() };
        let kind = |kind| ExternalError::Kind { tensor: tensor.to_owned(), location: location.to_owned(), kind };
        // Backslashes and colons separate on other systems: a file that means something else there is refused here too. With
        // asterisks ONNX Runtime marks places in memory.
        if location.is_empty() || location.contains(['\\', ':', '*', '\0']) {
            return Err(outside());
        }
        let mut path = self.folder.clone();
        let mut components = Path::new(location).components().peekable();
        while let Some(component) = components.next() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::CurDir => continue,
                _ => return Err(outside()),
            }
            let about = fs::symlink_metadata(&path).map_err(FileError::new("open", &path))?;
            if about.is_symlink() {
                let blob = components.peek().is_none().then(|| self.blob(&path)).flatten();
                path = blob.ok_or_else(|| kind("a symbolic link"))?;
            }
        }
        let before = fs::symlink_metadata(&path).map_err(FileError::new("open", &path))?;
        if !before.is_file() {
            return Err(kind("no plain file"));
        }
        let file = options().open(&path).map_err(FileError::new("open", &path))?;
        // Asked of the open file and not of the path, which may name another file by now.
        let about = file.metadata().map_err(FileError::new("open", &path))?;
        if !about.is_file() {
            return Err(kind("no plain file"));
        }
        if names(&about) > 1 {
            return Err(kind("a file with several names (hard links)"));
        }
        Ok((file, path))
    }

    /// The blob that a link leads to.
    fn blob(&self, link: &Path) -> Option<PathBuf> {
        let target = fs::canonicalize(link).ok()?;
        (target.parent() == Some(self.blobs.as_deref()?)).then_some(target)
    }
}

/// The folder of blobs that the model is a link into, when its path shows the folder that both lie in.
fn blobs(path: &Path) -> Option<PathBuf> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_symlink)?;
    let path = std::path::absolute(path).ok()?;
    let plain = path.components().all(|component| component != Component::ParentDir);
    // Below `snapshots` there is a revision at least.
    let snapshots =
        path.ancestors().skip(2).find(|folder| folder.file_name().is_some_and(|name| name == "snapshots"))?;
    let root = fs::canonicalize(snapshots.parent().filter(|_| plain)?).ok()?;
    let blobs = root.join("blobs");
    let is_folder = fs::symlink_metadata(&blobs).is_ok_and(|about| about.is_dir());
    (is_folder && fs::canonicalize(&path).ok()?.parent() == Some(&blobs)).then_some(blobs)
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    // A link or a pipe put there since the check is not followed, and not waited for.
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

#[cfg(unix)]
fn names(about: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(about)
}

#[cfg(not(unix))]
fn names(_about: &fs::Metadata) -> u64 {
    1
}
