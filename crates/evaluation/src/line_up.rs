//! A framework and the engines that are compared with it, whatever the network.

use std::time::Duration;

use crate::contender::{BatchTiming, Contender, time};
use crate::scenario::{Scenario, ScenarioResult};
use crate::verify::{Expected, Verification};
use engines::engine::EngineError;
use engines::tensor::NamedTensor;
use engines::worker::remote::RemoteEngine;
use terminal::failure::sentence;
use terminal::progress::Progress;

/// The framework that a network comes from, and the engines that run its exported form.
pub struct LineUp {
    /// The framework.
    pub reference: Contender,
    /// The engines.
    pub candidates: Vec<Contender>,
}

/// What the framework makes of cases in float32, and in float64 on `exact`; `None` if the process of one of them is gone, which is
/// told in `undone`.
///
/// # Errors
/// When it fails otherwise, or gives what is no finite number.
pub fn expect(
    framework: &mut Contender,
    exact: Result<RemoteEngine, EngineError>,
    cases: Vec<(String, Vec<NamedTensor>)>,
    undone: &mut Vec<String>,
) -> Result<Option<Expected>, EngineError> {
    let progress = Progress::new("exact results");
    let expected =
        exact.and_then(|mut exact| Expected::of(framework.required()?, &mut exact, cases, |share| progress.set(share)));
    let expected = match expected {
        Err(error @ EngineError::Gone { .. }) => {
            undone.push(unjudged(&sentence(&error)));
            return Ok(None);
        }
        expected => expected?,
    };
    match expected.not_finite() {
        // The same infinity under every engine proves nothing.
        Some(case) => Err(EngineError::Run {
            engine: framework.row.engine.clone(),
            reason: format!("it gives values that are no finite numbers ({case}), with which nothing can be compared"),
        }),
        None => Ok(Some(expected)),
    }
}

/// What is said where nobody tells what is right.
pub fn unjudged(why: &str) -> String {
    format!("no engine was judged, since nothing says what is right: {why}")
}

impl LineUp {
    /// The framework first.
    pub fn everyone(&mut self) -> Vec<&mut Contender> {
        std::iter::once(&mut self.reference).chain(&mut self.candidates).collect()
    }

    /// Measures the first run of each, and finds out where it runs.
    pub fn start(&mut self, sample: &[NamedTensor]) {
        self.everyone().into_iter().for_each(|subject| subject.start(sample));
    }

    /// Judges every candidate. One that fails is out; where nothing is known of what is right, none is judged.
    pub fn judge(&mut self, expected: Option<&Expected>) -> Vec<Option<Verification>> {
        let Some(expected) = expected else { return self.candidates.iter().map(|_| None).collect() };
        let progress = Progress::new("comparing");
        let total = self.candidates.len().max(1) as f64;
        let judge = |(index, candidate): (usize, &mut Contender)| {
            let judged = candidate.attempt(|engine| expected.judge(engine));
            progress.set((index + 1) as f64 / total);
            judged
        };
        self.candidates.iter_mut().enumerate().map(judge).collect()
    }

    /// Times everyone side by side at each batch size, at least `least` for each. `inputs` makes a batch.
    ///
    /// # Errors
    /// When no inputs can be made.
    pub fn time(
        &mut self,
        batches: &[usize],
        least: Duration,
        inputs: impl Fn(usize) -> Result<Vec<NamedTensor>, EngineError>,
    ) -> Result<Vec<BatchTiming>, EngineError> {
        let mut timing = Vec::new();
        for &size in batches {
            let progress = Progress::new(&format!("timing batch {size}"));
            timing.push(time(&mut self.everyone(), &inputs(size)?, size, least, |share| progress.set(share)));
        }
        Ok(timing)
    }

    /// Runs everyone through the scenarios, one engine after the other: one item at a time, or in batches of the size that
    /// was fastest in `timing`.
    ///
    /// # Errors
    /// When no inputs can be made.
    pub fn scenarios(
        &mut self,
        scenarios: &[Scenario],
        seconds: f64,
        timing: &[BatchTiming],
        inputs: impl Fn(usize) -> Result<Vec<NamedTensor>, EngineError>,
    ) -> Result<Vec<ScenarioResult>, EngineError> {
        let mut results = Vec::new();
        for &scenario in scenarios {
            for subject in self.everyone() {
                let name = subject.row.engine.clone();
                let batch = match scenario {
                    Scenario::SingleStream => 1,
                    Scenario::Offline => fastest(timing, &name),
                };
                let prepared = inputs(batch)?;
                let progress = Progress::new(&format!("{}, {name}", scenario.name()));
                results.extend(subject.attempt(|engine| {
                    engine.prepare(&prepared)?;
                    scenario.run(&name, batch, seconds, |runs| engine.block(runs), |share| progress.set(share))
                }));
            }
        }
        Ok(results)
    }

    /// Asks every process what it has used.
    pub fn finish(&mut self) {
        self.everyone().into_iter().for_each(Contender::finish);
    }
}

/// The batch size with the highest throughput.
fn fastest(timing: &[BatchTiming], engine: &str) -> usize {
    let rate = |batch: &BatchTiming| {
        let found = batch.engines.iter().find(|found| found.series.engine == engine);
        found.map_or(0.0, |found| found.items_per_second)
    };
    timing.iter().max_by(|a, b| rate(a).total_cmp(&rate(b))).map_or(1, |batch| batch.batch)
}
