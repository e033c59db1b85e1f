//! Burn as a contender.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use burn::tensor::Device;
use infer::burn_mnist::BurnMnist;
use infer::burn_network::{BurnAlexNet, BurnBert};
use infer::engine::Engine;
use infer::usage::Usage;
use models::alexnet::AlexNet;
use models::bert::{BertConfig, BertForQuestionAnswering};
use models::weights::Checkpoint;
use serde_json::{Value, json};

use crate::{Network, tensors};

/// Runs the network as often as each line of standard input says, and answers with the times.
pub fn serve(network: Network, folder: &Path, threads: usize) -> Result<()> {
    infer::threads::limit(threads)?;
    let started = Instant::now();
    let mut engine = open(network, folder)?;
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

fn open(network: Network, folder: &Path) -> Result<Box<dyn Engine>> {
    let device = Device::flex();
    Ok(match network {
        Network::Mnist => Box::new(BurnMnist::load(folder.join("mnist.safetensors"))?),
        Network::Alexnet => {
            let checkpoint = Checkpoint::open(folder.join("alexnet.safetensors"))?;
            Box::new(BurnAlexNet::new(AlexNet::load(&checkpoint, &device)?.0, device))
        }
        Network::BertQa => {
            let folder = folder.join("bert-qa");
            let config = BertConfig::read(&folder.join("config.json"))?;
            let network = BertForQuestionAnswering::load(&config, Checkpoint::open(&folder)?, &device)?.0;
            Box::new(BurnBert::new(network, config, device))
        }
    })
}

fn answer(value: &Value) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{value}")?;
    Ok(output.flush()?)
}
