//! The result of an evaluation, as JSON and as tables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use terminal::plain::line;
use terminal::table::{Table, figure, grouped};

use crate::contender::{Contender, EngineRecord};
use crate::history::Epoch;
use crate::line_up::LineUp;
use crate::measured::RunRecord;
use crate::onnx_file::about::About;
use crate::quantised::{self, Budget, Fidelity};
use crate::task::{Agreement, Asked, Figure, Metric};
use crate::verify::{OutputError, Rule, Verification};

/// Everything that an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What every report has.
    #[serde(flatten)]
    pub head: RunRecord,
    /// The file, where nothing else is known of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<About>,
    /// The seed of the weights, if they are random and the results mean nothing.
    pub random_init: Option<u64>,
    /// What an item is: `pictures`, `questions`.
    pub items: String,
    /// The engine that the others are compared with.
    pub reference: String,
    /// What a file of 8-bit integers is judged by, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantised: Option<Budget>,
    /// The engines, the framework first.
    pub engines: Vec<EngineReport>,
    /// What is worth a look in the reference's answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
    /// The reference's answers by the identifiers of their items, for a task whose answers others judge, too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub predictions: BTreeMap<String, String>,
    /// How the weights were trained, epoch by epoch; empty if there is no record of these weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Epoch>,
    /// The command that repeats it.
    pub command: String,
}

/// Everything about one engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineReport {
    /// Loading, placement, memory.
    #[serde(flatten)]
    pub row: EngineRecord,
    /// How far it deviates from float64; `None` for the framework itself.
    pub verification: Option<Verification>,
    /// How far it deviates from the outputs that the user knows to be right; `None` where none were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Verification>,
    /// How far it is from the float model on a file of 8-bit integers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<Fidelity>,
    /// How it compares with the framework, item by item; `None` for the framework itself, and where no item was given.
    pub agreement: Option<Agreement>,
    /// How well it does at the task; empty for a task without known answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
}

/// What was found out about every engine: the reference, and the candidates with how each was judged.
pub fn reports(line_up: &mut LineUp, verifications: Vec<Option<Verification>>, asked: Asked) -> Vec<EngineReport> {
    let mut verifications = std::iter::once(None).chain(verifications);
    let mut agreements = std::iter::once(None).chain(asked.agreements);
    let mut metrics = asked.metrics.into_iter();
    let report = |contender: &mut Contender| EngineReport {
        row: contender.row.clone(),
        verification: verifications.next().flatten(),
        given: None,
        fidelity: None,
        agreement: agreements.next().flatten(),
        metrics: metrics.next().unwrap_or_default(),
    };
    line_up.everyone().into_iter().map(report).collect()
}

/// So many out of all.
pub fn out_of(count: usize, all: usize) -> String {
    format!("{} of {}", grouped(&count.to_string()), grouped(&all.to_string()))
}

/// Items that a table lists before it only counts.
const LISTED: usize = 20;

impl EngineReport {
    /// Each thing that went wrong, in a sentence. A file of integers may give other answers, as far as its budget goes.
    pub fn failures(&self, items: &str, budget: Option<&Budget>) -> Vec<String> {
        let mut failures: Vec<String> = self.row.error.iter().cloned().collect();
        let strict = self.agreement.as_ref().filter(|agreement| budget.is_none() && !agreement.differing.is_empty());
        if let Some(agreement) = strict {
            let (differing, all) = (agreement.differing.len(), agreement.items);
            failures.push(format!("{} differs for {differing} of {all} {items}", self.row.engine));
        }
        let found = self.verification.iter().chain(&self.given);
        failures.extend(found.filter_map(|found| found.failed(&self.row.engine)));
        failures.extend(
            budget.zip(self.fidelity.as_ref()).and_then(|(budget, found)| budget.failed(&self.row.engine, found)),
        );
        failures
    }

    /// What stands in a column of [`Report::task_columns`].
    pub fn task_cell(&self, column: &str) -> Option<String> {
        let metric = self.metrics.iter().find(|metric| metric.name == column);
        let agreement = || {
            let found = self.agreement.as_ref()?;
            Some(out_of(*found.also_same.get(column)?, found.items))
        };
        metric.map(Metric::text).or_else(agreement)
    }

    /// The cosine of the output whose direction differs most.
    pub fn least_cosine(&self) -> Option<f64> {
        let outputs = self.verification.iter().flat_map(|found| &found.cases).flat_map(|case| &case.outputs);
        outputs.filter_map(|output| output.cosine).reduce(f64::min)
    }

    /// The output that comes nearest to its limit or is farthest beyond.
    pub fn worst(&self) -> Option<&OutputError> {
        Some(self.verification.as_ref()?.worst()?.1)
    }
}

impl Report {
    /// Each thing that went wrong, in a sentence.
    pub fn failures(&self) -> Vec<String> {
        let budget = self.quantised.as_ref();
        let engines = self.engines.iter().flat_map(|engine| engine.failures(&self.items, budget));
        self.head.undone.iter().cloned().chain(engines).collect()
    }

    /// The same with the verdict that its findings give.
    #[must_use]
    pub fn judged(mut self) -> Self {
        self.head.passed = self.head.unproven.is_empty() && self.failures().is_empty();
        self
    }

    /// Compares the times with those of an earlier report, and notes what makes them hard to compare.
    pub fn compare(&mut self, with: PathBuf, earlier: &Self) {
        let rows = |report: &Self| report.engines.iter().map(|engine| engine.row.clone()).collect::<Vec<_>>();
        let others = |report: &Self| report.file.as_ref().map(|file| (file.other_sizes(), file.batch_axis.clone()));
        if others(self) != others(earlier) {
            self.head.notes.push(format!("{} was measured at other sizes of the inputs", with.display()));
        }
        self.head.compare(with, &rows(self), &earlier.head, &rows(earlier));
    }

    /// What a reader calls it: the network, or the file.
    pub fn name(&self) -> String {
        let model = self.head.fingerprint.files.get("model").filter(|_| self.file.is_some());
        model.map_or_else(|| self.head.network.clone(), |mark| mark.path.display().to_string())
    }

    /// What errors are measured from.
    pub fn rule(&self) -> Rule {
        self.engines.iter().find_map(|engine| engine.verification.as_ref()).map(|found| found.rule).unwrap_or_default()
    }

    /// What holds if all engines pass, in a sentence without its full stop.
    pub fn criterion(&self) -> String {
        match &self.quantised {
            Some(budget) => budget.criterion(),
            None => self.rule().criterion(&self.reference),
        }
    }

    /// How far the framework's own float32 deviates from float64; `None` where that was not found out.
    fn native_error(&self) -> Option<f64> {
        let found = self.engines.iter().find_map(|engine| engine.verification.as_ref())?;
        matches!(found.rule, Rule::Float32(_) | Rule::Share(_)).then_some(found.native_error)
    }

    /// The names of the metrics and of the weaker ways to agree, each once.
    pub fn task_columns(&self) -> impl Iterator<Item = &str> {
        let agreements = self.engines.iter().filter_map(|engine| engine.agreement.as_ref());
        let ways: BTreeSet<&str> = agreements.flat_map(|found| found.also_same.keys().map(String::as_str)).collect();
        let metrics = self.engines.iter().map(|engine| &engine.metrics).find(|metrics| !metrics.is_empty());
        ways.into_iter().chain(metrics.into_iter().flatten().map(|metric| metric.name.as_str()))
    }

    /// Whether the network has a task, by whose items engines are compared.
    pub fn has_task(&self) -> bool {
        self.file.is_none() || self.engines.iter().any(|engine| engine.agreement.is_some())
    }

    /// What stands above results of random weights.
    pub fn warning(&self) -> Option<String> {
        self.random_init.map(|seed| format!("RANDOM WEIGHTS (seed {seed}): what the network says means nothing"))
    }

    /// Tables for the terminal.
    pub fn text(&self) -> String {
        let mut parts: Vec<String> = self.warning().iter().map(|warning| line(format_args!("{warning}."))).collect();
        parts.extend(self.file.as_ref().map(About::text));
        match quantised::text(self) {
            Some(noise) => {
                parts.extend(self.has_task().then(|| self.task_text()));
                parts.push(noise);
            }
            None => parts.push(self.validation_text()),
        }
        parts.extend(self.given_text());
        parts.extend(self.engines.iter().filter_map(|engine| self.differing_text(engine)));
        let rows: Vec<&EngineRecord> = self.engines.iter().map(|engine| &engine.row).collect();
        parts.extend(self.head.texts(&rows, &self.items));
        parts.push(self.verdict_text());
        parts.join("\n")
    }

    /// The verdict, one of three, with its reasons.
    fn verdict_text(&self) -> String {
        let (failures, unproven) = (self.failures(), &self.head.unproven);
        let lines = |word: &str, reasons: &[String]| -> String {
            reasons.iter().map(|reason| line(format_args!("{word}: {reason}."))).collect()
        };
        match (failures.as_slice(), unproven.as_slice()) {
            ([], []) => line(format_args!("Passed. {}.", self.criterion())),
            (failures, unproven) => lines("FAILED", failures) + &lines("NOT PROVEN", unproven),
        }
    }

    fn validation_text(&self) -> String {
        let same = format!("same {}", self.items);
        let task = if self.has_task() { vec![same.as_str()] } else { Vec::new() };
        let task = task.into_iter().chain(self.task_columns());
        let figures = ["error", "limit", "relative", "ULP", "cosine", "load ms", "first run ms"];
        let mut table = Table::new(["engine"].into_iter().chain(task).chain(figures));
        let dash = || "-".to_owned();
        for (index, engine) in self.engines.iter().enumerate() {
            let agreement = engine.agreement.as_ref();
            let worst = engine.worst();
            let precise = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.2e}"));
            let mut cells = vec![engine.row.engine.clone()];
            if self.has_task() {
                cells.push(agreement.map_or_else(dash, |found| out_of(found.same, found.items)));
            }
            cells.extend(self.task_columns().map(|column| engine.task_cell(column).unwrap_or_else(dash)));
            cells.extend([
                precise(match index {
                    0 => self.native_error(),
                    _ => worst.map(|output| output.absolute),
                }),
                precise(worst.map(|output| output.limit)),
                precise(worst.map(|output| output.relative)),
                worst.map_or_else(dash, |output| figure(output.ulp)),
                engine.least_cosine().map_or_else(dash, |cosine| format!("{cosine:.7}")),
                engine.row.load_ms.map_or_else(dash, figure),
                engine.row.first_run_ms.map_or_else(dash, figure),
            ]);
            table.row(cells);
        }
        let cases = self.engines.iter().find_map(|engine| Some(engine.verification.as_ref()?.cases.as_slice()));
        let labels: Vec<&str> = cases.unwrap_or_default().iter().map(|case| case.label.as_str()).collect();
        let (exact, labels) = (self.rule().exact(&self.reference), labels.join("; "));
        line(format_args!("Validation against {exact}; the worst of every output at: {labels}")) + &table.render()
    }

    /// How every engine does at the task, for a file that the limits of float32 do not suit.
    fn task_text(&self) -> String {
        let same = format!("same {}", self.items);
        let mut table = Table::new(["engine", &same].into_iter().chain(self.task_columns()));
        let dash = || "-".to_owned();
        for engine in &self.engines {
            let agreement = engine.agreement.as_ref().map_or_else(dash, |found| out_of(found.same, found.items));
            let cells = self.task_columns().map(|column| engine.task_cell(column).unwrap_or_else(dash));
            table.row([engine.row.engine.clone(), agreement].into_iter().chain(cells));
        }
        table.render()
    }

    /// How every engine compares with the outputs that the user knows to be right.
    fn given_text(&self) -> Option<String> {
        let mut table = Table::new(["engine", "error", "limit", "relative"]);
        let mut source = None;
        for engine in &self.engines {
            let Some(given) = &engine.given else { continue };
            let Some((_, worst)) = given.worst() else { continue };
            source.get_or_insert(&given.framework);
            let figures = [worst.absolute, worst.limit, worst.relative].map(|value| format!("{value:.2e}"));
            table.row([engine.row.engine.clone()].into_iter().chain(figures));
        }
        Some(format!("Compared with {}\n{}", source?, table.render()))
    }

    fn differing_text(&self, engine: &EngineReport) -> Option<String> {
        let agreement = engine.agreement.as_ref().filter(|agreement| !agreement.differing.is_empty())?;
        let mut table = Table::left(["item", self.reference.as_str(), engine.row.engine.as_str()]);
        for item in agreement.differing.iter().take(LISTED) {
            table.row([item.item.clone(), item.reference.clone(), item.found.clone()]);
        }
        let mut text = line(format_args!("{} that differ", self.items)) + &table.render();
        if agreement.differing.len() > LISTED {
            text += &format!("and {} more\n", agreement.differing.len() - LISTED);
        }
        Some(text)
    }
}
