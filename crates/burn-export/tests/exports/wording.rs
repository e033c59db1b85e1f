//! What a failure tells: the operation, its module, its shapes, and what to change.

use burn::module::Module;
use burn::nn::interpolate::{Interpolate2dConfig, InterpolateMode};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Int, Tensor};
use burn_export::{Axis, FailedExport, ModelInputs, ModelOutputs, OnnxExporter, Opset};

/// Two layers in a block, for operations between them.
#[derive(Module, Debug)]
struct Net {
    block: Block,
}

#[derive(Module, Debug)]
struct Block {
    first: Linear,
    second: Linear,
}

impl Net {
    fn new() -> Self {
        let linear = || LinearConfig::new(3, 3).init(&Device::flex());
        Self { block: Block { first: linear(), second: linear() } }
    }

    fn forward(&self, x: Tensor<2>, between: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        self.block.second.forward(between(self.block.first.forward(x)))
    }
}

fn failure<I: ModelInputs, O: ModelOutputs>(opset: Opset, forward: impl Fn(&Net, I) -> O) -> FailedExport {
    let exporter = OnnxExporter::new().opset(opset).input("x", [Axis::dynamic("n"), Axis::fixed(3)]).output("y");
    match exporter.export_with_report(&Net::new(), forward) {
        Ok(model) => panic!("exported:\n{}", model.model()),
        Err(failed) => failed,
    }
}

fn between(opset: Opset, operation: impl Fn(Tensor<2>) -> Tensor<2>) -> String {
    failure(opset, |net: &Net, x: Tensor<2>| net.forward(x, &operation)).error.to_string()
}

#[test]
fn an_operation_without_a_form_is_named_with_its_module_and_shapes() {
    let text = between(Opset::V21, |x| {
        let [n, three] = x.dims();
        let resize =
            Interpolate2dConfig::new().with_output_size(Some([1, 3])).with_mode(InterpolateMode::Lanczos).init();
        resize.forward(x.reshape([n, 1, 1, three])).reshape([n, three])
    });
    insta::assert_snapshot!(text, @r#"Module::Interpolate([n, 1, 1, 3]) in "block": ONNX has no Lanczos interpolation; use bicubic"#);
    let text = between(Opset::V21, |x| x.clone() + x.random_like(burn::tensor::Distribution::Default));
    insta::assert_snapshot!(text, @r#"Float::Random in "block": random numbers belong to training; pass them in as an input"#);
}

#[test]
fn an_opset_too_low_names_the_lowest_that_could() {
    let text = between(Opset::V11, |x| x.int().bitwise_and_scalar(6).float());
    insta::assert_snapshot!(text, @r#"Int::BitwiseAndScalar([n, 3]) in "block": needs opset 18 or later, this export is for opset 11; choose it with `.opset(Opset::V18)`"#);
}

#[test]
fn sizes_and_scalars_without_a_formula_name_their_axis() {
    let text = between(Opset::V17, |x| {
        let [n, _] = x.dims();
        x * (n as f32).ln_1p()
    });
    insta::assert_snapshot!(text, @r#"NumericFloat::MulScalar([n, 3]) in "block": a scalar follows axis "n" in a way that no formula explains (1.3862943649291992 at n = 3; 0.6931471824645996 at n = 1; 1.6094379425048828 at n = 4; 1.7917594909667969 at n = 5; ...; 13.862951278686523 at n = 1048583); fix the axis or compute the size differently"#);
}

#[test]
fn a_constant_of_another_length_or_type_names_its_user() {
    let text = between(Opset::V17, |x| {
        let [n, _] = x.dims();
        let host = vec![1.0f32; n.isqrt()];
        let device = x.device();
        x + Tensor::<1>::from_floats(host.as_slice(), &device).sum().unsqueeze()
    });
    insta::assert_snapshot!(text, @r#"a constant made in forward and used by NumericFloat::Sum([1]) in "block": size 0 follows axis "n" in a way that no formula explains (1 at n = 3; 1 at n = 1; 2 at n = 4; 2 at n = 5; ...; 1024 at n = 1048583); fix the axis or compute the size differently"#);
    let text = between(Opset::V17, |x| {
        let [n, three] = x.dims();
        let device = x.device();
        let scale: Tensor<2> = if n > 9 {
            Tensor::<1>::from_floats([0.5, 1.5, 2.5], &device).unsqueeze()
        } else {
            Tensor::<1>::from_floats([1.5; 3], &device).reshape([1, three])
        };
        x * scale
    });
    insta::assert_snapshot!(text, @r#"a constant of shape [3] made in forward and used by BaseFloat::Reshape([3]) in "block" follows axis "n" in a way that no formula explains; compute it with tensor operations from `arange` or `ones`, or fix the axis"#);
}

#[test]
fn a_number_that_onnx_wants_fixed_is_named() {
    let text = between(Opset::V17, |x| {
        let [n, three] = x.dims();
        let device = x.device();
        let kernel = Tensor::<4>::ones([1, 1, 1, n], &device);
        let image = x.clone().reshape([1, 1, 1, 3 * n]);
        let sums = conv2d(image, kernel, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
        x + sums.mean().reshape([1, 1]).expand([n, three])
    });
    insta::assert_snapshot!(text, @r#"Module::Conv2d([1, 1, 1, 3*n], [1, 1, 1, n]) in "block": its size of the kernel is n, and ONNX has only a fixed one; fix the axis"#);
}

#[test]
fn a_layer_from_outside_the_module_is_found() {
    let outside: Linear = LinearConfig::new(3, 3).init(&Device::flex());
    let text = between(Opset::V17, |x| x + Tensor::<2>::ones([1, 3], &Device::flex()));
    // The number of Burn's device differs from run to run.
    assert!(
        text.starts_with("forward uses a tensor of another device than that of its inputs (Operation: 'Add'"),
        "{text}"
    );
    let text = between(Opset::V17, |x| outside.forward(x));
    insta::assert_snapshot!(text, @r#"forward uses a tensor of another device than that of its inputs (input tensor `rhs` is on the wrong backend): take every layer from the module that is given to the closure, not from one outside, and make tensors on `x.device()`"#);
}

#[test]
fn a_panic_tells_the_sizes_and_what_burn_said() {
    let text = failure(Opset::V17, |_: &Net, x: Tensor<2>| {
        let [n, _] = x.dims();
        assert!(n < 512, "no more than 512 rows");
        x
    });
    // The place is that of this file, from wherever the compiler was started.
    let text = text.to_string();
    let (before, rest) = text.split_once("wording.rs:").unwrap_or_else(|| panic!("no place in {text}"));
    let before = before.rsplit_once('(').unwrap_or_default().0;
    let after = rest.split_once(')').unwrap_or_default().1;
    insta::assert_snapshot!(before, @"the export stopped at the capture: forward panicked at n = 512 ");
    insta::assert_snapshot!(after, @r#"
    : no more than 512 rows; it ran at other sizes: where these are not legal, narrow the axis with `Axis::range`, or with `Axis::multiple_of` where only multiples are, and give one name to axes that have to be equal
    parameters  4 tensors, 96 bytes
    "#);
}

#[test]
fn shapes_are_those_of_the_operands() {
    let text = failure(Opset::V11, |_: &Net, x: Tensor<2, Int>| x.bitwise_left_shift_scalar(64));
    insta::assert_snapshot!(text.error.to_string(), @"Int::BitwiseLeftShiftScalar([n, 3]): a shift by 64 bits is not within the 64 of its type; shift by fewer");
    let text = failure(Opset::V11, |_: &Net, x: Tensor<2, Int>| x.clone().bitwise_left_shift(x));
    insta::assert_snapshot!(text.error.to_string(), @r#"Int::BitwiseLeftShift([n, 3], [n, 3]): needs opset 12 or later, this export is for opset 11; choose it with `.opset(Opset::V12)`"#);
}

#[test]
fn functions_that_read_values_are_found() {
    let reads = |name: &str, operation: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        let text = between(Opset::V17, operation);
        assert!(text.starts_with("forward reads the value of a tensor at n = 3"), "{name}: {text}");
    };
    reads("into_scalar", &|x| {
        let sum: f32 = x.clone().sum().into_scalar();
        x / sum
    });
    reads("one_hot", &|x| {
        let codes: Tensor<3> = x.clone().one_hot(3);
        x + codes.sum_dim(2).squeeze_dim(2)
    });
    reads("nonzero", &|x| {
        let places = x.clone().greater_elem(0.0).nonzero();
        x * places.len() as f32
    });
    reads("argwhere", &|x| {
        let places = x.clone().greater_elem(0.0).argwhere();
        x * places.dims()[0] as f32
    });
}
