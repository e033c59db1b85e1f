//! Files out of a folder or an archive on this machine.

use std::fs::File;
use std::path::Path;

use artifact::{Digest, FileError};
use flate2::read::GzDecoder;

use crate::record::Record;
use crate::sources::{Observer, SourceError};
use crate::store::{keep_record, store};
use artifact::manifest::FileEntry;

/// What files come packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archive {
    /// A packed tar archive, as npm brings them.
    Tar,
    /// A zip archive, as pip brings them.
    Zip,
    /// One packed file.
    Gzip,
}

/// Takes the wanted files out of an archive: those that lie in its folder `inside`, and no others. Each is stored in `folder` only
/// if it is what its entry says.
///
/// # Errors
/// A sentence, when the archive is damaged or a file is missing, too long or another one.
pub fn unpack(kind: Archive, archive: &Path, inside: &str, wanted: &[FileEntry], folder: &Path) -> Result<(), String> {
    let unpacked = match kind {
        Archive::Tar => from_tar(wanted, folder, archive, inside, &mut Unseen),
        Archive::Zip => from_zip(wanted, folder, archive, inside, &mut Unseen),
        Archive::Gzip => wanted.iter().try_for_each(|entry| {
            let file = File::open(archive).map_err(FileError::new("open", archive))?;
            store(entry, folder, GzDecoder::new(file), None, &mut Unseen).map(|_| ())
        }),
    };
    unpacked.map_err(|error| error.to_string())
}

/// Nobody watches.
struct Unseen;

impl Observer for Unseen {
    fn source(&mut self, _source: &str) {}
    fn progress(&mut self, _name: &str, _bytes: u64, _total: Option<u64>) {}
    fn recorded(&mut self, _name: &str, _sha256: Digest) {}
    fn failed(&mut self, _source: &str, _reason: &str) {}
}

pub(crate) fn from_folder(
    wanted: &[FileEntry],
    folder: &Path,
    from: &Path,
    observer: &mut dyn Observer,
) -> Result<(), SourceError> {
    let mut record = Record::read(folder)?;
    for entry in wanted {
        let plain = from.join(entry.source_name());
        let packed = from.join(format!("{}.gz", entry.source_name()));
        let read = |path: &Path| File::open(path).map_err(FileError::new("open", path));
        let (bytes, sha256) = if plain.is_file() {
            store(entry, folder, read(&plain)?, None, observer)?
        } else if packed.is_file() {
            store(entry, folder, GzDecoder::new(read(&packed)?), None, observer)?
        } else {
            return Err(SourceError::Missing { name: entry.source_name().to_owned() });
        };
        keep_record(&mut record, entry, bytes, sha256, observer)?;
    }
    Ok(())
}

pub(crate) fn from_tar(
    wanted: &[FileEntry],
    folder: &Path,
    archive: &Path,
    inside: &str,
    observer: &mut dyn Observer,
) -> Result<(), SourceError> {
    let unreadable = |source| SourceError::Read { name: archive.display().to_string(), source };
    let mut rest: Vec<&FileEntry> = wanted.iter().collect();
    let file = File::open(archive).map_err(FileError::new("open", archive))?;
    let mut tar = tar::Archive::new(GzDecoder::new(file));
    for member in tar.entries().map_err(unreadable)? {
        let member = member.map_err(unreadable)?;
        let path = member.path().map_err(unreadable)?.into_owned();
        // Only members asked for by their exact path are read, and never to a path of the archive's choosing.
        let found = rest.iter().position(|entry| path == Path::new(inside).join(entry.source_name()));
        if let Some(position) = found {
            store(rest.swap_remove(position), folder, member, None, observer)?;
        }
    }
    rest.first().map_or(Ok(()), |entry| Err(SourceError::Missing { name: entry.source_name().to_owned() }))
}

pub(crate) fn from_zip(
    wanted: &[FileEntry],
    folder: &Path,
    archive: &Path,
    inside: &str,
    observer: &mut dyn Observer,
) -> Result<(), SourceError> {
    let unreadable =
        |error: zip::result::ZipError| SourceError::Read { name: archive.display().to_string(), source: error.into() };
    let file = File::open(archive).map_err(FileError::new("open", archive))?;
    let mut zip = zip::ZipArchive::new(file).map_err(unreadable)?;
    for entry in wanted {
        let member = zip.by_name(&format!("{inside}/{}", entry.source_name())).map_err(unreadable)?;
        store(entry, folder, member, None, observer)?;
    }
    Ok(())
}
