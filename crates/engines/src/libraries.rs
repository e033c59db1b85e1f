//! Which ONNX Runtime library has which provider.

use std::path::{Path, PathBuf};

use artifact::runtime::{DYLIB_VARIABLE, RuntimeError, fetched, locate, system};

use crate::engine::EngineError;
use crate::provider::Provider;
use crate::worker::Probe;
use crate::worker::remote::Launcher;

/// The folder below the data sets that holds the plain library; those of other builds begin with the same name.
const PLAIN: &str = "onnxruntime";

/// The libraries on this machine, the one first that is used unless a provider asks for another. If `ORT_DYLIB_PATH` names
/// one, there is no other.
///
/// # Errors
/// When there is none; the message says how to get one.
pub fn candidates(datasets: &Path) -> Result<Vec<PathBuf>, RuntimeError> {
    let first = locate(&datasets.join(PLAIN));
    if std::env::var_os(DYLIB_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return Ok(vec![first?.path]);
    }
    let mut libraries: Vec<PathBuf> = first.iter().map(|library| library.path.clone()).collect();
    // Where `/lib` is a link to `/usr/lib`, the same file lies in several places.
    let real = |path: &PathBuf| std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
    let mut known: Vec<PathBuf> = libraries.iter().map(real).collect();
    for path in other_builds(datasets).into_iter().chain(system()) {
        let path = std::path::absolute(&path).unwrap_or(path);
        if !known.contains(&real(&path)) {
            known.push(real(&path));
            libraries.push(path);
        }
    }
    match first {
        Err(error) if libraries.is_empty() => Err(error),
        _ => Ok(libraries),
    }
}

/// The libraries of `datasets/onnxruntime-*`, by name.
fn other_builds(datasets: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(datasets).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{PLAIN}-")))
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    folders.iter().filter_map(|folder| fetched(folder)).collect()
}

/// What each library can do, asked once.
pub struct Libraries {
    launcher: Launcher,
    candidates: Vec<PathBuf>,
    probes: Option<Vec<(PathBuf, Result<Probe, EngineError>)>>,
}

impl Libraries {
    /// The libraries on this machine.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(datasets: &Path, launcher: Launcher) -> Result<Self, RuntimeError> {
        Ok(Self { launcher, candidates: candidates(datasets)?, probes: None })
    }

    /// Every library with what it can do. Each is asked in a process of its own, the first time.
    pub fn probes(&mut self) -> &[(PathBuf, Result<Probe, EngineError>)] {
        let (candidates, launcher) = (&self.candidates, &self.launcher);
        self.probes.get_or_insert_with(|| candidates.iter().map(|path| (path.clone(), launcher.probe(path))).collect())
    }

    /// The providers that work in one of the libraries, the CPU's first.
    pub fn working(&mut self) -> Vec<Provider> {
        let mut working = vec![Provider::Cpu];
        for found in
            self.probes().iter().filter_map(|(_, probe)| probe.as_ref().ok()).flat_map(|probe| &probe.providers)
        {
            if found.failure.is_none() && !working.contains(&found.provider) {
                working.push(found.provider.clone());
            }
        }
        working
    }

    /// The library for a provider: the first one for the CPU, else the first in which the provider works, else the
    /// first that was built with it. One that is not known here goes to the first library, if none has it: the runtime then
    /// says in its own words what it lacks.
    ///
    /// # Errors
    /// When no library has a provider that is known here; the message says how to get one.
    pub fn for_provider(&mut self, provider: &Provider) -> Result<PathBuf, EngineError> {
        if *provider == Provider::Cpu
            && let Some(first) = self.candidates.first()
        {
            return Ok(first.clone());
        }
        let with_it: Vec<(PathBuf, bool)> = self
            .probes()
            .iter()
            .filter_map(|(path, probe)| {
                let found = probe.as_ref().ok()?.providers.iter().find(|found| found.provider == *provider)?;
                Some((path.clone(), found.failure.is_none()))
            })
            .collect();
        let working =
            with_it.iter().find(|(_, works)| *works).or_else(|| with_it.first()).map(|(path, _)| path.clone());
        let asked = || self.candidates.first().filter(|_| matches!(provider, Provider::Other(_))).cloned();
        working.or_else(asked).ok_or_else(|| EngineError::NoLibrary {
            engine: provider.engine_name(),
            provider: provider.runtime_name(),
            how: provider.how_to_get(),
        })
    }
}
