//! The engines that a user asks for by name.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use catalogue::Card;
use cli::predict::Engines as EngineOptions;
use cli::sandbox::SandboxArgs;
use engines::engine::{Engine, Engines, Signature};
use engines::engine_name::{EngineName, Framework};
use engines::fingerprint::Library;
use engines::libraries::Libraries;
use engines::provider::Provider;
use engines::session::SessionOptions;
use engines::signature::require;
use engines::worker::remote::{Launcher, RemoteEngine};
use engines::worker::{EngineSpec, FrameworkSpec, Weights};
use serde::Serialize;
use terminal::failure::sentence;
use terminal::plain::line;

/// The engines in the order given, each once; Burn and ONNX Runtime on the CPU if none is.
pub fn wanted(engines: &EngineOptions) -> Result<Vec<EngineName>> {
    if engines.names.is_empty() {
        return Ok(vec![EngineName::Burn, EngineName::Ort(Provider::Cpu)]);
    }
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

/// What is run.
pub struct Source<'a> {
    /// The ONNX file.
    pub model: &'a Path,
    /// The network that it is the file of; `None` for a file from anywhere, which frameworks cannot run.
    pub network: Option<Network<'a>>,
    /// Threads inside one operation.
    pub threads: usize,
}

/// A network whose weights frameworks run.
pub struct Network<'a> {
    /// The network.
    pub card: &'a Card,
    /// What it takes and gives.
    pub signature: &'a Signature,
    /// What it is, with its article.
    pub what: &'static str,
    /// The weights.
    pub weights: &'a Path,
    /// The folder with its configuration, where it does not lie with the weights.
    pub folder: Option<&'a Path>,
}

impl Source<'_> {
    /// An engine that runs the ONNX file.
    fn file(&self, launcher: &Launcher, engine: &EngineName) -> Result<RemoteEngine> {
        std::fs::File::open(self.model).map_err(artifact::FileError::new("open", self.model)).with_context(|| {
            let command = self.network.as_ref().map(|network| network.card.command("export"));
            command.map_or_else(|| "--onnx".to_owned(), |command| format!("no usable model (`{command}` makes it)"))
        })?;
        let model = self.model.to_owned();
        let spec = match engine {
            EngineName::Ort(provider) => {
                let library = Libraries::find(&catalogue::datasets(), launcher.clone())?.for_provider(provider)?;
                let options =
                    SessionOptions { provider: provider.clone(), threads: self.threads, ..SessionOptions::default() };
                EngineSpec::Ort { library, model, options }
            }
            _ => EngineSpec::Tract { model },
        };
        let started = launcher.engine(&spec)?;
        if let Some(Network { signature, what, .. }) = &self.network {
            require(&started, self.model, signature, what)?;
        }
        Ok(started)
    }

    /// The network in a framework.
    fn framework(&self, launcher: &Launcher, framework: Framework, seed: Option<u64>) -> Result<RemoteEngine> {
        let name = framework.name();
        let network = self.network.as_ref();
        let Network { card, weights, folder, .. } =
            network.with_context(|| format!("{name} runs networks that it knows, not ONNX files"))?;
        let spec = EngineSpec::Framework(FrameworkSpec {
            framework,
            network: card.name.to_owned(),
            weights: seed.map_or_else(|| Weights::At((*weights).to_owned()), Weights::Random),
            folder: folder.map(Path::to_owned).or_else(|| networks::evaluate::folder(card, weights)),
            threads: self.threads,
            exact: false,
        });
        let started = launcher.engine(&spec);
        started.with_context(|| format!("no usable weights for {name} ({})", card.ways_to_weights()))
    }
}

/// The engines that could be opened, and those that could not.
pub struct Opened {
    /// In the order of their names.
    pub engines: Engines,
    /// The others.
    pub failed: Vec<Unopened>,
    /// The library of the first of them.
    pub library: Option<Library>,
    /// The seed of the weights, if those are random.
    pub seed: Option<u64>,
}

/// An engine that cannot be opened.
#[derive(Serialize)]
pub struct Unopened {
    /// The engine.
    pub engine: String,
    /// Why.
    pub error: String,
}

impl Opened {
    /// Opens the engines, each in a process of its own. Only the file knows whether its weights are random, so the engines that
    /// run it are opened first.
    ///
    /// # Errors
    /// When none of them can be opened.
    pub fn each(names: &[EngineName], source: &Source<'_>, sandbox: SandboxArgs) -> Result<Self> {
        let launcher = crate::measure::confined(sandbox)?;
        let framework = |name: &EngineName| match name {
            EngineName::Burn => Some(Framework::Burn),
            EngineName::Candle => Some(Framework::Candle),
            EngineName::Tract | EngineName::Ort(_) => None,
        };
        let mut seed = None;
        let mut started: Vec<(usize, Result<RemoteEngine>)> = Vec::new();
        for (place, name) in names.iter().enumerate().filter(|(_, name)| framework(name).is_none()) {
            let engine = source.file(&launcher, name);
            seed = seed.or_else(|| engine.as_ref().ok().and_then(random_seed));
            started.push((place, engine));
        }
        for (place, name) in names.iter().enumerate() {
            if let Some(framework) = framework(name) {
                started.push((place, source.framework(&launcher, framework, seed)));
            }
        }
        started.sort_by_key(|(place, _)| *place);
        let first = started.iter().find_map(|(_, engine)| engine.as_ref().ok());
        let library = first.and_then(|engine| engine.loaded().library.clone());
        let mut opened = Self { engines: Vec::new(), failed: Vec::new(), library, seed };
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
        false => bail!("{} gave no answers; the other results are above", names.join(", ")),
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
