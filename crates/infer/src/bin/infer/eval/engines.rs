//! The engines that a user asks for.

use std::cell::RefCell;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cli::eval::{EngineArgs, ProviderOption};
use infer::engine::EngineError;
use infer::engine_name::EngineName;
use infer::libraries::Libraries;
use infer::provider::{Provider, ProviderOptions};
use infer::session::SessionOptions;
use infer::subject::{Row, Subject};
use infer::worker::EngineSpec;
use infer::worker::remote::{Launcher, RemoteEngine};

/// The engines asked for, each once; ONNX Runtime on the CPU if none is.
///
/// # Errors
/// When a name is no engine's, or an option is for a provider that is not asked for.
pub fn asked(arguments: &EngineArgs) -> Result<Vec<EngineName>> {
    let named = arguments.engines.iter().map(|name| name.parse::<EngineName>().context("--engines"));
    let provided = arguments.providers.iter().map(|name| {
        let provider = name.parse::<Provider>().context("--providers")?;
        Ok(EngineName::Ort(provider))
    });
    let mut engines = Vec::new();
    for engine in named.chain(provided) {
        let engine = engine?;
        if !engines.contains(&engine) {
            engines.push(engine);
        }
    }
    if engines.is_empty() {
        engines.push(EngineName::Ort(Provider::Cpu));
    }
    for option in &arguments.provider_options {
        let wanted = |engine: &EngineName| matches!(engine, EngineName::Ort(provider) if is_for(option, provider));
        if !engines.iter().any(wanted) {
            bail!(
                "--provider-option is for {0}, which is not asked for (--engines ort:{0} would do that)",
                option.provider
            );
        }
    }
    Ok(engines)
}

/// Whether the user leaves the choice of engines open.
pub fn is_any(arguments: &EngineArgs) -> bool {
    arguments.engines.is_empty() && arguments.providers.is_empty() && arguments.provider_options.is_empty()
}

/// What starts engines on an ONNX file, each in a process of its own.
pub struct Starter<'a> {
    /// Starts processes.
    pub launcher: &'a Launcher,
    /// The libraries of this machine, which are asked for what they have when it is needed.
    pub libraries: &'a RefCell<Libraries>,
    /// The file.
    pub model: &'a Path,
    /// Threads inside one operation.
    pub threads: usize,
    /// Options of providers.
    pub arguments: &'a EngineArgs,
}

impl Starter<'_> {
    /// Starts an engine that runs ONNX files, and checks what it loaded.
    pub fn start(&self, engine: &EngineName, check: impl FnOnce(&RemoteEngine) -> Result<(), EngineError>) -> Subject {
        let started = self.load(engine).and_then(|engine| {
            check(&engine)?;
            Ok(engine)
        });
        let provider = match engine {
            EngineName::Ort(provider) => Some(provider.clone()),
            EngineName::Burn | EngineName::Candle | EngineName::Tract => None,
        };
        Subject::new(&engine.to_string(), provider, started)
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
                    provider_options: options_for(self.arguments, provider),
                    threads: self.threads,
                    per_size: self.arguments.session_per_size,
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

/// What may help engines that ran where they were asked to, and then failed: they may be right at one size alone.
pub fn size_hint<'a>(arguments: &EngineArgs, rows: impl IntoIterator<Item = &'a Row>) -> Option<String> {
    let names: Vec<&str> = rows
        .into_iter()
        .filter(|row| row.error.is_some() && !row.lost && is_placed(row))
        .map(|row| row.engine.as_str())
        .collect();
    (!arguments.session_per_size && !names.is_empty()).then(|| {
        format!(
            "{} may be right at each size by itself; --session-per-size gives each one a session of its own",
            names.join(", ")
        )
    })
}

/// Whether another provider than the CPU's ran a node.
fn is_placed(row: &Row) -> bool {
    let provider = row.engine.strip_prefix("ort:").and_then(|name| Provider::try_from(name.to_owned()).ok());
    let Some(provider) = provider.filter(|provider| *provider != Provider::Cpu) else { return false };
    let mut parts = row.placement.iter().flat_map(|placement| &placement.parts);
    parts.any(|part| part.nodes > 0 && provider.is_called(&part.provider))
}

/// The options given for a provider.
fn options_for(arguments: &EngineArgs, provider: &Provider) -> ProviderOptions {
    let given = arguments.provider_options.iter().filter(|option| is_for(option, provider));
    given.map(|option| (option.key.clone(), option.value.clone())).collect()
}

/// Whether an option is for this provider, whichever of its names it goes by.
fn is_for(option: &ProviderOption, provider: &Provider) -> bool {
    Provider::try_from(option.provider.clone()).is_ok_and(|named| named == *provider)
}

#[cfg(test)]
mod tests {
    use super::*;
    use infer::engine::{Placement, PlacementPart};

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
                Subject::new(engine, None, Err(EngineError::Run { engine: String::new(), reason: String::new() })).row;
            row.error = error.map(str::to_owned);
            row.placement = Some(Placement { parts: vec![part] });
            row
        };
        let arguments = |session_per_size| EngineArgs {
            engines: Vec::new(),
            providers: Vec::new(),
            provider_options: Vec::new(),
            session_per_size,
        };
        let rows = [
            row("burn", "Flex", Some("no")),
            row("ort:cpu", "CPUExecutionProvider", Some("no")),
            row("ort:azure", "CPUExecutionProvider", Some("no node ran there")),
            row("ort:openvino", "OpenVINOExecutionProvider", None),
            row("ort:dnnl", "DnnlExecutionProvider", Some("not a valid reshape")),
        ];
        let hint = size_hint(&arguments(false), &rows).unwrap();
        assert!(hint.starts_with("ort:dnnl may be right at each size by itself"), "{hint}");
        assert_eq!(size_hint(&arguments(true), &rows), None);
        assert_eq!(size_hint(&arguments(false), &rows[..4]), None);
    }
}
