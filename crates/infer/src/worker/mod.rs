//! Engines in processes of their own.
//!
//! A process can load one ONNX Runtime library, and an engine that crashes takes its process with it. So every engine of
//! an evaluation runs in a worker: this program again, which reads [`Request`]s from standard input and answers each with
//! one [`Answer`] on standard output. Timing happens inside the worker, so that no message is timed.

pub mod remote;
pub mod serve;
mod surroundings;
pub mod wire;

use std::path::PathBuf;

use artifact::FileError;
use artifact::runtime::{RuntimeLibrary, RuntimeOrigin};
use serde::{Deserialize, Serialize};

use crate::burn_mnist::BurnMnist;
use crate::burn_network::{BurnAlexNet, BurnBert};
use crate::candle_bert::{self, CandleBert};
use crate::engine::{Engine, EngineError, Placement, Signature};
use crate::fingerprint::Library;
use crate::provider::Provider;
use crate::runtime::Runtime;
use crate::session::{Metadata, Session, SessionOptions};
use crate::tract_engine::{self, TractEngine};
use crate::usage::Usage;
use crate::versions::locked;

/// The argument that makes this program a worker.
pub const WORKER_COMMAND: &str = "worker";

/// The option that bounds a worker's memory, in bytes.
pub const MEMORY_OPTION: &str = "--memory";

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
    /// The MNIST CNN in Burn.
    BurnMnist {
        /// Its weights.
        weights: PathBuf,
        /// The threads that Burn may use.
        threads: usize,
        /// Whether to compute in float64.
        exact: bool,
    },
    /// AlexNet in Burn.
    BurnAlexnet {
        /// Its weights.
        weights: Weights,
        /// The threads that Burn may use.
        threads: usize,
        /// Whether to compute in float64.
        exact: bool,
    },
    /// BERT for question answering in Burn.
    BurnBert {
        /// The Hugging Face folder with the configuration.
        folder: PathBuf,
        /// Its weights.
        weights: Weights,
        /// The threads that Burn may use.
        threads: usize,
        /// Whether to compute in float64.
        exact: bool,
    },
    /// BERT for question answering in candle-transformers.
    CandleBert {
        /// The Hugging Face folder with the configuration.
        folder: PathBuf,
        /// Its weights.
        weights: Weights,
        /// The threads that candle may use.
        threads: usize,
    },
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
            Self::Tract { .. } => tract_engine::NAME.to_owned(),
            Self::CandleBert { .. } => candle_bert::NAME.to_owned(),
            Self::BurnMnist { exact, .. } | Self::BurnAlexnet { exact, .. } | Self::BurnBert { exact, .. } => {
                if *exact { "burn:f64" } else { "burn" }.to_owned()
            }
        }
    }

    /// The threads that the engine computes on.
    pub fn threads(&self) -> usize {
        match self {
            Self::Ort { options, .. } => options.threads,
            Self::Tract { .. } => 1,
            Self::BurnMnist { threads, .. }
            | Self::BurnAlexnet { threads, .. }
            | Self::BurnBert { threads, .. }
            | Self::CandleBert { threads, .. } => *threads,
        }
    }

    /// Whether the engine may reserve more addresses than there is memory, as the drivers of GPUs do.
    pub fn reserves_addresses(&self) -> bool {
        matches!(self, Self::Ort { options, .. } if options.provider.reserves_addresses())
    }

    /// Loads the network. For a worker: it may set the process up for this engine.
    fn open(&self) -> Result<Opened, EngineError> {
        match self {
            Self::Ort { library, model, options } => {
                let runtime = load_library(library)?;
                let session = Session::open(&runtime, model, options.clone())?;
                let metadata = Some(session.metadata()?);
                Ok(Opened { engine: Box::new(session), origin: Origin::Library(runtime), metadata })
            }
            Self::Tract { model } => {
                let engine = TractEngine::open(model)?;
                let metadata = Some(engine.metadata().clone());
                Ok(Opened { engine: Box::new(engine), origin: Origin::Crate("tract", "tract-onnx"), metadata })
            }
            Self::BurnMnist { weights, exact, .. } => {
                self.limit_threads()?;
                let network = BurnMnist::load(weights)?;
                Ok(burn(if *exact { network.exact() } else { network }))
            }
            Self::BurnAlexnet { weights, exact, .. } => {
                self.limit_threads()?;
                let network = BurnAlexNet::open(weights)?;
                Ok(burn(if *exact { network.exact() } else { network }))
            }
            Self::BurnBert { folder, weights, exact, .. } => {
                self.limit_threads()?;
                let network = BurnBert::open(folder, weights)?;
                Ok(burn(if *exact { network.exact() } else { network }))
            }
            Self::CandleBert { folder, weights, .. } => {
                self.limit_threads()?;
                let engine = Box::new(CandleBert::open(folder, weights)?);
                Ok(Opened { engine, origin: Origin::Crate("candle", "candle-transformers"), metadata: None })
            }
        }
    }

    /// Gives Burn or candle its threads; both take rayon's.
    fn limit_threads(&self) -> Result<(), EngineError> {
        crate::threads::limit(self.threads())
            .map_err(|error| EngineError::Run { engine: self.engine_name(), reason: error.to_string() })
    }
}

/// An engine of Burn in its process.
fn burn(engine: impl Engine + 'static) -> Opened {
    Opened { engine: Box::new(engine), origin: Origin::Crate("Burn", "burn"), metadata: None }
}

/// An engine in its process.
struct Opened {
    engine: Box<dyn Engine>,
    origin: Origin,
    metadata: Option<Metadata>,
}

/// Where an engine's code comes from.
enum Origin {
    /// A library of ONNX Runtime.
    Library(Runtime),
    /// Crates in this program: the framework's name, and a crate of it.
    Crate(&'static str, &'static str),
}

impl Origin {
    /// Its name, version and hash. This reads the whole file.
    fn describe(&self) -> Result<Library, EngineError> {
        let (name, version, path) = match self {
            Self::Library(runtime) => return describe(runtime),
            Self::Crate(name, crate_name) => (name, locked(crate_name).unwrap_or("unknown"), std::env::current_exe()),
        };
        let path = path.map_err(FileError::new("find", "this program"))?;
        let sha256 = artifact::sha256_file(&path)?;
        Ok(Library { name: (*name).to_owned(), version: version.to_owned(), path, sha256 })
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
