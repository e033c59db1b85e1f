//! candle-transformers, as a program that runs it for others.

use std::process::ExitCode;

use candle_engine::{CandleBert, CandleEncoder};
use catalogue::{NetworkId, TaskKind};
use engines::engine::{Engine, EngineError};
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
    let task = NetworkId::named(&network.network).map(NetworkId::task);
    let engine: Box<dyn Engine> = match task {
        Some(TaskKind::Texts) => Box::new(CandleEncoder::open(folder, &network.weights)?),
        Some(TaskKind::Questions) => Box::new(CandleBert::open(folder, &network.weights)?),
        _ => return Err(spec.not_here()),
    };
    Ok(Opened { engine, origin: Origin::Crate("candle", "candle-transformers"), metadata: None })
}
