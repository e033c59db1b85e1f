//! A run in one file, from which it continues as if it had never stopped.
//!
//! The file is in safetensors format: `network.*` holds the parameters, others the optimiser's memory and averages, all in Burn's
//! layout. The header's metadata hold the configuration, the data's hashes, the progress and a SHA-256 over all of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use artifact::{Digest, FileError, Hasher, write_atomic};
use burn::tensor::{DType, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::outputs::DataHashes;
use crate::stored::Stored;
use crate::training::Progress;

/// Changes when the content of the file, or what training makes of it, does.
const VERSION: u32 = 3;

/// No checkpoint is larger: the parameters of BERT-large with two moments each are half of it.
const MAX_BYTES: u64 = 1 << 33;

/// What a run is, as opposed to how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity<C> {
    /// What the run is made of.
    pub config: C,
    /// What it reads.
    pub data: DataHashes,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "C: DeserializeOwned, E: DeserializeOwned"))]
struct Header<C, E> {
    version: u32,
    #[serde(flatten)]
    identity: Identity<C>,
    progress: Progress<E>,
}

/// Why a run could not be saved or continued.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file could not be read.
    #[error("cannot read the checkpoint {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("the checkpoint was not saved: {0}")]
    Write(#[from] FileError),
    /// The state could not be put into the file's format.
    #[error("the checkpoint was not saved: {0}")]
    Encode(#[source] SafeTensorError),
    /// The content is not what this program wrote.
    #[error("{} is not a usable checkpoint: {reason}; remove it to start from the beginning", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file belongs to another run.
    #[error(
        "{} is of another run: {}; give the same options to resume it, or leave out --resume to start anew",
        path.display(),
        Differences(differences)
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// In what the runs differ.
        differences: Vec<Difference>,
    },
}

/// A setting in which two runs differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The name of the setting.
    pub setting: String,
    /// Its value in the checkpoint.
    pub saved: String,
    /// Its value in this run.
    pub asked: String,
}

struct Differences<'a>(&'a [Difference]);

impl fmt::Display for Differences<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Difference { setting, saved, asked }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}its {setting} is {saved}, not {asked}")?;
        }
        Ok(())
    }
}

/// Writes how far a run has come to `path` in one step: a reader finds the old checkpoint or the new one, whole.
///
/// # Errors
/// When the file cannot be written; an older checkpoint is then still there.
pub fn save<C, E>(
    path: &Path,
    identity: &Identity<C>,
    progress: &Progress<E>,
    tensors: &Stored,
) -> Result<(), CheckpointError>
where
    C: Clone + Serialize,
    E: Clone + Serialize,
{
    let header = Header { version: VERSION, identity: identity.clone(), progress: progress.clone() };
    let header = serde_json::to_string(&header).map_err(|error| CheckpointError::Encode(error.into()))?;
    let views = tensors
        .iter()
        .map(|(name, data)| Ok((name, TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())?)))
        .collect::<Result<BTreeMap<_, _>, SafeTensorError>>()
        .map_err(CheckpointError::Encode)?;
    let digest = digest(&header, views.iter().map(|(name, view)| (*name, view)));
    let metadata = [("training".to_owned(), header), ("sha256".to_owned(), digest.to_string())].into();
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(CheckpointError::Encode)?;
    Ok(write_atomic(path, bytes)?)
}

/// Whether a file begins like a checkpoint, damaged or not.
pub fn is_checkpoint(path: &Path) -> bool {
    let mut head = [0; 256];
    let read = File::open(path).and_then(|mut file| file.read(&mut head));
    let head = String::from_utf8_lossy(head.get(..read.unwrap_or_default()).unwrap_or_default());
    head.contains("{\"__metadata__\":{\"sha256\":\"") || head.contains("{\"__metadata__\":{\"training\":\"")
}

/// How far a run had come, out of the bytes of the checkpoint at `path`.
///
/// # Errors
/// When it is damaged, or belongs to another run than `identity`.
pub fn parse<C, E>(path: &Path, bytes: &[u8], identity: &Identity<C>) -> Result<(Progress<E>, Stored), CheckpointError>
where
    C: PartialEq + Serialize + DeserializeOwned,
    E: DeserializeOwned,
{
    let malformed = |reason: String| CheckpointError::Malformed { path: path.to_owned(), reason };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| malformed(error.to_string()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| malformed(error.to_string()))?;
    let entry = |name: &str| metadata.metadata().as_ref().and_then(|entries| entries.get(name));
    let (Some(header), Some(promised)) = (entry("training"), entry("sha256")) else {
        return Err(malformed("it was not written by this program".to_owned()));
    };
    let views: BTreeMap<String, TensorView> = file.tensors().into_iter().collect();
    let found = digest(header, views.iter().map(|(name, view)| (name.as_str(), view)));
    if promised.parse() != Ok(found) {
        return Err(malformed("it is damaged: its content does not match its SHA-256".to_owned()));
    }
    let header: serde_json::Value = serde_json::from_str(header).map_err(|error| malformed(error.to_string()))?;
    let version = header.get("version").and_then(serde_json::Value::as_u64);
    if version != Some(VERSION.into()) {
        return Err(malformed("another version of this program wrote it".to_owned()));
    }
    let Header::<C, E> { identity: saved, progress, .. } =
        serde_json::from_value(header).map_err(|error| malformed(error.to_string()))?;
    if saved != *identity {
        let differences = differences(&saved, identity);
        return Err(CheckpointError::OtherRun { path: path.to_owned(), differences });
    }
    let mut tensors = Stored::default();
    for (name, view) in views {
        if view.dtype() != Dtype::F32 {
            return Err(malformed(format!("its tensor {name} is {:?}, not F32", view.dtype())));
        }
        let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), DType::F32);
        tensors.put_data(name, data);
    }
    Ok((progress, tensors))
}

/// The bytes of a checkpoint, or `None` if there is no such file.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, CheckpointError> {
    let failed = |source| CheckpointError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

fn digest<'a>(header: &str, tensors: impl Iterator<Item = (&'a str, &'a TensorView<'a>)>) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(header.as_bytes());
    for (name, tensor) in tensors {
        hasher.update(format!("\0{name}\0{:?}\0{:?}\0", tensor.dtype(), tensor.shape()).as_bytes());
        hasher.update(tensor.data());
    }
    hasher.finish()
}

/// The settings that differ, by the names that they have in the file.
fn differences<C: Serialize>(saved: &Identity<C>, asked: &Identity<C>) -> Vec<Difference> {
    let settings = |identity: &Identity<C>| {
        let mut settings = BTreeMap::new();
        if let Ok(value) = serde_json::to_value(identity) {
            flatten(String::new(), &value, &mut settings);
        }
        settings
    };
    let (saved, asked) = (settings(saved), settings(asked));
    let value = |settings: &BTreeMap<String, String>, name| settings.get(name).cloned().unwrap_or("unset".to_owned());
    let names: std::collections::BTreeSet<&String> = saved.keys().chain(asked.keys()).collect();
    names
        .into_iter()
        .map(|name| Difference { setting: name.clone(), saved: value(&saved, name), asked: value(&asked, name) })
        .filter(|difference| difference.saved != difference.asked)
        .collect()
}

fn flatten(name: String, value: &serde_json::Value, settings: &mut BTreeMap<String, String>) {
    match value {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                let name = if name.is_empty() || name == "config" { key.clone() } else { format!("{name}.{key}") };
                flatten(name, value, settings);
            }
        }
        serde_json::Value::Null => {}
        value => {
            settings.insert(name.replace('_', " "), value.to_string());
        }
    }
}
