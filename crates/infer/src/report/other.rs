//! The chapter of a network whose evaluation is known by nothing but what all evaluations have in common.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::report::chapter::{Chapter, Claim, Recipe};
use crate::report::collect::{Source, title};
use crate::subject::{BatchTiming, Row};
use crate::table::{Grid, figure, grouped};

/// The fields of an engine that the timing and the placement show.
const KNOWN: [&str; 8] = ["engine", "error", "library", "load_ms", "first_run_ms", "placement", "usage", "departure"];

/// Figures that a table has room for.
const COLUMNS: usize = 10;

pub(super) fn chapter(source: &Source<'_>, value: &Value) -> Result<Chapter, String> {
    let engines = value.get("engines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut chapter = source.chapter(&title(source.id));
    chapter.criterion = match value.get("passed") {
        Some(_) => "Every engine ran and is right by the measure of this evaluation.",
        None => "Every engine ran; this evaluation measures, and does not judge.",
    }
    .to_owned();
    let seed = value.get("random_init").and_then(Value::as_u64);
    chapter.claims = seed.map(random_claim).into_iter().chain(squad_claims(engines)).collect();
    chapter.notes = field(value, "notes").unwrap_or_default();
    chapter.rows = engines.iter().filter_map(row).collect();
    chapter.timing = field::<Vec<BatchTiming>>(value, "timing").unwrap_or_default();
    chapter.scenarios = field(value, "scenarios").unwrap_or_default();
    chapter.threads = field(value, "threads").or_else(|| field(value.get("settings")?, "threads"));
    chapter.fingerprint = field(value, "fingerprint");
    chapter.items = field(value, "items").unwrap_or(chapter.items);
    chapter.failures = field(value, "failures").unwrap_or_default();
    chapter.failures.extend(chapter.rows.iter().filter_map(|row| row.error.clone()));
    chapter.passed = field(value, "passed").unwrap_or(chapter.failures.is_empty()) && chapter.failures.is_empty();
    if !chapter.passed && chapter.failures.is_empty() {
        chapter.failures.push(format!("{} says that it did not pass", source.path.display()));
    }
    if let Some(seed) = seed {
        chapter
            .notes
            .push(format!("the weights are random (seed {seed}), so that what the network says means nothing"));
    }
    let questions = value.get("squad").and_then(Value::as_str);
    match questions {
        Some(_) => chapter.validation.push(squad(engines)),
        None => chapter.validation.extend(grid("What the evaluation found for every engine", engines)),
    }
    let squad = questions.map(|file| format!(" --squad {file}")).unwrap_or_default();
    let command = field(value, "command").unwrap_or_else(|| format!("cargo xtask eval {}{squad}", source.id));
    for figure in ["Validation", "Timing", "Where it ran"] {
        chapter.recipes.push(Recipe::new(figure, command.clone()));
    }
    Ok(chapter)
}

fn field<T: DeserializeOwned>(value: &Value, name: &str) -> Option<T> {
    serde_json::from_value(value.get(name)?.clone()).ok()
}

/// What stands first of a network whose weights are random.
pub(super) fn random_claim(seed: u64) -> Claim {
    Claim::new("Weights", format!("random (seed {seed}): what it says means nothing"))
}

/// SQuAD's figures, engine by engine.
pub(super) fn squad(engines: &[Value]) -> Grid {
    let rows = engines.iter().map(|engine| {
        let number = |name: &str| field::<f64>(engine, name);
        let share = |name: &str| number(name).map_or_else(|| "-".to_owned(), |share| format!("{share:.2} %"));
        let unusable = engine.get("unusable").and_then(Value::as_array).map(Vec::len);
        let count = |count: Option<usize>| count.map_or_else(|| "-".to_owned(), |count| grouped(&count.to_string()));
        vec![
            engine.get("engine").and_then(Value::as_str).unwrap_or_default().to_owned(),
            share("exact_match"),
            share("f1"),
            number("questions_per_second").map_or_else(|| "-".to_owned(), figure),
            count(field(engine, "questions")),
            count(unusable),
        ]
    });
    let headings = ["engine", "exact match", "F1", "questions/s", "questions", "cannot be asked"];
    Grid::new("SQuAD, by the official definition; what cannot be asked counts as wrong", &headings, rows.collect())
}

/// The figures of question answering, by the first engine.
pub(super) fn squad_claims(engines: &[Value]) -> Vec<Claim> {
    let Some(first) = engines.first() else { return Vec::new() };
    [("exact_match", "Exact match"), ("f1", "F1")]
        .into_iter()
        .filter_map(|(name, what)| Some(Claim::new(what, format!("{:.2} %", field::<f64>(first, name)?))))
        .collect()
}

/// What is known of an engine; a name alone is enough.
fn row(engine: &Value) -> Option<Row> {
    serde_json::from_value(engine.clone()).ok().or_else(|| {
        Some(Row {
            engine: engine.get("engine")?.as_str()?.to_owned(),
            error: field(engine, "error"),
            lost: false,
            library: None,
            load_ms: field(engine, "load_ms"),
            first_run_ms: field(engine, "first_run_ms"),
            placement: None,
            usage: None,
            departure: None,
        })
    })
}

/// Every figure that the engines have, engine by engine.
pub(super) fn grid(caption: &str, engines: &[Value]) -> Option<Grid> {
    let figures: Vec<(String, Vec<(String, String)>)> = engines
        .iter()
        .filter_map(|engine| {
            let mut found = Vec::new();
            for (name, value) in engine.as_object()?.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
                leaves(name, value, &mut found);
            }
            Some((engine.get("engine")?.as_str()?.to_owned(), found))
        })
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in figures.iter().flat_map(|(_, figures)| figures) {
        if !names.contains(&name.as_str()) && names.len() < COLUMNS {
            names.push(name);
        }
    }
    if names.is_empty() {
        return None;
    }
    let rows = figures
        .iter()
        .map(|(engine, figures)| {
            let cell = |name: &&str| {
                figures.iter().find(|(known, _)| known == name).map_or("-", |(_, value)| value).to_owned()
            };
            std::iter::once(engine.clone()).chain(names.iter().map(cell)).collect()
        })
        .collect();
    let headings: Vec<&str> = std::iter::once("engine").chain(names.iter().copied()).collect();
    Some(Grid::new(caption, &headings, rows))
}

/// The numbers and words of a value under the path to each. Lists are left to the file itself.
fn leaves(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
    let path = path.replace('_', " ");
    match value {
        // A list by another name, such as the answers to all questions.
        Value::Object(fields) if fields.len() > COLUMNS => {}
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(&format!("{path} {name}"), value, found))
        }
        Value::Number(number) => {
            let text = match (number.as_u64(), number.as_f64()) {
                (Some(whole), _) => grouped(&whole.to_string()),
                (None, Some(small)) if small != 0.0 && small.abs() < 1e-3 => format!("{small:.2e}"),
                (None, Some(real)) => figure(real),
                (None, None) => number.to_string(),
            };
            found.push((path, text));
        }
        Value::String(text) => found.push((path, text.clone())),
        Value::Bool(truth) => found.push((path, if *truth { "yes" } else { "no" }.to_owned())),
        Value::Null | Value::Array(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_all_evaluations_have_is_read_and_the_rest_becomes_a_table() {
        let value = json!({
            "network": "bert-qa", "threads": 2, "random_init": 7,
            "engines": [
                {"engine": "burn", "f1": 88.5, "predictions": {"a": "b"}, "placement": null},
                {"engine": "ort:cpu", "error": "ort:cpu failed: no", "difference": {"max_absolute": 1.5e-6}},
            ],
        });
        let bytes = value.to_string();
        let source = Source { id: "bert-qa", path: std::path::Path::new("eval.json"), bytes: bytes.as_bytes() };
        let chapter = chapter(&source, &value).unwrap();
        assert!(!chapter.passed && chapter.failures == ["ort:cpu failed: no"]);
        assert_eq!((chapter.threads, chapter.rows.len()), (Some(2), 2));
        let random = Claim::new("Weights", "random (seed 7): what it says means nothing");
        assert_eq!(chapter.claims, [random, Claim::new("F1", "88.50 %")]);
        assert!(chapter.notes[0].contains("seed 7"));
        let grid = &chapter.validation[0];
        assert_eq!(grid.headings, ["engine", "f1", "predictions a", "difference max absolute"]);
        assert_eq!(grid.rows, [["burn", "88.5", "b", "-"], ["ort:cpu", "-", "-", "1.50e-6"]]);
    }
}
