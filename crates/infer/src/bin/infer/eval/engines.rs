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
use infer::subject::Subject;
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

/// The options given for a provider.
fn options_for(arguments: &EngineArgs, provider: &Provider) -> ProviderOptions {
    let given = arguments.provider_options.iter().filter(|option| is_for(option, provider));
    given.map(|option| (option.key.clone(), option.value.clone())).collect()
}

/// Whether an option is for this provider, whichever of its names it goes by.
fn is_for(option: &ProviderOption, provider: &Provider) -> bool {
    Provider::try_from(option.provider.clone()).is_ok_and(|named| named == *provider)
}
