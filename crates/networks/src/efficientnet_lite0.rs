//! EfficientNet-Lite0.

use burn::tensor::{Device, Tensor};
use models::efficientnet_lite0::{CLASSES, EfficientNetLite0, PREPROCESSING};
use models::imagenet::Preprocessing;
use models::weights::{Checkpoint, LoadReport, WeightsError};

use crate::classifier::Classifier;

impl Classifier for EfficientNetLite0 {
    const GRAPH: &'static str = "efficientnet_lite0";
    const WHAT: &'static str = "an EfficientNet-Lite0";
    const PREPROCESSING: Preprocessing = PREPROCESSING;
    const CLASSES: usize = CLASSES;

    fn load(checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError> {
        Self::load(checkpoint, device)
    }

    fn random(seed: u64, device: &Device) -> Self {
        Self::random(seed, device)
    }

    fn forward(&self, pictures: Tensor<4>) -> Tensor<2> {
        self.forward(pictures)
    }
}
