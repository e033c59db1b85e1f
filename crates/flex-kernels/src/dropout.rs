//! Dropout as a function of a key and a position, so that it needs no memory and no order.

/// What dropout does to the values of one tensor: zero for a silent one, `1 / (1 - rate)` for one that is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    rate: f32,
    key: u64,
}

/// Decisions that one hash gives.
const DECISIONS: usize = 4;

impl Dropout {
    /// Dropout of a share `rate` of the values, in steps of 2⁻¹⁶. Another `key` silences others.
    ///
    /// # Panics
    /// When `rate` is not at least 0 and less than 1.
    pub fn new(rate: f32, key: u64) -> Self {
        assert!((0.0..1.0).contains(&rate), "a dropout rate of {rate}");
        Self { rate, key }
    }

    /// The factors of the values from position `first`.
    pub fn fill(&self, first: usize, factors: &mut [f32]) {
        let (kept, threshold) = (1.0 / (1.0 - self.rate), (self.rate * 65536.0).round() as u64);
        let mut at = first;
        let mut rest = factors;
        while !rest.is_empty() {
            let bits = hash(self.key, (at / DECISIONS) as u64) >> (16 * (at % DECISIONS));
            let count = (DECISIONS - at % DECISIONS).min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            for (index, factor) in now.iter_mut().enumerate() {
                *factor = if (bits >> (16 * index)) & 0xffff < threshold { 0.0 } else { kept };
            }
            (at, rest) = (at + count, later);
        }
    }

    /// The factors of the first `count` values.
    pub fn factors(&self, count: usize) -> Vec<f32> {
        let mut factors = vec![0.0; count];
        self.fill(0, &mut factors);
        factors
    }
}

/// SplitMix64 at a position (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn hash(key: u64, position: u64) -> u64 {
    let z = key.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_part_of_the_whole() {
        let dropout = Dropout::new(0.1, 3);
        let whole = dropout.factors(1000);
        for first in [0, 1, 2, 3, 4, 517] {
            let mut part = vec![0.0; 100];
            dropout.fill(first, &mut part);
            assert_eq!(part, whole[first..first + 100]);
        }
        assert_ne!(whole, Dropout::new(0.1, 4).factors(1000));
        assert_eq!(Dropout::new(0.0, 3).factors(10), [1.0; 10]);
    }

    /// The count of silent values is within 4 standard deviations of the binomial's mean.
    #[test]
    fn as_many_are_silenced_as_asked_for() {
        const COUNT: usize = 1 << 20;
        for rate in [0.1_f32, 0.5, 0.9] {
            let factors = Dropout::new(rate, 7).factors(COUNT);
            let silent = factors.iter().filter(|&&factor| factor == 0.0).count() as f64;
            let (mean, rate) = (f64::from(rate) * COUNT as f64, f64::from(rate));
            assert!((silent - mean).abs() < 4.0 * (mean * (1.0 - rate)).sqrt(), "{silent}");
        }
    }
}
