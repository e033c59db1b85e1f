//! Has an engine become slower since an earlier report? Only a change beyond the noise counts.

use serde::{Deserialize, Serialize};

use crate::contender::{BatchTiming, EngineTiming};
use crate::statistics::median;
use terminal::table::{Table, figure};

/// A change below this share is never flagged.
pub const FLOOR: f64 = 0.05;

/// How many times the noise a change must exceed.
pub const NOISES: f64 = 3.0;

/// How the median time of an engine has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The engine.
    pub engine: String,
    /// Items in a run.
    pub batch: usize,
    /// The earlier median.
    pub before_ms: f64,
    /// The median now.
    pub now_ms: f64,
    /// `now / before - 1`.
    pub change: f64,
    /// What the change must exceed to count: the largest of [`FLOOR`] and [`NOISES`] times the scatter of both.
    pub threshold: f64,
    /// What is to be made of it.
    pub verdict: Verdict,
}

/// What is to be made of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Within the noise.
    Same,
    /// Beyond it.
    Slower,
    /// Beyond it.
    Faster,
}

/// Compares every engine at every batch size that both reports have.
pub fn changes(before: &[BatchTiming], now: &[BatchTiming]) -> Vec<Change> {
    let mut changes = Vec::new();
    for batch in now {
        let Some(earlier) = before.iter().find(|earlier| earlier.batch == batch.batch) else { continue };
        for engine in &batch.engines {
            let same = |earlier: &&EngineTiming| earlier.series.engine == engine.series.engine;
            if let Some(earlier) = earlier.engines.iter().find(same) {
                changes.push(change(batch.batch, earlier, engine));
            }
        }
    }
    changes
}

fn change(batch: usize, before: &EngineTiming, now: &EngineTiming) -> Change {
    let (before_ms, now_ms) = (before.series.latency_ms.p50, now.series.latency_ms.p50);
    let change = now_ms / before_ms - 1.0;
    let noise = scatter(&before.series.block_medians_ms).hypot(scatter(&now.series.block_medians_ms));
    let threshold = FLOOR.max(NOISES * noise);
    let verdict = match change {
        change if change > threshold => Verdict::Slower,
        change if change < -threshold => Verdict::Faster,
        _ => Verdict::Same,
    };
    Change { engine: now.series.engine.clone(), batch, before_ms, now_ms, change, threshold, verdict }
}

/// The median distance of the blocks from their median, as a share of it.
fn scatter(blocks: &[f64]) -> f64 {
    let Some(middle) = median(blocks).map(|median| median.value).filter(|&middle| middle > 0.0) else { return 0.0 };
    let distances: Vec<f64> = blocks.iter().map(|block| (block - middle).abs()).collect();
    median(&distances).map_or(0.0, |median| median.value / middle)
}

impl Change {
    /// The change as a row: engine, batch, both times in milliseconds, the change, the noise and the verdict.
    pub fn cells(&self) -> [String; 7] {
        let verdict = match self.verdict {
            Verdict::Same => "same",
            Verdict::Slower => "SLOWER",
            Verdict::Faster => "faster",
        };
        [
            self.engine.clone(),
            self.batch.to_string(),
            figure(self.before_ms),
            figure(self.now_ms),
            format!("{:+.1} %", 100.0 * self.change),
            format!("{:.1} %", 100.0 * self.threshold),
            verdict.to_owned(),
        ]
    }
}

/// The changes as a table.
pub fn text(changes: &[Change]) -> String {
    let mut table = Table::new(["engine", "batch", "before ms", "now ms", "change", "noise", "verdict"]);
    for change in changes {
        table.row(change.cells());
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Summary;
    use crate::timing::Series;

    fn timing(batch: usize, blocks: &[f64]) -> BatchTiming {
        let series = Series {
            engine: "ort:cpu".to_owned(),
            warm_up_runs: 1,
            latency_ms: Summary::of(blocks).unwrap(),
            samples_ms: blocks.to_vec(),
            block_medians_ms: blocks.to_vec(),
        };
        BatchTiming { batch, engines: vec![EngineTiming { items_per_second: 1.0, speedup: None, series }] }
    }

    fn verdict(before: &[f64], now: &[f64]) -> Verdict {
        changes(&[timing(1, before)], &[timing(1, now)])[0].verdict
    }

    #[test]
    fn a_change_must_exceed_the_floor_and_the_noise() {
        let steady = [10.0; 7];
        assert_eq!(verdict(&steady, &[10.4; 7]), Verdict::Same);
        assert_eq!(verdict(&steady, &[10.6; 7]), Verdict::Slower);
        assert_eq!(verdict(&steady, &[9.4; 7]), Verdict::Faster);
        // Scattered by 10 % on both sides: a change of a fifth is noise, one of a half is not.
        let noisy = [9.0, 11.0, 9.0, 10.0, 11.0, 9.0, 11.0];
        let scaled = |factor: f64| noisy.map(|x| x * factor);
        assert_eq!(verdict(&noisy, &scaled(1.2)), Verdict::Same);
        assert_eq!(verdict(&noisy, &scaled(1.5)), Verdict::Slower);
    }

    #[test]
    fn only_what_both_have_is_compared() {
        let steady = [10.0; 7];
        assert!(changes(&[timing(1, &steady)], &[timing(8, &steady)]).is_empty());
        let table = text(&changes(&[timing(1, &steady)], &[timing(1, &[20.0; 7])]));
        assert!(table.contains("+100.0 %") && table.contains("SLOWER"), "{table}");
    }
}
