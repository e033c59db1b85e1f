//! A run in one file, from which it continues as if it had never stopped.
//!
//! The file is in safetensors format: `network.*` holds the parameters, `square_average.*` and `update_average.*` the
//! optimiser's memory, and `average.*` the averaged parameters if the recipe has such, all in Burn's layout. The header's
//! metadata hold the configuration, the data's hashes, the progress and a SHA-256 over all of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use artifact::{Digest, FileError, Hasher, write_atomic};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use models::mnist_cnn::MnistCnn;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::adadelta::{AdadeltaState, ModuleAdadelta};
use crate::config::Config;
use crate::outputs::DataHashes;
use crate::training::{Progress, State};

/// Changes when the content of the file, or what training makes of it, does.
const VERSION: u32 = 2;

/// No checkpoint of this network is larger.
const MAX_BYTES: u64 = 1 << 26;

const NETWORK: &str = "network.";
const AVERAGE: &str = "average.";
const SQUARE_AVERAGE: &str = "square_average.";
const UPDATE_AVERAGE: &str = "update_average.";

/// What a run is, as opposed to how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// What the run is made of.
    pub config: Config,
    /// What it reads.
    pub data: DataHashes,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    #[serde(flatten)]
    identity: Identity,
    progress: Progress,
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

/// Writes `state` to `path` in one step: a reader finds the old checkpoint or the new one, whole.
///
/// # Errors
/// When the file cannot be written; an older checkpoint is then still there.
pub fn save(path: &Path, identity: &Identity, state: &State) -> Result<(), CheckpointError> {
    let tensors = tensors_of(state);
    let header = Header { version: VERSION, identity: identity.clone(), progress: state.progress.clone() };
    let header = serde_json::to_string(&header).map_err(|error| CheckpointError::Encode(error.into()))?;
    let views = tensors
        .iter()
        .map(|(name, data)| Ok((name, TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())?)))
        .collect::<Result<BTreeMap<_, _>, SafeTensorError>>()
        .map_err(CheckpointError::Encode)?;
    let digest = digest(&header, views.iter().map(|(name, view)| (name.as_str(), view)));
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

/// Reads the state in `path`, or `None` if there is no such file. `network` gives the architecture and the device.
///
/// # Errors
/// When the file cannot be read, is damaged, or belongs to another run than `identity`.
pub fn load(path: &Path, identity: &Identity, network: MnistCnn) -> Result<Option<State>, CheckpointError> {
    let malformed = |reason: String| CheckpointError::Malformed { path: path.to_owned(), reason };
    let Some(bytes) = read(path)? else { return Ok(None) };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| malformed(error.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| malformed(error.to_string()))?;
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
    let Header { identity: saved, progress, .. } =
        serde_json::from_value(header).map_err(|error| malformed(error.to_string()))?;
    if saved != *identity {
        let differences = differences(&saved, identity);
        return Err(CheckpointError::OtherRun { path: path.to_owned(), differences });
    }
    state_of(views, identity, progress, network).map(Some).map_err(malformed)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, CheckpointError> {
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
fn differences(saved: &Identity, asked: &Identity) -> Vec<Difference> {
    let settings = |identity: &Identity| {
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

/// Every tensor of `state` by its name in the file.
fn tensors_of(state: &State) -> BTreeMap<String, TensorData> {
    let mut collector = Collector { prefix: NETWORK, path: Vec::new(), tensors: BTreeMap::new() };
    state.network.visit(&mut collector);
    if let Some(average) = &state.average {
        collector.prefix = AVERAGE;
        average.visit(&mut collector);
    }
    let mut tensors = collector.tensors;
    for (path, memory) in state.optimizer.states() {
        tensors.insert(format!("{SQUARE_AVERAGE}{path}"), memory.square_average.to_data());
        tensors.insert(format!("{UPDATE_AVERAGE}{path}"), memory.update_average.to_data());
    }
    tensors
}

/// The state that these tensors are, or what is wrong with them.
fn state_of(
    mut tensors: BTreeMap<String, TensorView>,
    identity: &Identity,
    progress: Progress,
    network: MnistCnn,
) -> Result<State, String> {
    let mut restorer = Restorer { path: Vec::new(), tensors: &mut tensors, memory: BTreeMap::new(), problem: None };
    let network = network.map(&mut restorer);
    let average = identity.config.averaging.map(|_| network.valid().map(&mut RestorerOfAverage(&mut restorer)));
    let (memory, problem) = (restorer.memory, restorer.problem);
    if let Some(problem) = problem {
        return Err(problem);
    }
    if let Some(name) = tensors.keys().next() {
        return Err(format!("it holds the tensor {name}, which this network has not"));
    }
    let optimizer = ModuleAdadelta::with_states(identity.config.optimizer.clone(), memory);
    Ok(State { network, optimizer, average, progress })
}

struct Collector {
    prefix: &'static str,
    path: Vec<String>,
    tensors: BTreeMap<String, TensorData>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.tensors.insert(format!("{}{}", self.prefix, self.path.join(".")), param.val().into_data());
    }
}

struct Restorer<'a, 'data> {
    path: Vec<String>,
    tensors: &'a mut BTreeMap<String, TensorView<'data>>,
    memory: BTreeMap<String, AdadeltaState<1>>,
    problem: Option<String>,
}

impl Restorer<'_, '_> {
    fn take<const D: usize>(&mut self, name: String, shape: &[usize], device: &Device) -> Result<Tensor<D>, String> {
        let view = self.tensors.remove(&name).ok_or_else(|| format!("it lacks the tensor {name}"))?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            return Err(format!("its tensor {name} is {:?} {:?}, not F32 {shape:?}", view.dtype(), view.shape()));
        }
        let data = TensorData::from_bytes_vec(view.data().to_vec(), shape.to_vec(), DType::F32);
        Ok(Tensor::from_data(data, device))
    }

    fn restore<const D: usize>(&mut self, path: &str, shape: &[usize], device: &Device) -> Result<Tensor<D>, String> {
        let plain = device.clone().inner();
        let elements = [shape.iter().product()];
        let square_average = self.take(format!("{SQUARE_AVERAGE}{path}"), &elements, &plain)?;
        let update_average = self.take(format!("{UPDATE_AVERAGE}{path}"), &elements, &plain)?;
        self.memory.insert(path.to_owned(), AdadeltaState { square_average, update_average });
        self.take(format!("{NETWORK}{path}"), shape, device)
    }
}

impl ModuleMapper for Restorer<'_, '_> {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (path, shape, device) = (self.path.join("."), param.lazy_shape(), param.lazy_device());
        match self.restore(&path, &shape.to_vec(), &device) {
            Ok(tensor) => {
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            Err(problem) => {
                self.problem.get_or_insert(problem);
                param
            }
        }
    }
}

/// Restores the averaged parameters by the same means.
struct RestorerOfAverage<'a, 'b, 'data>(&'a mut Restorer<'b, 'data>);

impl ModuleMapper for RestorerOfAverage<'_, '_, '_> {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.0.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.0.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = format!("{AVERAGE}{}", self.0.path.join("."));
        param.map(|tensor| match self.0.take(name, &tensor.dims(), &tensor.device()) {
            Ok(restored) => restored,
            Err(problem) => {
                self.0.problem.get_or_insert(problem);
                tensor
            }
        })
    }
}
