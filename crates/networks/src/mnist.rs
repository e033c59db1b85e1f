//! The convolutional network of PyTorch's MNIST example.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device};
use burn_export::{ExportError, ExportedModel, OnnxExporter};
use engines::engine::{EngineError, Signature};
use engines::tensor::NamedTensor;
use models::mnist_cnn::{CLASSES, IMAGE_SIZE, MnistCnn};
use models::mnist_digits::normalize;
use models::weights::{Checkpoint, LoadReport, WeightsError};

use crate::images::Images;
use crate::network::{Case, Network};

/// Grey digits in, the logarithms of the probabilities of their classes out.
fn images() -> Images {
    Images { channels: 1, size: IMAGE_SIZE, classes: CLASSES, range: (normalize(0), normalize(u8::MAX)) }
}

impl Network for MnistCnn {
    type Config = ();

    const GRAPH: &'static str = "mnist_cnn";
    const WHAT: &'static str = "an MNIST network";

    fn config(_folder: Option<&Path>) -> Result<(), EngineError> {
        Ok(())
    }

    fn config_or_published(_file: Option<&Path>) -> Result<(), EngineError> {
        Ok(())
    }

    fn parameters((): &(), device: &Device) -> u64 {
        Self::new(device).num_params() as u64
    }

    fn load((): &(), checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError> {
        Self::load(checkpoint, device)
    }

    fn random((): &(), seed: u64, device: &Device) -> Self {
        Self::random(seed, device)
    }

    fn signature((): &()) -> Signature {
        images().signature()
    }

    fn run(
        &self,
        (): &(),
        inputs: &[NamedTensor],
        device: &Device,
        precision: DType,
    ) -> Result<Vec<NamedTensor>, EngineError> {
        images().run(inputs, device, precision, |digits| self.forward(digits))
    }

    fn export(&self, (): &(), exporter: OnnxExporter) -> Result<ExportedModel, ExportError> {
        images().export(self, exporter, Self::forward)
    }

    /// One, two, a prime, and the batch of training.
    fn cases((): &()) -> Result<Vec<Case>, EngineError> {
        images().cases(&[1, 2, 7, 64])
    }
}
