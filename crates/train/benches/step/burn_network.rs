//! The MNIST CNN out of Burn's own operations, as one would write it without kernels.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Int, Tensor};
use models::mnist_cnn::DropoutMasks;

/// Four layers.
#[derive(Module, Debug)]
pub struct BurnNetwork {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl BurnNetwork {
    /// With random weights.
    pub fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 32], [3, 3]).init(device),
            conv2: Conv2dConfig::new([32, 64], [3, 3]).init(device),
            fc1: LinearConfig::new(9216, 128).init(device),
            fc2: LinearConfig::new(128, 10).init(device),
        }
    }

    /// The logarithms of the class probabilities.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        log_softmax(self.logits(images, None), 1)
    }

    /// The mean negative log-likelihood.
    pub fn loss(&self, images: Tensor<4>, labels: Tensor<1, Int>, dropout: DropoutMasks) -> Tensor<1> {
        let log_probabilities = log_softmax(self.logits(images, Some(dropout)), 1);
        log_probabilities.gather(1, labels.unsqueeze_dim(1)).mean().neg()
    }

    fn logits(&self, images: Tensor<4>, dropout: Option<DropoutMasks>) -> Tensor<2> {
        let (channels, hidden) = dropout.map(|masks| (masks.channels, masks.hidden)).unzip();
        let x = relu(self.conv1.forward(images));
        let x = relu(self.conv2.forward(x));
        let x = max_pool2d(x, MaxPoolOptions::new([2, 2]));
        let x = channels.map_or(x.clone(), |channels| x * channels);
        let x: Tensor<2> = x.flatten(1, 3);
        let x = relu(self.fc1.forward(x));
        let x = hidden.map_or(x.clone(), |hidden| x * hidden);
        self.fc2.forward(x)
    }
}
