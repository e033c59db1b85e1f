//! Engines in processes of their own.
//!
//! A process can load one ONNX Runtime library, and an engine that crashes takes its process with it. So every engine of
//! an evaluation runs in a worker: this program again, or the engine's own beside it, which reads [`Request`]s from standard input and answers each with
//! one [`Answer`] on standard output. Timing happens inside the worker, so that no message is timed.

mod complaints;
mod pipe;
pub mod remote;
pub mod sandbox;
pub mod serve;
mod surroundings;
pub mod wire;

use std::path::{Path, PathBuf};

use artifact::FileError;
use artifact::runtime::{RuntimeLibrary, RuntimeOrigin};
use confine::Confinement;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineError, Placement, Signature};
use crate::engine_name::Framework;
use crate::fingerprint::Library;
use crate::provider::Provider;
use crate::runtime::Runtime;
use crate::session::{Metadata, Session, SessionOptions};
use crate::usage::Usage;
use crate::versions::locked;
use crate::worker::sandbox::Sandbox;

/// The argument that makes this program a worker.
pub const WORKER_COMMAND: &str = "worker";

/// The name of the engine that is tract.
pub const TRACT: &str = "tract";

/// The option that bounds a worker's memory, in bytes.
pub const MEMORY_OPTION: &str = "--memory";

/// The option that leaves a worker all its rights.
pub const NO_SANDBOX_OPTION: &str = "--no-sandbox";

/// An engine and the network that it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineSpec {
    /// A model under ONNX Runtime.
    Ort {
        /// The library.
        library: PathBuf,
        /// The model.
        model: PathBuf,
        /// Provider, threads, graph optimisation.
        options: SessionOptions,
    },
    /// A model under tract, on one thread.
    Tract {
        /// The model.
        model: PathBuf,
    },
    /// A network in a framework.
    Framework(FrameworkSpec),
}

/// A network in a framework, in float32 or float64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkSpec {
    /// The framework.
    pub framework: Framework,
    /// The network's name, such as `mnist`.
    pub network: String,
    /// The weights.
    pub weights: Weights,
    /// The folder with the configuration, for a network that has one.
    pub folder: Option<PathBuf>,
    /// The threads that the framework may use.
    pub threads: usize,
    /// Whether to compute in float64.
    pub exact: bool,
}

/// Where the weights of a network come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// A file or folder.
    At(PathBuf),
    /// A seed: what the network computes means nothing.
    Random(u64),
}

impl EngineSpec {
    /// The name of the engine.
    pub fn engine_name(&self) -> String {
        match self {
            Self::Ort { options, .. } => options.provider.engine_name(),
            Self::Tract { .. } => TRACT.to_owned(),
            Self::Framework(spec) => spec.engine_name().to_owned(),
        }
    }

    /// The threads that the engine computes on.
    pub fn threads(&self) -> usize {
        match self {
            Self::Ort { options, .. } => options.threads,
            Self::Tract { .. } => 1,
            Self::Framework(spec) => spec.threads,
        }
    }

    /// The error of a worker that has no such engine.
    pub fn not_here(&self) -> EngineError {
        EngineError::Worker { engine: self.engine_name(), reason: "this program does not have it".to_owned() }
    }

    /// The program with the engine, if that is one of its own.
    fn program(&self) -> Option<&'static str> {
        match self {
            Self::Tract { .. } => Some("tract-engine"),
            Self::Framework(FrameworkSpec { framework: Framework::Candle, .. }) => Some("candle-engine"),
            Self::Ort { .. } | Self::Framework(_) => None,
        }
    }

    /// Whether the engine may reserve more addresses than there is memory, as the drivers of GPUs do.
    pub fn reserves_addresses(&self) -> bool {
        matches!(self, Self::Ort { options, .. } if options.provider.reserves_addresses())
    }
}

impl FrameworkSpec {
    /// The name of the engine.
    pub fn engine_name(&self) -> &'static str {
        match (self.framework, self.exact) {
            (Framework::Burn, true) => "burn:f64",
            (framework, _) => framework.name(),
        }
    }
}

/// An engine in its process.
pub struct Opened {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// Where its code comes from.
    pub origin: Origin,
    /// What the model's file says about itself, if there is one.
    pub metadata: Option<Metadata>,
}

/// A model under ONNX Runtime.
pub(crate) fn open_ort(library: &Path, model: &Path, options: &SessionOptions) -> Result<Opened, EngineError> {
    let runtime = load_library(library)?;
    let session = Session::open(&runtime, model, options.clone())?;
    let metadata = Some(session.metadata()?);
    Ok(Opened { engine: Box::new(session), origin: Origin::Library(runtime), metadata })
}

/// Where an engine's code comes from.
pub enum Origin {
    /// A library of ONNX Runtime.
    Library(Runtime),
    /// Crates in this program: the framework's name, and a crate of it.
    Crate(&'static str, &'static str),
}

impl Origin {
    /// Its name, version and hash.
    fn describe(&self) -> Result<Library, EngineError> {
        let (name, version, path) = match self {
            Self::Library(runtime) => return Ok(describe(runtime)),
            Self::Crate(name, crate_name) => (name, locked(crate_name).unwrap_or("unknown"), std::env::current_exe()),
        };
        let path = path.map_err(FileError::new("find", "this program"))?;
        let sha256 = artifact::sha256_file(&path)?;
        Ok(Library { name: (*name).to_owned(), version: version.to_owned(), path, sha256, origin: None })
    }
}

/// What a worker is asked for. Tensors travel beside the message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Load an engine; the first request, once.
    Load(EngineSpec),
    /// Run it on the tensors.
    Run,
    /// Tell where it runs the tensors.
    Placement,
    /// Keep the tensors for the blocks to come.
    Prepare,
    /// Run on the kept tensors so many times, and tell how long each took.
    Block(usize),
    /// Tell what the process has used.
    Usage,
    /// Tell which providers a library has, and whether they work here.
    Probe(PathBuf),
}

/// What a worker answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The engine is loaded.
    Loaded(Loaded),
    /// The outputs travel beside this.
    Outputs,
    /// Where it ran.
    Placement(Placement),
    /// The tensors are kept.
    Prepared,
    /// Seconds of each run.
    Block(Vec<f64>),
    /// What the process has used.
    Usage(Option<Usage>),
    /// What a library has.
    Probed(Probe),
    /// It could not be done.
    Failed(String),
}

/// What a loaded engine is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// Its name.
    pub name: String,
    /// What the network takes and gives.
    pub signature: Signature,
    /// The library that it comes from; the program itself, where that has the engine.
    pub library: Option<Library>,
    /// What the model file says about itself, if there is one.
    pub metadata: Option<Metadata>,
    /// Milliseconds that loading took. What an engine puts off until it is needed is not in it.
    pub load_ms: f64,
    /// What the worker gave up before it loaded anything.
    pub sandbox: Sandbox,
}

/// What a library can do on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The library.
    pub library: Library,
    /// The providers that it was built with.
    pub providers: Vec<ProbedProvider>,
    /// How the kernel of this machine confines a process.
    pub confinement: Confinement,
}

/// A provider in a library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbedProvider {
    /// The provider.
    pub provider: Provider,
    /// Why it does not work here, in the runtime's own words; `None` if it does.
    pub failure: Option<String>,
}

fn load_library(path: &Path) -> Result<Runtime, EngineError> {
    // How it was found does not matter here: what it is, is seen.
    let library = RuntimeLibrary { path: path.to_owned(), origin: RuntimeOrigin::Variable };
    Ok(Runtime::open(library)?)
}

fn describe(runtime: &Runtime) -> Library {
    Library {
        name: "ONNX Runtime".to_owned(),
        version: runtime.version().to_owned(),
        path: runtime.path().to_owned(),
        sha256: runtime.identity().sha256,
        origin: Some(runtime.identity().origin),
    }
}
