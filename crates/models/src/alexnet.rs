//! AlexNet as torchvision defines it ("One weird trick for parallelizing convolutional neural networks", Krizhevsky, 2014).

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use flex_kernels::layers::{Activation, conv2d, linear, max_pool2d};

use crate::weights::{Checkpoint, Initialization, LoadReport, WeightsError, identity_name, load, randomize};

pub use crate::imagenet::CLASSES;

/// The height and width of the pictures that the pretrained weights expect, in pixels.
pub const IMAGE_SIZE: usize = 224;

/// Five convolutions and three linear layers, 61 million parameters.
///
/// Both lists are indexed as torchvision's `Sequential`s are, so that the paths of the parameters are the names of its
/// `state_dict`: `features.0.weight`, `classifier.6.bias`. Layers without parameters stand as `None`.
#[derive(Module, Debug)]
pub struct AlexNet {
    features: Vec<Option<Conv2d>>,
    classifier: Vec<Option<Linear>>,
}

impl AlexNet {
    /// The architecture on `device`. Parameters are initialised when first used, so loading weights costs nothing extra.
    pub fn new(device: &Device) -> Self {
        let convolution = |channels, kernel: usize, stride: usize, padding: usize| {
            let config = Conv2dConfig::new(channels, [kernel, kernel])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding));
            Some(config.init(device))
        };
        let linear = |inputs, outputs| Some(LinearConfig::new(inputs, outputs).init(device));
        let (relu, pool, dropout) = (None, None, None);
        Self {
            features: vec![
                convolution([3, 64], 11, 4, 2),
                relu.clone(),
                pool.clone(),
                convolution([64, 192], 5, 1, 2),
                relu.clone(),
                pool,
                convolution([192, 384], 3, 1, 1),
                relu.clone(),
                convolution([384, 256], 3, 1, 1),
                relu,
                convolution([256, 256], 3, 1, 1),
            ],
            classifier: vec![
                dropout.clone(),
                linear(256 * 6 * 6, 4096),
                None,
                dropout,
                linear(4096, 4096),
                None,
                linear(4096, CLASSES),
            ],
        }
    }

    /// The network with weights from `checkpoint`, which uses torchvision's names.
    ///
    /// # Errors
    /// When a parameter is missing, has another shape, or cannot be read.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError> {
        load(Self::new(device), checkpoint, identity_name)
    }

    /// The network with weights from `seed`, distributed as PyTorch starts an AlexNet. Its predictions mean nothing.
    pub fn random(seed: u64, device: &Device) -> Self {
        randomize(Self::new(device), seed, Initialization::FanIn, identity_name)
    }

    /// Logits `[batch, 1000]` for normalised pictures `[batch, 3, height, width]` of at least 63 pixels a side.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = images;
        for (index, convolution) in self.features.iter().enumerate() {
            let Some(convolution) = convolution else {
                continue;
            };
            x = conv2d(convolution, None, Activation::Relu, x, None);
            if matches!(index, 0 | 3 | 10) {
                x = max_pool2d(x, [3, 3], [2, 2]);
            }
        }
        // At 224x224 the feature map has this size already, and pooling it would be a copy.
        let [_, _, height, width] = x.dims();
        if [height, width] != [6, 6] {
            x = adaptive_avg_pool2d(x, [6, 6]);
        }
        let mut x: Tensor<2> = x.flatten(1, 3);
        let last = self.classifier.len() - 1;
        for (index, layer) in self.classifier.iter().enumerate() {
            let Some(layer) = layer else { continue };
            let activation = if index == last { Activation::Identity } else { Activation::Relu };
            x = linear(layer, activation, x);
        }
        x
    }
}
