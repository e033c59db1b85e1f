//! Swin: windows that are shifted by rolling the feature map.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Device, Tensor};
use burn_export::Axis;

use super::super::Case;

const WINDOW: usize = 2;
const WIDTH: usize = 8;

#[derive(Module, Debug)]
struct Swin {
    /// Two strides of two instead of one of four.
    stem: Vec<Conv2d>,
    norm: LayerNorm,
    qkv: Linear,
    out: Linear,
    merge: Linear,
}

impl Swin {
    fn new(device: &Device) -> Self {
        let stem = |from: usize, to: usize| {
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            Conv2dConfig::new([from, to], [3, 3]).with_stride([2, 2]).with_padding(padding).init(device)
        };
        Self {
            stem: vec![stem(3, 4), stem(4, WIDTH)],
            norm: LayerNormConfig::new(WIDTH).init(device),
            qkv: LinearConfig::new(WIDTH, 3 * WIDTH).init(device),
            out: LinearConfig::new(WIDTH, WIDTH).init(device),
            merge: LinearConfig::new(4 * WIDTH, WIDTH).init(device),
        }
    }

    fn forward(&self, image: Tensor<4>) -> Tensor<4> {
        let features = self.stem.iter().fold(image, |x, conv| gelu(conv.forward(x)));
        let x = features.permute([0, 2, 3, 1]);
        let shifted = roll(roll(x.clone(), 1, 1), 2, 1);
        let attended = self.attend(self.norm.forward(shifted));
        let back = WINDOW - 1;
        let x = x + roll(roll(attended, 1, back), 2, back);
        let [batch, height, width, channels] = x.dims();
        // Patches of two by two become one.
        let patches = x.reshape([batch, height / 2, 2, width / 2, 2 * channels]).swap_dims(2, 3);
        self.merge.forward(patches.reshape([batch, height / 2, width / 2, 4 * channels]))
    }

    fn attend(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, channels] = x.dims();
        let (rows, columns, size) = (height / WINDOW, width / WINDOW, WINDOW * WINDOW);
        let windows = x.reshape([batch, rows, WINDOW, columns, WINDOW * channels]).swap_dims(2, 3);
        let windows = windows.reshape([batch * rows * columns, size, channels]);
        let parts = self.qkv.forward(windows).chunk(3, 2);
        let [query, key, value] = <[Tensor<3>; 3]>::try_from(parts).unwrap_or_else(|_| panic!("three parts"));
        let scores = softmax(query.matmul(key.swap_dims(1, 2)), 2);
        let mixed = self.out.forward(scores.matmul(value));
        let mixed = mixed.reshape([batch, rows, columns, WINDOW, WINDOW * channels]).swap_dims(2, 3);
        mixed.reshape([batch, height, width, channels])
    }
}

/// The axis turned by some places, as two parts that change sides.
fn roll(x: Tensor<4>, axis: usize, places: usize) -> Tensor<4> {
    let size = x.dims()[axis];
    let (front, back) = (x.clone().narrow(axis, 0, places), x.narrow(axis, places, size - places));
    Tensor::cat(vec![back, front], axis)
}

#[test]
fn shifted_windows() {
    let side = |name: &str| Axis::dynamic(name).range(8..).multiple_of(16);
    let axes = [Axis::dynamic("batch"), Axis::fixed(3), side("height"), side("width")];
    let swin = Swin::new(&Device::flex());
    Case::of("swin", swin, axes, |swin: &Swin, image: Tensor<4>| swin.forward(image))
        .right_within(1e-4, &[[1, 3, 16, 16], [2, 3, 32, 48], [1, 3, 112, 16], [3, 3, 16, 224]]);
}
