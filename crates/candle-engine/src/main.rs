//! candle-transformers, as a program that runs it for others.

use std::process::ExitCode;

use candle_engine::CandleBert;
use engines::engine::EngineError;
use engines::engine_name::Framework;
use engines::threads;
use engines::worker::serve::program;
use engines::worker::{EngineSpec, Opened, Origin};

fn main() -> ExitCode {
    program(&open)
}

fn open(spec: &EngineSpec) -> Result<Opened, EngineError> {
    let network = match spec {
        EngineSpec::Framework(network) if network.framework == Framework::Candle => network,
        _ => return Err(spec.not_here()),
    };
    threads::limit_for(network)?;
    let folder = network.folder.as_deref().ok_or_else(|| spec.not_here())?;
    let engine = CandleBert::open(folder, &network.weights)?;
    Ok(Opened { engine: Box::new(engine), origin: Origin::Crate("candle", "candle-transformers"), metadata: None })
}
