//! Fixtures, and the formula by which the scripts beside them make inputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

/// The path of a fixture.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A tensor of a fixture: shape and elements.
pub struct Expected {
    /// Outermost dimension first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// The float32 tensors of a safetensors fixture.
pub fn tensors(name: &str) -> BTreeMap<String, Expected> {
    let file = std::fs::read(fixture(name)).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let read = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        assert_eq!(view.dtype(), safetensors::Dtype::F32, "{name}");
        let values = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (name, Expected { shape: view.shape().to_vec(), values })
    };
    tensors.tensors().into_iter().map(read).collect()
}

/// The largest absolute difference.
pub fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    // A NaN counts as the largest difference of all.
    differences.fold(0.0, |largest, next| if next.is_nan() || next > largest { next } else { largest })
}

/// The 64-bit numbers of `formula_weights.bits`.
fn bits(seed: u64, name: &str, count: usize) -> impl Iterator<Item = u64> {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let start = mix(seed) ^ hash;
    (1..=count as u64).map(move |index| mix(start.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15))))
}

fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// As `formula_weights.uniform`: in [-1, 1).
pub fn uniform(seed: u64, name: &str, count: usize) -> Vec<f32> {
    let scale = (1 << 23) as f32;
    bits(seed, name, count).map(|bits| ((bits >> 40) as i32 - (1 << 23)) as f32 / scale).collect()
}

/// As `formula_weights.integers`: from 0 up to but not including `below`.
pub fn integers(seed: u64, name: &str, count: usize, below: u64) -> Vec<i64> {
    bits(seed, name, count).map(|bits| (bits % below) as i64).collect()
}

/// As `formula_weights.normal`.
pub fn normal(seed: u64, name: &str, count: usize, deviation: f64, mean: f32) -> Vec<f32> {
    let scale = (deviation / (4.0 * (65_536.0_f64 * 65_536.0 - 1.0) / 12.0).sqrt()) as f32;
    let total = |bits: u64| (0..4).map(|part| i32::from((bits >> (16 * part)) as u16)).sum::<i32>();
    bits(seed, name, count).map(|bits| mean + (total(bits) - 131_070) as f32 * scale).collect()
}
