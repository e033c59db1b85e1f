//! From what was seen of a tensor to the range that its 256 steps stand for.

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

/// How a range is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// From the smallest to the largest value.
    MinMax,
    /// Leaves out the same share of the values at both ends: all but so many per cent of them are inside.
    Percentile(f64),
    /// The range with the least Kullback-Leibler divergence between the values and what is left of them.
    Entropy,
    /// The range with the least mean squared error.
    Mse,
}

/// What the steps of a tensor stand for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The value of the lowest step.
    pub min: f32,
    /// The value of the highest step.
    pub max: f32,
}

/// Steps of a range with 8 bits.
const STEPS: f64 = 255.0;

/// The smallest part of the full range that a search tries, and how many it tries.
const NARROWEST: f64 = 0.1;
const TRIALS: usize = 91;

impl Range {
    /// Both ends are numbers, and in order.
    pub fn is_valid(self) -> bool {
        self.min.is_finite() && self.max.is_finite() && self.min <= self.max
    }

    /// The same with zero in it: a padded or silent place is exact then.
    #[must_use]
    pub fn with_zero(self) -> Self {
        Self { min: self.min.min(0.0), max: self.max.max(0.0) }
    }

    /// What lies within these bounds too.
    #[must_use]
    pub fn within(self, min: f32, max: f32) -> Self {
        let (min, max) = (self.min.max(min), self.max.min(max));
        if min <= max { Self { min, max } } else { Self { min: max, max } }
    }

    /// The range for what a histogram has counted; `None` if that is nothing.
    pub fn choose(histogram: &Histogram, method: Method) -> Option<Self> {
        let (min, max) = histogram.bounds()?;
        let full = Self { min, max }.with_zero();
        if full.min == full.max {
            return Some(full);
        }
        Some(match method {
            Method::MinMax => full,
            Method::Percentile(percent) => percentile(histogram, percent, full),
            Method::Mse => {
                let bins = histogram.filled();
                search(full, |range| squared_error(&bins, range))
            }
            Method::Entropy => {
                let bins = histogram.filled();
                search(full, |range| divergence(&bins, range))
            }
        })
    }
}

fn scaled(value: f32, share: f64) -> f32 {
    (f64::from(value) * share) as f32
}

/// The parts of a range that are tried, the whole first.
fn shares() -> impl Iterator<Item = f64> {
    (0..TRIALS).map(|trial| 1.0 - (1.0 - NARROWEST) * trial as f64 / (TRIALS - 1) as f64)
}

/// The one with the least cost, the first of several.
fn least(trials: impl Iterator<Item = (f64, Range)>) -> Option<Range> {
    trials.min_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, range)| range)
}

/// Moves one end after the other to where the cost is least, twice.
fn search(full: Range, cost: impl Fn(Range) -> f64) -> Range {
    let mut best = full;
    for _ in 0..2 {
        let upper = shares().map(|share| Range { max: scaled(full.max, share), ..best });
        best = least(upper.map(|range| (cost(range), range))).unwrap_or(best);
        let lower = shares().map(|share| Range { min: scaled(full.min, share), ..best });
        best = least(lower.map(|range| (cost(range), range))).unwrap_or(best);
    }
    best
}

/// The sum of the squared errors of rounding to the steps of a range and cutting off what is outside. The error of rounding is that of
/// values that lie anywhere between two steps; zero is a step of its own.
fn squared_error(bins: &[(f64, u64)], range: Range) -> f64 {
    let (min, max) = (f64::from(range.min), f64::from(range.max));
    let step = (max - min) / STEPS;
    let rounding = step * step / 12.0;
    bins.iter()
        .map(|&(value, count)| {
            let error = match value {
                0.0 => 0.0,
                value if value < min => (min - value).powi(2) + rounding,
                value if value > max => (value - max).powi(2) + rounding,
                _ => rounding,
            };
            error * count as f64
        })
        .sum()
}

/// All but the share of values that `percent` leaves out, half of them at each end.
fn percentile(histogram: &Histogram, percent: f64, full: Range) -> Range {
    let bins = histogram.filled();
    let outside = histogram.count() as f64 * (1.0 - percent / 100.0) / 2.0;
    let end = |bins: &mut dyn Iterator<Item = &(f64, u64)>| {
        let mut passed = 0.0;
        for &(value, count) in bins {
            passed += count as f64;
            if passed > outside {
                return value;
            }
        }
        0.0
    };
    let (min, max) = (end(&mut bins.iter()) as f32, end(&mut bins.iter().rev()) as f32);
    // The middle of the outermost bin is not its end: what leaves nothing out is the full range.
    let (min, max) = if outside < 1.0 { (full.min, full.max) } else { (min, max) };
    Range { min, max }.with_zero()
}

/// The Kullback-Leibler divergence of what a range leaves of the values from the values: those outside count for its outermost bins, and
/// the bins of a step are told apart no more.
fn divergence(bins: &[(f64, u64)], range: Range) -> f64 {
    let (min, max) = (f64::from(range.min), f64::from(range.max));
    let step = (max - min) / STEPS;
    if step <= 0.0 {
        return f64::INFINITY;
    }
    let inside: Vec<(usize, f64)> = bins
        .iter()
        .filter(|(value, _)| (min..=max).contains(value))
        .map(|&(value, count)| (((value - min) / step).round() as usize, count as f64))
        .collect();
    let below: f64 = bins.iter().filter(|(value, _)| *value < min).map(|(_, count)| *count as f64).sum();
    let above: f64 = bins.iter().filter(|(value, _)| *value > max).map(|(_, count)| *count as f64).sum();
    let kept: f64 = inside.iter().map(|(_, count)| count).sum();
    if kept == 0.0 {
        return f64::INFINITY;
    }
    let mut expected: Vec<f64> = inside.iter().map(|(_, count)| *count).collect();
    if let Some(first) = expected.first_mut() {
        *first += below;
    }
    if let Some(last) = expected.last_mut() {
        *last += above;
    }
    let total = kept + below + above;
    let mut sum = 0.0;
    let mut start = 0;
    while let Some(&(level, _)) = inside.get(start) {
        let length = inside.iter().skip(start).take_while(|(other, _)| *other == level).count();
        let level_bins = inside.get(start..start + length).unwrap_or_default();
        let mean = level_bins.iter().map(|(_, count)| count).sum::<f64>() / length as f64;
        for &value in expected.get(start..start + length).unwrap_or_default() {
            sum += value / total * ((value / total) / (mean / kept)).ln();
        }
        start += length;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30,000 values near the quantiles of a normal distribution, and one outlier.
    fn with_outlier(outlier: f32) -> Histogram {
        let mut histogram = Histogram::default();
        let mut state = 1_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f64 + 0.5) / f64::from(1 << 24)
        };
        let values: Vec<f32> = (0..30_000)
            .map(|_| ((-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()) as f32)
            .collect();
        histogram.add(&values).unwrap();
        histogram.add(&[outlier]).unwrap();
        histogram
    }

    #[test]
    fn an_outlier_is_cut_off_where_its_distance_does_not_count() {
        let histogram = with_outlier(100.0);
        let range = |method| Range::choose(&histogram, method).unwrap();
        let full = range(Method::MinMax);
        assert!(full.max == 100.0 && (-5.0..-3.0).contains(&full.min), "{full:?}");
        for method in [Method::Percentile(99.9), Method::Entropy] {
            let found = range(method);
            assert!(found.max < 20.0 && found.max > 2.0, "{method:?} {found:?}");
        }
        assert_eq!(range(Method::Percentile(100.0)), full);
    }

    /// For 8 bits the least squared error of a Laplace distribution of scale 1 is that of a range to 9.89 (Banner, Nahshan, Soudry: Post
    /// training 4-bit quantization of convolutional networks, 2019, table of the optimal clipping values).
    #[test]
    fn the_least_squared_error_is_that_of_the_literature() {
        const COUNT: usize = 400_000;
        let upper = |index: usize| -(((index as f64 + 0.5) / (COUNT / 2) as f64).ln()) as f32;
        let values: Vec<f32> = (0..COUNT / 2).flat_map(|index| [upper(index), -upper(index)]).collect();
        let mut histogram = Histogram::default();
        histogram.add(&values).unwrap();
        let found = Range::choose(&histogram, Method::Mse).unwrap();
        for end in [found.max, -found.min] {
            assert!((9.3..10.5).contains(&end), "{found:?}");
        }
    }

    #[test]
    fn an_even_distribution_keeps_its_range() {
        let mut histogram = Histogram::default();
        let values: Vec<f32> = (0..10_000).map(|value| value as f32 / 10_000.0 * 6.0).collect();
        histogram.add(&values).unwrap();
        for method in [Method::MinMax, Method::Entropy, Method::Mse] {
            let found = Range::choose(&histogram, method).unwrap();
            assert!(found.min == 0.0 && found.max > 5.7, "{method:?} {found:?}");
        }
    }

    #[test]
    fn a_constant_and_nothing() {
        let mut histogram = Histogram::default();
        assert_eq!(Range::choose(&histogram, Method::Mse), None);
        histogram.add(&[0.0; 3]).unwrap();
        assert_eq!(Range::choose(&histogram, Method::Mse), Some(Range { min: 0.0, max: 0.0 }));
        histogram.add(&[5.0; 1000]).unwrap();
        for method in [Method::MinMax, Method::Percentile(99.99), Method::Entropy, Method::Mse] {
            let found = Range::choose(&histogram, method).unwrap();
            assert!((4.9..=5.0).contains(&found.max) && found.min == 0.0, "{method:?} {found:?}");
        }
    }
}
