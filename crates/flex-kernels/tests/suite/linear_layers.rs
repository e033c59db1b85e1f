//! Linear layers against their definition in float64 and its finite differences.

use flex_kernels::linear::{Activation, LinearGradients, LinearShape, PackedWeights, Weights, backward, forward};
use proptest::prelude::*;

use crate::reference;
use crate::support::{
    Numbers, assert_close, assert_same_bits, cases, differences, double, on_every_instruction_set, positions, take,
};

/// Sums of up to 1,100 products of float32: a wrong term is off by 1e-2 and more.
const TOLERANCE: f64 = 2e-5;

/// Products of one forward pass.
const WORK: usize = if cfg!(miri) { 200 } else { 1_000_000 };

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn forward_and_backward(
        rows in prop_oneof![1..=7_usize, 8..=130_usize],
        inputs in prop_oneof![1..=20_usize, 90..=100_usize, 500..=520_usize, 1000..=1100_usize],
        outputs in prop_oneof![1..=18_usize, 31..=70_usize],
        activation in prop_oneof![
            Just(Activation::Identity), Just(Activation::Relu), Just(Activation::Gelu), Just(Activation::GeluTanh),
            Just(Activation::Silu),
        ],
        dropout in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let rows = rows.min(WORK / (inputs * outputs)).max(1);
        let shape = LinearShape { rows, inputs, outputs };
        let mut numbers = Numbers::new(seed);
        let [input, weights, bias] = [rows * inputs, inputs * outputs, outputs].map(|length| numbers.vector(length));
        let scale = dropout.then(|| numbers.factors(rows * outputs));
        let factor = |index: usize| scale.as_ref().map_or(1.0, |scale| f64::from(scale[index]));
        let arguments = [double(&input), double(&weights), double(&bias)];
        let output = |arguments: &[Vec<f64>]| {
            let sums = reference::linear(inputs, &arguments[0], &arguments[1], &arguments[2]);
            let mut result = match activation {
                Activation::Relu => reference::relu(sums),
                _ => {
                    let out: Vec<f64> = sums.into_iter().map(|sum| reference::activation(activation, sum)).collect();
                    reference::Decided { decided: vec![true; out.len()], out }
                }
            };
            for (index, value) in result.out.iter_mut().enumerate() {
                *value *= factor(index);
            }
            result
        };
        let expected = output(&arguments);
        let cotangent = expected.only(&numbers.vector(rows * outputs));

        let results = on_every_instruction_set(|isa| {
            let mut out = vec![f32::NAN; rows * outputs];
            forward(isa, shape, activation, &input, Weights::Plain(&weights), Some(&bias), scale.as_deref(), &mut out);
            let packed = PackedWeights::new(isa, inputs, outputs, &weights);
            let mut out_packed = vec![f32::NAN; rows * outputs];
            let packed = Weights::Packed(&packed);
            forward(isa, shape, activation, &input, packed, Some(&bias), scale.as_deref(), &mut out_packed);
            assert_same_bits(&[out_packed], std::slice::from_ref(&out), "packed weights");
            let mut control = vec![f32::NAN; rows * outputs];
            let plain = Weights::Plain(&weights);
            forward(isa, shape, Activation::Identity, &input, plain, Some(&bias), None, &mut control);
            let mut d_input = vec![f32::NAN; input.len()];
            let (mut d_weights, mut d_bias) = (vec![f32::NAN; weights.len()], vec![f32::NAN; bias.len()]);
            let gradients = LinearGradients {
                output: &cotangent,
                input: Some(&mut d_input),
                weights: &mut d_weights,
                bias: &mut d_bias,
            };
            backward(isa, shape, activation, &input, &weights, scale.as_deref(), &control, gradients);
            vec![out, d_input, d_weights, d_bias]
        });
        assert_close(&results[0], &expected.out, TOLERANCE, "output");
        for (argument, name) in ["input", "weights", "bias"].into_iter().enumerate() {
            let at = positions(arguments[argument].len(), &mut numbers);
            let objective = |arguments: &[Vec<f64>]| {
                output(arguments).out.iter().zip(&cotangent).map(|(a, &b)| a * f64::from(b)).sum()
            };
            let expected = differences(objective, &arguments, argument, &at);
            assert_close(&take(&results[argument + 1], &at), &expected, TOLERANCE, name);
        }
    }
}
