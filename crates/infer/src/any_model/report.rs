//! The result for a model from anywhere, as JSON and as tables.

use serde::{Deserialize, Serialize};

use crate::any_model::compare::OutputDifference;
use crate::any_model::inputs::Sizes;
use crate::engine::Signature;
use crate::fingerprint::Fingerprint;
use crate::session::{Metadata, Optimization};
use crate::subject::{BatchTiming, Row};
use crate::table::{Table, figure};
use crate::timing_text;

/// Everything that was found out about a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whether every engine ran where it was asked to and agrees with the reference.
    pub passed: bool,
    /// What a reader should know before they trust the figures.
    pub notes: Vec<String>,
    /// What the model takes and gives.
    pub signature: Signature,
    /// What its file says about itself.
    pub metadata: Option<Metadata>,
    /// The sizes of the dynamic axes that were timed.
    pub sizes: Sizes,
    /// The engine that the others are compared with.
    pub reference: String,
    /// The largest relative difference that passes.
    pub tolerance: f64,
    /// The engines, the reference first.
    pub engines: Vec<EngineReport>,
    /// The times.
    pub timing: BatchTiming,
    /// Threads inside one operation.
    pub threads: usize,
    /// How far ONNX Runtime may rewrite the graph, but for the reference.
    pub optimization: Optimization,
    /// What it was measured on.
    pub fingerprint: Fingerprint,
}

/// Everything about one engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineReport {
    /// Loading, placement, memory.
    #[serde(flatten)]
    pub row: Row,
    /// How each output of each case compares with the reference; empty for the reference itself.
    pub differences: Vec<OutputDifference>,
}

impl EngineReport {
    /// The case and output that differ most.
    pub fn worst(&self) -> Option<&OutputDifference> {
        self.differences.iter().max_by(|a, b| {
            let rank = |difference: &OutputDifference| (!difference.same_form, difference.not_finite);
            rank(a).cmp(&rank(b)).then(a.max_relative.total_cmp(&b.max_relative))
        })
    }

    /// Why the engine did not pass, in a sentence.
    pub fn failure(&self, tolerance: f64) -> Option<String> {
        if let Some(error) = &self.row.error {
            return Some(error.clone());
        }
        let worst = self.worst().filter(|worst| !worst.within(tolerance))?;
        let (engine, output, case) = (&self.row.engine, &worst.output, &worst.case);
        Some(match worst {
            worst if !worst.same_form => format!("{engine} gives `{output}` in another type or shape ({case})"),
            worst if worst.not_finite > 0 => {
                format!("{} values of `{output}` of {engine} are no numbers ({case})", worst.not_finite)
            }
            worst => format!(
                "`{output}` of {engine} differs by {:.2e}, and {tolerance:.2e} of its largest value is the limit ({case})",
                worst.max_relative
            ),
        })
    }
}

impl Report {
    /// Tables for the terminal.
    pub fn text(&self) -> String {
        let listed = |tensors: &[crate::engine::TensorInfo]| {
            tensors.iter().map(|tensor| format!("  {tensor}\n")).collect::<String>()
        };
        let inputs = listed(&self.signature.inputs);
        let mut parts = vec![
            format!("Takes\n{inputs}Gives\n{}", listed(&self.signature.outputs)),
            self.differences_text(),
            timing_text::timing(std::slice::from_ref(&self.timing), self.threads, "items"),
            timing_text::machine(&self.fingerprint.machine, self.engines.iter().map(|engine| &engine.row)),
        ];
        parts.extend(self.departures().map(|departure| format!("{departure}.\n")));
        parts.extend(self.notes.iter().map(|note| format!("Note: {note}.\n")));
        let failures = self.failures();
        parts.push(match failures.is_empty() {
            true => format!("Passed: every engine agrees with {}.\n", self.reference),
            false => failures.iter().map(|failure| format!("FAILED: {failure}.\n")).collect(),
        });
        parts.join("\n")
    }

    /// Where engines depart from the reference, in sentences.
    pub fn departures(&self) -> impl Iterator<Item = String> {
        self.engines.iter().filter_map(|engine| engine.row.departed())
    }

    /// Each thing that went wrong, in a sentence.
    pub fn failures(&self) -> Vec<String> {
        self.engines.iter().filter_map(|engine| engine.failure(self.tolerance)).collect()
    }

    fn differences_text(&self) -> String {
        let mut table = Table::new(["engine", "difference", "relative", "cosine", "load ms", "first run ms"]);
        let dash = || "-".to_owned();
        let optional = |value: Option<f64>| value.map_or_else(dash, figure);
        for engine in &self.engines {
            let worst = engine.worst().filter(|worst| worst.same_form);
            table.row([
                engine.row.engine.clone(),
                worst.map_or_else(dash, |worst| format!("{:.2e}", worst.max_absolute)),
                worst.map_or_else(dash, |worst| format!("{:.2e}", worst.max_relative)),
                worst.and_then(|worst| worst.cosine).map_or_else(dash, |cosine| format!("{cosine:.7}")),
                optional(engine.row.load_ms),
                optional(engine.row.first_run_ms),
            ]);
        }
        let cases = self.engines.iter().map(|engine| engine.differences.len()).max().unwrap_or(0);
        format!(
            "Differences from {}, the largest of {cases} outputs over all sizes\n{}",
            self.reference,
            table.render()
        )
    }
}
