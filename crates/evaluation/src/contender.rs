//! Engines under evaluation: what is done to each, whatever the network.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bisect::Departure;
use crate::statistics::Median;
use crate::timing::{Plan, Runner, Series, interleave, ratio};
use engines::engine::{Engine, EngineError, Placement};
use engines::fingerprint::Library;
use engines::provider::Provider;
use engines::tensor::NamedTensor;
use engines::usage::Usage;
use engines::worker::remote::RemoteEngine;
use engines::worker::sandbox::Sandbox;

/// An engine under evaluation, and what is found out about it.
pub struct Contender {
    /// The engine, as long as it works.
    engine: Option<RemoteEngine>,
    /// The provider that was asked for; `None` for a framework.
    provider: Option<Provider>,
    /// What is known so far.
    pub row: EngineRecord,
}

/// What is known about an engine, whatever the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineRecord {
    /// The engine.
    pub engine: String,
    /// Why it could not do all; what it did is in the other fields.
    pub error: Option<String>,
    /// Whether its process crashed or hung.
    #[serde(default)]
    pub lost: bool,
    /// Its runtime library.
    pub library: Option<Library>,
    /// What its process gave up before it loaded anything; `None` if it never did, and in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Sandbox>,
    /// Milliseconds that loading took. What an engine puts off until it is needed is not in it.
    pub load_ms: Option<f64>,
    /// Milliseconds that the very first run took.
    pub first_run_ms: Option<f64>,
    /// Where it ran.
    pub placement: Option<Placement>,
    /// Memory and CPU time of its process, over the whole evaluation.
    pub usage: Option<Usage>,
    /// The first node that departs from the reference, where that was asked for and found.
    #[serde(default)]
    pub departure: Option<Departure>,
}

impl EngineRecord {
    /// Where the engine departs from the reference, in a sentence without its full stop.
    pub fn departed(&self) -> Option<String> {
        Some(self.departure.as_ref()?.sentence(&self.engine))
    }
}

/// The times of all engines at one batch size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchTiming {
    /// Items in a run, such as images.
    pub batch: usize,
    /// The engines that worked, the reference first.
    pub engines: Vec<EngineTiming>,
}

/// The times of one engine at one batch size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineTiming {
    /// Items a second over the whole time.
    pub items_per_second: f64,
    /// How many times as fast as the reference; `None` for the reference itself.
    pub speedup: Option<Median>,
    /// The samples and what they come to.
    #[serde(flatten)]
    pub series: Series,
}

impl Contender {
    /// An engine that was started, or why it was not.
    pub fn new(name: &str, provider: Option<Provider>, started: Result<RemoteEngine, EngineError>) -> Self {
        let (engine, error, lost) = match started {
            Ok(engine) => (Some(engine), None, false),
            Err(error) => (None, Some(terminal::failure::sentence(&error)), matches!(error, EngineError::Gone { .. })),
        };
        let loaded = engine.as_ref().map(RemoteEngine::loaded);
        let row = EngineRecord {
            engine: name.to_owned(),
            error,
            lost,
            library: loaded.and_then(|loaded| loaded.library.clone()),
            sandbox: loaded.map(|loaded| loaded.sandbox),
            load_ms: loaded.map(|loaded| loaded.load_ms),
            first_run_ms: None,
            placement: None,
            usage: None,
            departure: None,
        };
        Self { engine, provider, row }
    }

    /// The engine, if it still works.
    pub fn engine(&self) -> Option<&RemoteEngine> {
        self.engine.as_ref()
    }

    /// The engine, for what cannot go on without it.
    ///
    /// # Errors
    /// Why it does not work any more.
    pub fn required(&mut self) -> Result<&mut RemoteEngine, EngineError> {
        let EngineRecord { engine, error, .. } = &self.row;
        let reason = error.clone().unwrap_or_else(|| "it is gone".to_owned());
        self.engine.as_mut().ok_or_else(|| EngineError::Worker { engine: engine.clone(), reason })
    }

    /// Does something with the engine if it still works. If that fails, the engine is out and the row says why.
    pub fn attempt<T>(&mut self, work: impl FnOnce(&mut RemoteEngine) -> Result<T, EngineError>) -> Option<T> {
        match work(self.engine.as_mut()?) {
            Ok(result) => Some(result),
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    /// Does something with the reference. That its process is gone ends what it can tell, and not the evaluation; `None` then, and
    /// from then on.
    ///
    /// # Errors
    /// When the engine fails in any other way.
    pub fn survive<T>(
        &mut self,
        work: impl FnOnce(&mut RemoteEngine) -> Result<T, EngineError>,
    ) -> Result<Option<T>, EngineError> {
        let Some(engine) = self.engine.as_mut() else { return Ok(None) };
        match work(engine) {
            Ok(result) => Ok(Some(result)),
            Err(error @ EngineError::Gone { .. }) => {
                self.fail(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn fail(&mut self, error: &EngineError) {
        self.row.error.get_or_insert(terminal::failure::sentence(error));
        self.row.lost |= matches!(error, EngineError::Gone { .. });
        self.engine = None;
    }

    /// Writes down what happened at a batch. The engine goes on with the next one, in a new process if its own crashed, as for
    /// want of memory; only one that hangs is out.
    fn fail_at(&mut self, error: &EngineError, batch: usize) {
        self.row.error.get_or_insert(format!("{} (at batch {batch})", terminal::failure::sentence(error)));
        if let EngineError::Gone { hung, .. } = error {
            self.row.lost = true;
            let gone = self.engine.take();
            self.engine = gone.filter(|_| !hung).and_then(|engine| engine.restarted().ok());
        }
    }

    /// Runs inputs once. If the process is gone by that, it is started anew.
    ///
    /// # Errors
    /// When the engine fails, or crashes or hangs.
    pub fn try_run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let result = self.required()?.run(inputs);
        if let Err(EngineError::Gone { .. }) = &result {
            self.engine = Some(self.required()?.restarted()?);
        }
        result
    }

    /// Measures the first run and finds out where the engine runs. That nothing ran on the provider asked for is an
    /// error.
    pub fn start(&mut self, sample: &[NamedTensor]) {
        self.row.first_run_ms = self.attempt(|engine| {
            engine.prepare(sample)?;
            Ok(engine.block(1)?.iter().sum::<f64>() * 1e3)
        });
        self.row.placement = self.attempt(|engine| engine.placement(sample));
        if let (Some(provider), Some(placement)) = (&self.provider, &self.row.placement)
            && let Some(error) = elsewhere(provider, placement)
        {
            self.fail(&error);
        }
    }

    /// Ends the engine's process, which has done its work.
    pub fn stop(&mut self) {
        self.engine = None;
    }

    /// Asks the process what it has used.
    pub fn finish(&mut self) {
        self.row.usage = self.attempt(RemoteEngine::usage).flatten();
    }
}

/// Why a placement is not what was asked for.
fn elsewhere(provider: &Provider, placement: &Placement) -> Option<EngineError> {
    // A graph that was folded into constants has nothing to run anywhere.
    if *provider == Provider::Cpu && placement.parts.is_empty() {
        return None;
    }
    let missing = !placement.parts.iter().any(|part| provider.is_called(&part.provider) && part.nodes > 0);
    missing.then(|| {
        let parts = placement.parts.iter().map(|part| format!("{} on {}", part.nodes, part.provider));
        let elsewhere = match parts.collect::<Vec<_>>() {
            parts if parts.is_empty() => "the graph has none to run".to_owned(),
            parts => parts.join(", "),
        };
        EngineError::Run {
            engine: provider.engine_name(),
            reason: format!("no node ran on {}: {elsewhere}", provider.runtime_name()),
        }
    })
}

/// Times the engines side by side on inputs of `items` items. The first subject is the reference.
pub fn time(
    subjects: &mut [&mut Contender],
    inputs: &[NamedTensor],
    items: usize,
    least: Duration,
    progress: impl FnMut(f64),
) -> BatchTiming {
    let prepare = |subject: &mut Contender| match subject.engine.as_mut().map(|engine| engine.prepare(inputs)) {
        Some(Ok(())) => true,
        Some(Err(error)) => {
            subject.fail_at(&error, items);
            false
        }
        None => false,
    };
    let prepared: Vec<bool> = subjects.iter_mut().map(|subject| prepare(subject)).collect();
    let (indices, mut contenders): (Vec<usize>, Vec<Runner<'_>>) = subjects
        .iter_mut()
        .enumerate()
        .zip(prepared)
        .filter(|(_, prepared)| *prepared)
        .filter_map(|((index, subject), _)| {
            let engine = subject.engine.as_mut()?;
            let name = engine.name().to_owned();
            Some((index, Runner { name, block: Box::new(move |runs| engine.block(runs)) }))
        })
        .unzip();
    let results = interleave(&mut contenders, &Plan::new(least), progress);
    drop(contenders);
    let mut base: Option<Series> = None;
    let mut engines = Vec::new();
    for (index, result) in indices.into_iter().zip(results) {
        match (result, subjects.get_mut(index)) {
            (Ok(mut series), subject) => {
                if let Some(subject) = subject {
                    series.engine.clone_from(&subject.row.engine);
                }
                let speedup = base.as_ref().and_then(|base| ratio(base, &series));
                if index == 0 {
                    base = Some(series.clone());
                }
                let items_per_second = items as f64 * 1e3 / series.latency_ms.mean;
                engines.push(EngineTiming { items_per_second, speedup, series });
            }
            (Err(error), Some(subject)) => subject.fail_at(&error, items),
            (Err(_), None) => {}
        }
    }
    BatchTiming { batch: items, engines }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::engine::PlacementPart;

    #[test]
    fn a_placement_elsewhere_is_an_error_that_says_where() {
        let part = |provider: &str, nodes| PlacementPart {
            provider: provider.to_owned(),
            nodes,
            node_share: 1.0,
            time_share: 1.0,
            node_names: Vec::new(),
        };
        let placed = |parts| Placement { parts, ..Placement::default() };
        let mixed = placed(vec![part("OpenVINOExecutionProvider", 1), part("CPUExecutionProvider", 9)]);
        assert!(elsewhere(&Provider::OpenVino, &mixed).is_none());
        assert!(elsewhere(&Provider::Cpu, &Placement::default()).is_none());
        let fallen = placed(vec![part("CPUExecutionProvider", 10)]);
        let message = elsewhere(&Provider::OpenVino, &fallen).unwrap().to_string();
        assert_eq!(
            message,
            "ort:openvino failed: no node ran on OpenVINOExecutionProvider: 10 on CPUExecutionProvider"
        );
    }
}
