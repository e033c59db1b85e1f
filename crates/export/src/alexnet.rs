//! AlexNet.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use burn::tensor::{Device, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};
use infer::alexnet::{INPUT, OUTPUT, batch, check_signature};
use infer::burn_network::BurnAlexNet;
use infer::random::uniform;
use infer::runtime::Runtime;
use infer::session::{Session, SessionOptions};
use infer::verify::{Verification, verify};
use models::alexnet::{AlexNet, IMAGE_SIZE};
use models::weights::Checkpoint;
use onnx_model::Model;

use crate::check_metadata;
use crate::source::Source;

/// The batch sizes that the file is verified at: one, two and a prime.
const BATCHES: [usize; 3] = [1, 2, 5];

/// How to get weights.
const WAYS: &str = "no usable AlexNet (`cargo xtask fetch alexnet` gets it from its public home; otherwise name a file \
                    with --weights, or take --random-init SEED)";

/// The network with weights from a file or a seed.
pub fn load(weights: &Path, random: Option<u64>, revision: Option<&str>) -> Result<(AlexNet, Source)> {
    let device = Device::flex();
    if let Some(seed) = random {
        return Ok((AlexNet::random(seed, &device), Source::random(seed, revision)));
    }
    let checkpoint = Checkpoint::open(weights).context(WAYS)?;
    let (network, report) = AlexNet::load(&checkpoint, &device)?;
    let source = Source::checkpoint(&checkpoint, &report.unexpected, revision)?;
    Ok((network, source))
}

/// The network as ONNX: `input` `[batch, 3, 224, 224]`, `output` `[batch, 1000]`, the logits.
pub fn export(network: &AlexNet, opset: Opset, metadata: &BTreeMap<String, String>) -> Result<Model> {
    let image = [Axis::dynamic("batch"), Axis::fixed(3), Axis::fixed(IMAGE_SIZE), Axis::fixed(IMAGE_SIZE)];
    let mut exporter = OnnxExporter::new().opset(opset).graph_name("alexnet").input(INPUT, image).output(OUTPUT);
    for (key, value) in metadata {
        exporter = exporter.metadata(key, value);
    }
    let exported = exporter.export(network, |network, images: Tensor<4>| network.forward(images))?;
    Ok(exported.into_model())
}

/// Runs the file at `path` under ONNX Runtime, on pictures that are random within the range of normalised pixels.
pub fn verify_file(
    path: &Path,
    network: &AlexNet,
    metadata: &BTreeMap<String, String>,
    runtime: &Runtime,
) -> Result<Verification> {
    let mut session = Session::open(runtime, path, SessionOptions::default())?;
    check_signature(&session, path)?;
    check_metadata(&session, metadata)?;
    let native = || BurnAlexNet::new(network.clone(), Device::flex());
    let case = |&count: &usize| {
        let pixels = uniform(count as u64, count * 3 * IMAGE_SIZE * IMAGE_SIZE, -2.1, 2.6);
        Ok((format!("batch {count}"), vec![batch(pixels)?]))
    };
    let cases = BATCHES.iter().map(case).collect::<Result<Vec<_>>>()?;
    Ok(verify(&mut session, &mut native(), &mut native().exact(), &cases)?)
}
