//! Numbers that look random and are the same everywhere.

/// `count` numbers spread evenly over `[low, high)`, a function of `seed` alone (SplitMix64, Steele et al. 2014).
pub fn uniform(seed: u64, count: usize, low: f32, high: f32) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            // The upper 24 bits fill a float32's precision.
            let unit = (next(&mut state) >> 40) as f32 / (1_u32 << 24) as f32;
            low + unit * (high - low)
        })
        .collect()
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of the reference implementation for the seed 1234567.
    #[test]
    fn the_generator_is_splitmix64() {
        let mut state = 1_234_567;
        let numbers = [next(&mut state), next(&mut state), next(&mut state)];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn numbers_stay_within_their_bounds_and_fill_them() {
        let numbers = uniform(7, 10_000, -2.0, 3.0);
        assert!(numbers.iter().all(|number| (-2.0..3.0).contains(number)));
        assert!(numbers.iter().any(|&number| number < -1.9) && numbers.iter().any(|&number| number > 2.9));
        assert_eq!(numbers, uniform(7, 10_000, -2.0, 3.0));
        assert_ne!(numbers, uniform(8, 10_000, -2.0, 3.0));
    }
}
