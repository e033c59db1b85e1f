//! Starting engines on an ONNX file.

use std::cell::RefCell;
use std::path::Path;

use engines::engine::EngineError;
use engines::engine_name::EngineName;
use engines::fingerprint::Library;
use engines::libraries::Libraries;
use engines::provider::Provider;
use engines::session::SessionOptions;
use engines::worker::EngineSpec;
use engines::worker::remote::{Launcher, RemoteEngine};

use crate::contender::{Contender, EngineRecord};
use crate::measure::Measure;

/// What starts engines on an ONNX file, each in a process of its own.
pub struct Starter<'a> {
    /// Starts processes.
    pub launcher: &'a Launcher,
    /// The libraries of this machine, which are asked for what they have when it is needed.
    pub libraries: &'a RefCell<Libraries>,
    /// The file.
    pub model: &'a Path,
    /// Threads and options of providers.
    pub measure: &'a Measure,
}

impl Starter<'_> {
    /// Starts an engine that runs ONNX files, and checks what it loaded.
    pub fn start(
        &self,
        engine: &EngineName,
        check: impl FnOnce(&RemoteEngine) -> Result<(), EngineError>,
    ) -> Contender {
        let started = self.load(engine).and_then(|engine| {
            check(&engine)?;
            Ok(engine)
        });
        let provider = match engine {
            EngineName::Ort(provider) => Some(provider.clone()),
            EngineName::Burn | EngineName::Candle | EngineName::Tract => None,
        };
        Contender::new(&engine.to_string(), provider, started)
    }

    fn load(&self, engine: &EngineName) -> Result<RemoteEngine, EngineError> {
        self.launcher.engine(&self.spec(engine, self.model)?)
    }

    /// The engine on another file.
    ///
    /// # Errors
    /// When the engine runs no files, or no library has the provider.
    pub fn spec(&self, engine: &EngineName, model: &Path) -> Result<EngineSpec, EngineError> {
        let model = model.to_owned();
        match engine {
            EngineName::Ort(provider) => {
                let options = SessionOptions {
                    provider: provider.clone(),
                    provider_options: self.measure.options_for(provider),
                    threads: self.measure.threads,
                    per_size: self.measure.session_per_size,
                    ..SessionOptions::default()
                };
                let library = self.libraries.borrow_mut().for_provider(provider)?;
                Ok(EngineSpec::Ort { library, model, options })
            }
            EngineName::Tract => Ok(EngineSpec::Tract { model }),
            EngineName::Burn | EngineName::Candle => Err(EngineError::Load {
                engine: engine.to_string(),
                path: model,
                reason: "it runs networks of this program, not files".to_owned(),
            }),
        }
    }
}

/// What is said of libraries that no manifest declares, each once, and of workers that were not confined.
pub fn trust<'a>(rows: impl IntoIterator<Item = &'a EngineRecord>) -> Vec<String> {
    let of_row = |row: &EngineRecord| {
        let own = row.library.as_ref().and_then(Library::own);
        let unconfined = row.sandbox.and_then(|sandbox| sandbox.warning(&row.engine));
        own.into_iter().chain(unconfined)
    };
    let mut told: Vec<String> = rows.into_iter().flat_map(of_row).collect();
    told.sort();
    told.dedup();
    told
}

/// What may help engines that ran where they were asked to, and then failed: they may be right at one size alone.
pub fn size_hint<'a>(session_per_size: bool, rows: impl IntoIterator<Item = &'a EngineRecord>) -> Option<String> {
    let names: Vec<&str> = rows
        .into_iter()
        .filter(|row| row.error.is_some() && !row.lost && is_placed(row))
        .map(|row| row.engine.as_str())
        .collect();
    (!session_per_size && !names.is_empty()).then(|| {
        format!(
            "{} may be right at each size by itself; --session-per-size gives each one a session of its own",
            names.join(", ")
        )
    })
}

/// Whether another provider than the CPU's ran a node.
fn is_placed(row: &EngineRecord) -> bool {
    let provider = row.engine.strip_prefix("ort:").and_then(|name| Provider::try_from(name.to_owned()).ok());
    let Some(provider) = provider.filter(|provider| *provider != Provider::Cpu) else { return false };
    let mut parts = row.placement.iter().flat_map(|placement| &placement.parts);
    parts.any(|part| part.nodes > 0 && provider.is_called(&part.provider))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::engine::{Placement, PlacementPart};

    #[test]
    fn an_engine_that_failed_on_its_provider_gets_a_hint() {
        let row = |engine: &str, ran_on: &str, error: Option<&str>| {
            let part = PlacementPart {
                provider: ran_on.to_owned(),
                nodes: 2,
                node_share: 1.0,
                time_share: 1.0,
                node_names: Vec::new(),
            };
            let mut row =
                Contender::new(engine, None, Err(EngineError::Run { engine: String::new(), reason: String::new() }))
                    .row;
            row.error = error.map(str::to_owned);
            row.placement = Some(Placement { parts: vec![part], ..Placement::default() });
            row
        };
        let rows = [
            row("burn", "Flex", Some("no")),
            row("ort:cpu", "CPUExecutionProvider", Some("no")),
            row("ort:azure", "CPUExecutionProvider", Some("no node ran there")),
            row("ort:openvino", "OpenVINOExecutionProvider", None),
            row("ort:dnnl", "DnnlExecutionProvider", Some("not a valid reshape")),
        ];
        let hint = size_hint(false, &rows).unwrap();
        assert!(hint.starts_with("ort:dnnl may be right at each size by itself"), "{hint}");
        assert_eq!(size_hint(true, &rows), None);
        assert_eq!(size_hint(false, &rows[..4]), None);
    }
}
