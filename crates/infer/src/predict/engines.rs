//! The engines that a user asks for by name.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use catalogue::Card;
use cli::predict::Engines as EngineOptions;
use cli::sandbox::SandboxArgs;
use engines::engine::{Engine, Engines, Signature};
use engines::engine_name::{EngineName, Framework};
use engines::libraries::Libraries;
use engines::session::SessionOptions;
use engines::signature::require;
use engines::worker::remote::{Launcher, RemoteEngine};
use engines::worker::{EngineSpec, FrameworkSpec, Weights};
use serde::Serialize;
use terminal::failure::sentence;
use terminal::plain::line;

/// The engines in the order given, each once.
pub fn wanted(engines: &EngineOptions) -> Result<Vec<EngineName>> {
    let mut found = Vec::new();
    for name in &engines.names {
        let engine: EngineName = name.parse()?;
        if !found.contains(&engine) {
            found.push(engine);
        }
    }
    Ok(found)
}

/// The threads that each engine may use.
pub fn threads(engines: &EngineOptions) -> usize {
    engines.threads.unwrap_or_else(engines::fingerprint::cores)
}

/// A network to be run: its ONNX file, and its weights for frameworks.
pub struct Network<'a> {
    /// The network.
    pub card: &'a Card,
    /// What it takes and gives.
    pub signature: &'a Signature,
    /// What it is, with its article.
    pub what: &'static str,
    /// The ONNX file.
    pub model: &'a Path,
    /// The weights.
    pub weights: &'a Path,
    /// The folder with its configuration, if it has one.
    pub folder: Option<PathBuf>,
    /// Threads inside one operation.
    pub threads: usize,
}

impl Network<'_> {
    /// An engine that runs the ONNX file.
    fn file(&self, launcher: &Launcher, engine: &EngineName) -> Result<RemoteEngine> {
        std::fs::File::open(self.model)
            .map_err(artifact::FileError::new("open", self.model))
            .with_context(|| format!("no usable model (`cargo xtask export {}` makes it)", self.card.name))?;
        let model = self.model.to_owned();
        let spec = match engine {
            EngineName::Ort(provider) => {
                let library = Libraries::find(Path::new(crate::DATASETS), launcher.clone())?.for_provider(provider)?;
                let options =
                    SessionOptions { provider: provider.clone(), threads: self.threads, ..SessionOptions::default() };
                EngineSpec::Ort { library, model, options }
            }
            _ => EngineSpec::Tract { model },
        };
        let started = launcher.engine(&spec)?;
        require(&started, self.model, self.signature, self.what)?;
        Ok(started)
    }

    /// The network in a framework.
    fn framework(&self, launcher: &Launcher, framework: Framework, weights: &Weights) -> Result<RemoteEngine> {
        let spec = EngineSpec::Framework(FrameworkSpec {
            framework,
            network: self.card.name.to_owned(),
            weights: weights.clone(),
            folder: self.folder.clone(),
            threads: self.threads,
            exact: false,
        });
        let started = launcher.engine(&spec);
        started.with_context(|| format!("no usable weights for {} ({})", framework.name(), self.card.ways_to_weights()))
    }
}

/// The engines that could be opened, and those that could not.
pub struct Opened {
    /// In the order of their names.
    pub engines: Engines,
    /// The others.
    pub failed: Vec<Unopened>,
    /// The seed of the weights, if those are random.
    pub seed: Option<u64>,
}

/// An engine that cannot be opened.
#[derive(Serialize)]
pub struct Unopened {
    engine: String,
    error: String,
}

impl Opened {
    /// Opens the engines, each in a process of its own. Only the file knows whether its weights are random, so the engines that
    /// run it are opened first.
    ///
    /// # Errors
    /// When none of them can be opened.
    pub fn each(names: &[EngineName], network: &Network<'_>, sandbox: SandboxArgs) -> Result<Self> {
        let launcher = crate::launcher(sandbox)?;
        let framework = |name: &EngineName| match name {
            EngineName::Burn => Some(Framework::Burn),
            EngineName::Candle => Some(Framework::Candle),
            EngineName::Tract | EngineName::Ort(_) => None,
        };
        let mut seed = None;
        let mut started: Vec<(usize, Result<RemoteEngine>)> = Vec::new();
        for (place, name) in names.iter().enumerate().filter(|(_, name)| framework(name).is_none()) {
            let engine = network.file(&launcher, name);
            seed = seed.or_else(|| engine.as_ref().ok().and_then(random_seed));
            started.push((place, engine));
        }
        let weights = seed.map_or_else(|| Weights::At(network.weights.to_owned()), Weights::Random);
        for (place, name) in names.iter().enumerate() {
            if let Some(framework) = framework(name) {
                started.push((place, network.framework(&launcher, framework, &weights)));
            }
        }
        started.sort_by_key(|(place, _)| *place);
        let mut opened = Self { engines: Vec::new(), failed: Vec::new(), seed };
        for (name, (_, engine)) in names.iter().zip(started) {
            match engine {
                Ok(engine) => opened.engines.push(Box::new(engine) as Box<dyn Engine>),
                Err(error) => {
                    opened.failed.push(Unopened { engine: name.to_string(), error: sentence(error.as_ref()) });
                }
            }
        }
        if opened.engines.is_empty() {
            let mut reasons: Vec<&str> = opened.failed.iter().map(|failed| failed.error.as_str()).collect();
            reasons.dedup();
            bail!("{}", reasons.join("; "));
        }
        Ok(opened)
    }
}

/// Those that cannot be opened, a line each.
pub fn failures(failed: &[Unopened]) -> String {
    failed.iter().map(|failed| line(format_args!("FAILED: {}", failed.error))).collect()
}

/// How a prediction ends: well if every engine could be opened and all agree. `otherwise` is said of those that do not.
///
/// # Errors
/// Otherwise; the message names the engines that could not be opened.
pub fn conclude(failed: &[Unopened], agree: bool, otherwise: &str) -> Result<ExitCode> {
    let names: Vec<&str> = failed.iter().map(|failed| failed.engine.as_str()).collect();
    match names.is_empty() {
        true if agree => Ok(ExitCode::SUCCESS),
        true => bail!("{otherwise}"),
        false => bail!("{} could not be opened; the other results are above", names.join(", ")),
    }
}

/// The seed of a model whose weights are random, by its own record.
fn random_seed(engine: &RemoteEngine) -> Option<u64> {
    engine.loaded().metadata.as_ref()?.entries.get("weights.random_init")?.parse().ok()
}

/// What stands above results of random weights.
pub fn warning(seed: u64) -> String {
    format!("RANDOM WEIGHTS (seed {seed}): the results below mean nothing.\n")
}
