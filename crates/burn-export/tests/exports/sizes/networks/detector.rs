//! YOLO, SSD, RetinaNet: feature maps of several strides, flattened and joined.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};
use burn_export::Axis;

use super::super::Case;

#[derive(Module, Debug)]
struct Stage {
    conv: Conv2d,
    norm: BatchNorm,
}

#[derive(Module, Debug)]
struct Detector {
    stages: Vec<Stage>,
    heads: Vec<Conv2d>,
}

impl Detector {
    fn new(device: &Device) -> Self {
        let padding = || PaddingConfig2d::Explicit(1, 1, 1, 1);
        let stage = |from: usize, to: usize| Stage {
            conv: Conv2dConfig::new([from, to], [3, 3]).with_stride([2, 2]).with_padding(padding()).init(device),
            norm: BatchNormConfig::new(to).init(device),
        };
        let head = |from: usize| Conv2dConfig::new([from, 5], [1, 1]).init(device);
        Self { stages: vec![stage(3, 4), stage(4, 6), stage(6, 8)], heads: vec![head(4), head(6), head(8)] }
    }

    /// `[batch, boxes, 5]` of all three maps.
    fn forward(&self, image: Tensor<4>) -> Tensor<3> {
        let mut x = image;
        let mut boxes = Vec::new();
        for (stage, head) in self.stages.iter().zip(&self.heads) {
            x = silu(stage.norm.forward(stage.conv.forward(x)));
            boxes.push(head.forward(x.clone()).flatten::<3>(2, 3).swap_dims(1, 2));
        }
        Tensor::cat(boxes, 1)
    }
}

#[test]
fn boxes_of_all_strides_are_joined() {
    let shapes = [[1, 3, 9, 9], [2, 3, 17, 30], [1, 3, 64, 33], [1, 3, 9, 321], [3, 3, 31, 10]];
    let axes = |multiple: usize| {
        let side = |name: &str| Axis::dynamic(name).range(8..).multiple_of(multiple);
        [Axis::dynamic("batch"), Axis::fixed(3), side("height"), side("width")]
    };
    let detector = Detector::new(&Device::flex());
    let forward = |detector: &Detector, image: Tensor<4>| detector.forward(image);
    Case::of("any size", detector.clone(), axes(1), forward).right_within(1e-4, &shapes);
    let shapes = [[1, 3, 32, 32], [2, 3, 64, 96], [1, 3, 32, 320]];
    Case::of("multiples", detector, axes(32), forward).right_within(1e-4, &shapes);
}
