//! The engines that a user asks for by name.

use std::path::Path;

use anyhow::{Context, Result, bail};
use cli::failure::sentence;
use cli::predict::Engines as EngineOptions;
use infer::engine::{Engine, EngineError, Engines};
use infer::engine_name::EngineName;
use infer::libraries::Libraries;
use infer::session::SessionOptions;
use infer::threads;
use infer::worker::remote::{Launcher, RemoteEngine};
use infer::worker::{EngineSpec, Weights};
use serde::Serialize;

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

/// Whether an engine runs the ONNX file, and not the weights that it was made from.
pub fn runs_files(engine: &EngineName) -> bool {
    matches!(engine, EngineName::Ort(_) | EngineName::Tract)
}

/// The threads that each engine may use. Burn's and candle's are set up here, before their first use.
pub fn threads(engines: &EngineOptions) -> Result<usize> {
    let count = engines.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    threads::limit(count).context("cannot start the worker threads")?;
    Ok(count)
}

/// An engine that runs the ONNX file, in a process of its own. `how` says how to make the file.
fn start(engine: &EngineName, model: &Path, threads: usize, how: &str) -> Result<RemoteEngine> {
    std::fs::File::open(model)
        .map_err(artifact::FileError::new("open", model))
        .with_context(|| format!("no usable model ({how})"))?;
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    let model = model.to_owned();
    let spec = match engine {
        EngineName::Ort(provider) => {
            let library = Libraries::find(Path::new(crate::DATASETS), launcher.clone())?.for_provider(provider)?;
            EngineSpec::Ort {
                library,
                model,
                options: SessionOptions { provider: provider.clone(), threads, ..SessionOptions::default() },
            }
        }
        _ => EngineSpec::Tract { model },
    };
    Ok(launcher.engine(&spec)?)
}

/// An ONNX file, and how it was made.
pub struct Exported<'a> {
    /// The file.
    pub model: &'a Path,
    /// How to make it.
    pub how: &'a str,
    /// Refuses a file of another network.
    pub check: fn(&dyn Engine, &Path) -> Result<(), EngineError>,
    /// Where its weights come from.
    pub weights: &'a Path,
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
    /// Sorts out the engines of [`load_each`].
    ///
    /// # Errors
    /// When none of them could be opened.
    pub fn of(names: &[EngineName], (engines, seed): (Vec<Result<Box<dyn Engine>>>, Option<u64>)) -> Result<Self> {
        let mut opened = Self { engines: Vec::new(), failed: Vec::new(), seed };
        for (name, engine) in names.iter().zip(engines) {
            match engine {
                Ok(engine) => opened.engines.push(engine),
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
    failed.iter().map(|failed| format!("FAILED: {}\n", failed.error)).collect()
}

/// Fails if an engine could not be opened.
///
/// # Errors
/// Then; the message names all of them.
pub fn require_all(failed: &[Unopened]) -> Result<()> {
    let names: Vec<&str> = failed.iter().map(|failed| failed.engine.as_str()).collect();
    match names.is_empty() {
        true => Ok(()),
        false => bail!("{} could not be opened; the other results are above", names.join(", ")),
    }
}

/// The engines in the order of their names, with an error in the place of one that cannot be opened, and the seed of their
/// weights if those are random. Only the file knows whether they are, so its engines are opened first. `framework` opens the
/// others.
pub fn load_each(
    names: &[EngineName],
    file: &Exported,
    threads: usize,
    framework: impl Fn(&EngineName, &Weights) -> Result<Box<dyn Engine>>,
) -> (Vec<Result<Box<dyn Engine>>>, Option<u64>) {
    let mut seed = None;
    let mut engines: Vec<(usize, Result<Box<dyn Engine>>)> = Vec::new();
    let (files, frameworks): (Vec<_>, Vec<_>) = names.iter().enumerate().partition(|(_, name)| runs_files(name));
    for (place, name) in files {
        let engine = start(name, file.model, threads, file.how).and_then(|engine| {
            (file.check)(&engine, file.model)?;
            seed = seed.or_else(|| random_seed(&engine));
            Ok(Box::new(engine) as Box<dyn Engine>)
        });
        engines.push((place, engine));
    }
    let weights = seed.map_or_else(|| Weights::At(file.weights.to_owned()), Weights::Random);
    for (place, name) in frameworks {
        engines.push((place, framework(name, &weights)));
    }
    engines.sort_by_key(|(place, _)| *place);
    (engines.into_iter().map(|(_, engine)| engine).collect(), seed)
}

/// The seed of a model whose weights are random, by its own record.
pub fn random_seed(engine: &RemoteEngine) -> Option<u64> {
    engine.loaded().metadata.as_ref()?.entries.get("weights.random_init")?.parse().ok()
}

/// What stands above results of random weights.
pub fn warning(seed: u64) -> String {
    format!("RANDOM WEIGHTS (seed {seed}): the results below mean nothing.\n")
}
