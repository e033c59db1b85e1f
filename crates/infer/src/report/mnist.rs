//! The chapter of the MNIST CNN.

use std::path::Path;

use models::mnist_digits::Digits;

use crate::html::paragraph;
use crate::mnist::page::{LIMIT, confusion, misread, training as history, validation};
use crate::mnist::report::Report;
use crate::mnist::training;
use crate::report::chapter::{Chapter, Claim, Recipe};
use crate::report::collect::{Source, title};
use crate::table::grouped;
use crate::timing_page::SCENARIOS;

/// Where the files lie unless the user says otherwise.
const MODEL: &str = "artifacts/mnist/mnist.onnx";
const WEIGHTS: &str = "artifacts/mnist/model.safetensors";
const OUT: &str = "artifacts/mnist/eval.json";

/// All test images of MNIST.
const TEST_IMAGES: usize = 10_000;

pub(super) fn chapter(source: &Source<'_>, digits: Option<&Digits>) -> Result<Chapter, String> {
    let report: Report = source.parse()?;
    let images = grouped(&report.reference.images.to_string());
    let mut chapter = source.chapter(&title(source.id));
    chapter.criterion =
        format!("Every engine gives the same digit as {} for all {images} test images.", report.reference.engine);
    chapter.claims = claims(&report, &images);
    chapter.recipes = recipes(&report, source.path);
    chapter.items = "images".to_owned();
    chapter.validation = vec![validation(&report)];
    chapter.remark = Some(LIMIT.to_owned());
    if !report.training.is_empty() {
        chapter.parts.push(("Training".to_owned(), history(&report.training)));
    }
    chapter.parts.push(("Confusion".to_owned(), confusion(&report.reference)));
    let pictures = digits.is_none_or(|digits| digits.len() < report.reference.images);
    let mut wrong = misread(&report.reference, digits);
    if pictures && !report.reference.misread.is_empty() {
        wrong =
            paragraph("Without pictures: the test images are not here (`cargo xtask fetch mnist` gets them).") + &wrong;
    }
    chapter.parts.push(("The digits that were misread".to_owned(), wrong));
    chapter.passed = report.head.passed;
    chapter.failures = report.failures();
    chapter.notes = report.head.notes;
    chapter.rows = report.engines.into_iter().map(|engine| engine.row).collect();
    chapter.timing = report.head.timing;
    chapter.scenarios = report.head.scenarios;
    chapter.threads = Some(report.head.settings.threads);
    chapter.fingerprint = Some(report.head.fingerprint);
    Ok(chapter)
}

fn claims(report: &Report, images: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    let first = report.engines.first().and_then(|engine| engine.outcome.accuracy.as_ref());
    if let Some(accuracy) = first {
        let correct = grouped(&accuracy.correct.to_string());
        claims.push(Claim::new(
            "Test digits recognised",
            format!("{correct} of {images} ({:.2} %)", 100.0 * accuracy.accuracy),
        ));
    }
    let agreeing =
        report.engines.iter().filter_map(|engine| engine.outcome.agreement.as_ref()).map(|found| found.agreeing).min();
    if let Some(agreeing) = agreeing {
        claims.push(Claim::new(
            "Same digit under every engine",
            format!("{} of {images}", grouped(&agreeing.to_string())),
        ));
    }
    claims
}

fn recipes(report: &Report, source: &Path) -> Vec<Recipe> {
    let mark = |role: &str| report.head.fingerprint.files.get(role);
    let settings = &report.head.settings;
    let place = |role: &str, option: &str, usual: &str| {
        let path = mark(role).map(|mark| mark.path.display().to_string()).filter(|path| path != usual);
        path.map(|path| format!(" {option} {path}")).unwrap_or_default()
    };
    let (weights, model) = (place("weights", "--weights", WEIGHTS), place("model", "--out", MODEL));
    let mut recipes = Vec::new();
    if let Some(command) = mark("weights").and_then(|mark| training::command(&mark.path, &mark.sha256)) {
        recipes.push(Recipe::new("Training", command));
    }
    // The first is the framework, which is always there.
    let engines: Vec<&str> = report.engines.iter().skip(1).map(|engine| engine.row.engine.as_str()).collect();
    let batches: Vec<String> = report.head.timing.iter().map(|timing| timing.batch.to_string()).collect();
    let mut command = format!("cargo xtask eval mnist --threads {} --seconds {}", settings.threads, settings.seconds);
    for (option, values) in [("--batches", batches.join(",")), ("--engines", engines.join(","))] {
        if !values.is_empty() {
            command += &format!(" {option} {values}");
        }
    }
    if report.reference.images != TEST_IMAGES {
        command += &format!(" --limit {}", report.reference.images);
    }
    command += &place("model", "--model", MODEL);
    command += &weights;
    if source != Path::new(OUT) {
        command += &format!(" --out {}", source.display());
    }
    recipes.push(Recipe::new("The ONNX file", format!("cargo xtask export mnist{weights}{model}")));
    for figure in ["Validation", "Confusion", "The digits that were misread", "Timing", "Where it ran"] {
        recipes.push(Recipe::new(figure, command.clone()));
    }
    let mut scenarios: Vec<&str> = report.head.scenarios.iter().map(|result| result.scenario.name()).collect();
    scenarios.dedup();
    if !scenarios.is_empty() {
        recipes.push(Recipe::new(SCENARIOS, format!("{command} --scenario {}", scenarios.join(","))));
    }
    recipes
}
