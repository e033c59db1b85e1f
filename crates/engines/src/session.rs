//! Networks in ONNX Runtime.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use artifact::FileError;
use artifact::interrupt::TemporaryFolder;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session as OrtSession, SessionInputValue};
use ort::value::{DynValue, Outlet};
use serde::{Deserialize, Serialize};

use crate::engine::{Dimension, Engine, EngineError, Placement, Signature, TensorInfo};
use crate::placement;
use crate::provider::{self, Provider, ProviderOptions};
use crate::runtime::{Runtime, one_line};
use crate::tensor::{NamedTensor, Tensor};
use crate::values;

/// How a session runs its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOptions {
    /// What runs the operations; what it does not know is left to the CPU provider, and [`Placement`] tells which.
    pub provider: Provider,
    /// Options of the provider.
    pub provider_options: ProviderOptions,
    /// Threads inside one operation.
    pub threads: usize,
    /// How far ONNX Runtime may rewrite the graph.
    pub optimization: Optimization,
    /// Whether each size of the inputs has a session of its own, in which the dynamic axes are fixed. It takes as many times
    /// the memory, and is for providers that are right at one size alone.
    pub per_size: bool,
}

/// How far ONNX Runtime may rewrite the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimization {
    /// Not at all.
    None,
    /// Only what keeps the meaning of every operation: constant folding, removal of redundant nodes.
    Basic,
    /// Fusions as well.
    Extended,
    /// Fusions and memory layouts; ONNX Runtime's default.
    All,
}

/// A network that ONNX Runtime has loaded.
pub struct Session {
    name: String,
    path: PathBuf,
    options: SessionOptions,
    runtime: Runtime,
    session: OrtSession,
    /// The sessions for each size, if each has one of its own.
    fixed: BTreeMap<Vec<(String, i64)>, OrtSession>,
    signature: Arc<Signature>,
}

impl Default for SessionOptions {
    /// The CPU, one thread, all optimisations.
    fn default() -> Self {
        Self {
            provider: Provider::Cpu,
            provider_options: ProviderOptions::new(),
            threads: 1,
            optimization: Optimization::All,
            per_size: false,
        }
    }
}

impl Session {
    /// Loads a model file.
    ///
    /// # Errors
    /// When the file cannot be read, is no model that this library can run, or the provider cannot be used.
    pub fn open(runtime: &Runtime, path: impl AsRef<Path>, options: SessionOptions) -> Result<Self, EngineError> {
        let path = path.as_ref().to_owned();
        let name = options.provider.engine_name();
        readable(&path)?;
        let failed = |error: ort::Error| with_options(load_error(&name, &path, &error), &options.provider_options);
        let session =
            builder(runtime, &options).and_then(|mut builder| builder.commit_from_file(&path)).map_err(failed)?;
        let signature = Arc::new(signature(&session));
        Ok(Self { name, path, options, runtime: runtime.clone(), session, fixed: BTreeMap::new(), signature })
    }

    /// The session for inputs of these sizes.
    fn session_for(&mut self, inputs: &[NamedTensor]) -> Result<&mut OrtSession, EngineError> {
        let sizes = self.sizes(inputs);
        if sizes.is_empty() {
            return Ok(&mut self.session);
        }
        match self.fixed.entry(sizes) {
            Entry::Occupied(session) => Ok(session.into_mut()),
            Entry::Vacant(place) => {
                let session = fixed(&self.runtime, &self.options, place.key())
                    .and_then(|mut builder| builder.commit_from_file(&self.path))
                    .map_err(|error| load_error(&self.name, &self.path, &error))?;
                Ok(place.insert(session))
            }
        }
    }

    /// The sizes of the dynamic axes by their names, if each size has a session of its own.
    fn sizes(&self, inputs: &[NamedTensor]) -> Vec<(String, i64)> {
        let mut sizes = BTreeMap::new();
        for declared in self.signature.inputs.iter().filter(|_| self.options.per_size) {
            let given = inputs.iter().find(|input| input.name == declared.name).map(|input| input.tensor.shape());
            for (dimension, &size) in declared.shape.iter().zip(given.unwrap_or_default()) {
                if let (Dimension::Named(name), Ok(size @ 1..)) = (dimension, i64::try_from(size)) {
                    sizes.insert(name.clone(), size);
                }
            }
        }
        sizes.into_iter().collect()
    }

    /// What the file says about itself: producer, description and the metadata map.
    ///
    /// # Errors
    /// When the library fails to tell.
    pub fn metadata(&self) -> Result<Metadata, EngineError> {
        let failed = |error: ort::Error| load_error(&self.name, &self.path, &error);
        let metadata = self.session.metadata().map_err(failed)?;
        let mut entries = BTreeMap::new();
        for key in metadata.custom_keys().map_err(failed)? {
            if let Some(value) = metadata.custom(&key) {
                entries.insert(key, value);
            }
        }
        Ok(Metadata {
            producer: metadata.producer().unwrap_or_default(),
            graph: metadata.name().unwrap_or_default(),
            description: metadata.description().unwrap_or_default(),
            entries,
        })
    }
}

/// What a model file says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The program that wrote it.
    pub producer: String,
    /// The graph's name.
    pub graph: String,
    /// The description.
    pub description: String,
    /// The metadata map.
    pub entries: BTreeMap<String, String>,
}

impl Engine for Session {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let name = self.name.clone();
        let signature = Arc::clone(&self.signature);
        run(self.session_for(inputs)?, &name, &signature, inputs)
    }

    /// Loads the network once more with the library's profiler on: it costs time, so the timed session goes without.
    fn placement(&mut self, inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        let folder = TemporaryFolder::new()?;
        let failed = |error: ort::Error| load_error(&self.name, &self.path, &error);
        let mut session = fixed(&self.runtime, &self.options, &self.sizes(inputs))
            .and_then(|builder| Ok(builder.with_profiling(folder.path().join("profile"))?))
            .and_then(|mut builder| builder.commit_from_file(&self.path))
            .map_err(failed)?;
        // The first run allocates; the shares are those of all runs.
        for _ in 0..PROFILED_RUNS {
            run(&mut session, &self.name, &self.signature, inputs)?;
        }
        let profile = session.end_profiling().map_err(failed)?;
        let text = std::fs::read_to_string(&profile).map_err(FileError::new("read", &profile))?;
        placement::from_profile(&text).map_err(|error| EngineError::Run {
            engine: self.name.clone(),
            reason: format!("its profile cannot be read: {error}"),
        })
    }
}

/// Runs that the profile is taken over.
const PROFILED_RUNS: usize = 5;

fn builder(runtime: &Runtime, options: &SessionOptions) -> ort::Result<SessionBuilder> {
    let level = match options.optimization {
        Optimization::None => GraphOptimizationLevel::Disable,
        Optimization::Basic => GraphOptimizationLevel::Level1,
        Optimization::Extended => GraphOptimizationLevel::Level2,
        Optimization::All => GraphOptimizationLevel::All,
    };
    let mut builder = OrtSession::builder(runtime.environment())?
        .with_optimization_level(level)?
        .with_intra_threads(options.threads)?
        .with_inter_threads(1)?;
    options.provider.register(&mut builder, runtime.minor(), options.threads, &options.provider_options)?;
    Ok(builder)
}

/// An error of loading, with the options that the user gave the provider: a misspelt one is a likely cause, and not every
/// provider says so.
fn with_options(error: EngineError, options: &ProviderOptions) -> EngineError {
    match error {
        EngineError::Load { engine, path, reason } if !options.is_empty() => {
            let given: Vec<String> = options.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let reason = format!("{reason} (with the provider options {})", given.join(", "));
            EngineError::Load { engine, path, reason }
        }
        other => other,
    }
}

/// A builder of sessions in which dynamic axes have these sizes.
fn fixed(runtime: &Runtime, options: &SessionOptions, sizes: &[(String, i64)]) -> ort::Result<SessionBuilder> {
    let mut builder = builder(runtime, options)?;
    for (axis, size) in sizes {
        builder = builder.with_dimension_override(axis, *size)?;
    }
    Ok(builder)
}

/// Writes the graph that ONNX Runtime makes of a model when it loads it: what its fusions did.
///
/// # Errors
/// When the model cannot be loaded, or `to` not written.
pub fn write_optimized(runtime: &Runtime, path: &Path, options: &SessionOptions, to: &Path) -> Result<(), EngineError> {
    readable(path)?;
    builder(runtime, options)
        .and_then(|builder| Ok(builder.with_optimized_model_path(to)?))
        .and_then(|mut builder| builder.commit_from_file(path))
        .map(drop)
        .map_err(|error| load_error(&options.provider.engine_name(), path, &error))
}

/// The providers that the library was built with, by its own names.
///
/// # Errors
/// When the library does not tell.
pub fn built_in(_loaded: &Runtime) -> Result<Vec<String>, EngineError> {
    provider::built_in().map_err(|error| run_error("the library", &error))
}

/// Runs a model of one addition on the provider, to see whether it works on this machine.
///
/// # Errors
/// In the runtime's own words, when it does not.
pub fn try_provider(runtime: &Runtime, options: &SessionOptions) -> Result<(), EngineError> {
    let engine = options.provider.engine_name();
    let failed = |error: ort::Error| run_error(&engine, &error);
    // What a provider leaves to the CPU does not show that it works. XNNPACK has no addition, and what it leaves is told where
    // it is used.
    let alone = !matches!(options.provider, Provider::Cpu | Provider::Xnnpack);
    let mut builder = builder(runtime, options)
        .and_then(|builder| Ok(if alone { builder.with_disable_cpu_fallback()? } else { builder }))
        .map_err(failed)?;
    let mut session = builder.commit_from_memory(PROBE_MODEL).map_err(failed)?;
    let one = Tensor::new([1, 2], vec![1.0_f32, 2.0])
        .map_err(|error| EngineError::Run { engine: engine.clone(), reason: error.to_string() })?;
    let signature = signature(&session);
    run(&mut session, &engine, &signature, &[NamedTensor::new("x", one)]).map(drop)
}

/// `y = x + x` for `x` of type float `[1, 2]`; written by `tests/fixtures/make.py`.
const PROBE_MODEL: &[u8] = include_bytes!("probe.onnx");

/// The operating system's reason is clearer than the library's.
fn readable(path: &Path) -> Result<(), FileError> {
    let about = File::open(path).and_then(|file| file.metadata()).map_err(FileError::new("open", path))?;
    if about.is_dir() {
        return Err(FileError::new("open", path)(std::io::ErrorKind::IsADirectory.into()));
    }
    Ok(())
}

fn load_error(engine: &str, path: &Path, error: &ort::Error) -> EngineError {
    EngineError::Load { engine: engine.to_owned(), path: path.to_owned(), reason: one_line(error.message()) }
}

fn run(
    session: &mut OrtSession,
    engine: &str,
    signature: &Signature,
    inputs: &[NamedTensor],
) -> Result<Vec<NamedTensor>, EngineError> {
    let failed = |error: ort::Error| run_error(engine, &error);
    // The tensors of an output that is a sequence may be those of an input: what the library does not borrow from `inputs` lives
    // until they are copied.
    let mut held: Vec<(&str, DynValue)> = Vec::new();
    let mut rest: Vec<&NamedTensor> = inputs.iter().collect();
    for info in &signature.inputs {
        if let Some(container) = info.container {
            let tensors = values::take(&info.name, &mut rest);
            held.push((&info.name, values::contain(engine, &info.name, container, &tensors)?));
        }
    }
    let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
    for input in rest {
        match values::borrowed(&input.tensor).map_err(failed)? {
            Some(value) => values.push((&input.name, value)),
            None => held.push((&input.name, values::owned(&input.tensor).map_err(failed)?.into_dyn())),
        }
    }
    values.extend(held.iter().map(|(name, value)| (*name, value.into())));
    let outputs = session.run(values).map_err(failed)?;
    let mut found = Vec::with_capacity(outputs.len());
    for ((name, value), info) in outputs.iter().zip(&signature.outputs) {
        match info.container {
            Some(container) => found.extend(container.named(name, values::contained(engine, name, &value)?)),
            None if info.element.is_some() => {
                found.push(NamedTensor::new(name, values::extract(engine, name, &value)?))
            }
            None => {}
        }
    }
    Ok(found)
}

/// What a session takes and gives.
fn signature(session: &OrtSession) -> Signature {
    let infos = |outlets: &[Outlet]| -> Vec<TensorInfo> {
        outlets.iter().map(|outlet| values::tensor_info(outlet.name(), outlet.dtype())).collect()
    };
    Signature { inputs: infos(session.inputs()), outputs: infos(session.outputs()) }
}

/// What the library says of a run.
pub(crate) fn run_error(engine: &str, error: &ort::Error) -> EngineError {
    EngineError::Run { engine: engine.to_owned(), reason: one_line(error.message()) }
}
