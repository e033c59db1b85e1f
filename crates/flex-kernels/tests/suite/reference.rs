//! The definitions in float64, loop by loop.

use flex_kernels::convolution::ConvShape;
use flex_kernels::linear::Activation;

/// Closer to zero, or to each other, than this, values may be on another side after rounding to float32.
const MARGIN: f64 = 1e-4;

/// An output, and where the choices of ReLU and pooling do not hang on rounding.
pub struct Decided {
    pub out: Vec<f64>,
    pub decided: Vec<bool>,
}

impl Decided {
    /// `weights` with zeros where a choice hangs on rounding: there is no derivative to speak of.
    pub fn only(&self, weights: &[f32]) -> Vec<f32> {
        assert_eq!(weights.len(), self.decided.len());
        weights.iter().zip(&self.decided).map(|(&weight, &decided)| if decided { weight } else { 0.0 }).collect()
    }
}

/// The convolution before the ReLU, `[image, row, column, output]`.
fn convolution(shape: &ConvShape, images: &[f64], weights: &[f64], bias: &[f64]) -> Vec<f64> {
    let [out_height, out_width] = shape.output_size();
    let ([height, width], [kernel_height, kernel_width]) = (shape.size, shape.kernel);
    let mut out = Vec::new();
    for image in images.chunks_exact(height * width * shape.inputs) {
        for position in 0..out_height * out_width {
            let (y, x) = (position / out_width * shape.stride[0], position % out_width * shape.stride[1]);
            for output in 0..shape.outputs {
                let mut sum = bias[output];
                for tap in 0..kernel_height * kernel_width {
                    let (row, column) = (y + tap / kernel_width, x + tap % kernel_width);
                    let (Some(row), Some(column)) =
                        (row.checked_sub(shape.padding[0]), column.checked_sub(shape.padding[1]))
                    else {
                        continue;
                    };
                    if row >= height || column >= width {
                        continue;
                    }
                    for input in 0..shape.inputs {
                        let weight = weights[(output * shape.inputs + input) * kernel_height * kernel_width + tap];
                        sum += image[(row * width + column) * shape.inputs + input] * weight;
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

/// `relu(conv(images))`, channels-last.
pub fn conv_relu(shape: &ConvShape, images: &[f64], weights: &[f64], bias: &[f64]) -> Decided {
    relu(convolution(shape, images, weights, bias))
}

/// `max_pool(relu(conv(images))) * scale`, channels-first.
pub fn conv_relu_pool(
    shape: &ConvShape,
    pool: usize,
    images: &[f64],
    weights: &[f64],
    bias: &[f64],
    scale: &[f64],
) -> Decided {
    let sums = convolution(shape, images, weights, bias);
    let [height, width] = shape.output_size();
    let (mut out, mut decided) = (Vec::new(), Vec::new());
    for (image, sums) in sums.chunks_exact(height * width * shape.outputs).enumerate() {
        for output in 0..shape.outputs {
            for cell in 0..(height / pool) * (width / pool) {
                let (row, column) = (cell / (width / pool) * pool, cell % (width / pool) * pool);
                let mut window: Vec<f64> = (0..pool * pool)
                    .map(|at| sums[((row + at / pool) * width + column + at % pool) * shape.outputs + output])
                    .collect();
                window.sort_by(f64::total_cmp);
                let largest = window[pool * pool - 1];
                let second = window[..pool * pool - 1].last().copied().unwrap_or(f64::NEG_INFINITY);
                out.push(largest.max(0.0) * scale[image * shape.outputs + output]);
                decided.push(largest < -MARGIN || (largest > MARGIN && largest - second > MARGIN));
            }
        }
    }
    Decided { out, decided }
}

/// `input * weights + bias`, before an activation.
pub fn linear(inputs: usize, input: &[f64], weights: &[f64], bias: &[f64]) -> Vec<f64> {
    let outputs = bias.len();
    let mut out = Vec::new();
    for row in input.chunks_exact(inputs) {
        for (output, bias) in bias.iter().enumerate() {
            let column = weights[output..].iter().step_by(outputs);
            out.push(bias + row.iter().zip(column).map(|(a, b)| a * b).sum::<f64>());
        }
    }
    out
}

/// The activation by its definition.
pub fn activation(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Gelu => x * normal(x),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
        }
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

/// The normal distribution, from its density and `x + x^3/3 + x^5/15 + ...`; beyond 6 it is 0 or 1, within 1e-9.
fn normal(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum) = (x, x);
    for index in 1..200 {
        term *= x * x / f64::from(2 * index + 1);
        sum += term;
    }
    0.5 + (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum
}

pub fn relu(sums: Vec<f64>) -> Decided {
    let decided = sums.iter().map(|sum| sum.abs() > MARGIN).collect();
    Decided { out: sums.into_iter().map(|sum| sum.max(0.0)).collect(), decided }
}

/// The mean negative log-likelihood.
pub fn cross_entropy(classes: usize, logits: &[f64], labels: &[usize]) -> f64 {
    let rows = logits.chunks_exact(classes).zip(labels);
    let losses = rows.map(|(row, &label)| row.iter().map(|value| value.exp()).sum::<f64>().ln() - row[label]);
    losses.sum::<f64>() / labels.len() as f64
}
