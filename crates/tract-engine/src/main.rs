//! tract, as a program that runs it for others: a second runtime for ONNX files, which shares no code with the first.

mod convert;
mod engine;
mod signature;

use std::process::ExitCode;

use engine::TractEngine;
use engines::engine::EngineError;
use engines::worker::serve::program;
use engines::worker::{EngineSpec, Opened, Origin};

fn main() -> ExitCode {
    program(&open)
}

fn open(spec: &EngineSpec) -> Result<Opened, EngineError> {
    let EngineSpec::Tract { model } = spec else { return Err(spec.not_here()) };
    let engine = TractEngine::open(model)?;
    let metadata = Some(engine.metadata().clone());
    Ok(Opened { engine: Box::new(engine), origin: Origin::Crate("tract", "tract-onnx"), metadata })
}
