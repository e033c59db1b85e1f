//! MLPerf Inference's single-stream and offline scenarios.
//!
//! What is followed: in single-stream one query of one item follows another, and the result is the 90th percentile of the
//! latency as LoadGen's early stopping estimates it: a value that the true percentile does not exceed with 99 % confidence.
//! In offline one query holds all items, the system batches them as it likes, and the result is items a second. What MLPerf
//! asks of a run (600 s; 64 queries; 24,576 items) is checked, and a run that falls short says so. What is not followed:
//! items are not drawn at random from a library but are the same in every query, and LoadGen itself does not take the time;
//! so no result here is one of MLPerf's.

use serde::{Deserialize, Serialize};

use crate::statistics::{Summary, early_stopping, enough};
use engines::engine::EngineError;
use terminal::table::{Grid, figure, grouped};

/// A way of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// One item after another; the latency counts.
    SingleStream,
    /// All items at once; the throughput counts.
    Offline,
}

/// How an engine did in a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    /// The scenario.
    pub scenario: Scenario,
    /// The engine.
    pub engine: String,
    /// Items that ran at once: 1 in single-stream.
    pub batch: usize,
    /// Items that were run.
    pub items: usize,
    /// Seconds from the first to the last.
    pub seconds: f64,
    /// Items a second.
    pub items_per_second: f64,
    /// The times of the queries in milliseconds; only in single-stream, as offline has one query, and only for 6 queries or
    /// more.
    pub latency_ms: Option<Summary>,
    /// The 90th percentile by early stopping, in milliseconds; `None` for fewer than 64 queries, and offline.
    pub p90_bound_ms: Option<f64>,
    /// What MLPerf asks of a run and this one does not have; empty if nothing.
    pub shortfalls: Vec<String>,
}

/// The least duration of a run, in seconds.
const DURATION: f64 = 600.0;

/// The least number of items in the query of the offline scenario.
const OFFLINE_ITEMS: usize = 24_576;

/// The least number of queries in the single-stream scenario: fewer give no estimate of the 90th percentile.
const QUERIES: usize = 64;

/// Seconds of work that are asked of an engine at once; the pause between them is a message long.
const PORTION: f64 = 0.5;

impl Scenario {
    /// Its name: `single-stream`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleStream => "single-stream",
            Self::Offline => "offline",
        }
    }

    /// Runs an engine, whose inputs of `batch` items are prepared, for at least `seconds`. `block` runs them so many times
    /// and gives the seconds that each took. A run as long as MLPerf's has as many items as MLPerf's, too.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn run(
        self,
        engine: &str,
        batch: usize,
        seconds: f64,
        mut block: impl FnMut(usize) -> Result<Vec<f64>, EngineError>,
        mut progress: impl FnMut(f64),
    ) -> Result<ScenarioResult, EngineError> {
        // What an engine puts off until its first run is not a query's.
        let warm = block(2)?.last().copied().unwrap_or(PORTION);
        let mut typical = warm.max(1e-6);
        let (mut times, mut spent) = (Vec::new(), 0.0);
        loop {
            let portion = block(((PORTION.min(seconds) / typical) as usize).max(1))?;
            spent += portion.iter().sum::<f64>();
            times.extend(portion);
            typical = (spent / times.len().max(1) as f64).max(1e-6);
            let items = times.len() * batch;
            let missing = self == Self::Offline && seconds >= DURATION && items < OFFLINE_ITEMS;
            progress((spent / seconds).min(1.0));
            if spent >= seconds && !missing {
                break;
            }
        }
        let items = times.len() * batch;
        let milliseconds: Vec<f64> = times.iter().map(|time| time * 1e3).collect();
        let single = self == Self::SingleStream;
        let mut shortfalls = Vec::new();
        if spent < DURATION {
            shortfalls.push(format!("it lasted {} s, and MLPerf asks for {DURATION:.0} s", figure(spent)));
        }
        match self {
            Self::SingleStream if times.len() < QUERIES => {
                shortfalls.push(format!("it had {} queries, and MLPerf asks for {QUERIES}", times.len()));
            }
            Self::Offline if items < OFFLINE_ITEMS => {
                let [had, asked] = [items, OFFLINE_ITEMS].map(|count| grouped(&count.to_string()));
                shortfalls.push(format!("it had {had} items, and MLPerf asks for {asked}"));
            }
            _ => {}
        }
        Ok(ScenarioResult {
            scenario: self,
            engine: engine.to_owned(),
            batch,
            items,
            seconds: spent,
            items_per_second: items as f64 / spent.max(1e-9),
            latency_ms: if single { Summary::of(&milliseconds) } else { None },
            p90_bound_ms: if single { early_stopping(&milliseconds, 90) } else { None },
            shortfalls,
        })
    }
}

/// How to read the table of the scenarios.
pub const HOW: &str =
    "p90 bound: the 90th percentile does not exceed it with 99 % confidence (LoadGen's early stopping).";

/// The scenarios as a table; `None` if there are none.
pub fn grid(results: &[ScenarioResult], items: &str) -> Option<Grid> {
    let dash = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure);
    let row = |result: &ScenarioResult| {
        vec![
            result.engine.clone(),
            result.scenario.name().to_owned(),
            result.batch.to_string(),
            dash(result.latency_ms.as_ref().and_then(|latency| latency.p90)),
            dash(result.p90_bound_ms),
            figure(result.seconds),
            grouped(&result.items.to_string()),
            figure(result.items_per_second),
        ]
    };
    let rate = format!("{items}/s");
    let headings = ["engine", "scenario", "batch", "p90 ms", "p90 bound ms", "seconds", items, rate.as_str()];
    let caption = "One engine after the other";
    (!results.is_empty()).then(|| Grid::new(caption, &headings, results.iter().map(row).collect()))
}

/// Why a figure is missing, and what the runs lack of MLPerf's, in sentences.
pub fn remarks(results: &[ScenarioResult]) -> Vec<String> {
    let mut remarks = Vec::new();
    for result in results {
        let told = result.latency_ms.as_ref().is_some_and(|latency| latency.p90.is_some());
        let few = (result.scenario == Scenario::SingleStream && !told)
            .then(|| format!("p90 takes {} queries, and there were {}", enough(90), result.items));
        let lacks: Vec<String> = few.into_iter().chain(result.shortfalls.iter().cloned()).collect();
        if !lacks.is_empty() {
            remarks.push(format!("{}, {}: {}.", result.engine, result.scenario.name(), lacks.join("; ")));
        }
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine whose every run takes as long as it says.
    fn steady(seconds: f64) -> impl FnMut(usize) -> Result<Vec<f64>, EngineError> {
        move |runs| Ok(vec![seconds; runs])
    }

    #[test]
    fn single_stream_tells_the_latency_and_what_falls_short() {
        let result = Scenario::SingleStream.run("e", 1, 2.0, steady(0.01), |_| ()).unwrap();
        assert!(result.seconds >= 2.0 && result.items >= 200, "{result:?}");
        assert_eq!(result.p90_bound_ms, Some(10.0));
        assert!((result.items_per_second - 100.0).abs() < 1e-6);
        assert!(matches!(result.shortfalls.as_slice(), [one] if one.contains("600 s")), "{:?}", result.shortfalls);
        let short = Scenario::SingleStream.run("e", 1, 0.1, steady(0.05), |_| ()).unwrap();
        assert_eq!((short.p90_bound_ms, short.shortfalls.len()), (None, 2));
        assert!(remarks(&[short])[0].starts_with("e, single-stream: p90 takes 29 queries, and there were "));
    }

    #[test]
    fn offline_has_as_many_items_as_mlperf_asks_for_when_it_is_as_long() {
        let result = Scenario::Offline.run("e", 8, 600.0, steady(1.0), |_| ()).unwrap();
        assert!(result.items >= OFFLINE_ITEMS && result.shortfalls.is_empty(), "{result:?}");
        assert!((result.items_per_second - 8.0).abs() < 1e-6);
        assert_eq!((result.latency_ms, result.p90_bound_ms), (None, None));
        let short = Scenario::Offline.run("e", 8, 1.0, steady(0.5), |_| ()).unwrap();
        assert_eq!(short.shortfalls.len(), 2);
    }
}
