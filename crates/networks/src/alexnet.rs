//! torchvision's AlexNet.

use burn::tensor::{Device, Tensor};
use models::alexnet::{AlexNet, CLASSES};
use models::imagenet::Preprocessing;
use models::weights::{Checkpoint, LoadReport, WeightsError};

use crate::classifier::Classifier;

impl Classifier for AlexNet {
    const GRAPH: &'static str = "alexnet";
    const WHAT: &'static str = "an AlexNet";
    const PREPROCESSING: Preprocessing = Preprocessing::TORCHVISION;
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
