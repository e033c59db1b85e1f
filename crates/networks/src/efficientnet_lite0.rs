//! EfficientNet-Lite0.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device};
use burn_export::{ExportError, ExportedModel, OnnxExporter};
use engines::engine::{EngineError, Signature};
use engines::tensor::NamedTensor;
use models::efficientnet_lite0::{CLASSES, EfficientNetLite0, IMAGE_SIZE, PREPROCESSING};
use models::imagenet::Preprocessing;
use models::weights::{Checkpoint, LoadReport, WeightsError};

use crate::images::{Images, range};
use crate::network::{Case, Network};

/// Pictures in, logits out.
fn images() -> Images {
    Images { channels: 3, size: IMAGE_SIZE, classes: CLASSES, range: range(&PREPROCESSING) }
}

impl Network for EfficientNetLite0 {
    type Config = ();

    const PREPROCESSING: Preprocessing = PREPROCESSING;

    const GRAPH: &'static str = "efficientnet_lite0";
    const WHAT: &'static str = "an EfficientNet-Lite0";

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
