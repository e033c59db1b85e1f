//! Timing of engines side by side.
//!
//! The engines take turns in blocks of about 50 ms, in an order that rotates, so that whatever else the machine does
//! harms all alike. Within a block an engine runs again and again, as a server would; the first run of a block, which
//! finds the caches filled by another engine, is not counted where a block holds several.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::statistics::{Median, Summary, enough, median};
use engines::engine::EngineError;

/// One engine at one task.
pub struct Runner<'a> {
    /// The engine.
    pub name: String,
    /// Does the task so many times without pause, and gives the seconds that each took.
    pub block: Box<dyn FnMut(usize) -> Result<Vec<f64>, EngineError> + 'a>,
}

/// How long to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The least time for all engines together. Up to twice as long is spent where that brings an engine the runs that a
    /// percentile takes.
    pub least: Duration,
    /// The time that an engine runs before another takes its turn.
    pub block: Duration,
    /// The most time that an engine may warm up.
    pub warm_up: Duration,
}

/// What one engine's samples come to. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The engine.
    pub engine: String,
    /// Runs before the time was stable; they are not counted.
    pub warm_up_runs: usize,
    /// The runs that are counted.
    pub latency_ms: Summary,
    /// Each of them, in order.
    pub samples_ms: Vec<f64>,
    /// The median of each block, in order; blocks of the same index ran next to each other.
    pub block_medians_ms: Vec<f64>,
}

/// The percentiles that are told where there are enough samples.
const PERCENTILES: [usize; 2] = [90, 99];

/// Blocks that each engine runs at least, whatever the time: six give the median ratio an interval.
const LEAST_BLOCKS: usize = 6;

/// A block with at least this many runs does not count its first.
const SETTLING: usize = 5;

impl Plan {
    /// At least `least` for all engines together, in blocks of 50 ms, or of that time if it is less.
    pub fn new(least: Duration) -> Self {
        Self { least, block: Duration::from_millis(50).min(least), warm_up: Duration::from_secs(1).min(least) }
    }

    /// The most time for all engines together, but for the least number of blocks.
    fn most(&self) -> Duration {
        self.least.saturating_mul(2)
    }

    /// Whether an engine that goes on as it has will have the samples of one more percentile when the time is up. `counts`
    /// holds the samples that each engine has after `elapsed`.
    fn is_worth_more(&self, elapsed: Duration, counts: &[usize]) -> bool {
        let growth = self.most().as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
        let gains = |count: usize, needed: usize| count < needed && count as f64 * growth >= needed as f64;
        let gains_any = |&count: &usize| PERCENTILES.iter().any(|&percent| gains(count, enough(percent)));
        elapsed < self.most() && counts.iter().any(gains_any)
    }
}

/// Times the contenders side by side, and gives their series in the same order. One that fails is out; the others go on.
/// `progress` hears the share that is done, from 0 to 1.
pub fn interleave(
    contenders: &mut [Runner<'_>],
    plan: &Plan,
    mut progress: impl FnMut(f64),
) -> Vec<Result<Series, EngineError>> {
    let mut running: Vec<Result<Running, EngineError>> =
        contenders.iter_mut().map(|contender| warm_up(contender, plan)).collect();
    let start = Instant::now();
    let (mut round, mut told) = (0, 0.0_f64);
    loop {
        let counts: Vec<usize> = running.iter().flatten().map(Running::samples).collect();
        let more = plan.is_worth_more(start.elapsed(), &counts);
        if counts.is_empty() || (start.elapsed() >= plan.least && round >= LEAST_BLOCKS && !more) {
            break;
        }
        for turn in 0..contenders.len() {
            let index = (turn + round) % contenders.len();
            let (Some(contender), Some(state)) = (contenders.get_mut(index), running.get_mut(index)) else { continue };
            if let Ok(healthy) = state
                && let Err(error) = healthy.block(contender)
            {
                *state = Err(error);
            }
        }
        round += 1;
        let end = if more { plan.most() } else { plan.least };
        let time = start.elapsed().as_secs_f64() / end.as_secs_f64().max(1e-9);
        told = told.max(time.min(round as f64 / LEAST_BLOCKS as f64).min(1.0));
        progress(told);
    }
    progress(1.0);
    contenders.iter().zip(running).map(|(contender, state)| state?.finish(&contender.name)).collect()
}

/// How many times as long as `base` the other engine takes: the median over the rounds of the ratio of their medians.
pub fn ratio(series: &Series, base: &Series) -> Option<Median> {
    let pairs = series.block_medians_ms.iter().zip(&base.block_medians_ms);
    median(&pairs.map(|(time, base)| time / base).collect::<Vec<f64>>())
}

struct Running {
    warm_up_runs: usize,
    runs_per_block: usize,
    blocks: Vec<Vec<f64>>,
}

/// Runs until the last five runs are as fast as the five before, within 5 %, or the time is up.
fn warm_up(contender: &mut Runner<'_>, plan: &Plan) -> Result<Running, EngineError> {
    const WINDOW: usize = 5;
    let start = Instant::now();
    let mut samples = Vec::new();
    loop {
        samples.extend((contender.block)(1)?);
        let stable = match samples.split_last_chunk::<WINDOW>() {
            Some((earlier, last)) => earlier.split_last_chunk::<WINDOW>().is_some_and(|(_, before)| {
                let (last, before) = (middle(last), middle(before));
                (last - before).abs() <= 0.05 * before
            }),
            None => false,
        };
        if stable || start.elapsed() >= plan.warm_up {
            break;
        }
    }
    let recent = samples.get(samples.len().saturating_sub(WINDOW)..).unwrap_or(&samples);
    let typical = middle(recent).max(1e-6);
    Ok(Running {
        warm_up_runs: samples.len(),
        runs_per_block: ((plan.block.as_secs_f64() / typical) as usize).max(1),
        blocks: Vec::new(),
    })
}

impl Running {
    fn samples(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }

    fn block(&mut self, contender: &mut Runner<'_>) -> Result<(), EngineError> {
        let settling = usize::from(self.runs_per_block >= SETTLING);
        let mut samples = (contender.block)(settling + self.runs_per_block)?;
        samples.drain(..settling.min(samples.len()));
        self.blocks.push(samples);
        Ok(())
    }

    fn finish(self, engine: &str) -> Result<Series, EngineError> {
        // The clock counts nanoseconds; further digits would only fill the report.
        let milliseconds = |seconds: &f64| (seconds * 1e9).round() / 1e6;
        let samples_ms: Vec<f64> = self.blocks.iter().flatten().map(milliseconds).collect();
        let nothing = || EngineError::Run {
            engine: engine.to_owned(),
            reason: "it ran too few times to tell a median".to_owned(),
        };
        Ok(Series {
            engine: engine.to_owned(),
            warm_up_runs: self.warm_up_runs,
            latency_ms: Summary::of(&samples_ms).ok_or_else(nothing)?,
            samples_ms,
            block_medians_ms: self.blocks.iter().map(|block| middle(block) * 1e3).collect(),
        })
    }
}

fn middle(samples: &[f64]) -> f64 {
    median(samples).map_or(0.0, |median| median.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn spin(duration: Duration) -> f64 {
        let start = Instant::now();
        while start.elapsed() < duration {
            std::hint::spin_loop();
        }
        start.elapsed().as_secs_f64()
    }

    fn contender<'a>(name: &str, mut run: impl FnMut() -> f64 + 'a) -> Runner<'a> {
        Runner { name: name.to_owned(), block: Box::new(move |runs| Ok((0..runs).map(|_| run()).collect())) }
    }

    #[test]
    fn the_slower_one_is_slower_by_its_factor() {
        let mut contenders = [
            contender("quick", || spin(Duration::from_micros(100))),
            contender("slow", || spin(Duration::from_micros(300))),
        ];
        let plan = Plan {
            least: Duration::from_millis(60),
            block: Duration::from_millis(2),
            warm_up: Duration::from_millis(20),
        };
        let mut shares = Vec::new();
        let series = interleave(&mut contenders, &plan, |share| shares.push(share));
        let [Ok(quick), Ok(slow)] = series.as_slice() else { panic!("{series:?}") };
        assert!(quick.latency_ms.p50 >= 0.1 && slow.latency_ms.p50 >= 0.3);
        let ratio = ratio(slow, quick).unwrap();
        // A spin never ends early, and the median is safe from most of the noise of a busy machine.
        assert!((2.0..4.0).contains(&ratio.value), "{ratio:?}");
        assert!(ratio.interval.is_some());
        assert_eq!(quick.samples_ms.len(), quick.latency_ms.samples);
        assert_eq!(quick.block_medians_ms.len(), slow.block_medians_ms.len());
        assert!(shares.is_sorted() && shares.last() == Some(&1.0), "{shares:?}");
    }

    const IMPATIENT: Plan = Plan { least: Duration::ZERO, block: Duration::from_millis(1), warm_up: Duration::ZERO };

    /// By hand: 150 samples in 3 s are 300 in 6 s, and 149 are 298; p90 takes 29, p99 299.
    #[test]
    fn more_time_is_spent_where_it_brings_a_percentile() {
        let plan = Plan::new(Duration::from_secs(3));
        let after = |seconds: f64, counts: &[usize]| plan.is_worth_more(Duration::from_secs_f64(seconds), counts);
        assert!(after(3.0, &[150]) && !after(3.0, &[149]));
        assert!(after(3.0, &[15, 140]) && !after(3.0, &[14, 29]));
        assert!(!after(3.0, &[299, 1000]) && !after(3.0, &[]));
        assert!(after(5.9, &[298]) && !after(6.0, &[298]));
    }

    #[test]
    fn the_contenders_take_turns() {
        let order = RefCell::new(Vec::new());
        let recorded = |name: &'static str| {
            let order = &order;
            contender(name, move || {
                order.borrow_mut().push(name);
                1.0
            })
        };
        let series = interleave(&mut [recorded("a"), recorded("b")], &IMPATIENT, |_| ());
        assert!(series.iter().all(Result::is_ok));
        assert_eq!(order.into_inner().concat(), "ababbaabbaabba");
    }

    #[test]
    fn one_that_fails_leaves_the_others() {
        let failed = || EngineError::Run { engine: "a".to_owned(), reason: "no".to_owned() };
        let mut left = 3;
        let failing = Runner {
            name: "a".to_owned(),
            block: Box::new(move |runs| {
                left -= 1;
                if left > 0 { Ok(vec![1.0; runs]) } else { Err(failed()) }
            }),
        };
        let series = interleave(&mut [failing, contender("b", || 1.0)], &IMPATIENT, |_| ());
        let [Err(error), Ok(series)] = series.as_slice() else { panic!("{series:?}") };
        assert_eq!(error.to_string(), "a failed: no");
        assert_eq!(series.samples_ms.len(), LEAST_BLOCKS);
    }
}
