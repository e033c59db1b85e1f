//! AlexNet.

use std::path::Path;

use anyhow::{Result, anyhow};
use burn::tensor::{Device, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};
use cli::failure::advised;
use infer::alexnet::{INPUT, OUTPUT, batch, check_signature};
use infer::burn_network::BurnAlexNet;
use infer::random::uniform;
use infer::session::Session;
use infer::verify::Expected;
use models::alexnet::{AlexNet, IMAGE_SIZE};
use models::weights::Checkpoint;
use onnx_model::Model;

use crate::Metadata;
use crate::network::Network;
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
    let checkpoint = Checkpoint::open(weights).map_err(|error| anyhow!(advised(&error, weights, WAYS)))?;
    let (network, report) = AlexNet::load(&checkpoint, &device)?;
    let source = Source::checkpoint(&checkpoint, &report, revision)?;
    Ok((network, source))
}

impl Network for AlexNet {
    const NAME: &'static str = "alexnet";

    /// `input` `[batch, 3, 224, 224]`, `output` `[batch, 1000]`, the logits.
    fn export(&self, opset: Opset, metadata: &Metadata) -> Result<Model> {
        let image = [Axis::dynamic("batch"), Axis::fixed(3), Axis::fixed(IMAGE_SIZE), Axis::fixed(IMAGE_SIZE)];
        let mut exporter = OnnxExporter::new().opset(opset).graph_name("alexnet").input(INPUT, image).output(OUTPUT);
        for (key, value) in metadata {
            exporter = exporter.metadata(key, value);
        }
        let exported = exporter.export(self, |network, images: Tensor<4>| network.forward(images))?;
        Ok(exported.into_model())
    }

    /// On pictures that are random within the range of normalised pixels.
    fn expected(self, progress: &mut dyn FnMut(f64)) -> Result<Expected> {
        let case = |&count: &usize| {
            let pixels = uniform(count as u64, count * 3 * IMAGE_SIZE * IMAGE_SIZE, -2.1, 2.6);
            Ok((format!("batch {count}"), vec![batch(pixels)?]))
        };
        let cases = BATCHES.iter().map(case).collect::<Result<Vec<_>>>()?;
        let mut native = BurnAlexNet::new(self.clone(), Device::flex());
        let mut exact = BurnAlexNet::new(self, Device::flex()).exact();
        Ok(Expected::of(&mut native, &mut exact, cases, progress)?)
    }

    fn check_signature(session: &Session, path: &Path) -> Result<()> {
        Ok(check_signature(session, path)?)
    }
}
