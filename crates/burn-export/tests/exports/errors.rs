//! What a user reads when an export is refused.

use burn::tensor::{Bool, Device, Int, Tensor};
use burn_export::{Axis, ExportError, OnnxExporter, Opset};

use crate::table::Nothing;

fn dynamic() -> OnnxExporter {
    OnnxExporter::new().input("x", [Axis::dynamic("n"), Axis::fixed(3)]).output("y")
}

fn refusal<I: burn_export::ModelInputs, O: burn_export::ModelOutputs>(
    exporter: OnnxExporter,
    forward: impl Fn(&Nothing, I) -> O,
) -> String {
    match exporter.export(&Nothing::new(), forward) {
        Ok(model) => panic!("exported:\n{}", model.model()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_branch_on_a_size_is_found() {
    let text = refusal(dynamic(), |_, x: Tensor<2>| if x.dims()[0] > 9 { x.exp() } else { x.log() });
    insta::assert_snapshot!(text, @"forward takes another way at n = 10 than at n = 3: operation 0 is Float::Exp([10, 3]) instead of Float::Log([3, 3]); an ONNX graph has one way only, so decide by a module's setting instead of a size, or fix the axis");
}

#[test]
fn a_size_that_no_formula_explains_is_refused() {
    let text = refusal(dynamic(), |_, x: Tensor<2>| {
        let [n, _] = x.dims();
        x.slice(0..n.min(6))
    });
    insta::assert_snapshot!(text, @r#"BaseFloat::Slice: output size 0 follows axis "n" in a way that no formula explains (values [3, 1, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]); fix the axis or compute the size differently"#);
}

#[test]
fn a_constant_that_no_formula_explains_is_refused() {
    let text = refusal(dynamic(), |_, x: Tensor<2>| {
        let [n, _] = x.dims();
        let device = x.device();
        let wave: Vec<f32> = (0..n).map(|index| (index as f32).sin()).collect();
        x + Tensor::<1>::from_floats(wave.as_slice(), &device).unsqueeze_dim(1)
    });
    insta::assert_snapshot!(text, @r#"a constant of shape [n] made in forward follows axis "n" in a way that no formula explains; compute it with tensor operations from `arange` or `ones`, or fix the axis"#);
}

#[test]
fn looking_at_values_is_refused() {
    let text = refusal(dynamic(), |_, x: Tensor<2>| {
        let largest: f32 = x.clone().max().into_scalar();
        x / largest
    });
    insta::assert_snapshot!(text, @"forward reads the value of a tensor at n = 3 (`into_data`, `into_scalar`, or a Burn function that does so to check its arguments, such as `one_hot`); a file cannot ask, so compute it with tensor operations");
    let text = refusal(dynamic(), |_, x: Tensor<2>| {
        let device = x.device();
        let copy = Tensor::<2>::from_data(x.to_data(), &device);
        x + copy
    });
    insta::assert_snapshot!(text, @"forward made a constant from the values of its inputs (shape [n, 3]); the file would hold the values of one run, so compute it with tensor operations instead of `into_data` or `into_scalar`");
}

#[test]
fn declarations_that_do_not_fit_are_refused() {
    let forward = |_: &Nothing, x: Tensor<2>| x;
    insta::assert_snapshot!(refusal(dynamic().output("z"), forward), @"forward returns 1 tensors, but 2 outputs are declared with `.output(…)`");
    insta::assert_snapshot!(refusal(dynamic().input("z", [Axis::fixed(1)]), forward), @"forward takes 1 input tensors, but 2 are declared with `.input(…)`");
    insta::assert_snapshot!(refusal(dynamic().output("x"), forward), @r#"the name "x" is declared twice"#);
    insta::assert_snapshot!(refusal(OnnxExporter::new().output("y"), forward), @"forward takes 1 input tensors, but 0 are declared with `.input(…)`");
    let flat = OnnxExporter::new().input("x", [Axis::fixed(3)]).output("y");
    insta::assert_snapshot!(refusal(flat, forward), @r#"input "x" is declared with 1 axes, but forward takes a tensor of rank 2"#);
    let typed = OnnxExporter::new().typed_input("x", burn::tensor::DType::I64, [Axis::fixed(3), Axis::fixed(3)]);
    insta::assert_snapshot!(refusal(typed.output("y"), forward), @r#"input "x" is declared as I64, but forward takes a tensor of float elements"#);
    let empty = OnnxExporter::new().input("x", [Axis::dynamic("n").range(5..5), Axis::fixed(3)]).output("y");
    insta::assert_snapshot!(refusal(empty, forward), @r#"axis "n" of input "x": no size lies in its range"#);
}

#[test]
fn operations_without_an_onnx_form_are_refused_by_name() {
    let random = refusal(dynamic(), |_, x: Tensor<2>| x.clone() + x.random_like(burn::tensor::Distribution::Default));
    insta::assert_snapshot!(random, @"Float::Random: random numbers belong to training; pass them in as an input");
    let bits = refusal(dynamic().opset(Opset::V17), |_, x: Tensor<2, Int>| x.clone().bitwise_xor(x));
    insta::assert_snapshot!(bits, @"Int::BitwiseXor: needs opset 18 or later, this export is for opset 17");
}

#[test]
fn an_opset_out_of_range_is_refused() {
    let text = Opset::try_from(10).map_or_else(|error: ExportError| error.to_string(), |opset| opset.to_string());
    insta::assert_snapshot!(text, @"opset 10 is not supported; choose one from 11 to 21");
}

#[test]
fn a_tensor_of_another_device_is_refused() {
    let text = refusal(dynamic(), |_, _: Tensor<2>| Tensor::<2, Bool>::full([1, 3], true, &Device::flex()));
    insta::assert_snapshot!(text, @"forward returned a tensor that was not computed from its inputs or the module's parameters: it lives on another device than they do");
}
