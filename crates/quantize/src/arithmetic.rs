//! Numbers to steps, as ONNX's QuantizeLinear rounds them.

use crate::range::Range;

/// Bits of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightBits {
    /// From -127 to 127.
    Eight,
    /// From -63 to 63: two products with an unsigned byte then fit in 16 bits, which processors without VNNI add them up in.
    Seven,
}

impl WeightBits {
    /// The largest step, to both sides of zero.
    pub fn most(self) -> f32 {
        match self {
            Self::Eight => 127.0,
            Self::Seven => 63.0,
        }
    }
}

/// The scale and zero point of a tensor of unsigned bytes: a step `q` stands for `(q - zero_point) * scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// The distance between two steps.
    pub scale: f32,
    /// The step that stands for zero.
    pub zero_point: u8,
}

/// The largest magnitude of a quantised bias: half of what fits leaves room for the products that are added to it.
const MOST_BIAS: f64 = (1_u32 << 30) as f64;

impl Steps {
    /// 256 steps from one end of a range to the other, one of which is zero exactly. A range of zero alone gets steps of 1.
    pub fn of(range: Range) -> Self {
        let Range { min, max } = range.with_zero();
        let scale = ((f64::from(max) - f64::from(min)) / 255.0) as f32;
        if scale < f32::MIN_POSITIVE {
            return Self { scale: 1.0, zero_point: 0 };
        }
        let zero_point = (-f64::from(min) / f64::from(scale)).round_ties_even().clamp(0.0, 255.0);
        Self { scale, zero_point: zero_point as u8 }
    }

    /// The lowest and the highest value that a step stands for.
    pub fn ends(self) -> (f32, f32) {
        let value = |step: f64| ((step - f64::from(self.zero_point)) * f64::from(self.scale)) as f32;
        (value(0.0), value(255.0))
    }

    /// The step of a value: rounded half to even, and cut off at both ends.
    pub fn step(self, value: f32) -> u8 {
        ((value / self.scale).round_ties_even() + f32::from(self.zero_point)).clamp(0.0, 255.0) as u8
    }
}

/// A weight as steps to both sides of zero, one scale for each channel or one for all.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// The steps, laid out as the weight was.
    pub steps: Vec<i8>,
    /// The scale of each channel; a single one if it is for all.
    pub scales: Vec<f32>,
}

/// A weight, `outer` times `channels` times `inner` elements, in steps. With `least` no scale of a channel is smaller than the number
/// there, so that a bias fits.
pub fn weight(
    values: &[f32],
    channels: usize,
    inner: usize,
    per_channel: bool,
    bits: WeightBits,
    least: &[f64],
) -> Weight {
    let (channels, inner) = (channels.max(1), inner.max(1));
    let mut largest = vec![0.0_f32; channels];
    for (row, chunk) in values.chunks(inner).enumerate() {
        if let Some(largest) = largest.get_mut(row % channels) {
            *largest = chunk.iter().fold(*largest, |largest, value| largest.max(value.abs()));
        }
    }
    let overall = largest.iter().copied().fold(0.0, f32::max);
    if !per_channel {
        largest = vec![overall];
    }
    let least_of = |channel: usize| match per_channel {
        true => least.get(channel).copied().unwrap_or(0.0),
        false => least.iter().copied().fold(0.0, f64::max),
    };
    let scale = |(channel, largest): (usize, &f32)| {
        // A channel of zeros takes the steps of the others: what they are does not matter to it, but they make those of its bias.
        let largest = if *largest == 0.0 { overall } else { *largest };
        let scale = (f64::from(largest) / f64::from(bits.most())).max(least_of(channel)) as f32;
        if scale < f32::MIN_POSITIVE { 1.0 } else { scale }
    };
    let scales: Vec<f32> = largest.iter().enumerate().map(scale).collect();
    let mut steps = Vec::with_capacity(values.len());
    for (row, chunk) in values.chunks(inner).enumerate() {
        let channel = if per_channel { row % channels } else { 0 };
        let scale = scales.get(channel).copied().unwrap_or(1.0);
        steps
            .extend(chunk.iter().map(|value| (value / scale).round_ties_even().clamp(-bits.most(), bits.most()) as i8));
    }
    Weight { steps, scales }
}

/// The smallest scales of a weight with which each bias fits in 32 bits, for inputs of this scale.
pub fn least_scales(bias: &[f32], input_scale: f32) -> Vec<f64> {
    bias.iter().map(|bias| f64::from(bias.abs()) / (f64::from(input_scale) * MOST_BIAS)).collect()
}

/// A bias in steps of the products: those of the input times those of the weight.
pub fn bias(values: &[f32], input_scale: f32, weight_scales: &[f32]) -> Vec<i32> {
    let one = |(channel, value): (usize, &f32)| {
        let weight_scale = weight_scales.get(channel).or(weight_scales.first()).copied().unwrap_or(1.0);
        // The product of the scales is rounded to float32, as a runtime computes it.
        let scale = input_scale * weight_scale;
        (f64::from(*value) / f64::from(scale)).round_ties_even().clamp(-MOST_BIAS * 1.5, MOST_BIAS * 1.5) as i32
    };
    values.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_a_step_of_every_range() {
        for (min, max) in
            [(-1.0, 1.0), (0.0, 6.0), (2.0, 6.0), (-3.0, -1.0), (-0.001, 1000.0), (0.0, 1e-30), (-3e38, 3e38)]
        {
            let steps = Steps::of(Range { min, max });
            assert_eq!(steps.step(0.0), steps.zero_point, "{min} {max}");
            let (low, high) = steps.ends();
            assert!(low <= min.min(0.0) + steps.scale && high >= max.max(0.0) - steps.scale, "{min} {max} {steps:?}");
        }
        assert_eq!(Steps::of(Range { min: 0.0, max: 0.0 }), Steps { scale: 1.0, zero_point: 0 });
        assert_eq!(Steps::of(Range { min: 0.0, max: 1e-45 }), Steps { scale: 1.0, zero_point: 0 });
    }

    #[test]
    fn halves_go_to_the_even_step_and_the_rest_is_cut_off() {
        let steps = Steps { scale: 1.0, zero_point: 10 };
        let found = [-0.5, 0.5, 1.5, 2.5, -10.4, -300.0, 244.9, 245.5, 1e9].map(|value| steps.step(value));
        assert_eq!(found, [10, 10, 12, 12, 0, 0, 255, 255, 255]);
    }

    #[test]
    fn each_channel_has_its_own_steps() {
        let values = [1.0, -2.0, 0.0, 0.0, 100.0, 50.0];
        let found = weight(&values, 3, 2, true, WeightBits::Eight, &[]);
        // 63.5 goes to 64, and the channel of zeros has the steps of the largest.
        assert_eq!(found.steps, [64, -127, 0, 0, 127, 64]);
        assert_eq!(found.scales, [2.0 / 127.0, 100.0 / 127.0, 100.0 / 127.0]);
        let columns = weight(&values, 3, 1, true, WeightBits::Seven, &[]);
        assert_eq!(columns.scales, [1.0 / 63.0, 100.0 / 63.0, 50.0 / 63.0]);
        assert_eq!(columns.steps, [63, -1, 0, 0, 63, 63]);
        let whole = weight(&values, 3, 2, false, WeightBits::Eight, &[]);
        assert_eq!((whole.scales.len(), whole.steps[4]), (1, 127));
        assert_eq!(weight(&[0.0; 4], 2, 2, true, WeightBits::Eight, &[]).scales, [1.0, 1.0]);
    }

    #[test]
    fn a_bias_that_would_not_fit_makes_the_steps_of_its_channel_larger() {
        let (values, biases, input_scale) = ([1e-9, 1e-9, 1.0, 1.0], [1e6, 1e6], 1e-3);
        let least = least_scales(&biases, input_scale);
        let found = weight(&values, 2, 2, true, WeightBits::Eight, &least);
        let steps = bias(&biases, input_scale, &found.scales);
        for (step, scale) in steps.iter().zip(&found.scales) {
            let back = f64::from(*step) * f64::from(input_scale * scale);
            assert!((back / 1e6 - 1.0).abs() < 1e-6, "{steps:?} {back}");
        }
    }
}
