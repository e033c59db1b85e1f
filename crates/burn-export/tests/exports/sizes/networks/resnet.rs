//! ResNet: batch norms become part of the convolutions in front of them.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv1dConfig, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor};
use burn_export::{Axis, OnnxExporter};

use super::super::Case;

/// Statistics that are not those of a network without training.
struct Trained;

impl ModuleMapper for Trained {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.random_like(Distribution::Uniform(0.4, 1.3)))
    }
}

#[derive(Module, Debug)]
struct Block {
    first: Conv2d,
    first_norm: BatchNorm,
    second: Conv2d,
    second_norm: BatchNorm,
    shortcut: Conv2d,
    shortcut_norm: BatchNorm,
}

impl Block {
    fn new(from: usize, to: usize, groups: usize, device: &Device) -> Self {
        let conv = |from: usize, stride: usize, kernel: usize| {
            let side = kernel / 2;
            Conv2dConfig::new([from, to], [kernel; 2])
                .with_stride([stride; 2])
                .with_padding(PaddingConfig2d::Explicit(side, side, side, side))
                .with_bias(kernel > 1)
        };
        let norm = || BatchNormConfig::new(to).init(device);
        Self {
            first: conv(from, 2, 3).init(device),
            first_norm: norm(),
            second: conv(to, 1, 3).with_groups(groups).init(device),
            second_norm: norm(),
            shortcut: conv(from, 2, 1).init(device),
            shortcut_norm: norm(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let inner = relu(self.first_norm.forward(self.first.forward(x.clone())));
        let inner = self.second_norm.forward(self.second.forward(inner));
        relu(inner + self.shortcut_norm.forward(self.shortcut.forward(x)))
    }
}

#[test]
fn residual_blocks() {
    let device = Device::flex();
    let side = |name: &str| Axis::dynamic(name).range(4..);
    let axes = || [Axis::dynamic("batch"), Axis::fixed(3), side("height"), side("width")];
    let blocks = vec![Block::new(3, 6, 1, &device), Block::new(6, 8, 4, &device)].map(&mut Trained);
    let forward = |blocks: &Vec<Block>, x: Tensor<4>| blocks.iter().fold(x, |x, block| block.forward(x));
    let shapes = [[1, 3, 4, 4], [2, 3, 9, 17], [1, 3, 32, 11]];
    Case::of("resnet", blocks.clone(), axes(), forward).right_within(1e-4, &shapes);
    for fold in [true, false] {
        let exporter = OnnxExporter::new().fold_batch_norms(fold).input("x", axes()).output("y");
        let model = exporter.export(&blocks, forward).unwrap_or_else(|error| panic!("{error}"));
        let norms = model.model().graph.nodes.iter().filter(|node| node.op_type == "BatchNormalization").count();
        assert_eq!(norms, if fold { 0 } else { 6 });
        let folded = model.model().graph.find_initializer("0.first.weight").is_some();
        assert!(folded, "{}", model.model());
    }
}

#[derive(Module, Debug)]
struct Upwards {
    conv: ConvTranspose2d,
    norm: BatchNorm,
}

#[derive(Module, Debug)]
struct Classifier {
    linear: Linear,
    norm: BatchNorm,
}

#[test]
fn other_layers_take_their_norms_too() {
    let device = Device::flex();
    let axes = [Axis::dynamic("batch"), Axis::fixed(4), Axis::dynamic("height"), Axis::dynamic("width")];
    for groups in [1, 2] {
        let conv = ConvTranspose2dConfig::new([4, 6], [3, 2]).with_groups(groups).init(&device);
        let up = Upwards { conv, norm: BatchNormConfig::new(6).init(&device) }.map(&mut Trained);
        Case::of("transposed", up, axes.clone(), |up: &Upwards, x: Tensor<4>| up.norm.forward(up.conv.forward(x)))
            .right_within(1e-4, &[[1, 4, 1, 1], [2, 4, 5, 3]]);
    }
    for bias in [true, false] {
        let linear = LinearConfig::new(5, 3).with_bias(bias).init(&device);
        let classifier = Classifier { linear, norm: BatchNormConfig::new(3).init(&device) }.map(&mut Trained);
        let forward = |net: &Classifier, x: Tensor<2>| net.norm.forward(net.linear.forward(x));
        Case::of("linear", classifier, [Axis::dynamic("batch"), Axis::fixed(5)], forward)
            .right_within(1e-4, &[[1, 5], [7, 5]]);
    }
    // One convolution for two norms stays as it is.
    let conv = Conv1dConfig::new(2, 3, 3).init(&device);
    let norms = vec![BatchNormConfig::new(3).init(&device), BatchNormConfig::new(3).init(&device)];
    let both = (conv, norms).map(&mut Trained);
    let axes = [Axis::dynamic("batch"), Axis::fixed(2), Axis::dynamic("length").range(3..)];
    Case::of("two norms", both, axes, |(conv, norms), x: Tensor<3>| {
        let x = conv.forward(x);
        norms[0].forward(x.clone()) + norms[1].forward(x)
    })
    .right_within(1e-4, &[[1, 2, 3], [2, 2, 30]]);
}
