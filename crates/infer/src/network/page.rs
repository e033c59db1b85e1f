//! An evaluation as a page for browsers.

use super::report::{EngineReport, Report};
use crate::html::{command, document, folded, paragraph, section, table, verdict};
use crate::table::Grid;
use crate::timing_page::{self, departures};

/// The whole page.
pub fn page(report: &Report) -> String {
    let passed = format!("{}.", report.rule().criterion(&report.reference));
    let mut body = report.warning().map(|warning| paragraph(&format!("{warning}."))).unwrap_or_default();
    body += &verdict(&passed, &report.failures());
    body += &departures(report.engines.iter().map(|engine| &engine.row));
    body += &report.head.notes.iter().map(|note| paragraph(&format!("Note: {note}."))).collect::<String>();
    body += &report.file.as_ref().map(|file| section("The model", &file.html())).unwrap_or_default();
    let tables: String = validation(report).iter().map(table).collect();
    let sentences: String = agreements(report).iter().map(|sentence| paragraph(sentence)).collect();
    let details = details(report);
    body += &section("Validation", &(tables + &sentences + &folded(&details.caption, &table(&details))));
    body += &timing_page::parts(&report.head, &report.items)
        .iter()
        .map(|(heading, html)| section(heading, html))
        .collect::<String>();
    body += &section("Where it ran", &timing_page::placement(report.engines.iter().map(|engine| &engine.row)));
    body +=
        &section("Measured on", &timing_page::machine(&report.head.fingerprint, Some(report.head.settings.threads)));
    body += &section("To repeat it", &command(&report.command));
    document(&format!("{}: evaluation", report.name()), &body)
}

/// How far every engine strays from float64 at most, and the items whose results differ.
pub(crate) fn validation(report: &Report) -> Vec<Grid> {
    std::iter::once(worst(report)).chain(report.engines.iter().filter_map(|engine| differing(report, engine))).collect()
}

/// How many items each engine agrees on, in sentences.
pub(crate) fn agreements(report: &Report) -> Vec<String> {
    report
        .engines
        .iter()
        .filter_map(|engine| Some((&engine.row.engine, engine.agreement.as_ref()?)))
        .map(|(name, found)| format!("{name} gives the same for {} of {} {}.", found.same, found.items, report.items))
        .collect()
}

/// The worst of every engine.
fn worst(report: &Report) -> Grid {
    let dash = || "-".to_owned();
    let rows = report.engines.iter().filter_map(|engine| {
        let verification = engine.verification.as_ref()?;
        let precise = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.2e}"));
        let worst = engine.worst();
        let same = engine.agreement.as_ref().map_or_else(dash, |found| format!("{} of {}", found.same, found.items));
        let mut cells = vec![engine.row.engine.clone()];
        cells.extend(report.has_task().then_some(same));
        cells.extend([
            precise(worst.map(|output| output.absolute)),
            precise(worst.map(|output| output.limit)),
            precise(worst.map(|output| output.relative)),
            worst.map_or_else(dash, |output| format!("{:.1}", output.ulp)),
            engine.least_cosine().map_or_else(dash, |cosine| format!("{cosine:.9}")),
            if verification.passed { "yes" } else { "no" }.to_owned(),
        ]);
        Some(cells)
    });
    let same = format!("same {}", report.items);
    let task = report.has_task().then_some(same.as_str());
    let figures = ["error", "limit", "relative", "ULP", "cosine", "within the limit"];
    let headings: Vec<&str> = ["engine"].into_iter().chain(task).chain(figures).collect();
    let exact = report.rule().exact(&report.reference);
    Grid::new(format!("The worst of all outputs, against {exact}"), &headings, rows.collect())
}

/// How far every output of every case strays from float64.
pub(crate) fn details(report: &Report) -> Grid {
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
                    format!("{:.2e}", output.limit),
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
    Grid::new(format!("Every output, against {}", report.rule().exact(&report.reference)), &headings, rows)
}

/// The items for which an engine gives another result than the framework, if there are any.
fn differing(report: &Report, engine: &EngineReport) -> Option<Grid> {
    let agreement = engine.agreement.as_ref().filter(|agreement| !agreement.differing.is_empty())?;
    let rows = agreement.differing.iter();
    let rows = rows.map(|item| vec![item.item.clone(), item.reference.clone(), item.found.clone()]).collect();
    let headings = ["item", report.reference.as_str(), engine.row.engine.as_str()];
    Some(Grid::new(format!("{} that differ", report.items), &headings, rows))
}
