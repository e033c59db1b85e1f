//! What reports of evaluations share: settings, and the comparison with an earlier report.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::fingerprint::Machine;
use crate::regression::{Change, Verdict, changes};
use crate::session::Optimization;
use crate::subject::BatchTiming;

/// What holds for all engines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Threads inside one operation.
    pub threads: usize,
    /// How far ONNX Runtime may rewrite the graph.
    pub optimization: Optimization,
    /// The least time for a batch size, in seconds.
    pub seconds: f64,
}

/// The times beside those of an earlier report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The earlier report.
    pub with: PathBuf,
    /// Every engine and batch size that both have.
    pub changes: Vec<Change>,
}

/// The part of a report that times come from.
pub struct Measured<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// How it was measured.
    pub settings: &'a Settings,
    /// The times.
    pub timing: &'a [BatchTiming],
}

impl Comparison {
    /// Compares the times with those of an earlier report, and tells what makes them hard to compare.
    pub fn of(now: &Measured, with: PathBuf, earlier: &Measured) -> (Self, Vec<String>) {
        let mut notes = Vec::new();
        if earlier.machine != now.machine {
            notes.push(format!("{} was measured on another machine", with.display()));
        }
        if earlier.settings.threads != now.settings.threads {
            notes.push(format!("{} was measured with another number of threads", with.display()));
        }
        (Self { with, changes: changes(earlier.timing, now.timing) }, notes)
    }

    /// Whether an engine has become slower.
    pub fn is_slower(&self) -> bool {
        self.changes.iter().any(|change| change.verdict == Verdict::Slower)
    }
}
