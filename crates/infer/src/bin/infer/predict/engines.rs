//! The engines that a user asks for by name.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cli::predict::Engines;
use infer::libraries::Libraries;
use infer::provider::Provider;
use infer::session::SessionOptions;
use infer::threads;
use infer::worker::EngineSpec;
use infer::worker::remote::{Launcher, RemoteEngine};

/// An engine by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Burn, in this process.
    Burn,
    /// ONNX Runtime with a provider, in a process of its own.
    Ort(Provider),
}

/// The engines in the order given, each once.
pub fn wanted(engines: &Engines) -> Result<Vec<Wanted>> {
    let mut found = Vec::new();
    for name in &engines.names {
        let provider = Provider::ALL.into_iter().find(|provider| provider.engine_name() == *name);
        let engine = match (name.as_str(), provider) {
            ("burn", _) => Wanted::Burn,
            (_, Some(provider)) => Wanted::Ort(provider),
            _ => {
                let known = Provider::ALL.map(|provider| provider.engine_name()).join(", ");
                bail!("there is no engine `{name}`; there are burn, {known}");
            }
        };
        if !found.contains(&engine) {
            found.push(engine);
        }
    }
    Ok(found)
}

/// The threads that each engine may use. Burn's are set up here, before its first use.
pub fn threads(engines: &Engines) -> Result<usize> {
    let count = engines.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    threads::limit(count).context("cannot start the worker threads")?;
    Ok(count)
}

/// The model under ONNX Runtime. `how` says how to make it.
pub fn open(provider: Provider, model: &Path, threads: usize, how: &str) -> Result<RemoteEngine> {
    std::fs::File::open(model)
        .map_err(artifact::FileError::new("open", model))
        .with_context(|| format!("no usable model ({how})"))?;
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    let library = Libraries::find(Path::new(crate::DATASETS), launcher.clone())?.for_provider(provider)?;
    let options = SessionOptions { provider, threads, ..SessionOptions::default() };
    Ok(launcher.engine(&EngineSpec::Ort { library, model: PathBuf::from(model), options })?)
}

/// The seed of a model whose weights are random, by its own record.
pub fn random_seed(engine: &RemoteEngine) -> Option<u64> {
    engine.loaded().metadata.as_ref()?.entries.get("weights.random_init")?.parse().ok()
}

/// What stands above results of random weights.
pub fn warning(seed: u64) -> String {
    format!("RANDOM WEIGHTS (seed {seed}): the results below mean nothing.\n")
}
