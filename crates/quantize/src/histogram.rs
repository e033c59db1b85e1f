//! How often values occur, in bounded memory.
//!
//! The bins lie on both sides of zero and have a power of two as their width. Where a value falls outside, the width doubles and
//! two bins become one, which loses nothing: the histogram of any data is the same in whatever order they come and however they
//! are divided into parts.

/// Bins on each side of zero.
const HALF: usize = 2048;

/// How often the values of a tensor occur.
#[derive(Debug, Clone)]
pub struct Histogram {
    /// The smallest value, and the largest.
    min: f32,
    max: f32,
    /// The logarithm, to the base two, of the width of a bin; nothing was seen but zeros where there is none.
    exponent: Option<i32>,
    /// The first half counts values below zero.
    bins: Vec<u64>,
    zeros: u64,
    /// The values that were counted.
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { min: f32::INFINITY, max: f32::NEG_INFINITY, exponent: None, bins: Vec::new(), zeros: 0, count: 0 }
    }
}

/// A value is NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotFinite {
    /// Whether it is NaN.
    pub is_nan: bool,
}

impl Histogram {
    /// Counts values.
    ///
    /// # Errors
    /// When one is not finite; then none is counted.
    pub fn add(&mut self, values: &[f32]) -> Result<(), NotFinite> {
        let (mut min, mut max) = (self.min, self.max);
        for &value in values {
            if !value.is_finite() {
                return Err(NotFinite { is_nan: values.iter().any(|value| value.is_nan()) });
            }
            min = min.min(value);
            max = max.max(value);
        }
        if values.is_empty() {
            return Ok(());
        }
        (self.min, self.max) = (min, max);
        self.count += values.len() as u64;
        let largest = min.abs().max(max.abs());
        if largest == 0.0 {
            self.zeros += values.len() as u64;
            return Ok(());
        }
        let exponent = self.widen(largest);
        let scale = (-f64::from(exponent)).exp2();
        for &value in values {
            if value == 0.0 {
                self.zeros += 1;
                continue;
            }
            // In float64 the quotient is exact, a power of two being the divisor.
            let place = (f64::from(value) * scale).floor() as isize + HALF as isize;
            let place = usize::try_from(place).unwrap_or(0).min(2 * HALF - 1);
            if let Some(bin) = self.bins.get_mut(place) {
                *bin += 1;
            }
        }
        Ok(())
    }

    /// Doubles the width of the bins until `largest` has one, and gives its logarithm.
    fn widen(&mut self, largest: f32) -> i32 {
        // The smallest power of two with which `largest / width` is below the number of bins.
        let needed = (f64::from(largest) / HALF as f64).log2().floor() as i32 + 1;
        let Some(mut exponent) = self.exponent else {
            self.bins = vec![0; 2 * HALF];
            self.exponent = Some(needed);
            return needed;
        };
        while exponent < needed {
            let mut merged = vec![0; 2 * HALF];
            for (place, count) in self.bins.iter().enumerate() {
                let from_zero = place as isize - HALF as isize;
                let place = from_zero.div_euclid(2) + HALF as isize;
                if let Some(bin) = usize::try_from(place).ok().and_then(|place| merged.get_mut(place)) {
                    *bin += count;
                }
            }
            self.bins = merged;
            exponent += 1;
        }
        self.exponent = Some(exponent);
        exponent
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest value and the largest; `None` if there was none.
    pub fn bounds(&self) -> Option<(f32, f32)> {
        (self.count > 0).then_some((self.min, self.max))
    }

    /// The bins that are not empty, from the smallest values to the largest: the middle of each and its count. Zeros are a bin of their
    /// own.
    pub fn filled(&self) -> Vec<(f64, u64)> {
        let width = f64::from(self.exponent.unwrap_or(0)).exp2();
        let middle = |place: usize| {
            let middle = (place as f64 - HALF as f64 + 0.5) * width;
            middle.clamp(f64::from(self.min), f64::from(self.max))
        };
        let bin = |(place, &count): (usize, &u64)| (middle(place), count);
        let (below, above) = self.bins.split_at(self.bins.len() / 2);
        let below = below.iter().enumerate().map(bin);
        let above = above.iter().enumerate().map(|(place, count)| bin((place + HALF, count)));
        below.chain(std::iter::once((0.0, self.zeros))).chain(above).filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of values of very different sizes, by a linear congruential generator.
    fn values(count: usize, mut state: u64) -> Vec<f32> {
        (0..count)
            .map(|index| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let unit = (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
                unit * (1 << (index % 12)) as f32
            })
            .collect()
    }

    #[test]
    fn neither_order_nor_parts_matter() {
        let values = values(10_000, 7);
        let mut whole = Histogram::default();
        whole.add(&values).unwrap();
        let mut parts = Histogram::default();
        for part in values.chunks(37).rev() {
            parts.add(part).unwrap();
        }
        assert_eq!((whole.filled(), whole.bounds(), whole.count()), (parts.filled(), parts.bounds(), parts.count()));
        assert_eq!(whole.filled().iter().map(|(_, count)| count).sum::<u64>(), 10_000);
    }

    #[test]
    fn a_value_lies_within_half_a_bin_of_its_middle() {
        for value in [1.0_f32, -1.0, 2.0, 0.3, -1023.9, 1e-30, 3e38, 1e-40] {
            let mut histogram = Histogram::default();
            histogram.add(&[value]).unwrap();
            let filled = histogram.filled();
            assert_eq!(filled.len(), 1);
            assert!(
                (filled[0].0 - f64::from(value)).abs() <= f64::from(value.abs()) / HALF as f64,
                "{value} {filled:?}"
            );
        }
    }

    #[test]
    fn zeros_alone_are_counted_and_what_is_not_finite_is_refused() {
        let mut histogram = Histogram::default();
        histogram.add(&[0.0, -0.0]).unwrap();
        assert_eq!(histogram.filled(), [(0.0, 2)]);
        assert_eq!(histogram.add(&[1.0, f32::INFINITY]), Err(NotFinite { is_nan: false }));
        assert_eq!(histogram.add(&[f32::INFINITY, f32::NAN]), Err(NotFinite { is_nan: true }));
        assert_eq!((histogram.count(), histogram.bounds()), (2, Some((0.0, 0.0))));
    }
}
