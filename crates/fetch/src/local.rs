//! Files out of a folder or an archive on this machine.

use std::fs::File;
use std::path::Path;

use artifact::FileError;
use flate2::read::GzDecoder;

use crate::record::Record;
use crate::sources::{Observer, SourceError};
use crate::store::{keep_record, store};
use artifact::manifest::FileEntry;

pub(crate) fn from_folder(
    wanted: &[FileEntry],
    folder: &Path,
    from: &Path,
    observer: &mut dyn Observer,
) -> Result<(), SourceError> {
    let mut record = Record::read(folder)?;
    for entry in wanted {
        let plain = from.join(entry.base_name());
        let packed = from.join(format!("{}.gz", entry.base_name()));
        let read = |path: &Path| File::open(path).map_err(FileError::new("open", path));
        let (bytes, sha256) = if plain.is_file() {
            store(entry, folder, read(&plain)?, None, observer)?
        } else if packed.is_file() {
            store(entry, folder, GzDecoder::new(read(&packed)?), None, observer)?
        } else {
            return Err(SourceError::Missing { name: entry.base_name().to_owned() });
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
        let found = rest.iter().position(|entry| path == Path::new(inside).join(entry.base_name()));
        if let Some(position) = found {
            store(rest.swap_remove(position), folder, member, None, observer)?;
        }
    }
    rest.first().map_or(Ok(()), |entry| Err(SourceError::Missing { name: entry.base_name().to_owned() }))
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
        let member = zip.by_name(&format!("{inside}/{}", entry.base_name())).map_err(unreadable)?;
        store(entry, folder, member, None, observer)?;
    }
    Ok(())
}
