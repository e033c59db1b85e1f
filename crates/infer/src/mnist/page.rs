//! An evaluation as a page for browsers.

use std::fmt::Write;

use models::mnist_digits::Digits;

use crate::html::{Curve, command, curves, digit, document, escape, folded, paragraph, section, table, verdict};
use crate::mnist::evaluate::{Misread, Reference};
use crate::mnist::report::{EngineReport, Report};
use crate::mnist::training::Epoch;
use crate::table::{Grid, figure, grouped};
use crate::timing_page::{self, departures};

/// What the limit of the validation is.
pub(crate) const LIMIT: &str = "The limit is not a guess: the network also runs in float64, and how far Burn's own float32 strays \
     from that says how far float32 may. Relative and ULP (units in the last place) refer to the largest output of the same image.";

/// Misread digits that are shown.
const SHOWN: usize = 60;

/// Those of them that are shown before a reader asks for more.
const AT_ONCE: usize = 24;

/// The whole page; `digits` are those that were validated.
pub fn page(report: &Report, digits: &Digits) -> String {
    let images = grouped(&report.reference.images.to_string());
    let mut body = verdict(
        &format!("Every engine gives the same digit as {} for all {images} test images.", report.reference.engine),
        &report.failures(),
    );
    body += &departures(report.engines.iter().map(|engine| &engine.row));
    body += &report.head.notes.iter().map(|note| paragraph(&format!("Note: {note}."))).collect::<String>();
    body += &summary(report);
    body += &section("Validation", &(table(&validation(report)) + &paragraph(LIMIT)));
    if !report.training.is_empty() {
        body += &section("Training", &training(&report.training));
    }
    body += &timing_page::parts(&report.head, "images")
        .iter()
        .map(|(heading, html)| section(heading, html))
        .collect::<String>();
    body += &section("Where it ran", &timing_page::placement(report.engines.iter().map(|engine| &engine.row)));
    body += &section("Confusion", &confusion(&report.reference));
    body += &section("The digits that were misread", &misread(&report.reference, Some(digits)));
    body +=
        &section("Measured on", &timing_page::machine(&report.head.fingerprint, Some(report.head.settings.threads)));
    let settings = &report.head.settings;
    let repeat = format!("cargo xtask eval mnist --threads {} --seconds {}", settings.threads, settings.seconds);
    body += &section("To repeat it", &command(&repeat));
    document("MNIST CNN: evaluation", &body)
}

/// The fastest engine for one image and for many.
fn summary(report: &Report) -> String {
    let mut text = String::new();
    if let Some(single) = report.head.timing.iter().find(|timing| timing.batch == 1)
        && let Some(fastest) =
            single.engines.iter().min_by(|a, b| a.series.latency_ms.p50.total_cmp(&b.series.latency_ms.p50))
    {
        let latency = figure(fastest.series.latency_ms.p50);
        text += &format!("Fastest for one image: {}, {latency} ms at the median. ", fastest.series.engine);
    }
    let all =
        report.head.timing.iter().flat_map(|timing| timing.engines.iter().map(move |engine| (timing.batch, engine)));
    if let Some((batch, most)) = all.max_by(|(_, a), (_, b)| a.items_per_second.total_cmp(&b.items_per_second)) {
        let rate = figure(most.items_per_second);
        text += &format!("Most images a second: {}, {rate} at batch {batch}.", most.series.engine);
    }
    paragraph(&text)
}

/// How right every engine is.
pub(crate) fn validation(report: &Report) -> Grid {
    let dash = || "-".to_owned();
    let scientific = |value: f64| format!("{value:.2e}");
    let rows: Vec<Vec<String>> = report
        .engines
        .iter()
        .map(|EngineReport { row, outcome }| {
            let agreement = outcome.agreement.as_ref();
            let verification = outcome.verification.as_ref();
            let strays = verification.map(|found| found.cases.iter().fold(0.0, |most: f64, case| most.max(case.error)));
            vec![
                row.engine.clone(),
                outcome.accuracy.as_ref().map_or_else(dash, |found| grouped(&found.correct.to_string())),
                outcome.accuracy.as_ref().map_or_else(dash, |found| format!("{:.2} %", 100.0 * found.accuracy)),
                agreement.map_or_else(dash, |found| grouped(&found.agreeing.to_string())),
                agreement.map_or_else(dash, |found| scientific(found.difference.max_absolute)),
                agreement.map_or_else(dash, |found| scientific(found.difference.max_relative)),
                agreement.map_or_else(dash, |found| format!("{:.1}", found.difference.max_ulp)),
                strays.map_or_else(dash, scientific),
                verification.map_or_else(dash, |found| scientific(found.limit())),
            ]
        })
        .collect();
    let headings =
        ["engine", "correct", "accuracy", "same digit", "difference", "relative", "ULP", "from float64", "limit"];
    let caption = format!(
        "On {} test digits, against {}",
        grouped(&report.reference.images.to_string()),
        report.reference.engine
    );
    Grid::new(caption, &headings, rows)
}

/// The loss and what was recognised, epoch by epoch.
pub(crate) fn training(epochs: &[Epoch]) -> String {
    let curve = |label: &str, colour: usize, value: fn(&Epoch) -> f64| Curve {
        label: label.to_owned(),
        colour,
        values: epochs.iter().map(value).collect(),
    };
    let share = |epoch: &Epoch| 100.0 * epoch.test_correct as f64 / epoch.test_total.max(1) as f64;
    let losses =
        [curve("training images", 0, |epoch| epoch.train_loss), curve("test images", 1, |epoch| epoch.test_loss)];
    let rows: Vec<Vec<String>> = epochs
        .iter()
        .map(|epoch| {
            vec![
                epoch.epoch.to_string(),
                format!("{:.4}", epoch.train_loss),
                format!("{:.4}", epoch.test_loss),
                grouped(&epoch.test_correct.to_string()),
            ]
        })
        .collect();
    curves("The mean loss; while training, dropout makes it larger", "epoch", &losses)
        + &curves("Test images recognised, in percent", "epoch", &[curve("test images", 1, share)])
        + &folded(
            "Every figure of the training",
            &table(&Grid::new("By epoch", &["epoch", "training loss", "test loss", "recognised"], rows)),
        )
}

/// What was read as what.
pub(crate) fn confusion(reference: &Reference) -> String {
    let most = reference.confusion.iter().enumerate().flat_map(|(label, row)| {
        row.iter().enumerate().filter(move |(digit, _)| *digit != label).map(|(_, &count)| count)
    });
    let most = most.max().unwrap_or(0).max(1);
    let caption = "Rows: what an image shows. Columns: what was read.";
    let mut html = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Confusion matrix\">\n<table class=\"matrix\">\n<caption>{caption}</caption>\n<thead><tr><td></td>"
    );
    for digit in 0..reference.confusion.len() {
        let _ = write!(html, "<th scope=\"col\">{digit}</th>");
    }
    html += "</tr></thead>\n<tbody>\n";
    for (label, row) in reference.confusion.iter().enumerate() {
        let _ = write!(html, "<tr><th scope=\"row\">{label}</th>");
        for (digit, &count) in row.iter().enumerate() {
            let _ = match (label == digit, count) {
                (true, _) => write!(html, "<td><strong>{}</strong></td>", grouped(&count.to_string())),
                (false, 0) => write!(html, "<td></td>"),
                (false, count) => {
                    // At most a half, so that the figure stays legible in light and dark.
                    let share = 12 + 38 * count / most;
                    write!(html, "<td style=\"--share:{share}%\">{count}</td>")
                }
            };
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n"
}

/// The digits that were misread; without pictures if there are no `digits`.
pub(crate) fn misread(reference: &Reference, digits: Option<&Digits>) -> String {
    if reference.misread.is_empty() {
        return paragraph("None.");
    }
    let mut html = String::new();
    if reference.misread.len() > SHOWN {
        html += &paragraph(&format!("The first {SHOWN} of {}.", grouped(&reference.misread.len().to_string())));
    }
    let shown: Vec<String> = reference.misread.iter().take(SHOWN).map(|item| misread_item(item, digits)).collect();
    let (first, more) = shown.split_at(shown.len().min(AT_ONCE));
    html += &format!("<ul class=\"digits\">\n{}</ul>\n", first.concat());
    if !more.is_empty() {
        html += &folded(&format!("{} more", more.len()), &format!("<ul class=\"digits\">\n{}</ul>\n", more.concat()));
    }
    html
}

fn misread_item(item: &Misread, digits: Option<&Digits>) -> String {
    let picture = digits.and_then(|digits| digits.image(item.index)).and_then(|pixels| {
        digit(pixels, &format!("Test image {}, a {} that was read as {}", item.index, item.label, item.digit))
    });
    let text = format!("{}: a {}, read as {} ({:.0} %)", item.index, item.label, item.digit, 100.0 * item.probability);
    format!("<li>{}{}</li>\n", picture.unwrap_or_default(), escape(&text))
}
