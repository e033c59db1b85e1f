//! The data of a run: read once, hashed, and verified before it is used.

use std::path::{Path, PathBuf};

use artifact::Digest;
use artifact::manifest::{Manifest, ManifestError};
use models::digits::{Classes, Digits, DigitsError, Part, Split};

use crate::mnist::training::Data;
use crate::outputs::DataHashes;

/// A data set as it was read.
#[derive(Debug)]
pub struct Loaded {
    /// Images and labels.
    pub data: Data,
    /// The classes that the training labels tell of.
    pub classes: Classes,
    /// The SHA-256 of what each file holds, unpacked.
    pub hashes: DataHashes,
    /// The manifest that declares these files; nothing for files of the user's own.
    pub manifest: Option<PathBuf>,
}

/// Why the data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file is missing, or not in the format.
    #[error("no usable data in {} (`cargo xtask fetch mnist` gets MNIST): {source}", data.display())]
    Unusable {
        /// The folder.
        data: PathBuf,
        /// What is wrong.
        source: DigitsError,
    },
    /// The manifest beside the folder cannot be read.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// A file is not what the manifest beside the folder declares.
    #[error(
        "{} has SHA-256 {found}, and {} declares {}: `cargo xtask fetch {}` brings what is declared; files of your own \
         belong into another folder, which --data names",
        file.display(),
        manifest.display(),
        declared.map_or("no such file".to_owned(), |declared| declared.to_string()),
        manifest.file_stem().unwrap_or_default().display()
    )]
    Undeclared {
        /// The file.
        file: PathBuf,
        /// What it holds, unpacked.
        found: Digest,
        /// The manifest.
        manifest: PathBuf,
        /// What that declares, if it declares such a file.
        declared: Option<Digest>,
    },
}

/// Reads the data set in the folder `data`, in MNIST's format. Where a manifest of the folder's name lies beside it, as
/// `datasets/mnist.toml` does, the files must be what it declares.
///
/// # Errors
/// When a file is missing, is malformed, or is not what the manifest declares.
pub fn load(data: &Path) -> Result<Loaded, DataError> {
    let unusable = |source| DataError::Unusable { data: data.to_owned(), source };
    let read = |split| Part::read(data, split).map_err(unusable);
    let (train, test) = (read(Split::Train)?, read(Split::Test)?);
    let hashes: DataHashes = train.hashes().into_iter().chain(test.hashes()).collect();
    let manifest = verify(data, &hashes)?;
    let classes = train.classes();
    let of = |part| Digits::of(part, classes).map_err(unusable);
    Ok(Loaded { data: Data { train: of(train)?, test: of(test)? }, classes, hashes, manifest })
}

/// The manifest of the folder `data`, if there is one, after every file turned out to be what it declares.
fn verify(data: &Path, hashes: &DataHashes) -> Result<Option<PathBuf>, DataError> {
    let Some(name) = data.file_name() else { return Ok(None) };
    let path = data.with_file_name(format!("{}.toml", name.display()));
    if !path.is_file() {
        return Ok(None);
    }
    let manifest = Manifest::read(&path)?;
    for (file, &found) in hashes {
        let declared = manifest.files.iter().find(|entry| entry.name == *file).and_then(|entry| entry.sha256);
        if declared != Some(found) {
            return Err(DataError::Undeclared { file: data.join(file), found, manifest: path, declared });
        }
    }
    Ok(Some(path))
}
