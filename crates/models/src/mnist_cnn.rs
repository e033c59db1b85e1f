//! The convolutional network of PyTorch's MNIST example.

use std::ops::Range;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use flex_kernels::layers::{Activation, conv_relu, conv_relu_pool, cross_entropy, linear, linear_relu};

use crate::weights::{Checkpoint, Initialization, LoadReport, WeightsError, identity_name, load, randomize};

/// The number of digits: the classes of MNIST.
pub const CLASSES: usize = crate::digits::Classes::DIGITS.count;

pub use crate::digits::IMAGE_SIZE;

/// The channels of the second convolution, which channel dropout silences.
pub const CHANNELS: usize = 64;

/// The width of the hidden linear layer, which dropout silences.
pub const HIDDEN: usize = 128;

/// Conv 1-32, conv 32-64, max-pool, linear 9216-128, linear 128-10: 1,199,882 parameters. A data set with more classes than ten
/// digits makes the last layer wider.
///
/// The paths of the parameters are the names of the PyTorch `state_dict`.
#[derive(Module, Debug)]
pub struct MnistCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

/// What to silence in one training step: zero for a silent unit, `1 / (1 - p)` for one that is kept.
#[derive(Debug, Clone)]
pub struct DropoutMasks {
    /// Of whole channels after the pooling, `[batch, 64, 1, 1]`.
    pub channels: Tensor<4>,
    /// Of the hidden layer, `[batch, 128]`.
    pub hidden: Tensor<2>,
}

impl DropoutMasks {
    /// Those of some images of the batch.
    pub fn of(self, images: Range<usize>) -> Self {
        let Self { channels, hidden } = self;
        Self { channels: channels.slice([images.clone()]), hidden: hidden.slice([images]) }
    }
}

impl MnistCnn {
    /// The architecture for the ten digits on `device`. Parameters are initialised when first used, so loading weights costs
    /// nothing extra.
    pub fn new(device: &Device) -> Self {
        Self::for_classes(CLASSES, device)
    }

    /// The architecture for so many classes.
    pub fn for_classes(classes: usize, device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 32], [3, 3]).init(device),
            conv2: Conv2dConfig::new([32, CHANNELS], [3, 3]).init(device),
            fc1: LinearConfig::new(CHANNELS * 12 * 12, HIDDEN).init(device),
            fc2: LinearConfig::new(HIDDEN, classes).init(device),
        }
    }

    /// The network with weights from `seed`, distributed as PyTorch starts it: uniform within `±1/√fan_in`.
    pub fn random(seed: u64, device: &Device) -> Self {
        Self::random_for_classes(CLASSES, seed, device)
    }

    /// [`random`](Self::random) for so many classes. All layers but the last have the same weights for any number.
    pub fn random_for_classes(classes: usize, seed: u64, device: &Device) -> Self {
        randomize(Self::for_classes(classes, device), seed, Initialization::FanIn, identity_name)
    }

    /// How many classes it tells apart.
    pub fn classes(&self) -> usize {
        let [_, classes] = self.fc2.weight.lazy_shape().dims();
        classes
    }

    /// The classes that the weights of a checkpoint tell apart; those of MNIST if it has no such weights.
    pub fn classes_of(checkpoint: &Checkpoint) -> usize {
        match checkpoint.tensors().get("fc2.bias").map(|bias| bias.shape.as_slice()) {
            Some(&[classes]) if classes > 0 => classes,
            _ => CLASSES,
        }
    }

    /// The network with the weights of a checkpoint under PyTorch's names and in its layouts, such as training writes. The
    /// checkpoint decides the number of classes.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError> {
        load(Self::for_classes(Self::classes_of(checkpoint), device), checkpoint, identity_name)
    }

    /// Logarithms of the class probabilities, `[batch, classes]`, for normalised images `[batch, 1, 28, 28]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        log_softmax(self.logits(images, None), 1)
    }

    /// The mean negative log-likelihood `[1]` of `labels` `[batch]` with some units silenced: what training minimises.
    pub fn loss(&self, images: Tensor<4>, labels: Tensor<1, Int>, dropout: DropoutMasks) -> Tensor<1> {
        cross_entropy(self.training_logits(images, dropout), labels)
    }

    /// What the loss is made of: a value for each class, `[batch, classes]`, with some units silenced.
    pub fn training_logits(&self, images: Tensor<4>, dropout: DropoutMasks) -> Tensor<2> {
        self.logits(images, Some(dropout))
    }

    fn logits(&self, images: Tensor<4>, dropout: Option<DropoutMasks>) -> Tensor<2> {
        let (channels, hidden) = dropout.map(|masks| (masks.channels, masks.hidden)).unzip();
        let x = conv_relu(&self.conv1, images);
        let x = conv_relu_pool(&self.conv2, x, 2, channels);
        let x: Tensor<2> = x.flatten(1, 3);
        let x = linear_relu(&self.fc1, x, hidden);
        linear(&self.fc2, Activation::Identity, x)
    }
}
