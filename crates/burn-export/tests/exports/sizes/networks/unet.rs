//! U-Net: down and up again, with what was left out on the way down.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use burn_export::Axis;

use super::super::Case;

#[derive(Module, Debug)]
struct Level {
    conv: Conv2d,
    norm: GroupNorm,
}

impl Level {
    fn new(from: usize, to: usize, device: &Device) -> Self {
        Self {
            conv: Conv2dConfig::new([from, to], [3, 3]).with_padding(PaddingConfig2d::Same).init(device),
            norm: GroupNormConfig::new(2, to).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.norm.forward(self.conv.forward(x)))
    }
}

#[derive(Module, Debug)]
struct UNet {
    down: Vec<Level>,
    bottom: Level,
    up: Vec<ConvTranspose2d>,
    join: Vec<Level>,
    pool: MaxPool2d,
}

impl UNet {
    fn new(device: &Device) -> Self {
        let up =
            |from: usize, to: usize| ConvTranspose2dConfig::new([from, to], [2, 2]).with_stride([2, 2]).init(device);
        Self {
            down: vec![Level::new(1, 4, device), Level::new(4, 8, device)],
            bottom: Level::new(8, 8, device),
            up: vec![up(8, 8), up(8, 4)],
            join: vec![Level::new(16, 8, device), Level::new(8, 4, device)],
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        }
    }

    fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let (mut x, mut skipped) = (image, Vec::new());
        for level in &self.down {
            let features = level.forward(x);
            x = self.pool.forward(features.clone());
            skipped.push(features);
        }
        x = self.bottom.forward(x);
        for (up, join) in self.up.iter().zip(&self.join) {
            let beside = skipped.pop().unwrap_or_else(|| panic!("a level without its other side"));
            x = join.forward(Tensor::cat(vec![up.forward(x), beside], 1));
        }
        x
    }
}

#[test]
fn down_and_up_again() {
    let side = |name: &str| Axis::dynamic(name).multiple_of(4);
    let axes = [Axis::dynamic("batch"), Axis::fixed(1), side("height"), side("width")];
    let unet = UNet::new(&Device::flex());
    Case::of("unet", unet, axes, |unet: &UNet, image: Tensor<4>| unet.forward(image))
        .right_within(1e-4, &[[1, 1, 4, 4], [2, 1, 8, 36], [1, 1, 100, 4], [3, 1, 20, 20]]);
}
