//! The result for a model from anywhere as a page for browsers.

use crate::any_model::report::Report;
use crate::engine::TensorInfo;
use crate::html::{command, document, facts, paragraph, section, table, verdict, words};
use crate::table::Grid;
use crate::timing_page::{self, departures};

/// The whole page.
pub fn page(report: &Report) -> String {
    let model = report.fingerprint.files.get("model").map(|mark| mark.path.display().to_string()).unwrap_or_default();
    let mut body = verdict(&format!("Every engine agrees with {}.", report.reference), &report.failures());
    body += &departures(report.engines.iter().map(|engine| &engine.row));
    body += &report.notes.iter().map(|note| paragraph(&format!("Note: {note}."))).collect::<String>();
    body += &section("The model", &about(report));
    body += &section("Validation", &table(&validation(report)));
    body += &section("Timing", &timing_page::timing(std::slice::from_ref(&report.timing), "items"));
    body += &section("Where it ran", &timing_page::placement(report.engines.iter().map(|engine| &engine.row)));
    body += &section("Measured on", &timing_page::machine(&report.fingerprint, Some(report.threads)));
    let shapes: String = report.sizes.iter().map(|(axis, size)| format!(" --shape {axis}={size}")).collect();
    // The first is the reference.
    let engines: Vec<&str> = report.engines.iter().skip(1).map(|engine| engine.row.engine.as_str()).collect();
    let engines = if engines.is_empty() { String::new() } else { format!(" --engines {}", engines.join(",")) };
    let repeat = format!("cargo xtask eval --onnx {model}{shapes}{engines} --threads {}", report.threads);
    body += &section("To repeat it", &command(&repeat));
    document(&format!("{model}: evaluation"), &body)
}

/// Inputs, outputs and what the file says about itself.
pub(crate) fn about(report: &Report) -> String {
    let rows = |kind: &str, tensors: &[TensorInfo]| {
        tensors.iter().map(|tensor| vec![tensor.to_string(), kind.to_owned()]).collect::<Vec<_>>()
    };
    let mut rows_of_both = rows("input", &report.signature.inputs);
    rows_of_both.extend(rows("output", &report.signature.outputs));
    let mut html = words(&Grid::new("What it takes and gives", &["tensor", "kind"], rows_of_both));
    if let Some(metadata) = &report.metadata {
        let mut pairs = vec![("Written by", metadata.producer.clone()), ("Graph", metadata.graph.clone())];
        pairs.extend(metadata.entries.iter().map(|(key, value)| (key.as_str(), value.clone())));
        html += &facts(&pairs);
    }
    html
}

/// How far every engine is from the reference, case by case.
pub(crate) fn validation(report: &Report) -> Grid {
    let rows: Vec<Vec<String>> = report
        .engines
        .iter()
        .flat_map(|engine| engine.differences.iter().map(|difference| (&engine.row.engine, difference)))
        .map(|(engine, difference)| {
            vec![
                engine.clone(),
                difference.output.clone(),
                difference.case.clone(),
                format!("{:.2e}", difference.max_absolute),
                format!("{:.2e}", difference.max_relative),
                difference.cosine.map_or_else(|| "-".to_owned(), |cosine| format!("{cosine:.7}")),
                if difference.within(report.tolerance) { "yes" } else { "no" }.to_owned(),
            ]
        })
        .collect();
    let headings = ["engine", "output", "sizes", "difference", "relative", "cosine", "within the limit"];
    let caption = format!("Against {}; the limit is {:.2e} of the largest value", report.reference, report.tolerance);
    Grid::new(caption, &headings, rows)
}
