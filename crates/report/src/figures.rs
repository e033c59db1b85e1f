//! What belongs to a task, as HTML: confusion matrices, small pictures, the course of a training.

use std::fmt::Write;

use evaluation::history::{Epoch, Found};
use evaluation::task::{Figure, Thumbnail};
use terminal::table::{Grid, grouped};

use crate::html::{Curve, curves, escape, folded, paragraph, picture, table};

/// Small pictures that are shown at once.
const AT_ONCE: usize = 40;

/// The heading of a figure, and the figure.
pub fn figure(figure: &Figure) -> (String, String) {
    match figure {
        Figure::Confusion { labels, counts } => ("Confusion".to_owned(), confusion(labels, counts)),
        Figure::Thumbnails { title, thumbnails: shown, total } => (title.clone(), thumbnails(shown, *total)),
        Figure::List { title, items, total } => (title.clone(), list(items, *total)),
    }
}

/// The losses and what was found after each epoch.
pub fn training(epochs: &[Epoch]) -> String {
    let curve = |label: &str, colour: usize, values: Vec<f64>| Curve { label: label.to_owned(), colour, values };
    let of = |value: &dyn Fn(&Epoch) -> f64| epochs.iter().map(value).collect::<Vec<f64>>();
    let recognised = |epoch: &Epoch| match epoch.found {
        Found::Recognised { test_loss, test_correct, test_total } => Some((test_loss, test_correct, test_total)),
        Found::Answered { .. } => None,
    };
    let answered = |epoch: &Epoch| match epoch.found {
        Found::Answered { exact_match, f1, questions } => Some((exact_match, f1, questions)),
        Found::Recognised { .. } => None,
    };
    let mut html = String::new();
    let grid = if epochs.iter().all(|epoch| answered(epoch).is_some()) {
        let part = |values: fn((f64, f64, usize)) -> f64| of(&|epoch| answered(epoch).map_or(f64::NAN, values));
        let found = [curve("F1", 1, part(|found| found.1)), curve("exact match", 2, part(|found| found.0))];
        html += &curves("Questions held out, in percent", "epoch", &found);
        let rows = epochs.iter().filter_map(|epoch| {
            let (exact, f1, questions) = answered(epoch)?;
            let loss = format!("{:.4}", epoch.train_loss);
            Some(vec![
                epoch.epoch.to_string(),
                loss,
                format!("{exact:.2}"),
                format!("{f1:.2}"),
                grouped(&questions.to_string()),
            ])
        });
        Grid::new("By epoch", &["epoch", "training loss", "exact match", "F1", "questions"], rows.collect())
    } else {
        let part = |values: fn((f64, usize, usize)) -> f64| of(&|epoch| recognised(epoch).map_or(f64::NAN, values));
        let losses = [
            curve("training images", 0, of(&|epoch| epoch.train_loss)),
            curve("test images", 1, part(|found| found.0)),
        ];
        let share = part(|(_, correct, total)| 100.0 * correct as f64 / total.max(1) as f64);
        html += &curves("The mean loss; while training, dropout makes it larger", "epoch", &losses);
        html += &curves("Test images recognised, in percent", "epoch", &[curve("test images", 1, share)]);
        let rows = epochs.iter().filter_map(|epoch| {
            let (loss, correct, _) = recognised(epoch)?;
            let losses = [format!("{:.4}", epoch.train_loss), format!("{loss:.4}")];
            Some([epoch.epoch.to_string()].into_iter().chain(losses).chain([grouped(&correct.to_string())]).collect())
        });
        Grid::new("By epoch", &["epoch", "training loss", "test loss", "recognised"], rows.collect())
    };
    let parts: Vec<f64> = epochs.iter().flat_map(|epoch| epoch.losses.iter().copied()).collect();
    if !parts.is_empty() {
        let caption = format!("The training loss in the course of {} epochs, with dropout", epochs.len());
        html += &curves(&caption, "part", &[curve("mean over a part of an epoch", 0, parts)]);
    }
    html + &folded("Every figure of the training", &table(&grid))
}

fn confusion(labels: &[String], counts: &[Vec<usize>]) -> String {
    let wrong = counts.iter().enumerate().flat_map(|(label, row)| {
        row.iter().enumerate().filter(move |(answer, _)| *answer != label).map(|(_, &count)| count)
    });
    let most = wrong.max().unwrap_or(0).max(1);
    let caption = "Rows: what an image shows. Columns: what was read.";
    let mut html = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Confusion matrix\">\n<table class=\"matrix\">\n<caption>{caption}</caption>\n<thead><tr><td></td>"
    );
    for label in labels {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(label));
    }
    html += "</tr></thead>\n<tbody>\n";
    for (label, (name, row)) in labels.iter().zip(counts).enumerate() {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(name));
        for (answer, &count) in row.iter().enumerate() {
            let _ = match (label == answer, count) {
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

/// What is said above items of which not all are shown.
fn shown(count: usize, total: usize) -> String {
    match total {
        0 => paragraph("None."),
        total if total > count => paragraph(&format!("The first {count} of {}.", grouped(&total.to_string()))),
        _ => String::new(),
    }
}

fn thumbnails(thumbnails: &[Thumbnail], total: usize) -> String {
    let items: Vec<String> = thumbnails
        .iter()
        .map(|one| format!("<li>{}{}</li>\n", picture(one).unwrap_or_default(), escape(&one.caption)))
        .collect();
    let (first, more) = items.split_at(items.len().min(AT_ONCE));
    let mut html = shown(items.len(), total);
    for (items, fold) in [(first, false), (more, true)].into_iter().filter(|(items, _)| !items.is_empty()) {
        let list = format!("<ul class=\"digits\">\n{}</ul>\n", items.concat());
        html += &if fold { folded(&format!("{} more", items.len()), &list) } else { list };
    }
    html
}

fn list(items: &[String], total: usize) -> String {
    let lines: String = items.iter().map(|item| format!("<li>{}</li>\n", escape(item))).collect();
    shown(items.len(), total) + &format!("<ul>\n{lines}</ul>\n")
}
