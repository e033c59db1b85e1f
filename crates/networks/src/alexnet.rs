//! torchvision's AlexNet.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device};
use burn_export::{ExportError, ExportedModel, OnnxExporter};
use engines::engine::{EngineError, Signature};
use engines::tensor::NamedTensor;
use models::alexnet::{AlexNet, CLASSES, IMAGE_SIZE};
use models::weights::{Checkpoint, LoadReport, WeightsError};

use crate::images::{Images, range};
use crate::network::{Case, Network};

/// Pictures in, logits out.
fn images() -> Images {
    Images { channels: 3, size: IMAGE_SIZE, classes: CLASSES, range: range(&AlexNet::PREPROCESSING) }
}

impl Network for AlexNet {
    type Config = ();

    const GRAPH: &'static str = "alexnet";
    const WHAT: &'static str = "an AlexNet";

    fn config(_folder: Option<&Path>, _weights: Option<&Path>) -> Result<(), EngineError> {
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
        images().run(inputs, device, precision, |pictures| self.forward(pictures))
    }

    fn export(&self, (): &(), exporter: OnnxExporter) -> Result<ExportedModel, ExportError> {
        images().export(self, exporter, Self::forward)
    }

    /// One, two, a prime, and what a server would gather.
    fn cases((): &()) -> Result<Vec<Case>, EngineError> {
        images().cases(&[1, 2, 7, 32])
    }
}
