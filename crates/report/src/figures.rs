//! What belongs to a task, as HTML: confusion matrices, small pictures, the course of a training.

use std::fmt::Write;

use evaluation::history::Epoch;
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

/// The loss and what was recognised, epoch by epoch.
pub fn training(epochs: &[Epoch]) -> String {
    let curve = |label: &str, colour: usize, value: fn(&Epoch) -> f64| Curve {
        label: label.to_owned(),
        colour,
        values: epochs.iter().map(value).collect(),
    };
    let share = |epoch: &Epoch| 100.0 * epoch.test_correct as f64 / epoch.test_total.max(1) as f64;
    let losses =
        [curve("training images", 0, |epoch| epoch.train_loss), curve("test images", 1, |epoch| epoch.test_loss)];
    let rows = epochs.iter().map(|epoch| {
        vec![
            epoch.epoch.to_string(),
            format!("{:.4}", epoch.train_loss),
            format!("{:.4}", epoch.test_loss),
            grouped(&epoch.test_correct.to_string()),
        ]
    });
    let grid = Grid::new("By epoch", &["epoch", "training loss", "test loss", "recognised"], rows.collect());
    curves("The mean loss; while training, dropout makes it larger", "epoch", &losses)
        + &curves("Test images recognised, in percent", "epoch", &[curve("test images", 1, share)])
        + &folded("Every figure of the training", &table(&grid))
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
