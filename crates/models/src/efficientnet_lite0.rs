//! EfficientNet-Lite0 ("EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", Tan and Le, 2019, without
//! squeeze-and-excitation and with ReLU6), as the Python package `efficientnet-lite-pytorch` 0.1.0 defines it.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use flex_kernels::layers::{Activation, conv2d, global_avg_pool2d, linear};

use crate::imagenet::{Crop, Preprocessing};
use crate::weights::{Checkpoint, Initialization, LoadReport, WeightsError, load, randomize};

pub use crate::imagenet::CLASSES;

/// The height and width of the pictures that the pretrained weights expect, in pixels.
pub const IMAGE_SIZE: usize = 224;

/// What the pretrained weights were trained to see: the central square of 7/8 of the shorter side, scaled by TensorFlow's
/// bicubic filter, `(byte - 127) / 128` (`preprocessing.py` and `efficientnet_lite_builder.py` of the original in TensorFlow).
pub const PREPROCESSING: Preprocessing = Preprocessing {
    crop: Crop::CentralSquare { padding: 32 },
    size: IMAGE_SIZE,
    scale: 1.0,
    mean: [127.0; 3],
    standard_deviation: [128.0; 3],
};

/// The number that batch normalisation adds to the variance.
const EPSILON: f64 = 1e-3;

/// The share of a new batch in the running statistics, in PyTorch's sense: TensorFlow's momentum is 0.99.
const MOMENTUM: f64 = 0.01;

/// The stages of the trunk: blocks, and for each the kernel, stride of the first, expansion, and output channels.
const STAGES: [Stage; 7] = [
    Stage { blocks: 1, kernel: 3, stride: 1, expansion: 1, channels: 16 },
    Stage { blocks: 2, kernel: 3, stride: 2, expansion: 6, channels: 24 },
    Stage { blocks: 2, kernel: 5, stride: 2, expansion: 6, channels: 40 },
    Stage { blocks: 3, kernel: 3, stride: 2, expansion: 6, channels: 80 },
    Stage { blocks: 3, kernel: 5, stride: 1, expansion: 6, channels: 112 },
    Stage { blocks: 4, kernel: 5, stride: 2, expansion: 6, channels: 192 },
    Stage { blocks: 1, kernel: 3, stride: 1, expansion: 6, channels: 320 },
];

struct Stage {
    blocks: usize,
    kernel: usize,
    stride: usize,
    expansion: usize,
    channels: usize,
}

const STEM_CHANNELS: usize = 32;
const HEAD_CHANNELS: usize = 1280;

/// A stem, sixteen inverted bottlenecks, a head and one linear layer: 4.7 million parameters.
#[derive(Module, Debug)]
pub struct EfficientNetLite0 {
    conv_stem: Conv2d,
    bn0: BatchNorm,
    blocks: Vec<Block>,
    conv_head: Conv2d,
    bn1: BatchNorm,
    fc: Linear,
}

/// An inverted bottleneck: channels are multiplied, convolved one by one, and projected. The first block of all does not
/// multiply.
#[derive(Module, Debug)]
struct Block {
    expand_conv: Option<Conv2d>,
    bn0: Option<BatchNorm>,
    depthwise_conv: Conv2d,
    bn1: BatchNorm,
    project_conv: Conv2d,
    bn2: BatchNorm,
    skip: bool,
}

/// The `state_dict` name of a parameter from its path in the Burn module: the package begins the names of its layers with an
/// underscore, and PyTorch calls the scale and shift of batch normalisation `weight` and `bias`.
pub fn state_dict_name(path: &str) -> String {
    let (layers, parameter) = path.rsplit_once('.').unwrap_or(("", path));
    let layers = layers.split('.').map(|layer| match layer.parse::<usize>() {
        Ok(_) => layer.to_owned(),
        Err(_) => format!("_{layer}"),
    });
    let parameter = match parameter {
        "gamma" => "weight",
        "beta" => "bias",
        other => other,
    };
    format!("{}.{parameter}", layers.collect::<Vec<_>>().join("."))
}

impl EfficientNetLite0 {
    /// The architecture on `device`. Parameters are initialised when first used, so loading weights costs nothing extra.
    pub fn new(device: &Device) -> Self {
        let mut channels = STEM_CHANNELS;
        let mut blocks = Vec::new();
        for stage in &STAGES {
            for index in 0..stage.blocks {
                let stride = if index == 0 { stage.stride } else { 1 };
                blocks.push(Block::new(stage, channels, stride, device));
                channels = stage.channels;
            }
        }
        Self {
            conv_stem: convolution([3, STEM_CHANNELS], 3, 2, 1, device),
            bn0: normalization(STEM_CHANNELS, device),
            blocks,
            conv_head: convolution([channels, HEAD_CHANNELS], 1, 1, 1, device),
            bn1: normalization(HEAD_CHANNELS, device),
            fc: LinearConfig::new(HEAD_CHANNELS, CLASSES).init(device),
        }
    }

    /// The network with weights from `checkpoint`, which uses the package's names.
    ///
    /// # Errors
    /// When a parameter is missing, has another shape, or cannot be read.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError> {
        load(Self::new(device), checkpoint, state_dict_name)
    }

    /// The network with weights from `seed`, such that its logits depend on the picture. Its predictions mean nothing.
    pub fn random(seed: u64, device: &Device) -> Self {
        randomize(Self::new(device), seed, Initialization::He, state_dict_name)
    }

    /// Logits `[batch, 1000]` for normalised pictures `[batch, 3, height, width]`. Paddings are those of 224x224 pixels, as in
    /// the package; both sides must be multiples of 32 for them to be TensorFlow's at another size.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = conv2d(&self.conv_stem, Some(&self.bn0), Activation::Relu6, images, None);
        for block in &self.blocks {
            x = block.forward(x);
        }
        let x = conv2d(&self.conv_head, Some(&self.bn1), Activation::Relu6, x, None);
        linear(&self.fc, Activation::Identity, global_avg_pool2d(x).flatten::<2>(1, 3))
    }
}

impl Block {
    fn new(stage: &Stage, inputs: usize, stride: usize, device: &Device) -> Self {
        let inner = inputs * stage.expansion;
        let expands = stage.expansion != 1;
        Self {
            expand_conv: expands.then(|| convolution([inputs, inner], 1, 1, 1, device)),
            bn0: expands.then(|| normalization(inner, device)),
            depthwise_conv: convolution([inner, inner], stage.kernel, stride, inner, device),
            bn1: normalization(inner, device),
            project_conv: convolution([inner, stage.channels], 1, 1, 1, device),
            bn2: normalization(stage.channels, device),
            skip: stride == 1 && inputs == stage.channels,
        }
    }

    fn forward(&self, inputs: Tensor<4>) -> Tensor<4> {
        let mut x = inputs.clone();
        if let (Some(convolution), Some(normalization)) = (&self.expand_conv, &self.bn0) {
            x = conv2d(convolution, Some(normalization), Activation::Relu6, x, None);
        }
        x = conv2d(&self.depthwise_conv, Some(&self.bn1), Activation::Relu6, x, None);
        conv2d(&self.project_conv, Some(&self.bn2), Activation::Identity, x, self.skip.then_some(inputs))
    }
}

/// Without bias, padded as TensorFlow's `SAME` pads an even side: of an odd total at stride 2, the larger part comes after.
fn convolution(channels: [usize; 2], kernel: usize, stride: usize, groups: usize, device: &Device) -> Conv2d {
    let total = kernel - stride;
    let (before, after) = (total / 2, total.div_ceil(2));
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_groups(groups)
        .with_padding(PaddingConfig2d::Explicit(before, before, after, after))
        .with_bias(false)
        .init(device)
}

fn normalization(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_epsilon(EPSILON).with_momentum(MOMENTUM).init(device)
}
