//! Random data, and what the tests compare by.

use flex_kernels::simd::Isa;
use proptest::test_runner::{Config, RngSeed};

/// As many cases as asked for, the same in every run; a few under Miri, which is a thousand times slower.
pub fn cases(cases: u32) -> Config {
    let cases = if cfg!(miri) { 2 } else { cases };
    Config { cases, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() }
}

/// Numbers between -1 and 1 (SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn vector(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
    }

    /// Factors of dropout: a quarter are zero.
    pub fn factors(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| if self.below(4) == 0 { 0.0 } else { 4.0 / 3.0 }).collect()
    }
}

pub fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// What `compute` gives on every instruction set, having seen that all give the same bits.
pub fn on_every_instruction_set(compute: impl Fn(Isa) -> Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    let mut results = Isa::available().into_iter().map(|isa| (isa.name(), compute(isa)));
    let (first, expected) = results.next().unwrap();
    for (name, result) in results {
        assert_same_bits(&result, &expected, &format!("{name} against {first}"));
    }
    expected
}

pub fn assert_same_bits(found: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let differs = found.iter().zip(expected).position(|(found, expected)| found.to_bits() != expected.to_bits());
        assert!(found.len() == expected.len() && differs.is_none(), "{what}: result {index} at {differs:?}");
    }
}

/// Every element is off by no more than `tolerance` of the largest expected element, or of one.
#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(found) - expected).abs() / largest;
        assert!(off <= tolerance, "{what}[{index}] is {found}, not {expected}: {off:e} of the largest element");
    }
}

/// The central differences of `objective` in the elements `at` of argument `argument` of `arguments`.
///
/// The objectives are piecewise linear, so the difference is the derivative, up to rounding: 1e-16 of the objective over
/// the step.
pub fn differences(
    objective: impl Fn(&[Vec<f64>]) -> f64,
    arguments: &[Vec<f64>],
    argument: usize,
    at: &[usize],
) -> Vec<f64> {
    const STEP: f64 = 1e-6;
    let mut arguments = arguments.to_vec();
    at.iter()
        .map(|&index| {
            let centre = arguments[argument][index];
            let mut shifted = |value: f64| {
                arguments[argument][index] = value;
                objective(&arguments)
            };
            let (above, below) = (shifted(centre + STEP), shifted(centre - STEP));
            shifted(centre);
            (above - below) / ((centre + STEP) - (centre - STEP))
        })
        .collect()
}

/// A few positions in a vector, among them the first and the last.
pub fn positions(length: usize, numbers: &mut Numbers) -> Vec<usize> {
    let mut positions = vec![0, length - 1];
    positions.extend((0..4).map(|_| numbers.below(length)));
    positions
}

pub fn take(values: &[f32], at: &[usize]) -> Vec<f32> {
    at.iter().map(|&index| values[index]).collect()
}
