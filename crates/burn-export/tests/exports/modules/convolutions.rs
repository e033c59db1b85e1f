//! Two-dimensional convolutions, every norm through its wrapper, every mode of interpolation.

use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::interpolate::{Interpolate1d, Interpolate1dConfig, Interpolate2d, Interpolate2dConfig, InterpolateMode};
use burn::nn::norm::{Normalization, NormalizationConfig};
use burn::nn::*;
use burn::tensor::{Device, Tensor};

use super::agrees;

#[test]
fn convolutions_of_two_axes() {
    let device = Device::flex();
    let conv = Conv2dConfig::new([2, 3], [3, 2]).with_dilation([2, 1]).init(&device);
    agrees("Conv2d, dilated", &conv, [0, 2, 7, 6], |conv: &Conv2d, x| conv.forward(x));
    let conv = Conv2dConfig::new([2, 3], [3, 5]).with_padding(PaddingConfig2d::Same).init(&device);
    agrees("Conv2d, same", &conv, [0, 2, 0, 6], |conv: &Conv2d, x| conv.forward(x));
    let conv = ConvTranspose2dConfig::new([2, 3], [2, 3]).with_stride([2, 1]).init(&device);
    agrees("ConvTranspose2d", &conv, [0, 2, 0, 5], |conv: &ConvTranspose2d, x| conv.forward(x));
}

#[test]
fn every_norm_through_the_wrapper() {
    let device = Device::flex();
    let norms = [
        ("identity", NormalizationConfig::Identity),
        ("batch", BatchNormConfig::new(4).into()),
        ("group", GroupNormConfig::new(2, 4).into()),
        ("instance", InstanceNormConfig::new(4).into()),
    ];
    for (name, config) in norms {
        agrees(name, &config.init(&device), [0, 4, 5], |norm: &Normalization, x: Tensor<3>| norm.forward(x));
    }
    let norms: [(&str, NormalizationConfig); 2] =
        [("layer", LayerNormConfig::new(4).into()), ("rms", RmsNormConfig::new(4).into())];
    for (name, config) in norms {
        agrees(name, &config.init(&device), [0, 0, 4], |norm: &Normalization, x: Tensor<3>| norm.forward(x));
    }
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
