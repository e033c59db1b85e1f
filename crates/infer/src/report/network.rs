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
use crate::verify::Rule;

pub(super) fn chapter(source: &Source<'_>) -> Result<Chapter, String> {
    let report: Report = source.parse()?;
    let mut chapter = source.chapter(&match report.file {
        Some(_) if source.id == report.head.network => format!("The file {}", report.name()),
        _ => title(source.id),
    });
    chapter.criterion = format!("{}.", report.rule().criterion(&report.reference));
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
    match &report.file {
        Some(file) => {
            chapter.parts.push(("The model".to_owned(), file.html()));
            let entries = file.metadata.iter().flat_map(|metadata| &metadata.entries);
            chapter.notes.extend(entries.filter(|(key, _)| *key == "warning").map(|(_, warning)| warning.clone()));
        }
        None => chapter.recipes.push(Recipe::new("The ONNX file", format!("cargo xtask export {}", source.id))),
    }
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
    let verifications = report.engines.iter().filter_map(|engine| engine.verification.as_ref());
    let used = verifications.filter_map(|found| Some(found.worst()?.1.used())).reduce(f64::max);
    if let Some(used) = used {
        let (what, limit) = match report.rule() {
            Rule::Float32(_) => ("Farthest from float64", "what float32 may stray"),
            Rule::Share(_) => ("Farthest from float64", "the limit"),
            Rule::Apart(_) => ("Farthest from the reference", "the limit"),
        };
        claims.push(Claim::new(what, format!("{:.0} % of {limit}", 100.0 * used)));
    }
    claims
}
