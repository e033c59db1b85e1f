//! What the evaluation of one network found, whatever the network.

use std::path::PathBuf;

use artifact::Digest;
use serde::Serialize;

use engines::fingerprint::Fingerprint;
use evaluation::contender::{BatchTiming, EngineRecord, EngineTiming};
use evaluation::measured::Comparison;
use evaluation::scenario::ScenarioResult;
use evaluation::timing::ratio;
use terminal::table::Grid;

/// The evaluation of one network.
#[derive(Debug, Clone, PartialEq)]
pub struct Chapter {
    /// A short name without spaces: `mnist`.
    pub id: String,
    /// What a reader calls the network.
    pub title: String,
    /// The file that all this is read from.
    pub source: PathBuf,
    /// The SHA-256 of that file.
    pub sha256: Digest,
    /// When that file was written.
    pub date: Option<String>,
    /// Whether everything passed.
    pub passed: bool,
    /// What passing means here.
    pub criterion: String,
    /// Each thing that went wrong, in a sentence.
    pub failures: Vec<String>,
    /// What a reader should know before they trust the figures.
    pub notes: Vec<String>,
    /// What the network achieves at its task.
    pub claims: Vec<Claim>,
    /// What a batch consists of, such as `images`.
    pub items: String,
    /// How right every engine is.
    pub validation: Vec<Grid>,
    /// The same, figure by figure.
    pub details: Vec<Grid>,
    /// How to read that.
    pub remark: Option<String>,
    /// What belongs to this network alone: headings and HTML.
    pub parts: Vec<(String, String)>,
    /// The engines: library, placement, memory.
    pub rows: Vec<EngineRecord>,
    /// The times, one entry a batch size.
    pub timing: Vec<BatchTiming>,
    /// MLPerf's scenarios, if they were run.
    pub scenarios: Vec<ScenarioResult>,
    /// What has changed since an earlier report, if it was compared with one.
    pub compared: Option<Comparison>,
    /// Threads inside one operation, if that is known.
    pub threads: Option<usize>,
    /// What it was measured on, if that is known.
    pub fingerprint: Option<Fingerprint>,
    /// How to repeat every figure.
    pub recipes: Vec<Recipe>,
}

/// Something that a network achieves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// What it is about.
    pub what: String,
    /// The figure.
    pub value: String,
}

/// How to repeat a figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipe {
    /// The heading of the part of the report that it makes.
    pub figure: String,
    /// The command.
    pub command: String,
}

/// The engine that is ahead of the others in some way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leader {
    /// The engine.
    pub engine: String,
    /// Items in a run.
    pub batch: usize,
    /// The median time of a run.
    pub p50_ms: f64,
    /// Items a second, over the whole time.
    pub items_per_second: f64,
    /// The engine from which it cannot be told apart by the times, if there is one.
    pub level_with: Option<String>,
}

impl Claim {
    /// A figure and what it is about.
    pub fn new(what: &str, value: impl Into<String>) -> Self {
        Self { what: what.to_owned(), value: value.into() }
    }
}

impl Recipe {
    /// The command for a figure.
    pub fn new(figure: &str, command: impl Into<String>) -> Self {
        Self { figure: figure.to_owned(), command: command.into() }
    }
}

impl Chapter {
    /// The engine with the shortest median time at the smallest batch.
    pub fn fastest(&self) -> Option<Leader> {
        let batch = self.timing.iter().min_by_key(|timing| timing.batch)?;
        let best = batch.engines.iter().min_by(|a, b| p50(a).total_cmp(&p50(b)))?;
        Some(leader(batch, best))
    }

    /// The engine that gets through most items a second, and the batch at which it does.
    pub fn most(&self) -> Option<Leader> {
        let all = self.timing.iter().flat_map(|batch| batch.engines.iter().map(move |engine| (batch, engine)));
        let (batch, best) = all.max_by(|(_, a), (_, b)| a.items_per_second.total_cmp(&b.items_per_second))?;
        Some(leader(batch, best))
    }

    /// The command for a part of the report.
    pub fn command(&self, figure: &str) -> Option<&str> {
        self.recipes.iter().find(|recipe| recipe.figure == figure).map(|recipe| recipe.command.as_str())
    }
}

fn p50(engine: &EngineTiming) -> f64 {
    engine.series.latency_ms.p50
}

/// The leader is level with another engine when the interval of the ratio of their times, taken side by side, holds 1.
fn leader(batch: &BatchTiming, best: &EngineTiming) -> Leader {
    let level = |other: &&EngineTiming| {
        other.series.engine != best.series.engine
            && ratio(&other.series, &best.series).is_none_or(|ratio| ratio.interval.is_none_or(|(low, _)| low <= 1.0))
    };
    let others = batch.engines.iter().filter(level);
    Leader {
        engine: best.series.engine.clone(),
        batch: batch.batch,
        p50_ms: p50(best),
        items_per_second: best.items_per_second,
        level_with: others.min_by(|a, b| p50(a).total_cmp(&p50(b))).map(|other| other.series.engine.clone()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use evaluation::statistics::Summary;
    use evaluation::timing::Series;

    /// An engine whose blocks have these medians.
    pub(crate) fn timed(engine: &str, batch: usize, blocks: &[f64]) -> EngineTiming {
        let latency_ms = Summary::of(blocks).unwrap();
        EngineTiming {
            items_per_second: batch as f64 * 1e3 / latency_ms.mean,
            speedup: None,
            series: Series {
                engine: engine.to_owned(),
                warm_up_runs: 1,
                latency_ms,
                samples_ms: blocks.to_vec(),
                block_medians_ms: blocks.to_vec(),
            },
        }
    }

    pub(crate) fn chapter(timing: Vec<BatchTiming>) -> Chapter {
        Chapter {
            id: "net".to_owned(),
            title: "A <net>".to_owned(),
            source: "artifacts/net/eval.json".into(),
            sha256: artifact::sha256_bytes(b"report"),
            date: Some("2026-11-25 16:09 UTC".to_owned()),
            passed: true,
            criterion: "Every engine agrees.".to_owned(),
            failures: Vec::new(),
            notes: Vec::new(),
            claims: vec![Claim::new("Recognised", "9 of 10")],
            items: "images".to_owned(),
            validation: Vec::new(),
            details: Vec::new(),
            remark: None,
            parts: Vec::new(),
            rows: Vec::new(),
            timing,
            scenarios: Vec::new(),
            compared: None,
            threads: Some(1),
            fingerprint: None,
            recipes: vec![Recipe::new("Timing", "cargo xtask eval net")],
        }
    }

    #[test]
    fn the_leaders_are_found_and_a_draw_is_called_one() {
        let (slow, quick) = ([4.0; 7], [2.0, 2.1, 1.9, 2.0, 2.0, 2.1, 2.0]);
        let clear = BatchTiming { batch: 1, engines: vec![timed("burn", 1, &slow), timed("ort:cpu", 1, &quick)] };
        let even = [2.1, 1.9, 2.2, 1.9, 2.1, 2.0, 2.1];
        let draw = BatchTiming { batch: 8, engines: vec![timed("burn", 8, &even), timed("ort:cpu", 8, &quick)] };
        let chapter = chapter(vec![draw, clear]);
        let fastest = chapter.fastest().unwrap();
        assert_eq!((fastest.engine.as_str(), fastest.batch, fastest.level_with), ("ort:cpu", 1, None));
        let most = chapter.most().unwrap();
        assert_eq!((most.batch, most.level_with.as_deref()), (8, Some("burn")));
        assert_eq!(super::tests::chapter(Vec::new()).fastest(), None);
    }
}
