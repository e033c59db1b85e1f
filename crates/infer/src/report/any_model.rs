//! The chapter of a file from anywhere.

use crate::any_model::page::{about, validation};
use crate::any_model::report::Report;
use crate::report::chapter::{Chapter, Claim, Recipe};
use crate::report::collect::{Source, title};

pub(super) fn chapter(source: &Source<'_>) -> Result<Chapter, String> {
    let report: Report = source.parse()?;
    let model = report.fingerprint.files.get("model").map(|mark| mark.path.display().to_string()).unwrap_or_default();
    let mut chapter = source.chapter(&match source.id {
        "onnx" => format!("The file {model}"),
        id => title(id),
    });
    chapter.criterion = format!("Every engine agrees with {}.", report.reference);
    let worst = report
        .engines
        .iter()
        .filter_map(|engine| engine.worst())
        .map(|worst| worst.max_relative)
        .fold(None, |most: Option<f64>, one| Some(most.map_or(one, |most| most.max(one))));
    if let Some(worst) = worst {
        chapter.claims.push(Claim::new(
            "Largest difference between engines",
            format!("{worst:.1e} of the largest value; the limit is {:.1e}", report.tolerance),
        ));
    }
    chapter.parts.push(("The model".to_owned(), about(&report)));
    chapter.validation = vec![validation(&report)];
    let shapes: String = report.sizes.iter().map(|(axis, size)| format!(" --shape {axis}={size}")).collect();
    let engines: Vec<&str> = report.engines.iter().skip(1).map(|engine| engine.row.engine.as_str()).collect();
    let engines = if engines.is_empty() { String::new() } else { format!(" --engines {}", engines.join(",")) };
    let out = if source.id == "onnx" { String::new() } else { format!(" --out {}", source.path.display()) };
    let command = format!("cargo xtask eval --onnx {model}{shapes}{engines} --threads {}{out}", report.threads);
    for figure in ["Validation", "Timing", "Where it ran"] {
        chapter.recipes.push(Recipe::new(figure, command.clone()));
    }
    chapter.passed = report.passed;
    chapter.failures = report.failures();
    chapter.notes = report.notes;
    chapter.notes.extend(report.metadata.iter().filter_map(|metadata| metadata.entries.get("warning").cloned()));
    chapter.rows = report.engines.into_iter().map(|engine| engine.row).collect();
    chapter.timing = vec![report.timing];
    chapter.threads = Some(report.threads);
    chapter.fingerprint = Some(report.fingerprint);
    Ok(chapter)
}
