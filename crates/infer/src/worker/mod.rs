//! Engines in processes of their own.
//!
//! A process can load one ONNX Runtime library, and an engine that crashes takes its process with it. So every engine of
//! an evaluation runs in a worker: this program again, which reads [`Request`]s from standard input and answers each with
//! one [`Answer`] on standard output. Timing happens inside the worker, so that no message is timed.

pub mod remote;
pub mod serve;
pub mod wire;

use std::path::PathBuf;

use artifact::runtime::{RuntimeLibrary, RuntimeOrigin};
use serde::{Deserialize, Serialize};

use crate::burn_mnist::BurnMnist;
use crate::engine::{Engine, EngineError, Placement, Signature};
use crate::fingerprint::Library;
use crate::provider::Provider;
use crate::runtime::Runtime;
use crate::session::{Metadata, Session, SessionOptions};
use crate::usage::Usage;

/// The argument that makes this program a worker.
pub const WORKER_COMMAND: &str = "worker";

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
    /// The MNIST CNN in Burn.
    BurnMnist {
        /// Its weights.
        weights: PathBuf,
        /// The threads that Burn may use.
        threads: usize,
        /// Whether to compute in float64.
        exact: bool,
    },
}

impl EngineSpec {
    /// The name of the engine.
    pub fn engine_name(&self) -> String {
        match self {
            Self::Ort { options, .. } => options.provider.engine_name(),
            Self::BurnMnist { exact: false, .. } => "burn".to_owned(),
            Self::BurnMnist { exact: true, .. } => "burn:f64".to_owned(),
        }
    }

    /// Loads the network. For a worker: it may set the process up for this engine.
    fn open(&self) -> Result<Opened, EngineError> {
        match self {
            Self::Ort { library, model, options } => {
                let runtime = load_library(library)?;
                let described = describe(&runtime)?;
                let session = Session::open(&runtime, model, options.clone())?;
                let metadata = Some(session.metadata()?);
                Ok(Opened { engine: Box::new(session), library: Some(described), metadata })
            }
            Self::BurnMnist { weights, threads, exact } => {
                crate::threads::limit(*threads)
                    .map_err(|error| EngineError::Run { engine: self.engine_name(), reason: error.to_string() })?;
                let network = BurnMnist::load(weights)?;
                let network = if *exact { network.exact() } else { network };
                Ok(Opened { engine: Box::new(network), library: None, metadata: None })
            }
        }
    }
}

/// An engine in its process.
struct Opened {
    engine: Box<dyn Engine>,
    library: Option<Library>,
    metadata: Option<Metadata>,
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
    /// The runtime library, if there is one.
    pub library: Option<Library>,
    /// What the model file says about itself, if there is one.
    pub metadata: Option<Metadata>,
    /// Milliseconds that loading took. What an engine puts off until it is needed is not in it.
    pub load_ms: f64,
}

/// What a library can do on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The library.
    pub library: Library,
    /// The providers that it was built with.
    pub providers: Vec<ProbedProvider>,
}

/// A provider in a library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbedProvider {
    /// The provider.
    pub provider: Provider,
    /// Why it does not work here, in the runtime's own words; `None` if it does.
    pub failure: Option<String>,
}

fn load_library(path: &std::path::Path) -> Result<Runtime, EngineError> {
    // How it was found is known to the process that asks.
    let library = RuntimeLibrary { path: path.to_owned(), origin: RuntimeOrigin::Variable };
    Ok(Runtime::open(library)?)
}

fn describe(runtime: &Runtime) -> Result<Library, EngineError> {
    Ok(Library {
        name: "ONNX Runtime".to_owned(),
        version: runtime.version().to_owned(),
        path: runtime.path().to_owned(),
        sha256: artifact::sha256_file(runtime.path())?,
    })
}
