//! ResNet-50 and MobileNetV3-small, with their layers in the order in which torchvision defines them.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{hard_sigmoid, hard_swish, relu};
use burn::tensor::{Device, Tensor};

/// He et al., "Deep Residual Learning for Image Recognition", as in torchvision (the stride is that of the 3 by 3 convolution).
#[derive(Module, Debug)]
pub struct Resnet50 {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    linears: Vec<Linear>,
}

/// Width, blocks and stride of each stage.
const STAGES: [(usize, usize, usize); 4] = [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)];

impl Resnet50 {
    pub fn new(device: &Device) -> Self {
        let mut layers = Layers::new(device, 1e-5);
        layers.add([3, 64], 7, 2, 1);
        let mut channels = 64;
        for (width, blocks, stride) in STAGES {
            for block in 0..blocks {
                layers.add([channels, width], 1, 1, 1);
                layers.add([width, width], 3, if block == 0 { stride } else { 1 }, 1);
                layers.add([width, 4 * width], 1, 1, 1);
                if block == 0 {
                    layers.add([channels, 4 * width], 1, stride, 1);
                }
                channels = 4 * width;
            }
        }
        let linears = vec![LinearConfig::new(2048, 1000).init(device)];
        Self { convs: layers.convs, norms: layers.norms, linears }
    }

    /// `[batch, 3, height, width]` to `[batch, 1000]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let layer = |at: usize, x: Tensor<4>| self.norms[at].forward(self.convs[at].forward(x));
        let pool =
            MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        let mut x = pool.init().forward(relu(layer(0, images)));
        let mut at = 1;
        for (_, blocks, _) in STAGES {
            for block in 0..blocks {
                let residual = layer(at + 2, relu(layer(at + 1, relu(layer(at, x.clone())))));
                let shortcut = if block == 0 { layer(at + 3, x) } else { x };
                at += if block == 0 { 4 } else { 3 };
                x = relu(residual + shortcut);
            }
        }
        classes(x, &self.linears)
    }
}

/// Howard et al., "Searching for MobileNetV3", as in torchvision.
#[derive(Module, Debug)]
pub struct MobileNetV3Small {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    linears: Vec<Linear>,
}

/// A block: channels inside and behind, the side of its kernel, whether it squeezes, whether it swishes, its stride.
struct Block(usize, usize, usize, bool, bool, usize);

const BLOCKS: [Block; 11] = [
    Block(16, 16, 3, true, false, 2),
    Block(72, 24, 3, false, false, 2),
    Block(88, 24, 3, false, false, 1),
    Block(96, 40, 5, true, true, 2),
    Block(240, 40, 5, true, true, 1),
    Block(240, 40, 5, true, true, 1),
    Block(120, 48, 5, true, true, 1),
    Block(144, 48, 5, true, true, 1),
    Block(288, 96, 5, true, true, 2),
    Block(576, 96, 5, true, true, 1),
    Block(576, 96, 5, true, true, 1),
];

impl MobileNetV3Small {
    pub fn new(device: &Device) -> Self {
        let mut layers = Layers::new(device, 1e-3);
        layers.add([3, 16], 3, 2, 1);
        let mut channels = 16;
        for Block(inside, behind, kernel, squeezes, _, stride) in BLOCKS {
            if inside != channels {
                layers.add([channels, inside], 1, 1, 1);
            }
            layers.add([inside, inside], kernel, stride, inside);
            if squeezes {
                // To the next multiple of 8, unless that takes more than a tenth.
                let fourth = inside / 4;
                let near = ((fourth + 4) / 8 * 8).max(8);
                let few = if 10 * near < 9 * fourth { near + 8 } else { near };
                layers.plain([inside, few]);
                layers.plain([few, inside]);
            }
            layers.add([inside, behind], 1, 1, 1);
            channels = behind;
        }
        layers.add([96, 576], 1, 1, 1);
        let linears = vec![LinearConfig::new(576, 1024).init(device), LinearConfig::new(1024, 1000).init(device)];
        Self { convs: layers.convs, norms: layers.norms, linears }
    }

    /// `[batch, 3, height, width]` to `[batch, 1000]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let (mut conv, mut norm) = (0, 0);
        let mut plain = |x: Tensor<4>| {
            conv += 1;
            self.convs[conv - 1].forward(x)
        };
        let mut normal = |x: Tensor<4>| {
            norm += 1;
            self.norms[norm - 1].forward(x)
        };
        let mut x = hard_swish(normal(plain(images)));
        for Block(inside, behind, _, squeezes, swishes, stride) in BLOCKS {
            let act = if swishes { hard_swish::<4> } else { relu::<4> };
            let channels = x.dims()[1];
            let shortcut = x.clone();
            if inside != channels {
                x = act(normal(plain(x)));
            }
            x = act(normal(plain(x)));
            if squeezes {
                let mean = AdaptiveAvgPool2dConfig::new([1, 1]).init().forward(x.clone());
                let few = relu(plain(mean));
                x = hard_sigmoid(plain(few), 1.0 / 6.0, 0.5) * x;
            }
            x = normal(plain(x));
            if stride == 1 && behind == channels {
                x = x + shortcut;
            }
        }
        classes(hard_swish(normal(plain(x))), &self.linears)
    }
}

/// The mean over the image, and the linear layers behind it.
fn classes(x: Tensor<4>, linears: &[Linear]) -> Tensor<2> {
    let x = AdaptiveAvgPool2dConfig::new([1, 1]).init().forward(x).flatten::<2>(1, 3);
    linears.iter().enumerate().fold(x, |x, (place, linear)| linear.forward(if place == 0 { x } else { hard_swish(x) }))
}

/// Convolutions and norms as they are added.
struct Layers<'a> {
    device: &'a Device,
    epsilon: f64,
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
}

impl<'a> Layers<'a> {
    fn new(device: &'a Device, epsilon: f64) -> Self {
        Self { device, epsilon, convs: Vec::new(), norms: Vec::new() }
    }

    /// A convolution with a norm behind it.
    fn add(&mut self, channels: [usize; 2], kernel: usize, stride: usize, groups: usize) {
        let side = kernel / 2;
        let conv = Conv2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_padding(PaddingConfig2d::Explicit(side, side, side, side))
            .with_groups(groups)
            .with_bias(false);
        self.convs.push(conv.init(self.device));
        self.norms.push(BatchNormConfig::new(channels[1]).with_epsilon(self.epsilon).init(self.device));
    }

    /// One by one, with a bias and no norm.
    fn plain(&mut self, channels: [usize; 2]) {
        self.convs.push(Conv2dConfig::new(channels, [1, 1]).init(self.device));
    }
}
