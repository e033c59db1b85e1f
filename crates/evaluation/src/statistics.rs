//! Percentiles and their uncertainty.

use serde::{Deserialize, Serialize};

/// What a set of samples comes to. A percentile is given only where there are [`enough`] samples to speak of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many there are.
    pub samples: usize,
    /// The smallest.
    pub min: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the sample.
    pub deviation: f64,
    /// The median.
    pub p50: f64,
    /// The value that 90 % do not exceed; `None` for fewer than 29 samples.
    pub p90: Option<f64>,
    /// The value that 99 % do not exceed; `None` for fewer than 299 samples.
    pub p99: Option<f64>,
    /// Each percentile that is not given, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// A median with the bounds between which it lies with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Median {
    /// The median of the sample.
    pub value: f64,
    /// The bounds; `None` for fewer than 6 samples, which cannot give that confidence.
    pub interval: Option<(f64, f64)>,
}

impl Summary {
    /// Summarises samples in any order; `None` for fewer than 6, which tell no percentile at all.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        if count < enough(50) {
            return None;
        }
        let told = |percent: usize| if count >= enough(percent) { percentile(&sorted, percent) } else { None };
        let reason = |percent: usize| format!("p{percent} takes {} samples, and there are {count}", enough(percent));
        let mean = sorted.iter().sum::<f64>() / count as f64;
        let squares: f64 = sorted.iter().map(|sample| (sample - mean).powi(2)).sum();
        Some(Self {
            samples: count,
            min: *sorted.first()?,
            mean,
            deviation: (squares / (count - 1) as f64).sqrt(),
            p50: percentile(&sorted, 50)?,
            p90: told(90),
            p99: told(99),
            missing: [90, 99].into_iter().filter(|&percent| count < enough(percent)).map(reason).collect(),
        })
    }
}

/// The confidence with which a percentile must lie among the samples to be told.
const CONFIDENCE: f64 = 0.95;

/// The fewest samples that tell a percentile: so many that the true one lies between the smallest and the largest of them
/// with 95 % confidence. All samples are below it with the probability `p^n`, all above it with `(1 - p)^n`, whatever the
/// distribution. That is 6 for the median, 29 for the 90th and 299 for the 99th percentile. `percent` is from 1 to 99.
pub fn enough(percent: usize) -> usize {
    let below = percent.clamp(1, 99) as f64 / 100.0;
    let (mut all_below, mut all_above, mut count) = (1.0, 1.0, 0);
    while 1.0 - all_below - all_above < CONFIDENCE {
        all_below *= below;
        all_above *= 1.0 - below;
        count += 1;
    }
    count
}

/// The nearest-rank percentile of sorted samples: the smallest one that at least `percent` % do not exceed.
pub fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (percent * sorted.len()).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// A value that the true percentile does not exceed with 99 % confidence, as MLPerf's LoadGen estimates one from few
/// samples: the `t`-th largest, with the largest `t` for which `t` or fewer of the samples beyond the percentile would be
/// found at most once in a hundred times. `None` if there is no such `t` above zero: fewer than 64 samples for 90 %, 662
/// for 99 %.
pub fn early_stopping(samples: &[f64], percent: usize) -> Option<f64> {
    const DOUBT: f64 = 0.01;
    let count = samples.len();
    let (below, beyond) = (percent as f64 / 100.0, 1.0 - percent as f64 / 100.0);
    // P(t beyond) of the binomial distribution, in logarithms, since P(0) of many samples is too small for a float64.
    let mut logarithm = count as f64 * below.ln();
    let (mut sum, mut beyond_count) = (0.0, 0);
    for found in 0..count {
        sum += logarithm.exp();
        if sum > DOUBT {
            break;
        }
        beyond_count = found;
        logarithm += ((count - found) as f64 / (found + 1) as f64 * beyond / below).ln();
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    (beyond_count > 0).then(|| sorted.get(count - beyond_count).copied()).flatten()
}

/// The median with its 95 % interval, which needs no assumption about the distribution: the number of samples below the
/// true median is binomial with probability one half, so a pair of order statistics encloses it.
pub fn median(samples: &[f64]) -> Option<Median> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    let middle = count / 2;
    let value = match count % 2 {
        1 => *sorted.get(middle)?,
        _ => (sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?) / 2.0,
    };
    // The largest k with P(fewer than k below the median) <= 2.5 %; summed from below, in units of 2^-count.
    let mut probability = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let (mut below, mut outside) = (0.0, 0);
    while outside < middle {
        below += probability;
        if below > 0.025 {
            break;
        }
        probability *= (count - outside) as f64 / (outside + 1) as f64;
        outside += 1;
    }
    // With thousands of samples the first term underflows; the normal approximation is then exact enough.
    if count > 1000 {
        outside = ((count as f64 - 1.96 * (count as f64).sqrt()) / 2.0).floor() as usize;
    }
    let interval = (outside > 0).then(|| Some((*sorted.get(outside - 1)?, *sorted.get(count - outside)?))).flatten();
    Some(Median { value, interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: u32) -> Vec<f64> {
        (1..=count).rev().map(f64::from).collect()
    }

    /// Nearest rank, by hand: of 1..=400 the median is the 200th, p90 the 360th, p99 the 396th.
    #[test]
    fn percentiles_are_samples() {
        let summary = Summary::of(&numbers(400)).unwrap();
        assert_eq!((summary.min, summary.p50, summary.p90, summary.p99), (1.0, 200.0, Some(360.0), Some(396.0)));
        assert_eq!((summary.samples, summary.mean), (400, 200.5));
        assert!(summary.missing.is_empty());
        // The variance of 1..=n with n - 1 in the denominator is n (n + 1) / 12.
        assert!((summary.deviation - (400.0_f64 * 401.0 / 12.0).sqrt()).abs() < 1e-10);
    }

    /// By hand, with logarithms: 0.9^28 = 0.0523 and 0.9^29 = 0.0471; 0.99^298 = 0.05004 and 0.99^299 = 0.04954; twice
    /// 0.5^5 is 0.0625 and twice 0.5^6 is 0.031. 95 % confidence needs 0.05 or less.
    #[test]
    fn the_fewest_samples_of_a_percentile_follow_from_the_binomial_distribution() {
        assert_eq!([50, 90, 99].map(enough), [6, 29, 299]);
        // The median's interval asks for the same.
        assert!(median(&numbers(5)).unwrap().interval.is_none() && median(&numbers(6)).unwrap().interval.is_some());
        assert_eq!(enough(10), enough(90));
    }

    #[test]
    fn too_few_samples_claim_no_percentile() {
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&numbers(5)), None);
        let six = Summary::of(&numbers(6)).unwrap();
        assert_eq!((six.p50, six.p90, six.p99), (3.0, None, None));
        assert_eq!(six.missing, ["p90 takes 29 samples, and there are 6", "p99 takes 299 samples, and there are 6"]);
        // By hand: 0.9 of 28 is 25.2, of 29 is 26.1; 0.99 of 299 is 296.01. The rank is the next whole number.
        assert_eq!(Summary::of(&numbers(28)).unwrap().p90, None);
        assert_eq!(Summary::of(&numbers(29)).unwrap().p90, Some(27.0));
        assert_eq!(Summary::of(&numbers(298)).unwrap().p99, None);
        assert_eq!(Summary::of(&numbers(299)).unwrap().p99, Some(297.0));
        let json = serde_json::to_value(&six).unwrap();
        assert!(json["p99"].is_null() && json["missing"][1].as_str().unwrap().starts_with("p99 takes 299"));
    }

    /// LoadGen's own figures: 64 and 662 samples are the fewest, and of 10,000 samples it discards 77 at 99 %.
    #[test]
    fn early_stopping_is_that_of_loadgen() {
        assert_eq!(early_stopping(&numbers(63), 90), None);
        assert_eq!(early_stopping(&numbers(64), 90), Some(64.0));
        assert_eq!(early_stopping(&numbers(661), 99), None);
        assert_eq!(early_stopping(&numbers(662), 99), Some(662.0));
        assert_eq!(early_stopping(&numbers(10_000), 99), Some(9924.0));
        assert_eq!(early_stopping(&[], 90), None);
        // It is never below the percentile itself.
        let many = early_stopping(&numbers(100_000), 90).unwrap();
        assert!((90_000.0..90_400.0).contains(&many), "{many}");
    }

    /// The ranks are those of the tables for the sign test: 6 samples give their extremes, 10 the 2nd and 9th,
    /// 20 the 6th and 15th, 25 the 8th and 18th.
    #[test]
    fn the_interval_of_a_median_follows_the_sign_test() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&numbers(5)).unwrap(), Median { value: 3.0, interval: None });
        assert_eq!(median(&numbers(6)).unwrap(), Median { value: 3.5, interval: Some((1.0, 6.0)) });
        assert_eq!(median(&numbers(10)).unwrap().interval, Some((2.0, 9.0)));
        assert_eq!(median(&numbers(20)).unwrap().interval, Some((6.0, 15.0)));
        assert_eq!(median(&numbers(25)).unwrap().interval, Some((8.0, 18.0)));
        let (low, high) = median(&numbers(1001)).unwrap().interval.unwrap();
        let (lower, higher) = median(&numbers(999)).unwrap().interval.unwrap();
        assert!((low - lower).abs() <= 2.0 && (high - higher).abs() <= 2.0, "{low} {lower} {high} {higher}");
    }
}
