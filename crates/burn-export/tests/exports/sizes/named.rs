//! Formulas that are operators of ONNX: what the file has, and that it computes the same.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::{AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{
    BiLstmConfig, Embedding, EmbeddingConfig, GroupNormConfig, InstanceNormConfig, Linear, LinearConfig,
    PaddingConfig2d, PixelShuffleConfig,
};
use burn::tensor::activation::{gelu_approximate, hard_sigmoid, hard_swish, mish};
use burn::tensor::ops::PadMode;
use burn::tensor::{DType, Device, Int, Tensor};
use burn_export::{Axis, ExportedModel, OnnxExporter, Opset};

use super::{Case, FREE, free};
use crate::support::{Runner, difference};

fn image() -> [Axis; 4] {
    [Axis::dynamic("batch"), Axis::fixed(8), Axis::dynamic("height"), Axis::dynamic("width")]
}

const IMAGES: [[usize; 4]; 4] = [[1, 8, 1, 1], [2, 8, 3, 5], [1, 8, 17, 2], [5, 8, 40, 33]];

/// The operators of the file of one opset.
fn operators(case: &Case<'_>, opset: Opset) -> BTreeMap<String, usize> {
    let model = (case.export)(opset).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    counted(&model)
}

fn counted(model: &ExportedModel) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    model.model().graph.nodes.iter().for_each(|node| *counts.entry(node.op_type.clone()).or_default() += 1);
    counts
}

/// How often a simplification was applied.
fn applied(case: &Case<'_>, simplification: &str) -> usize {
    let model = (case.export)(Opset::V17).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    model.report().simplifications.get(simplification).copied().unwrap_or_default()
}

/// Only this operator, once.
fn alone(case: &Case<'_>, opset: Opset, op: &str) {
    assert_eq!(operators(case, opset), BTreeMap::from([(op.to_string(), 1)]), "{} at {opset}", case.name);
}

#[test]
fn activations() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    let swish = case("hard swish", |x| hard_swish(x * 4.0));
    assert_eq!(operators(&swish, Opset::V13).get("HardSigmoid"), Some(&1));
    assert_eq!(operators(&swish, Opset::V14).get("HardSwish"), Some(&1));
    swish.right(&FREE);
    for (name, forward) in [
        ("the product divided", (|x| x.clone() * (x + 3.0).clamp(0.0, 6.0) / 6.0) as fn(Tensor<2>) -> Tensor<2>),
        ("the gate divided", |x| x.clone() * ((x + 3.0).clamp(0.0, 6.0) / 6.0)),
        ("the gate scaled", |x| (x.clone() + 3.0).clamp(0.0, 6.0) * (1.0 / 6.0) * x),
    ] {
        let case = case(name, forward);
        alone(&case, Opset::V17, "HardSwish");
        case.right(&FREE);
    }
    // What it replaces is not named as well.
    assert_eq!(applied(&case("once", |x| x.clone() * ((x + 3.0).clamp(0.0, 6.0) / 6.0)), "activations named"), 1);
    let sigmoid = case("hard sigmoid by hand", |x| (x + 3.0).clamp(0.0, 6.0) / 6.0);
    alone(&sigmoid, Opset::V11, "HardSigmoid");
    sigmoid.right(&FREE);
    let mish = case("mish", mish);
    alone(&mish, Opset::V18, "Mish");
    assert_eq!(operators(&mish, Opset::V17).get("Mish"), None);
    mish.right(&FREE);
    let gelu = case("gelu by tanh", gelu_approximate);
    alone(&gelu, Opset::V20, "Gelu");
    // Before opset 20 the order of ONNX Runtime's own operator: the half of x comes first.
    let formula = (gelu.export)(Opset::V17).unwrap();
    let [.., half, last] = &formula.model().graph.nodes[..] else { panic!("{}", formula.model()) };
    assert_eq!([half.op_type.as_str(), last.op_type.as_str()], ["Mul", "Mul"]);
    let x = &formula.model().graph.inputs[0].name;
    assert_eq!((&half.inputs[0], &last.inputs[0]), (x, &half.outputs[0]), "{}", formula.model());
    gelu.right(&FREE);
}

/// What only looks like one of them stays what it is.
#[test]
fn other_activations() {
    let case = |name, forward: fn(Tensor<2>) -> Tensor<2>| Case::new(name, free(), forward);
    for case in [
        case("another bound", |x| x.clone() * (x + 3.0).clamp(0.0, 5.0) / 6.0),
        case("another divisor", |x| x.clone() * (x + 3.0).clamp(0.0, 6.0) / 5.0),
        case("another operand", |x| x.clone().neg() * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        case("another slope", |x| x.clone() * hard_sigmoid(x, 0.2, 0.5)),
    ] {
        assert_eq!(operators(&case, Opset::V21).get("HardSwish"), None, "{}", case.name);
        case.right(&FREE);
    }
}

#[test]
fn norms_of_groups() {
    let device = Device::flex();
    let norm = InstanceNormConfig::new(8).init(&device);
    let case = Case::of("instance norm", norm, image(), |norm, x: Tensor<4>| norm.forward(x));
    alone(&case, Opset::V11, "InstanceNormalization");
    assert_eq!(applied(&case, "normalisations named"), 1);
    case.right(&IMAGES);
    let norm = InstanceNormConfig::new(8).with_affine(false).init(&device);
    let case = Case::of("without factors", norm, image(), |norm, x: Tensor<4>| norm.forward(x));
    assert_eq!(operators(&case, Opset::V17).get("InstanceNormalization"), Some(&1));
    case.right(&IMAGES);
    for groups in [1, 2, 4] {
        let norm = GroupNormConfig::new(groups, 8).init(&device);
        let name = format!("{groups} groups");
        let case = Case::of(&name, norm, image(), |norm, x: Tensor<4>| norm.forward(x));
        let found = operators(&case, Opset::V17);
        assert_eq!(found.values().sum::<usize>(), 6, "{found:?}");
        assert_eq!(found.get("InstanceNormalization"), Some(&1));
        case.right(&IMAGES);
    }
}

#[test]
fn pixels_that_leave_the_channels() {
    let shuffle = PixelShuffleConfig::new(2).init();
    let case = Case::new("pixel shuffle", image(), |x: Tensor<4>| shuffle.forward(x));
    alone(&case, Opset::V11, "DepthToSpace");
    case.right(&IMAGES);
    let case = Case::new("TensorFlow's order", image(), |x: Tensor<4>| {
        let [batch, _, height, width] = x.dims();
        let cut = x.reshape([batch, 2, 2, 2, height, width]).permute([0, 3, 4, 1, 5, 2]);
        cut.reshape([batch, 2, 2 * height, 2 * width])
    });
    alone(&case, Opset::V11, "DepthToSpace");
    case.right(&IMAGES);
    let case = Case::new("another order", image(), |x: Tensor<4>| {
        let [batch, _, height, width] = x.dims();
        let cut = x.reshape([batch, 2, 2, 2, height, width]).permute([0, 1, 4, 3, 5, 2]);
        cut.reshape([batch, 2, 2 * height, 2 * width])
    });
    assert_eq!(operators(&case, Opset::V17).get("DepthToSpace"), None);
    case.right(&IMAGES);
}

#[test]
fn nothing_is_subtracted() {
    let case = Case::new("minus zero", free(), |x: Tensor<2>| (x - 0.0).exp());
    alone(&case, Opset::V17, "Exp");
    case.right(&FREE);
}

#[test]
fn padding_joins_its_window() {
    let device = Device::flex();
    let conv = Conv2dConfig::new([8, 2], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 0, 1, 0)).init(&device);
    let case = Case::of("uneven padding by hand", conv, image(), |conv, x: Tensor<4>| {
        conv.forward(x.pad((2, 1, 0, 3), PadMode::Constant(0.0)))
    });
    alone(&case, Opset::V11, "Conv");
    case.right(&IMAGES);
    let max =
        MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(PaddingConfig2d::Explicit(0, 1, 2, 1)).init();
    let case = Case::new("uneven maximum", image(), |x: Tensor<4>| max.forward(x));
    alone(&case, Opset::V11, "MaxPool");
    case.right(&IMAGES);
    let mean = AvgPool2dConfig::new([3, 3]).with_padding(PaddingConfig2d::Explicit(0, 1, 2, 1)).init();
    let case = Case::new("uneven mean", image(), |x: Tensor<4>| mean.forward(x));
    alone(&case, Opset::V11, "AveragePool");
    case.right(&IMAGES);
    // Both places of such a window may be padding, of an image of one pixel; what a pool then gives, runtimes do not agree about.
    let gaps = MaxPool2dConfig::new([2, 2]).with_strides([1, 1]).with_dilation([2, 2]).init();
    let case = Case::new("a window with gaps", image(), |x: Tensor<4>| {
        gaps.forward(x.pad((1, 1, 1, 1), PadMode::Constant(f32::NEG_INFINITY)))
    });
    assert_eq!(operators(&case, Opset::V17).get("Pad"), Some(&1));
    case.right(&IMAGES[1..]);
    let case = Case::new("other numbers around a mean", image(), |x: Tensor<4>| {
        AvgPool2dConfig::new([3, 3]).init().forward(x.pad((1, 1, 1, 1), PadMode::Constant(1.0)))
    });
    assert_eq!(operators(&case, Opset::V17).get("Pad"), Some(&1));
    case.right(&IMAGES);
}

#[derive(Module, Debug)]
struct Tied {
    words: Embedding,
    hidden: Linear,
}

#[test]
fn a_tied_weight_is_stored_once() {
    let device = Device::flex();
    let words = EmbeddingConfig::new(100, 16).init(&device);
    let hidden = LinearConfig::new(16, 16).init(&device);
    let tied = Tied { words, hidden };
    let forward = |net: &Tied, words: Tensor<2, Int>| {
        let table = net.words.weight.val().transpose().unsqueeze::<3>();
        net.hidden.forward(net.words.forward(words)).matmul(table)
    };
    let model = OnnxExporter::new()
        .input("words", [Axis::dynamic("batch"), Axis::dynamic("length")])
        .output("scores")
        .export(&tied, forward)
        .unwrap_or_else(|error| panic!("{error}"));
    let large = model.model().graph.initializers.iter().filter(|tensor| tensor.dims.iter().product::<u64>() >= 1600);
    assert_eq!(large.map(|tensor| tensor.name.as_str()).collect::<Vec<_>>(), ["words.weight"]);
    assert_eq!(counted(&model).get("Transpose"), Some(&1), "{}", model.model());
    let bytes = model.to_bytes().unwrap_or_else(|error| panic!("{error}"));
    let mut runner = Runner::new(&bytes).unwrap_or_else(|error| panic!("{error}\n{}", model.model()));
    for shape in [[1, 1], [3, 17]] {
        let count = (shape[0] * shape[1]) as i64;
        let ids = Tensor::<1, Int>::arange(0..count, &device).cast(DType::I64).mul_scalar(37).remainder_scalar(100);
        let ids = ids.reshape(shape);
        let found = runner.run(&[("words", &ids.clone().into_data())]).unwrap_or_else(|error| panic!("{error}"));
        let expected = forward(&tied, ids).into_data();
        assert_eq!(difference(&found[0], &expected, 1e-5), None, "{shape:?}\n{}", model.model());
    }
}

#[test]
fn both_directions_are_one_operator() {
    let device = Device::flex();
    let axes = || [Axis::dynamic("batch"), Axis::dynamic("length"), Axis::fixed(3)];
    for batch_first in [true, false] {
        let layer = BiLstmConfig::new(3, 4, true).with_batch_first(batch_first).init(&device);
        let case = Case::of("states of both", layer, axes(), |layer, x: Tensor<3>| layer.forward(x, None).0);
        let found = operators(&case, Opset::V17);
        let expected = [("LSTM", 1), ("Reshape", 1), ("Transpose", if batch_first { 2 } else { 1 })];
        assert_eq!(found, expected.map(|(op, count)| (op.to_string(), count)).into());
        case.right(&[[1, 1, 3], [2, 5, 3], [1, 100, 3]]);
    }
}
