//! Networks that name what is in a picture: little has to be told of one, and all that [`Network`] asks follows.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use burn_export::{ExportError, ExportedModel, OnnxExporter};
use engines::engine::{EngineError, Signature};
use engines::tensor::NamedTensor;
use models::imagenet::Preprocessing;
use models::weights::{Checkpoint, LoadReport, WeightsError};

use crate::images::{Images, range};
use crate::network::{Case, Network};

/// A network of one shape from pictures in three colours, `[batch, 3, size, size]`, to logits, `[batch, classes]`.
pub trait Classifier: Module + 'static {
    /// The name of its graph in an ONNX file.
    const GRAPH: &'static str;

    /// What it is in a sentence, with its article: `an AlexNet`.
    const WHAT: &'static str;

    /// What is done to a picture.
    const PREPROCESSING: Preprocessing;

    /// Classes.
    const CLASSES: usize;

    /// As [`Network::load`].
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    fn load(checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError>;

    /// The network with random weights, the same for the same seed.
    fn random(seed: u64, device: &Device) -> Self;

    /// The logits of preprocessed pictures.
    fn forward(&self, pictures: Tensor<4>) -> Tensor<2>;
}

fn images<C: Classifier>() -> Images {
    Images::new(3, C::PREPROCESSING.size, C::CLASSES, range(&C::PREPROCESSING))
}

impl<C: Classifier> Network for C {
    type Config = ();

    const GRAPH: &'static str = C::GRAPH;
    const WHAT: &'static str = C::WHAT;
    const PREPROCESSING: Preprocessing = C::PREPROCESSING;

    fn load((): &(), checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError> {
        <C as Classifier>::load(checkpoint, device)
    }

    fn random((): &(), seed: u64, device: &Device) -> Self {
        <C as Classifier>::random(seed, device)
    }

    fn signature((): &()) -> Signature {
        images::<C>().signature()
    }

    fn run(
        &self,
        (): &(),
        inputs: &[NamedTensor],
        device: &Device,
        precision: DType,
    ) -> Result<Vec<NamedTensor>, EngineError> {
        images::<C>().run(inputs, device, precision, |pictures| self.forward(pictures))
    }

    fn export(&self, (): &(), exporter: OnnxExporter) -> Result<ExportedModel, ExportError> {
        images::<C>().export(self, exporter, Self::forward)
    }

    /// One, two, a prime, and what a server would gather.
    fn cases((): &()) -> Result<Vec<Case>, EngineError> {
        images::<C>().cases(&[1, 2, 7, 32])
    }
}
