//! Convolutions of one to three axes, their transposes, and what moves or resamples pixels.

use burn::nn::conv::{
    Conv1dConfig, Conv2d, Conv2dConfig, Conv3d, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2d,
    ConvTranspose2dConfig, ConvTranspose3dConfig, DeformConv2dConfig,
};
use burn::nn::interpolate::{Interpolate1d, Interpolate1dConfig, Interpolate2d, Interpolate2dConfig, InterpolateMode};
use burn::nn::{
    BatchNormConfig, Fold4dConfig, PReluConfig, PaddingConfig2d, PixelShuffleConfig, PixelUnshuffleConfig,
    Unfold4dConfig,
};
use burn::tensor::{Device, Tensor};
use burn_export::Opset;

use super::{agrees, agrees_from};

#[test]
fn convolutions_of_one_and_three_axes() {
    let device = Device::flex();
    agrees("Conv1d", &Conv1dConfig::new(2, 3, 3).with_stride(2).init(&device), [0, 2, 9], |conv, x| conv.forward(x));
    let conv: Conv3d = Conv3dConfig::new([2, 4], [2, 3, 2]).with_groups(2).init(&device);
    agrees("Conv3d", &conv, [0, 2, 4, 5, 3], |conv, x| conv.forward(x));
    let up = ConvTranspose1dConfig::new([2, 3], 3).with_stride(2).init(&device);
    agrees("ConvTranspose1d", &up, [0, 2, 5], |up, x| up.forward(x));
    let up = ConvTranspose3dConfig::new([2, 3], [2, 2, 3]).init(&device);
    agrees("ConvTranspose3d", &up, [0, 2, 3, 4, 3], |up, x| up.forward(x));
}

#[test]
fn convolutions_of_two_axes() {
    let device = Device::flex();
    let conv = Conv2dConfig::new([2, 3], [3, 2]).with_dilation([2, 1]).init(&device);
    agrees("Conv2d, dilated", &conv, [0, 2, 7, 6], |conv: &Conv2d, x| conv.forward(x));
    let conv = Conv2dConfig::new([2, 3], [3, 5]).with_padding(PaddingConfig2d::Same).init(&device);
    agrees("Conv2d, same", &conv, [0, 2, 0, 6], |conv: &Conv2d, x| conv.forward(x));
    let conv = ConvTranspose2dConfig::new([2, 3], [2, 3]).with_stride([2, 1]).init(&device);
    agrees("ConvTranspose2d", &conv, [0, 2, 0, 5], |conv: &ConvTranspose2d, x| conv.forward(x));
    let bent = DeformConv2dConfig::new([1, 2], [2, 2]).init(&device);
    agrees_from(Opset::V19, "DeformConv2d", &bent, [0, 1, 5, 6], |bent, x| {
        let [n, _, _, _] = x.dims();
        let offset = Tensor::<4>::full([n, 8, 4, 5], 0.25, &x.device());
        bent.forward(x, offset, None)
    });
}

#[test]
fn a_block_that_goes_down_and_up() {
    let device = Device::flex();
    let up = ConvTranspose2dConfig::new([4, 2], [2, 2]).with_stride([2, 2]).init(&device);
    let down = Conv2dConfig::new([2, 4], [3, 3]).with_stride([2, 2]).init(&device);
    let block = (down, BatchNormConfig::new(4).init(&device), PReluConfig::new().init(&device), up);
    agrees("a block", &block, [0, 2, 9, 11], |(down, norm, act, up), x: Tensor<4>| {
        up.forward(act.forward(norm.forward(down.forward(x))))
    });
}

#[test]
fn moves_of_pixels() {
    agrees("PixelShuffle", &PixelShuffleConfig::new(2).init(), [0, 8, 3, 4], |shuffle, x| shuffle.forward(x));
    agrees("PixelUnshuffle", &PixelUnshuffleConfig::new(2).init(), [0, 2, 6, 4], |shuffle, x| shuffle.forward(x));
    agrees("Unfold4d", &Unfold4dConfig::new([2, 3]).init(), [0, 2, 4, 5], |unfold, x| unfold.forward(x));
    agrees("Fold4d", &Fold4dConfig::new([4, 5], [2, 3]).init(), [0, 12, 9], |fold, x: Tensor<3>| fold.forward(x));
}

#[test]
fn every_mode_of_interpolation() {
    for mode in [InterpolateMode::Nearest, InterpolateMode::Linear, InterpolateMode::Cubic] {
        let name = format!("{mode:?}");
        let resize = Interpolate1dConfig::new().with_output_size(Some(11)).with_mode(mode.clone()).init();
        agrees(&name, &resize, [0, 2, 5], |resize: &Interpolate1d, x| resize.forward(x));
        let resize = Interpolate2dConfig::new().with_output_size(Some([7, 9])).with_mode(mode).init();
        agrees(&name, &resize, [0, 2, 4, 6], |resize: &Interpolate2d, x| resize.forward(x));
    }
}

#[test]
fn interpolation_by_a_factor() {
    let resize = Interpolate1dConfig::new().with_scale_factor(Some(2.0)).with_mode(InterpolateMode::Linear).init();
    agrees("Interpolate1d", &resize, [0, 2, 5], |resize, x| resize.forward(x));
    let resize =
        Interpolate2dConfig::new().with_scale_factor(Some([2.0, 2.0])).with_mode(InterpolateMode::Nearest).init();
    agrees("Interpolate2d", &resize, [0, 2, 4, 5], |resize, x| resize.forward(x));
}
