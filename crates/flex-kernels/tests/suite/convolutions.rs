//! Convolutions against their definition in float64 and its finite differences.

use flex_kernels::convolution::{
    ConvShape, Pooled, PooledGradients, SILENT, UnpooledGradients, backward, backward_pooled, forward, forward_pooled,
};
use flex_kernels::simd::Isa;
use proptest::prelude::*;

use crate::reference;
use crate::support::{Numbers, assert_close, cases, differences, double, on_every_instruction_set, positions, take};

/// Products of one forward pass of the reference, which the finite differences repeat dozens of times.
const WORK: usize = if cfg!(miri) { 200 } else { 600_000 };

/// Sums of up to some thousand products of float32, each rounded to 6e-8 of it: a wrong term is off by 1e-2 and more.
const TOLERANCE: f64 = 2e-5;

#[derive(Debug, Clone)]
pub struct Case {
    pub shape: ConvShape,
    pub count: usize,
    pub pool: usize,
    pub seed: u64,
}

/// Channels around the width of a vector, kernels, strides and paddings of all kinds, batches from 1 to 130.
pub fn any_case() -> impl Strategy<Value = Case> {
    let side = || (1..=4_usize, 1..=3_usize, 0..=2_usize, 0..=9_usize);
    let channels = prop_oneof![1..=4_usize, 14..=18_usize, 30..=35_usize];
    let outputs = prop_oneof![1..=5_usize, 15..=17_usize, 31..=70_usize];
    let count = prop_oneof![1..=4_usize, 5..=130_usize];
    (channels, outputs, side(), side(), count, 1..=3_usize, any::<u64>()).prop_map(
        |(inputs, outputs, (rows, down, above, taller), (columns, right, beside, wider), count, pool, seed)| {
            let size = |kernel: usize, padding: usize, more: usize| (kernel + more).saturating_sub(2 * padding).max(1);
            let mut shape = ConvShape {
                inputs,
                outputs,
                size: [size(rows, above, taller), size(columns, beside, wider)],
                kernel: [rows, columns],
                stride: [down, right],
                padding: [above, beside],
            };
            if shape.checked_output_size().is_none() {
                shape.size = shape.kernel;
            }
            let [height, width] = shape.output_size();
            let work = height * width * shape.weights_len();
            Case { shape, count: count.min(WORK / work).max(1), pool: pool.min(height).min(width), seed }
        },
    )
}

/// Images, weights, bias.
pub fn operands(case: &Case, numbers: &mut Numbers) -> [Vec<f32>; 3] {
    let Case { shape, count, .. } = case;
    [count * shape.image_len(), shape.weights_len(), shape.outputs].map(|length| numbers.vector(length))
}

/// Compares three gradients with the finite differences of `objective` in some of their elements.
fn check(
    gradients: &[Vec<f32>],
    arguments: &[Vec<f64>],
    numbers: &mut Numbers,
    objective: impl Fn(&[Vec<f64>]) -> f64,
) {
    for (argument, name) in ["images", "weights", "bias"].into_iter().enumerate() {
        let at = positions(arguments[argument].len(), numbers);
        let expected = differences(&objective, arguments, argument, &at);
        assert_close(&take(&gradients[argument], &at), &expected, TOLERANCE, name);
    }
}

fn dot(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, &b)| a * f64::from(b)).sum()
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn without_pooling(case in any_case()) {
        let Case { shape, count, seed, .. } = &case;
        let mut numbers = Numbers::new(*seed);
        let [images, weights, bias] = operands(&case, &mut numbers);
        let arguments = [double(&images), double(&weights), double(&bias)];
        let expected = reference::conv_relu(shape, &arguments[0], &arguments[1], &arguments[2]);
        let cotangent = expected.only(&numbers.vector(count * shape.output_len()));

        let results = on_every_instruction_set(|isa| {
            let mut out = vec![f32::NAN; count * shape.output_len()];
            forward(isa, shape, &images, &weights, &bias, &mut out);
            let gradients = |wanted: bool| {
                let mut d_images = vec![f32::NAN; images.len()];
                let (mut d_weights, mut d_bias) = (vec![f32::NAN; weights.len()], vec![f32::NAN; bias.len()]);
                let gradients = UnpooledGradients {
                    output: &cotangent,
                    images: wanted.then_some(&mut d_images),
                    weights: &mut d_weights,
                    bias: &mut d_bias,
                };
                backward(isa, shape, &images, &weights, &out, gradients);
                [d_images, d_weights, d_bias]
            };
            let [all, [_, d_weights, d_bias]] = [true, false].map(gradients);
            [vec![out], all.to_vec(), vec![d_weights, d_bias]].concat()
        });
        let [out, d_images, d_weights, d_bias, d_weights_alone, d_bias_alone] = &results[..] else { unreachable!() };
        assert_close(out, &expected.out, TOLERANCE, "output");
        assert_close(d_weights_alone, &double(d_weights), TOLERANCE, "weights, without images");
        assert_close(d_bias_alone, &double(d_bias), TOLERANCE, "bias, without images");
        let gradients = [d_images, d_weights, d_bias].map(Clone::clone);
        check(&gradients, &arguments, &mut numbers, |arguments| {
            dot(&reference::conv_relu(shape, &arguments[0], &arguments[1], &arguments[2]).out, &cotangent)
        });
    }

    #[test]
    fn with_pooling(case in any_case()) {
        let Case { shape, count, pool, seed } = &case;
        let mut numbers = Numbers::new(*seed);
        let [images, weights, bias] = operands(&case, &mut numbers);
        let scale = numbers.factors(count * shape.outputs);
        let arguments = [double(&images), double(&weights), double(&bias)];
        let objective = |arguments: &[Vec<f64>]| {
            reference::conv_relu_pool(shape, *pool, &arguments[0], &arguments[1], &arguments[2], &double(&scale))
        };
        let expected = objective(&arguments);
        let cotangent = expected.only(&numbers.vector(expected.out.len()));

        let results = on_every_instruction_set(|isa| {
            let (mut out, mut winners) = (vec![f32::NAN; cotangent.len()], vec![0; cotangent.len()]);
            let to = Pooled { out: &mut out, winners: Some(&mut winners) };
            forward_pooled(isa, shape, *pool, &images, &weights, &bias, Some(&scale), to);
            let mut d_images = vec![f32::NAN; images.len()];
            let (mut d_weights, mut d_bias) = (vec![f32::NAN; weights.len()], vec![f32::NAN; bias.len()]);
            let gradients = PooledGradients {
                output: &cotangent,
                winners: &winners,
                scale: Some(&scale),
                images: Some(&mut d_images),
                weights: &mut d_weights,
                bias: &mut d_bias,
            };
            backward_pooled(isa, shape, *pool, &images, &weights, gradients);
            let winners = winners.into_iter().map(f32::from).collect();
            vec![out, d_images, d_weights, d_bias, winners]
        });
        assert_close(&results[0], &expected.out, TOLERANCE, "output");
        check(&results[1..4], &arguments, &mut numbers, |arguments| dot(&objective(arguments).out, &cotangent));

        let mut alone = vec![f32::NAN; cotangent.len()];
        let to = Pooled { out: &mut alone, winners: None };
        forward_pooled(Isa::best(), shape, *pool, &images, &weights, &bias, Some(&scale), to);
        prop_assert_eq!(&alone, &results[0]);
    }
}

/// One window of each kind, by hand: the winner is the first of equals, and nothing wins where all are negative.
#[test]
fn winners_of_a_pooling() {
    let shape = ConvShape { inputs: 1, outputs: 1, size: [2, 8], kernel: [1, 1], stride: [1, 1], padding: [0, 0] };
    let images = [1.0, 2.0, 5.0, 5.0, -1.0, -2.0, 0.0, 0.0, 4.0, 3.0, 5.0, 1.0, -3.0, -4.0, 0.0, -1.0];
    for isa in Isa::available() {
        let (mut out, mut winners) = ([f32::NAN; 4], [0; 4]);
        let to = Pooled { out: &mut out, winners: Some(&mut winners) };
        forward_pooled(isa, &shape, 2, &images, &[1.0], &[0.0], None, to);
        assert_eq!(out, [4.0, 5.0, 0.0, 0.0], "{}", isa.name());
        assert_eq!(winners, [2, 0, SILENT, SILENT], "{}", isa.name());
    }
}

/// A training that has lost its weights must not look healthy: no number comes of no number.
#[test]
fn what_is_no_number_stays_so() {
    let shape = ConvShape { inputs: 1, outputs: 2, size: [4, 4], kernel: [1, 1], stride: [1, 1], padding: [0, 0] };
    for isa in Isa::available() {
        for place in 0..16 {
            let mut image = [1.0; 16];
            image[place] = f32::NAN;
            let (mut out, mut pooled) = ([0.0; 32], [0.0; 8]);
            forward(isa, &shape, &image, &[1.0, -1.0], &[0.0; 2], &mut out);
            let to = Pooled { out: &mut pooled, winners: None };
            forward_pooled(isa, &shape, 2, &image, &[1.0, -1.0], &[0.0; 2], None, to);
            assert!(out[2 * place].is_nan() && out[2 * place + 1].is_nan(), "{}", isa.name());
            assert_eq!(pooled.iter().filter(|value| value.is_nan()).count(), 2, "{}", isa.name());
        }
    }
}
