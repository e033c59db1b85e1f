//! The MNIST CNN.

use std::path::Path;

use anyhow::{Result, anyhow};
use burn::tensor::{Device, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};
use cli::failure::advised;
use infer::burn_mnist::{BurnMnist, INPUT, OUTPUT};
use infer::mnist::check_signature;
use infer::random::uniform;
use infer::session::Session;
use infer::tensor::{NamedTensor, Tensor as Values};
use infer::verify::Expected;
use models::mnist_cnn::{IMAGE_SIZE, MnistCnn};
use models::mnist_digits::{PIXELS, normalize};
use onnx_model::Model;

use crate::Metadata;
use crate::network::Network;
use crate::provenance;
use crate::source::Source;

/// The batch sizes that the file is verified at: one, two, a prime, and that of training.
const BATCHES: [usize; 4] = [1, 2, 7, 64];

/// The network with weights from a file or a seed.
pub fn load(weights: &Path, random: Option<u64>, revision: Option<&str>) -> Result<(MnistCnn, Source)> {
    if let Some(seed) = random {
        return Ok((MnistCnn::random(seed, &Device::flex()), Source::random(seed, revision)));
    }
    let network = MnistCnn::load(weights, &Device::flex())
        .map_err(|error| anyhow!(advised(&error, weights, "no usable weights (`cargo xtask train` makes them)")))?;
    let metadata = provenance::of(weights, revision)?;
    Ok((network, Source { weights: weights.to_owned(), files: vec![weights.to_owned()], metadata, notes: Vec::new() }))
}

impl Network for MnistCnn {
    const NAME: &'static str = "mnist";

    /// `input` `[batch, 1, 28, 28]`, `output` `[batch, 10]`, the logarithms of the probabilities.
    fn export(&self, opset: Opset, metadata: &Metadata) -> Result<Model> {
        let image = [Axis::dynamic("batch"), Axis::fixed(1), Axis::fixed(IMAGE_SIZE), Axis::fixed(IMAGE_SIZE)];
        let mut exporter = OnnxExporter::new().opset(opset).graph_name("mnist_cnn").input(INPUT, image).output(OUTPUT);
        for (key, value) in metadata {
            exporter = exporter.metadata(key, value);
        }
        let exported = exporter.export(self, |network, images: Tensor<4>| network.forward(images))?;
        Ok(exported.into_model())
    }

    /// On images that are random within the range of normalised pixels.
    fn expected(self, progress: &mut dyn FnMut(f64)) -> Result<Expected> {
        let mut native = BurnMnist::new(self.clone(), Device::flex());
        let mut exact = BurnMnist::new(self, Device::flex()).exact();
        Ok(Expected::of(&mut native, &mut exact, cases()?, progress)?)
    }

    fn check_signature(session: &Session, path: &Path) -> Result<()> {
        Ok(check_signature(session, path)?)
    }
}

fn cases() -> Result<Vec<(String, Vec<NamedTensor>)>> {
    let case = |&batch: &usize| {
        let pixels = uniform(batch as u64, batch * PIXELS, normalize(0), normalize(u8::MAX));
        let images = Values::new([batch, 1, IMAGE_SIZE, IMAGE_SIZE], pixels)?;
        Ok((format!("batch {batch}"), vec![NamedTensor::new(INPUT, images)]))
    };
    BATCHES.iter().map(case).collect()
}
