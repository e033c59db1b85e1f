//! The chapter of a network whose weights come from elsewhere.

use std::path::PathBuf;

use artifact::Digest;
use serde_json::Value;

use crate::network::page::{agreements, details, validation};
use crate::network::report::Report;
use crate::report::chapter::{Chapter, Claim, Recipe};
use crate::report::collect::{Source, title};
use crate::report::other::{random_claim, squad, squad_claims};
use crate::timing_page::SCENARIOS;

pub(super) fn chapter(source: &Source<'_>) -> Result<Chapter, String> {
    let report: Report = source.parse()?;
    let mut chapter = source.chapter(&title(source.id));
    chapter.criterion = format!("No engine strays further from float64 than {} may.", report.reference);
    chapter.claims = claims(&report);
    chapter.validation = validation(&report);
    chapter.details = vec![details(&report)];
    let sentences = agreements(&report);
    chapter.remark = Some(sentences.join(" ")).filter(|text| !text.is_empty());
    if let Some(squad) = Squad::beside(source) {
        squad.tell(&mut chapter, report.head.fingerprint.files.get("model").map(|mark| mark.sha256));
    }
    let scenarios = Some(SCENARIOS).filter(|_| !report.head.scenarios.is_empty());
    for figure in ["Validation", "Timing", "Where it ran"].into_iter().chain(scenarios) {
        chapter.recipes.push(Recipe::new(figure, report.command.clone()));
    }
    chapter.recipes.push(Recipe::new("The ONNX file", format!("cargo xtask export {}", source.id)));
    chapter.passed = report.head.passed;
    chapter.failures = report.failures();
    chapter.notes.extend(report.warning().into_iter().chain(report.head.notes));
    chapter.items = report.items;
    chapter.rows = report.engines.into_iter().map(|engine| engine.row).collect();
    chapter.timing = report.head.timing;
    chapter.scenarios = report.head.scenarios;
    chapter.threads = Some(report.head.settings.threads);
    chapter.fingerprint = Some(report.head.fingerprint);
    Ok(chapter)
}

/// SQuAD's figures: `squad.json` beside the evaluation.
struct Squad {
    path: PathBuf,
    value: Value,
}

impl Squad {
    /// The figures, if there are any.
    fn beside(source: &Source<'_>) -> Option<Self> {
        let path = source.path.with_file_name("squad.json");
        let value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        Some(Self { path, value })
    }

    /// Adds them to the chapter, if they are of the same model.
    fn tell(&self, chapter: &mut Chapter, model: Option<Digest>) {
        let told = self.value.pointer("/fingerprint/files/model/sha256").and_then(Value::as_str);
        if told.and_then(|text| text.parse().ok()) != model {
            chapter.notes.push(format!("{} is not of this model, and is left out", self.path.display()));
            return;
        }
        let engines = self.value.get("engines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        chapter.claims.extend(squad_claims(engines));
        chapter.validation.push(squad(engines));
        if let Some(file) = self.value.get("squad").and_then(Value::as_str) {
            chapter.recipes.push(Recipe::new("SQuAD", format!("cargo xtask eval {} --squad {file}", chapter.id)));
        }
    }
}

/// What the engine does that agrees least.
fn claims(report: &Report) -> Vec<Claim> {
    let mut claims: Vec<Claim> = report.random_init.map(random_claim).into_iter().collect();
    let agreements = || report.engines.iter().filter_map(|engine| engine.agreement.as_ref());
    if let Some(least) = agreements().min_by_key(|found| found.same) {
        let value = format!("{} of {} {}", least.same, least.items, report.items);
        claims.push(Claim::new("Same result under every engine", value));
    }
    let shares = report.engines.iter().filter_map(|engine| engine.verification.as_ref());
    let worst = shares.flat_map(|found| found.cases.iter().map(|case| case.error / found.limit)).reduce(f64::max);
    if let Some(worst) = worst {
        claims.push(Claim::new("Farthest from float64", format!("{:.0} % of what float32 may stray", 100.0 * worst)));
    }
    claims
}
