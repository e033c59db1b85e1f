//! An evaluation as a page for browsers.

use super::report::Report;
use crate::html::{command, document, paragraph, section, table, verdict, words};
use crate::regression;
use crate::table::Grid;
use crate::timing_page;

/// The whole page.
pub fn page(report: &Report) -> String {
    let passed = format!("No engine strays further from float64 than {} may.", report.reference);
    let mut body = report.warning().map(|warning| paragraph(&format!("{warning}."))).unwrap_or_default();
    body += &verdict(&passed, &report.failures());
    body += &report.notes.iter().map(|note| paragraph(&format!("Note: {note}."))).collect::<String>();
    body += &section("Validation", &(table(&errors(report)) + &differing(report)));
    body += &section("Timing", &timing_page::timing(&report.timing, &report.items));
    if let Some(compared) = &report.compared {
        let heading = format!("Since {}", compared.with.display());
        body += &section(&heading, &command(&regression::text(&compared.changes)));
    }
    body += &section("Where it ran", &timing_page::placement(report.engines.iter().map(|engine| &engine.row)));
    body += &section("Measured on", &timing_page::machine(&report.fingerprint, Some(report.settings.threads)));
    body += &section("To repeat it", &command(&report.command));
    document(&format!("{}: evaluation", report.network), &body)
}

/// How far every output of every engine is from float64, case by case.
pub(crate) fn errors(report: &Report) -> Grid {
    let mut rows = Vec::new();
    for engine in &report.engines {
        let Some(verification) = &engine.verification else { continue };
        for case in &verification.cases {
            for output in &case.outputs {
                rows.push(vec![
                    engine.row.engine.clone(),
                    output.output.clone(),
                    case.label.clone(),
                    format!("{:.2e}", output.absolute),
                    format!("{:.2e}", verification.limit),
                    format!("{:.2e}", output.native),
                    format!("{:.2e}", output.relative),
                    format!("{:.1}", output.ulp),
                    output.cosine.map_or_else(|| "-".to_owned(), |cosine| format!("{cosine:.9}")),
                    output.not_finite.to_string(),
                ]);
            }
        }
    }
    let native = format!("{} in float32", report.reference);
    let headings = ["engine", "output", "inputs", "error", "limit", &native, "relative", "ULP", "cosine", "no numbers"];
    Grid::new(format!("Every output, against {} in float64", report.reference), &headings, rows)
}

fn differing(report: &Report) -> String {
    let mut html = String::new();
    for engine in &report.engines {
        let Some(agreement) = &engine.agreement else { continue };
        let (name, items) = (&engine.row.engine, &report.items);
        html += &paragraph(&format!("{name} gives the same for {} of {} {items}.", agreement.same, agreement.items));
        if !agreement.differing.is_empty() {
            let rows: Vec<Vec<String>> = agreement
                .differing
                .iter()
                .map(|item| vec![item.item.clone(), item.reference.clone(), item.found.clone()])
                .collect();
            let caption = format!("{items} that differ");
            html += &words(&Grid::new(caption, &["item", &report.reference, name], rows));
        }
    }
    html
}
