//! Windows over images of any size.

use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::interpolate::{Interpolate2dConfig, InterpolateMode};
use burn::nn::pool::{AdaptiveAvgPool2dConfig, AvgPool1dConfig, AvgPool2dConfig, MaxPool1dConfig, MaxPool2dConfig};
use burn::nn::{PaddingConfig1d, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use burn_export::Axis;

use super::Case;

fn image(lowest: usize) -> [Axis; 4] {
    let side = |name: &str| Axis::dynamic(name).range(lowest..);
    [Axis::dynamic("batch"), Axis::fixed(2), side("height"), side("width")]
}

fn shapes(lowest: usize) -> Vec<[usize; 4]> {
    let near = (0..14).map(|more| [1, 2, lowest + more, lowest + 13 - more]);
    near.chain([[7, 2, lowest, lowest], [2, 2, 61, 90], [1, 2, 600, lowest]]).collect()
}

#[test]
fn strides_and_rounding() {
    for (kernel, stride, padding, dilation) in
        [(3, 2, 0, 1), (3, 2, 1, 1), (2, 3, 0, 1), (1, 4, 0, 1), (5, 3, 2, 1), (3, 2, 2, 2), (2, 7, 1, 1)]
    {
        let lowest = (dilation * (kernel - 1) + 1usize).saturating_sub(2 * padding).max(1);
        let conv = Conv2dConfig::new([2, 3], [kernel; 2])
            .with_stride([stride; 2])
            .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
            .with_dilation([dilation; 2])
            .init(&Device::flex());
        let name = format!("kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation}");
        Case::of(&name, conv, image(lowest), |conv, x: Tensor<4>| conv.forward(x)).right(&shapes(lowest));
    }
}

#[test]
fn pooling_rounded_up() {
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (2, 3, 0), (3, 3, 1), (3, 5, 0), (2, 5, 1), (4, 3, 2)] {
        let lowest = kernel.max(1);
        for ceil in [false, true] {
            let name = format!("kernel {kernel}, stride {stride}, padding {padding}, ceil {ceil}");
            let pads = PaddingConfig2d::Explicit(padding, padding, padding, padding);
            let max = MaxPool2dConfig::new([kernel; 2])
                .with_strides([stride; 2])
                .with_padding(pads.clone())
                .with_ceil_mode(ceil)
                .init();
            Case::new(&name, image(lowest), |x: Tensor<4>| max.forward(x)).right(&shapes(lowest));
            for counts in [false, true] {
                let mean = AvgPool2dConfig::new([kernel; 2])
                    .with_strides([stride; 2])
                    .with_padding(pads.clone())
                    .with_count_include_pad(counts)
                    .with_ceil_mode(ceil)
                    .init();
                let name = format!("{name}, mean, padding counts {counts}");
                Case::new(&name, image(lowest), |x: Tensor<4>| mean.forward(x)).right(&shapes(lowest));
            }
        }
    }
}

#[test]
fn sizes_that_grow() {
    let transpose = ConvTranspose2dConfig::new([2, 3], [3, 3]).with_stride([2, 2]).with_padding_out([1, 1]);
    let transpose = transpose.init(&Device::flex());
    Case::of("transposed", transpose, image(1), |conv, x: Tensor<4>| conv.forward(x)).right(&shapes(1));
    for mode in [InterpolateMode::Nearest, InterpolateMode::Linear, InterpolateMode::Cubic] {
        for factor in [2.0, 3.0, 0.5, 1.5] {
            let lowest = if factor < 1.0 { 2 } else { 1 };
            let up = Interpolate2dConfig::new().with_scale_factor(Some([factor; 2])).with_mode(mode.clone()).init();
            let name = format!("{mode:?} by {factor}");
            // Places between 1200 pixels are known to 6e-5 of a pixel in float32.
            Case::new(&name, image(lowest), |x: Tensor<4>| up.forward(x)).right_within(1e-4, &shapes(lowest));
        }
        let name = format!("{mode:?} to 7 by 5");
        let to = Interpolate2dConfig::new().with_output_size(Some([7, 5])).with_mode(mode.clone()).init();
        Case::new(&name, image(1), |x: Tensor<4>| to.forward(x)).right_within(1e-4, &shapes(1));
    }
}

#[test]
fn adaptive_pooling_of_any_size() {
    for to in [[1, 1], [3, 2], [7, 7]] {
        let pool = AdaptiveAvgPool2dConfig::new(to).init();
        let name = format!("to {to:?}");
        Case::new(&name, image(1), |x: Tensor<4>| pool.forward(x)).right(&shapes(1));
    }
}

#[test]
fn padding_that_keeps_the_size() {
    for (kernel, stride) in [(3, 1), (2, 1), (4, 1)] {
        let conv = Conv2dConfig::new([2, 3], [kernel; 2]).with_stride([stride; 2]).with_padding(PaddingConfig2d::Same);
        let conv = conv.init(&Device::flex());
        let name = format!("kernel {kernel}, stride {stride}");
        Case::of(&name, conv, image(4), |conv, x: Tensor<4>| conv.forward(x)).right(&shapes(4));
    }
}

#[test]
fn pools_of_a_stride_whose_padding_follows_the_image() {
    let shapes = [[1, 2, 1, 1], [2, 2, 2, 3], [1, 2, 13, 17], [1, 2, 19, 15], [3, 2, 60, 61], [1, 2, 62, 64]];
    let pools = [(3, 2), (2, 2), (5, 2), (2, 3), (4, 3), (7, 4)].map(|pool| (pool, false));
    for ((kernel, stride), ceil) in pools.into_iter().chain([((3, 2), true), ((2, 3), true), ((1, 4), true)]) {
        let max = MaxPool2dConfig::new([kernel; 2])
            .with_strides([stride; 2])
            .with_padding(PaddingConfig2d::Same)
            .with_ceil_mode(ceil)
            .init();
        let name = format!("kernel {kernel}, stride {stride}, ceil {ceil}");
        Case::new(&name, image(1), |x: Tensor<4>| max.forward(x)).right(&shapes);
        for counts in [false, true] {
            let mean = AvgPool2dConfig::new([kernel; 2])
                .with_strides([stride; 2])
                .with_padding(PaddingConfig2d::Same)
                .with_count_include_pad(counts)
                .with_ceil_mode(ceil)
                .init();
            let name = format!("{name}, mean, padding counts {counts}");
            Case::new(&name, image(1), |x: Tensor<4>| mean.forward(x)).right(&shapes);
        }
    }
    let axes = || [Axis::dynamic("batch"), Axis::fixed(2), Axis::dynamic("length")];
    let shapes = [[1, 2, 1], [2, 2, 11], [1, 2, 100]];
    let max = MaxPool1dConfig::new(3).with_stride(2).with_padding(PaddingConfig1d::Same).init();
    Case::new("one axis", axes(), |x: Tensor<3>| max.forward(x)).right(&shapes);
    let mean = AvgPool1dConfig::new(3).with_stride(2).with_padding(PaddingConfig1d::Same).init();
    Case::new("the mean along one axis", axes(), |x: Tensor<3>| mean.forward(x)).right(&shapes);
}

#[test]
fn patches() {
    Case::new("sliding", image(3), |x: Tensor<4>| x.unfold::<5, usize>(2, 3, 2)).right(&shapes(3));
    let axes = [
        Axis::dynamic("batch"),
        Axis::fixed(2),
        Axis::dynamic("height").multiple_of(4),
        Axis::dynamic("width").multiple_of(4),
    ];
    Case::new("cut", axes, |x: Tensor<4>| {
        let [batch, channels, height, width] = x.dims();
        x.reshape([batch, channels, height / 4, 4, width / 4, 4]).permute([0, 2, 4, 1, 3, 5]).reshape([
            batch,
            height * width / 16,
            channels * 16,
        ])
    })
    .right(&[[1, 2, 4, 4], [3, 2, 8, 4], [2, 2, 4, 88], [1, 2, 100, 12]]);
}
