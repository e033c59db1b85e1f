//! The report as Markdown, for terminals, reviews and wikis.

use std::fmt::Write;

use artifact::GENERATOR;

use crate::chapter::Chapter;
use crate::collect::Evidence;
use crate::page::{fastest, most};
use crate::summary::summary;
use crate::timing_page::SCENARIOS;
use evaluation::scenario;
use evaluation::timing_text;
use terminal::table::Grid;

/// The whole report, without pictures.
pub fn markdown(evidence: &[Evidence]) -> String {
    let short = summary(evidence);
    let mut text = format!(
        "<!-- generator: {GENERATOR} -->\n\n# Kiln: what the networks do, and how fast\n\n**{}**\n\n",
        plain(&short.sentence())
    );
    let rows = short
        .networks
        .iter()
        .map(|network| {
            let claims: Vec<String> =
                network.claims.iter().map(|claim| format!("{}: {}", claim.what, claim.value)).collect();
            vec![
                network.title.clone(),
                if network.passed { "passed" } else { "FAILED" }.to_owned(),
                claims.join("; "),
                network.fastest.as_ref().map_or_else(|| "-".to_owned(), fastest),
                network
                    .most
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |leader| format!("{} {}", most(leader), network.items)),
            ]
        })
        .collect();
    text += &table(&Grid::new("", &["network", "result", "at its task", "fastest", "most a second"], rows));
    for unreadable in &short.unreadable {
        let _ = writeln!(text, "- FAILED: {}", plain(&unreadable.to_string()));
    }
    for chapter in evidence.iter().flatten() {
        text += &whole(chapter);
    }
    text += "\n## How to reproduce it\n\nFrom nothing: `cargo xtask run`. This report: `cargo xtask report`. Figure by figure:\n\n";
    let rows = short.networks.iter().flat_map(|network| {
        network.commands.iter().map(|recipe| vec![recipe.figure.clone(), network.title.clone(), recipe.command.clone()])
    });
    text + &table(&Grid::new("", &["figure", "network", "command"], rows.collect()))
}

fn whole(chapter: &Chapter) -> String {
    let mut text = format!("\n## {}\n\n", plain(&chapter.title));
    match chapter.failures.as_slice() {
        [] => text += &format!("Passed. {}\n", plain(&chapter.criterion)),
        failures => {
            text += &failures.iter().map(|failure| format!("- FAILED: {}\n", plain(failure))).collect::<String>()
        }
    }
    let departed = chapter.rows.iter().filter_map(|row| row.departed());
    text += &departed.map(|departed| format!("- {}.\n", plain(&departed))).collect::<String>();
    text += &chapter.notes.iter().map(|note| format!("- Note: {}\n", plain(note))).collect::<String>();
    if !chapter.validation.is_empty() || !chapter.details.is_empty() {
        text += "\n### Validation\n";
    }
    for grid in chapter.validation.iter().chain(&chapter.details) {
        let _ = write!(text, "\n{}:\n\n{}", plain(&grid.caption), table(grid));
    }
    if !chapter.timing.is_empty() {
        let latencies = chapter.timing.iter().flat_map(|batch| &batch.engines).map(|engine| &engine.series.latency_ms);
        let why = timing_text::too_few(latencies).map(|why| format!("\n{}\n", plain(&why))).unwrap_or_default();
        let _ = write!(text, "\n### Timing\n\n{}{why}", table(&timing(chapter)));
    }
    if let Some(grid) = scenario::grid(&chapter.scenarios, &chapter.items) {
        let remarks = std::iter::once(scenario::HOW.to_owned()).chain(scenario::remarks(&chapter.scenarios));
        let remarks: String = remarks.map(|remark| format!("- {}\n", plain(&remark))).collect();
        let _ = write!(text, "\n### {SCENARIOS}\n\n{}\n{remarks}", table(&grid));
    }
    let placed: Vec<String> = chapter
        .rows
        .iter()
        .filter_map(|row| Some((row, timing_text::facts(row))).filter(|(_, facts)| !facts.is_empty()))
        .map(|(row, facts)| format!("- {}: {}\n", plain(&row.engine), plain(&facts.join(", "))))
        .collect();
    if !placed.is_empty() {
        let _ = write!(text, "\n### Where it ran\n\n{}", placed.concat());
    }
    if let Some(fingerprint) = &chapter.fingerprint {
        let _ = write!(text, "\n### Measured on\n\n- {}\n", plain(&fingerprint.machine.in_words()));
        for (role, mark) in &fingerprint.files {
            let _ = writeln!(
                text,
                "- {}: {}, SHA-256 `{}`",
                plain(role),
                plain(&mark.path.display().to_string()),
                mark.sha256
            );
        }
    }
    let source = plain(&chapter.source.display().to_string());
    text + &format!("\nFrom {source}, SHA-256 `{}`.\n", chapter.sha256)
}

fn timing(chapter: &Chapter) -> Grid {
    let headings = timing_text::headings(&chapter.items);
    let rows = timing_text::rows(&chapter.timing, "1");
    Grid::new("", &headings.each_ref().map(String::as_str), rows)
}

fn table(grid: &Grid) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = "|---".repeat(grid.headings.len());
    format!("{}{rule}|\n{}", line(&grid.headings), grid.rows.iter().map(|row| line(row)).collect::<String>())
}

/// A text that is no markup, in one line.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in terminal::plain::plain(text).chars() {
        match character {
            '\\' | '|' | '*' | '_' | '`' | '<' | '#' | '[' => {
                plain.push('\\');
                plain.push(character);
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chapter::tests::{chapter, timed};
    use evaluation::contender::BatchTiming;

    #[test]
    fn every_row_has_as_many_cells_as_headings() {
        let mut chapter = chapter(vec![BatchTiming { batch: 1, engines: vec![timed("a|b", 1, &[1.0; 7])] }]);
        chapter.validation.push(Grid::new(
            "How *right*",
            &["engine", "difference"],
            vec![vec!["a|b".to_owned(), "0".to_owned()]],
        ));
        let text = markdown(&[Ok(chapter)]);
        let mut width = 0;
        for line in text.lines().filter(|line| line.starts_with('|')) {
            let cells = line.replace("\\|", "").matches('|').count();
            if line.starts_with("|---") {
                assert_eq!(cells, width, "{line}");
            }
            width = cells;
        }
        for part in ["The evaluation passed", "How \\*right\\*", "a\\|b", "A \\<net>", "cargo xtask eval net"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
