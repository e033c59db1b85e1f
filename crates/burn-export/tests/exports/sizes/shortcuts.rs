//! Sizes that follow from the operation itself, and base sizes at which Burn takes a shortcut.

use burn::nn::conv::{Conv1dConfig, Conv2dConfig};
use burn::nn::pool::MaxPool1dConfig;
use burn::nn::{PaddingConfig1d, PaddingConfig2d, Unfold4dConfig};
use burn::tensor::{DType, Device, Int, Tensor, s};
use burn_export::{Axis, OnnxExporter};

use super::{Case, free};
use crate::support::{Runner, difference};
use crate::table::Nothing;

#[test]
fn padding_of_a_stride_follows_the_image() {
    let device = Device::flex();
    for (kernel, stride) in [(3, 2), (5, 2), (2, 2), (1, 2), (7, 3), (3, 4)] {
        let conv = Conv2dConfig::new([2, 3], [kernel; 2]).with_stride([stride; 2]).with_padding(PaddingConfig2d::Same);
        let name = format!("kernel {kernel}, stride {stride}");
        let axes = [Axis::dynamic("batch"), Axis::fixed(2), Axis::dynamic("height"), Axis::dynamic("width")];
        let shapes = [[1, 2, 1, 1], [2, 2, 2, 3], [1, 2, 13, 17], [1, 2, 19, 15], [3, 2, 60, 61]];
        Case::of(&name, conv.init(&device), axes, |conv, x: Tensor<4>| conv.forward(x)).right(&shapes);
    }
    let conv = Conv1dConfig::new(2, 3, 4).with_stride(2).with_padding(PaddingConfig1d::Same).init(&device);
    let axes = [Axis::dynamic("batch"), Axis::fixed(2), Axis::dynamic("length")];
    Case::of("one axis", conv, axes, |conv, x: Tensor<3>| conv.forward(x)).right(&[[1, 2, 1], [2, 2, 11], [1, 2, 100]]);
}

#[test]
fn base_sizes_at_which_nothing_is_repeated() {
    Case::new("thirds", [Axis::dynamic("n").range(3..), Axis::dynamic("m")], |x: Tensor<2>| {
        let [n, _] = x.dims();
        x.slice(0..1).repeat(&[n / 3, 1])
    })
    .right(&[[3, 1], [4, 2], [6, 1], [11, 3], [100, 2]]);
}

/// Two reasons for recordings to differ, in one network.
#[test]
fn base_sizes_at_which_nothing_is_repeated_beside_a_pool_whose_padding_follows_the_image() {
    let pool = MaxPool1dConfig::new(3).with_stride(2).with_padding(PaddingConfig1d::Same).init();
    let axes = [Axis::dynamic("batch").range(3..), Axis::fixed(2), Axis::dynamic("length")];
    Case::new("thirds, pooled", axes, |x: Tensor<3>| {
        let [batch, _, _] = x.dims();
        pool.forward(x.slice(0..1).repeat(&[batch / 3, 1, 1]))
    })
    .right(&[[3, 2, 1], [4, 2, 2], [6, 2, 11], [11, 2, 100]]);
}

#[test]
fn halves_of_halves() {
    Case::new("six times every second row", free(), |x: Tensor<2>| {
        (0..6).fold(x, |x, _| x.slice(s![..;2, ..]).exp().log())
    })
    .right(&[[1, 1], [31, 2], [64, 1], [65, 3], [700, 2]]);
}

#[test]
fn patches_behind_a_stride() {
    let unfold = Unfold4dConfig::new([3, 2]).with_padding([1, 1]).with_stride([2, 1]).init();
    let side = |name: &str| Axis::dynamic(name).range(2..);
    let axes = [Axis::dynamic("batch"), Axis::fixed(2), side("height"), side("width")];
    Case::new("unfolded", axes, |x: Tensor<4>| unfold.forward(x.slice(s![.., .., ..;2, ..]))).right(&[
        [1, 2, 2, 2],
        [2, 2, 7, 9],
        [1, 2, 40, 3],
    ]);
}

#[test]
fn integers_are_counted_in_the_type_of_the_inputs() {
    let forward = |_: &Nothing, ids: Tensor<1, Int>| {
        let [length] = ids.dims();
        ids.clone() + Tensor::<1, Int>::arange(0..length as i64, &ids.device())
    };
    let exporter = OnnxExporter::new().typed_input("ids", DType::I32, [Axis::dynamic("n")]).output("moved");
    let model = exporter.export(&Nothing::new(), forward).unwrap_or_else(|error| panic!("{error}"));
    let bytes = model.to_bytes().unwrap_or_else(|error| panic!("{error}"));
    let mut runner = Runner::new(&bytes).unwrap_or_else(|error| panic!("{error}\n{}", model.model()));
    let ids = Tensor::<1, Int>::from_ints([5, -3, 7], &Device::flex()).cast(DType::I32);
    let expected = forward(&Nothing::new(), ids.clone()).into_data();
    let found = runner.run(&[("ids", &ids.into_data())]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(difference(&found[0], &expected, 0.0), None, "{}", model.model());
}
