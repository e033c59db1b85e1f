//! What the reports of all networks share: the head of each report, and the comparison with an earlier one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::contender::{BatchTiming, EngineRecord};
use crate::regression::{self, Change, Verdict, changes};
use crate::scenario::ScenarioResult;
use crate::timing_text;
use engines::fingerprint::Fingerprint;
use engines::session::Optimization;
use terminal::plain::line;

/// What every report of a network has, whatever the network. In JSON its fields stand among those of the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The network: `mnist`.
    pub network: String,
    /// Whether all that was asked for ran, gave the framework's result for every item, deviated no further than float32 does, and
    /// that proves something.
    pub passed: bool,
    /// What a reader should know before they trust the figures.
    pub notes: Vec<String>,
    /// What was asked for and could not be done under any engine, such as a batch that does not fit in memory, in sentences.
    #[serde(default)]
    pub undone: Vec<String>,
    /// Why the agreement of engines proves nothing, in sentences; empty if it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<String>,
    /// The times, one entry a batch size.
    pub timing: Vec<BatchTiming>,
    /// MLPerf's scenarios, if they were asked for.
    #[serde(default)]
    pub scenarios: Vec<ScenarioResult>,
    /// What has changed since an earlier report, if there is one to compare with.
    #[serde(default)]
    pub compared: Option<Comparison>,
    /// Threads and graph optimisation.
    pub settings: Settings,
    /// What it was measured on.
    pub fingerprint: Fingerprint,
}

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

impl RunRecord {
    /// Compares the times with those of an earlier report, and notes what makes them hard to compare.
    pub fn compare(&mut self, with: PathBuf, rows: &[EngineRecord], earlier: &Self, earlier_rows: &[EngineRecord]) {
        if earlier.fingerprint.machine != self.fingerprint.machine {
            self.notes.push(format!("{} was measured on another machine", with.display()));
        }
        if earlier.settings.threads != self.settings.threads {
            self.notes.push(format!("{} was measured with another number of threads", with.display()));
        }
        let model = |head: &Self| head.fingerprint.files.get("model").map(|mark| mark.sha256);
        if model(earlier) != model(self) {
            self.notes.push(format!("{} was measured with another model file", with.display()));
        }
        for before in earlier_rows {
            let now = rows.iter().find(|row| row.engine == before.engine);
            let told = match now.map(|row| row.library == before.library) {
                Some(true) => continue,
                Some(false) => "with another version of its library",
                None => "and is not here",
            };
            self.notes.push(format!("{} was measured in {} {told}", before.engine, with.display()));
        }
        self.compared = Some(Comparison { with, changes: changes(&earlier.timing, &self.timing) });
    }

    /// Whether an engine has become slower than in the report that this one was compared with.
    pub fn is_slower(&self) -> bool {
        let slower = |change: &Change| change.verdict == Verdict::Slower;
        self.compared.as_ref().is_some_and(|compared| compared.changes.iter().any(slower))
    }

    /// The times, the scenarios, the machine with its engines, the comparison, the departures and the notes for the terminal.
    pub fn texts(&self, rows: &[&EngineRecord], items: &str) -> Vec<String> {
        let mut texts = vec![timing_text::timing(&self.timing, self.settings.threads, items)];
        texts.extend(Some(timing_text::scenarios(&self.scenarios, items)).filter(|text| !text.is_empty()));
        texts.push(timing_text::machine(&self.fingerprint.machine, rows.iter().copied()));
        if let Some(compared) = &self.compared {
            let changes = regression::text(&compared.changes);
            texts.push(line(format_args!("Compared with {}", compared.with.display())) + &changes);
        }
        texts.extend(rows.iter().filter_map(|row| row.departed()).map(|departed| line(format_args!("{departed}."))));
        texts.extend(self.notes.iter().map(|note| line(format_args!("Note: {note}."))));
        texts
    }
}
