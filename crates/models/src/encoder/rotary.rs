//! What attention knows of distance: MPNet's bias, ModernBERT's rotation and its window.

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::EncoderConfig;

/// The kinds of distance that MPNet tells apart.
pub(super) const BUCKETS: usize = 32;

/// Distances from here on are one kind.
const FARTHEST: f32 = 128.0;

/// MPNet's bias of attention scores by distance, one number for each kind of distance and head.
#[derive(Module, Debug)]
pub(super) struct Relative {
    bias: Embedding,
    longest: usize,
}

impl Relative {
    pub(super) fn new(config: &EncoderConfig, device: &Device) -> Self {
        let bias = EmbeddingConfig::new(BUCKETS, config.num_attention_heads).init(device);
        Self { bias, longest: config.longest() }
    }

    /// `[1, heads, sequence, sequence]`.
    pub(super) fn forward(&self, sequence: usize, device: &Device) -> Tensor<4> {
        // Every distance from one end to the other has its kind; the matrix of distances picks among them.
        let last = self.longest as i64 - 1;
        let kinds: Vec<i64> = (-last..=last).map(bucket).collect();
        let count = kinds.len();
        let kinds: Tensor<1, Int> = Tensor::from_data(TensorData::new(kinds, [count]), device);
        let places = places(self.longest, sequence, device);
        let distances = places.clone().unsqueeze_dim::<2>(0) - places.unsqueeze_dim::<2>(1) + last;
        let chosen = kinds.select(0, distances.reshape([sequence * sequence])).reshape([sequence, sequence]);
        self.bias.forward(chosen).permute([2, 0, 1]).unsqueeze_dim(0)
    }
}

/// The kind of a distance, as T5 and MPNet count them: half of them backwards, half of each half exact, the rest by the logarithm.
fn bucket(distance: i64) -> i64 {
    let (half, exact) = (BUCKETS as i64 / 2, BUCKETS as i64 / 4);
    let back = if distance > 0 { half } else { 0 };
    let far = distance.abs();
    if far < exact {
        return back + far;
    }
    let share = (far as f32 / exact as f32).ln() / (FARTHEST / exact as f32).ln();
    back + (exact + (share * (half - exact) as f32) as i64).min(half - 1)
}

/// The places of the tokens, from 0, `[sequence]`.
pub(super) fn places(longest: usize, sequence: usize, device: &Device) -> Tensor<1, Int> {
    let all: Vec<i64> = (0..longest as i64).collect();
    Tensor::<1, Int>::from_data(TensorData::new(all, [longest]), device).narrow(0, 0, sequence)
}

/// Cosine and sine of the angles by which queries and keys are rotated, each `[1, 1, sequence, head]`.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    cosine: Tensor<4>,
    sine: Tensor<4>,
}

impl Rotation {
    /// For heads of `size` numbers and a base `theta`, as `transformers` computes the frequencies in float32.
    pub(super) fn new(theta: f64, size: usize, longest: usize, sequence: usize, device: &Device, dtype: DType) -> Self {
        let frequency = |pair: usize| 1.0 / (theta as f32).powf((2 * pair) as f32 / size as f32);
        let frequencies: Vec<f32> = (0..size / 2).chain(0..size / 2).map(frequency).collect();
        let frequencies: Tensor<1> = Tensor::from_data(TensorData::new(frequencies, [size]), (device, dtype));
        let places = places(longest, sequence, device).float().cast(dtype);
        let angles = places.unsqueeze_dim::<2>(1) * frequencies.unsqueeze_dim::<2>(0);
        let [cosine, sine] = [angles.clone().cos(), angles.sin()].map(|part| part.unsqueeze());
        Self { cosine, sine }
    }

    /// `[batch, heads, sequence, head]`, each pair of numbers rotated by the angle of its token.
    pub(super) fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, _, size] = x.dims();
        let (first, second) = (x.clone().narrow(3, 0, size / 2), x.clone().narrow(3, size / 2, size / 2));
        x * self.cosine.clone() + Tensor::cat(vec![-second, first], 3) * self.sine.clone()
    }
}

/// 1 where two tokens are at most `window` apart, else 0, `[1, 1, sequence, sequence]`.
pub(super) fn neighbours(window: usize, longest: usize, sequence: usize, device: &Device, dtype: DType) -> Tensor<4> {
    let places = places(longest, sequence, device);
    let distances = places.clone().unsqueeze_dim::<2>(0) - places.unsqueeze_dim::<2>(1);
    distances.abs().lower_equal_elem(window as i64).float().cast(dtype).unsqueeze()
}

#[cfg(test)]
mod tests {
    use super::bucket;

    /// By `MPNetEncoder.relative_position_bucket`.
    #[test]
    fn distances_have_the_kinds_of_transformers() {
        let cases =
            [(0, 0), (-7, 7), (-8, 8), (7, 23), (8, 24), (-20, 10), (20, 26), (-127, 15), (-128, 15), (500, 31)];
        for (distance, expected) in cases {
            assert_eq!(bucket(distance), expected, "{distance}");
        }
    }
}
