//! From an evaluation's JSON to a chapter.

use engines::engine::TensorInfo;
use evaluation::history::command;
use evaluation::onnx_file::about::About;
use evaluation::quantised;
use evaluation::report::{Report, out_of};
use evaluation::timing_text::interval;
use evaluation::verify::Rule;
use terminal::table::Grid;

use crate::chapter::{Chapter, Claim, Recipe};
use crate::collect::{Source, title};
use crate::figures::{figure, training};
use crate::html::{facts, words};
use crate::timing_page::SCENARIOS;
use crate::trade_off::trade_off;
use crate::validation::{agreements, details, noise, validation};

/// The chapter of an evaluation.
///
/// # Errors
/// When the file is no report of this version.
pub(super) fn chapter(source: &Source<'_>) -> Result<Chapter, String> {
    let report: Report = source.parse()?;
    let mut chapter = source.chapter(&match report.file {
        Some(_) => format!("The file {}", report.name()),
        None if report.quantised.is_some() => format!("{} in 8-bit integers", title(&report.head.network)),
        None => title(&report.head.network),
    });
    chapter.criterion = format!("{}.", report.criterion());
    chapter.claims = claims(&report);
    let mut sentences = agreements(&report);
    match &report.quantised {
        Some(budget) => {
            chapter.validation = noise(&report);
            sentences.extend(quantised::integers(&report).into_iter().map(|told| told + "."));
            chapter.parts.extend(trade_off(budget).map(|drawn| ("Time against accuracy".to_owned(), drawn)));
        }
        None => {
            chapter.validation = validation(&report);
            chapter.details = vec![details(&report)];
        }
    }
    chapter.remark = Some(sentences.join(" ")).filter(|text| !text.is_empty());
    if !report.history.is_empty() {
        chapter.parts.push(("Training".to_owned(), training(&report.history)));
    }
    chapter.parts.extend(report.figures.iter().map(figure));
    if let Some(file) = &report.file {
        chapter.parts.push(("The model".to_owned(), about(file)));
        let entries = file.metadata.iter().flat_map(|metadata| &metadata.entries);
        chapter.notes.extend(entries.filter(|(key, _)| *key == "warning").map(|(_, warning)| warning.clone()));
    }
    chapter.recipes = recipes(&report, &chapter.parts);
    chapter.passed = report.head.passed;
    let unproven = report.head.unproven.iter().map(|reason| format!("not proven: {reason}"));
    chapter.failures = report.failures().into_iter().chain(unproven).collect();
    chapter.notes.extend(report.warning().into_iter().chain(report.head.notes));
    chapter.items = report.items;
    chapter.rows = report.engines.into_iter().map(|engine| engine.row).collect();
    chapter.timing = report.head.timing;
    chapter.scenarios = report.head.scenarios;
    chapter.compared = report.head.compared;
    chapter.threads = Some(report.head.settings.threads);
    chapter.fingerprint = Some(report.head.fingerprint);
    Ok(chapter)
}

/// How to repeat every figure.
fn recipes(report: &Report, parts: &[(String, String)]) -> Vec<Recipe> {
    let mut recipes = Vec::new();
    let weights = report.head.fingerprint.files.get("weights").filter(|_| !report.history.is_empty());
    if let Some(command) = weights.and_then(|mark| command(&report.head.network, &mark.path, &mark.sha256)) {
        recipes.push(Recipe::new("Training", command));
    }
    if report.file.is_none() {
        let how = if report.quantised.is_some() { "quantize" } else { "export" };
        recipes.push(Recipe::new("The ONNX file", catalogue::command(&report.head.network, how)));
    }
    let parts = parts
        .iter()
        .map(|(heading, _)| heading.as_str())
        .filter(|heading| !["Training", "The model"].contains(heading));
    let scenarios = Some(SCENARIOS).filter(|_| !report.head.scenarios.is_empty());
    for figure in ["Validation"].into_iter().chain(parts).chain(["Timing", "Where it ran"]).chain(scenarios) {
        recipes.push(Recipe::new(figure, report.command.clone()));
    }
    recipes
}

/// What the reference achieves, what the engine does that agrees least, and how far the farthest engine is from its limit.
fn claims(report: &Report) -> Vec<Claim> {
    let random = report.random_init.map(|seed| format!("random (seed {seed}): what it says means nothing"));
    let mut claims: Vec<Claim> = random.map(|value| Claim::new("Weights", value)).into_iter().collect();
    let metrics = report.engines.first().map(|engine| engine.metrics.as_slice()).unwrap_or_default();
    claims.extend(metrics.iter().map(|metric| Claim::new(&metric.name, metric.text())));
    let agreements = || report.engines.iter().filter_map(|engine| engine.agreement.as_ref());
    if let Some(least) = agreements().min_by_key(|found| found.same) {
        let value = format!("{} {}", out_of(least.same, least.items), report.items);
        claims.push(Claim::new("Same result under every engine", value));
    }
    if let Some(budget) = report.quantised.as_ref().filter(|budget| budget.float.is_some()) {
        let drops = report.engines.iter().filter_map(|engine| engine.fidelity.as_ref()?.drop);
        let lost = drops.reduce(f64::max).map(|drop| format!("{:.2} % of {}", 100.0 * drop, budget.metric.words()));
        claims.extend(lost.map(|lost| Claim::new("Lost beside the float model", lost)));
        let timed = report.head.timing.first().and_then(|batch| batch.engines.iter().find_map(|engine| engine.speedup));
        claims.extend(timed.map(|times| Claim::new("Times as fast as the float model", interval(times))));
    }
    let verifications = report.engines.iter().filter_map(|engine| engine.verification.as_ref());
    let used = verifications.filter_map(|found| Some(found.worst()?.1.used())).reduce(f64::max);
    if let Some(used) = used {
        let (what, limit) = match report.rule() {
            Rule::Float32(_) => ("Farthest from float64", "what float32 may deviate"),
            Rule::Share(_) => ("Farthest from float64", "the limit"),
            Rule::Apart(_) => ("Farthest from the reference", "the limit"),
        };
        claims.push(Claim::new(what, format!("{:.0} % of {limit}", 100.0 * used)));
    }
    claims
}

/// What a file takes and gives, and what it says about itself.
fn about(file: &About) -> String {
    let rows = |kind: &str, tensors: &[TensorInfo]| {
        tensors.iter().map(|tensor| vec![tensor.to_string(), kind.to_owned()]).collect::<Vec<_>>()
    };
    let mut tensors = rows("input", &file.signature.inputs);
    tensors.extend(rows("output", &file.signature.outputs));
    let mut html = words(&Grid::new("What it takes and gives", &["tensor", "kind"], tensors));
    if let Some(metadata) = &file.metadata {
        let mut pairs = vec![("Written by", metadata.producer.clone()), ("Graph", metadata.graph.clone())];
        pairs.extend(metadata.entries.iter().map(|(key, value)| (key.as_str(), value.clone())));
        html += &facts(&pairs);
    }
    html
}
