//! The convolutional network of PyTorch's MNIST example.

use std::path::Path;

use burn::tensor::{DType, Device};
use burn_export::{ExportError, ExportedModel, OnnxExporter};
use engines::engine::{EngineError, Signature};
use engines::tensor::NamedTensor;
use models::digits::normalize;
use models::mnist_cnn::{CLASSES, IMAGE_SIZE, MnistCnn};
use models::weights::{Checkpoint, LoadReport, WeightsError};

use crate::images::Images;
use crate::network::{Case, Network};

/// Grey images in, the logarithms of the probabilities of so many classes out.
fn images(classes: usize) -> Images {
    Images::new(1, IMAGE_SIZE, classes, (normalize(0), normalize(u8::MAX)))
}

impl Network for MnistCnn {
    /// How many classes it tells apart.
    type Config = usize;

    const GRAPH: &'static str = "mnist_cnn";
    const WHAT: &'static str = "an MNIST network";

    fn config(_folder: Option<&Path>, weights: Option<&Path>) -> Result<usize, EngineError> {
        let classes = |path: &Path| Checkpoint::open(path).map(|checkpoint| Self::classes_of(&checkpoint));
        weights.map_or(Ok(CLASSES), classes).map_err(EngineError::weights)
    }

    fn config_or_published(_file: Option<&Path>) -> Result<usize, EngineError> {
        Ok(CLASSES)
    }

    fn load(_classes: &usize, checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError> {
        Self::load(checkpoint, device)
    }

    fn random(classes: &usize, seed: u64, device: &Device) -> Self {
        Self::random_for_classes(*classes, seed, device)
    }

    fn signature(classes: &usize) -> Signature {
        images(*classes).signature()
    }

    fn run(
        &self,
        classes: &usize,
        inputs: &[NamedTensor],
        device: &Device,
        precision: DType,
    ) -> Result<Vec<NamedTensor>, EngineError> {
        images(*classes).run(inputs, device, precision, |digits| self.forward(digits))
    }

    fn export(&self, classes: &usize, exporter: OnnxExporter) -> Result<ExportedModel, ExportError> {
        images(*classes).export(self, exporter, Self::forward)
    }

    /// One, two, a prime, and the batch of training.
    fn cases(classes: &usize) -> Result<Vec<Case>, EngineError> {
        images(*classes).cases(&[1, 2, 7, 64])
    }
}
