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
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_size_that_no_formula_explains_is_refused() {
    let text = refusal(dynamic(), |_, x: Tensor<2>| {
        let [n, _] = x.dims();
        x.slice([0..n.min(6)])
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_constant_that_no_formula_explains_is_refused() {
    let text = refusal(dynamic(), |_, x: Tensor<2>| {
        let [n, _] = x.dims();
        let device = x.device();
        let wave: Vec<f32> = (0..n).map(|index| (index as f32).sin()).collect();
        x + Tensor::<1>::from_floats(wave.as_slice(), &device).unsqueeze_dim(1)
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn looking_at_values_is_refused() {
    let text = refusal(dynamic(), |_, x: Tensor<2>| {
        let largest: f32 = x.clone().max().into_scalar();
        x / largest
    });
    insta::assert_snapshot!(text, @"");
    let text = refusal(dynamic(), |_, x: Tensor<2>| {
        let device = x.device();
        let copy = Tensor::<2>::from_data(x.to_data(), &device);
        x + copy
    });
    insta::assert_snapshot!(text, @"");
}

#[test]
fn declarations_that_do_not_fit_are_refused() {
    let forward = |_: &Nothing, x: Tensor<2>| x;
    insta::assert_snapshot!(refusal(dynamic().output("z"), forward), @"");
    insta::assert_snapshot!(refusal(dynamic().input("z", [Axis::fixed(1)]), forward), @"");
    insta::assert_snapshot!(refusal(dynamic().output("x"), forward), @"");
    insta::assert_snapshot!(refusal(OnnxExporter::new().output("y"), forward), @"");
    let flat = OnnxExporter::new().input("x", [Axis::fixed(3)]).output("y");
    insta::assert_snapshot!(refusal(flat, forward), @"");
    let typed = OnnxExporter::new().typed_input("x", burn::tensor::DType::I64, [Axis::fixed(3), Axis::fixed(3)]);
    insta::assert_snapshot!(refusal(typed.output("y"), forward), @"");
    let empty = OnnxExporter::new().input("x", [Axis::dynamic("n").range(5..5), Axis::fixed(3)]).output("y");
    insta::assert_snapshot!(refusal(empty, forward), @"");
}

#[test]
fn operations_without_an_onnx_form_are_refused_by_name() {
    let random = refusal(dynamic(), |_, x: Tensor<2>| {
        x.clone() + x.random_like(burn::tensor::Distribution::Default)
    });
    insta::assert_snapshot!(random, @"");
    let bits = refusal(dynamic().opset(Opset::V17), |_, x: Tensor<2, Int>| x.clone().bitwise_xor(x));
    insta::assert_snapshot!(bits, @"");
}

#[test]
fn an_opset_out_of_range_is_refused() {
    let text = Opset::try_from(10).map_or_else(|error: ExportError| error.to_string(), |opset| opset.to_string());
    insta::assert_snapshot!(text, @"");
}

#[test]
fn a_tensor_of_another_device_is_refused() {
    let text = refusal(dynamic(), |_, _: Tensor<2>| Tensor::<2, Bool>::full([1, 3], true, &Device::flex()));
    insta::assert_snapshot!(text, @"");
}
