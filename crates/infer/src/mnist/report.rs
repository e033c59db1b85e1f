//! The result of an evaluation, as JSON and as tables.

use serde::{Deserialize, Serialize};

use crate::measured::Head;
use crate::mnist::evaluate::{Agreement, Outcome, Reference};
use crate::mnist::training::Epoch;
use crate::subject::Row;
use crate::table::{Table, figure, grouped};

/// Everything that an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What every report has.
    #[serde(flatten)]
    pub head: Head,
    /// How the weights were trained, epoch by epoch; empty if there is no record of these weights.
    #[serde(default)]
    pub training: Vec<Epoch>,
    /// What the framework makes of the digits.
    pub reference: Reference,
    /// The engines, the framework first.
    pub engines: Vec<EngineReport>,
}

/// Everything about one engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineReport {
    /// Loading, placement, memory.
    #[serde(flatten)]
    pub row: Row,
    /// How it did on the digits.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Items that a table lists before it only counts.
const LISTED: usize = 20;

impl Report {
    /// Tables for the terminal.
    pub fn text(&self) -> String {
        let rows: Vec<&Row> = self.engines.iter().map(|engine| &engine.row).collect();
        let mut parts = vec![self.validation_text()];
        parts.extend(self.head.texts(&rows, "images"));
        let failures = self.failures();
        parts.push(match failures.is_empty() {
            true => "Passed: the same digit for every image.\n".to_owned(),
            false => failures.iter().map(|failure| format!("FAILED: {failure}.\n")).collect(),
        });
        parts.join("\n")
    }

    /// Each thing that went wrong, in a sentence.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = self.head.undone.clone();
        for EngineReport { row, outcome } in &self.engines {
            failures.extend(row.error.clone());
            if let Some(agreement) = &outcome.agreement {
                if !agreement.disagreements.is_empty() {
                    failures.push(format!("the digits of {} differ", row.engine));
                }
                if agreement.difference.not_finite > 0 {
                    let count = agreement.difference.not_finite;
                    failures.push(format!("{count} outputs of {} are no numbers", row.engine));
                }
            }
            failures.extend(outcome.verification.as_ref().and_then(|found| found.failed(&row.engine)));
        }
        failures
    }

    fn validation_text(&self) -> String {
        let images = grouped(&self.reference.images.to_string());
        let headings = [
            "engine",
            "correct",
            "accuracy",
            "same digit",
            "largest difference",
            "relative",
            "load ms",
            "first run ms",
        ];
        let mut table = Table::new(headings);
        let dash = || "-".to_owned();
        let optional = |value: Option<f64>| value.map_or_else(dash, figure);
        for EngineReport { row, outcome } in &self.engines {
            let agreement = outcome.agreement.as_ref();
            let share = |accuracy: f64| format!("{:.2} %", 100.0 * accuracy);
            table.row([
                row.engine.clone(),
                outcome.accuracy.as_ref().map_or_else(dash, |found| grouped(&found.correct.to_string())),
                outcome.accuracy.as_ref().map_or_else(dash, |found| share(found.accuracy)),
                agreement.map_or_else(dash, |agreement| grouped(&agreement.agreeing.to_string())),
                agreement.map_or_else(dash, |agreement| format!("{:.2e}", agreement.difference.max_absolute)),
                agreement.map_or_else(dash, |agreement| format!("{:.2e}", agreement.difference.max_relative)),
                optional(row.load_ms),
                optional(row.first_run_ms),
            ]);
        }
        let mut text = format!("Validation on {images} test digits, against {}\n", self.reference.engine);
        text += &table.render();
        text += "relative: to the largest output of the same image\n";
        for EngineReport { row, outcome } in &self.engines {
            if let Some(verification) = &outcome.verification {
                text += &format!(
                    "{}: strays by {:.2e} from float64 at batch 1, 2, 7 and 64; limit {:.2e}, Burn's float32 {:.2e}\n",
                    row.engine,
                    verification.cases.iter().fold(0.0, |most: f64, case| most.max(case.error)),
                    verification.limit(),
                    verification.native_error,
                );
            }
            if let Some(agreement) = outcome.agreement.as_ref().filter(|agreement| !agreement.disagreements.is_empty())
            {
                text += &disagreements(&self.reference.engine, &row.engine, agreement);
            }
        }
        text
    }
}

fn disagreements(reference: &str, engine: &str, agreement: &Agreement) -> String {
    let mut table = Table::new(["image", "label", reference, engine]);
    for item in agreement.disagreements.iter().take(LISTED) {
        let digits = [item.index, usize::from(item.label), item.reference, item.digit];
        table.row(digits.map(|number| number.to_string()));
    }
    let mut text = format!("images that differ\n{}", table.render());
    if agreement.disagreements.len() > LISTED {
        text += &format!("and {} more\n", agreement.disagreements.len() - LISTED);
    }
    text
}
