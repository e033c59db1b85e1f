//! Burn as a contender.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use engines::engine::Engine;
use engines::usage::Usage;
use engines::worker::{EngineSpec, FrameworkSpec, Weights};
use networks::NetworkId;
use serde_json::{Value, json};

use crate::{Network, tensors};

/// Runs the network as often as each line of standard input says, and answers with the times.
pub fn serve(network: Network, folder: &Path, threads: usize) -> Result<()> {
    let started = Instant::now();
    let mut engine = open(network, folder, threads)?;
    let inputs = tensors::read(&folder.join(format!("{}-inputs.safetensors", network.name())))?;
    answer(&json!({"version": "Burn", "load_seconds": started.elapsed().as_secs_f64()}))?;
    for order in std::io::stdin().lock().lines() {
        let order = order?;
        match order.split_once(' ') {
            Some(("outputs", path)) => {
                tensors::write(Path::new(path), &engine.run(&inputs)?)?;
                answer(&json!({}))?;
            }
            _ if order == "usage" => {
                let usage = Usage::of_this_process().map(|usage| usage.peak_memory as f64 / f64::from(1 << 20));
                answer(&json!({"peak_mib": usage}))?;
            }
            _ => {
                let runs: usize = order.trim().parse().with_context(|| format!("the order {order:?}"))?;
                let mut seconds = Vec::with_capacity(runs);
                for _ in 0..runs {
                    let begun = Instant::now();
                    engine.run(&inputs)?;
                    seconds.push(begun.elapsed().as_secs_f64());
                }
                answer(&json!({"seconds": seconds}))?;
            }
        }
    }
    Ok(())
}

fn open(network: Network, folder: &Path, threads: usize) -> Result<Box<dyn Engine>> {
    let id = NetworkId::named(network.name()).context("a network of this workspace")?;
    let file = folder.join(format!("{}.safetensors", network.name()));
    let weights = if file.is_file() { file } else { folder.join(network.name()) };
    let own = weights.is_dir().then(|| weights.clone());
    let spec = FrameworkSpec { threads, ..networks::burn(id, Weights::At(weights), own) };
    Ok(networks::open(&EngineSpec::Framework(spec))?.engine)
}

fn answer(value: &Value) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{value}")?;
    Ok(output.flush()?)
}
