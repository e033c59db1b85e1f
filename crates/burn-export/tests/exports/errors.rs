//! What a user reads when an export is refused.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, Device, Int, Tensor};
use burn_export::{Axis, ExportError, OnnxExporter, Opset, Stage};

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
        x.slice(0..n.isqrt())
    });
    insta::assert_snapshot!(text, @r#"BaseFloat::Slice([n, 3]): ranges/0/end follows axis "n" in a way that no formula explains (1 at n = 3; 1 at n = 1; 2 at n = 4; 2 at n = 5; ...; 1024 at n = 1048583); fix the axis or compute the size differently"#);
}

#[test]
fn a_constant_that_no_formula_explains_is_refused() {
    let text = refusal(dynamic(), |_, x: Tensor<2>| {
        let [n, _] = x.dims();
        let device = x.device();
        let wave: Vec<f32> = (0..n).map(|index| (index as f32).sin()).collect();
        x + Tensor::<1>::from_floats(wave.as_slice(), &device).unsqueeze_dim(1)
    });
    insta::assert_snapshot!(text, @r#"a constant of shape [n] made in forward and used by BaseFloat::Reshape([3]) follows axis "n" in a way that no formula explains; compute it with tensor operations from `arange` or `ones`, or fix the axis"#);
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
    insta::assert_snapshot!(text, @"forward reads the value of a tensor at n = 3 (`into_data`, `into_scalar`, or a Burn function that does so to check its arguments, such as `one_hot`); a file cannot ask, so compute it with tensor operations");
}

#[test]
fn a_constant_that_differs_from_run_to_run_is_refused() {
    let runs = std::cell::Cell::new(0.5);
    let fixed = OnnxExporter::new().input("x", [Axis::fixed(2)]).output("y");
    let text = refusal(fixed, |_, x: Tensor<1>| {
        runs.set(runs.get() * 1.5);
        let device = x.device();
        x + Tensor::<1>::from_floats([runs.get(), 1.0], &device)
    });
    insta::assert_snapshot!(text, @"forward makes a constant (shape [2], used by NumericFloat::Add([2], [2])) that differs from run to run; the file would hold that of one run, so pass it in as an input, or make it once, before the export");
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
    insta::assert_snapshot!(bits, @"Int::BitwiseXor([n, 3], [n, 3]): needs opset 18 or later, this export is for opset 17; choose it with `.opset(Opset::V18)`");
}

/// A layer used twice, with an operation in between that ONNX 17 does not have.
#[derive(Module, Debug)]
struct Net {
    first: Linear,
    block: Block,
}

#[derive(Module, Debug)]
struct Block {
    linear: Linear,
}

#[test]
fn a_failure_names_the_module_and_tells_what_was_done_before() {
    let linear = || LinearConfig::new(3, 3).init(&Device::flex());
    let net = Net { first: linear(), block: Block { linear: linear() } };
    let failed = dynamic().opset(Opset::V17).export_with_report(&net, |net: &Net, x: Tensor<2>| {
        let hidden = net.block.linear.forward(net.first.forward(x));
        let bits = hidden.int().bitwise_xor_scalar(1);
        net.block.linear.forward(bits.float())
    });
    let Err(failed) = failed else { panic!("exported") };
    assert_eq!(failed.stage(), Stage::Lowering);
    insta::assert_snapshot!(failed, @r#"
    the export stopped at the lowering: Int::BitwiseXorScalar([n, 3]) in "block.linear": needs opset 18 or later, this export is for opset 17; choose it with `.opset(Opset::V18)`
    parameters  4 tensors, 96 bytes
    captured    17 operations at 27 sizes: n = 3; n = 1; n = 4; ...; n = 1048583
    explained   the sizes of the 12 that the outputs need
    "#);
}

#[test]
fn a_failure_at_the_declarations_has_nothing_to_tell_but_itself() {
    let twice = dynamic().output("x").export_with_report(&Nothing::new(), |_, x: Tensor<2>| x);
    let text = twice.map_or_else(|failed| failed.to_string(), |model| model.model().to_string());
    insta::assert_snapshot!(text, @r#"the export stopped at the declarations: the name "x" is declared twice"#);
}

#[test]
fn a_branch_within_a_module_names_the_module() {
    let linear: Linear = LinearConfig::new(3, 3).init(&Device::flex());
    #[derive(Module, Debug)]
    struct Gate {
        gate: Linear,
    }
    let error = dynamic().export(&Gate { gate: linear }, |module: &Gate, x: Tensor<2>| {
        let wide = x.dims()[0] > 9;
        let hidden = module.gate.forward(x);
        module.gate.forward(if wide { hidden.exp() } else { hidden.log() })
    });
    let text = error.map_or_else(|error| error.to_string(), |model| model.model().to_string());
    insta::assert_snapshot!(text, @r#"forward takes another way at n = 10 than at n = 3: operation 3 is Float::Exp([10, 3]) in "gate" instead of Float::Log([3, 3]) in "gate"; an ONNX graph has one way only, so decide by a module's setting instead of a size, or fix the axis"#);
}

#[test]
fn an_opset_out_of_range_is_refused() {
    let text = Opset::try_from(10).map_or_else(|error: ExportError| error.to_string(), |opset| opset.to_string());
    insta::assert_snapshot!(text, @"opset 10 is not supported; choose one from 11 to 28");
}

#[test]
fn a_tensor_of_another_device_is_refused() {
    let text = refusal(dynamic(), |_, _: Tensor<2>| Tensor::<2, Bool>::full([1, 3], true, &Device::flex()));
    insta::assert_snapshot!(text, @"forward returned a tensor that was not computed from its inputs or the module's parameters: it lives on another device than they do");
}
