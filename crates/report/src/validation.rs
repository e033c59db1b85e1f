//! How right every engine is, as tables.

use evaluation::quantised::{HEADINGS, caption, rows};
use evaluation::report::{EngineReport, Report, out_of};
use terminal::table::Grid;

/// How far every engine deviates from float64 at most, and the items whose results differ.
pub fn validation(report: &Report) -> Vec<Grid> {
    let differing = report.engines.iter().filter_map(|engine| differing(report, engine));
    std::iter::once(worst(report)).chain(given(report)).chain(differing).collect()
}

/// How far every engine is from the float model on a file of integers: at its task, then as noise, then the items whose results differ.
pub fn noise(report: &Report) -> Vec<Grid> {
    let asked = report.engines.iter().filter(|engine| engine.agreement.is_some() || !engine.metrics.is_empty());
    let dash = || "-".to_owned();
    let row = |engine: &EngineReport| {
        let same = engine.agreement.as_ref().map_or_else(dash, |found| out_of(found.same, found.items));
        let cells = report.task_columns().map(|column| engine.task_cell(column).unwrap_or_else(dash));
        [engine.row.engine.clone(), same].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let cells: Vec<Vec<String>> = asked.map(row).collect();
    let same = format!("same {}", report.items);
    let headings: Vec<&str> = ["engine", &same].into_iter().chain(report.task_columns()).collect();
    let task = (!cells.is_empty()).then(|| Grid::new("At the task", &headings, cells));
    let differing = report.engines.iter().filter_map(|engine| differing(report, engine));
    task.into_iter().chain([Grid::new(caption(report), &HEADINGS, rows(report))]).chain(differing).collect()
}

/// How many items each engine agrees on, in sentences.
pub fn agreements(report: &Report) -> Vec<String> {
    report
        .engines
        .iter()
        .filter_map(|engine| Some((&engine.row.engine, engine.agreement.as_ref()?)))
        .map(|(name, found)| format!("{name} gives the same for {} {}.", out_of(found.same, found.items), report.items))
        .collect()
}

/// The worst of every engine.
fn worst(report: &Report) -> Grid {
    let dash = || "-".to_owned();
    let rows = report.engines.iter().filter(|engine| engine.verification.is_some() || !engine.metrics.is_empty());
    let rows = rows.map(|engine| {
        let verification = engine.verification.as_ref();
        let precise = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.2e}"));
        let worst = engine.worst();
        let same = engine.agreement.as_ref().map_or_else(dash, |found| out_of(found.same, found.items));
        let mut cells = vec![engine.row.engine.clone()];
        cells.extend(report.has_task().then_some(same));
        cells.extend(report.task_columns().map(|column| engine.task_cell(column).unwrap_or_else(dash)));
        cells.extend([
            precise(worst.map(|output| output.absolute)),
            precise(worst.map(|output| output.limit)),
            precise(worst.map(|output| output.relative)),
            worst.map_or_else(dash, |output| format!("{:.1}", output.ulp)),
            engine.least_cosine().map_or_else(dash, |cosine| format!("{cosine:.9}")),
            verification.map_or("-", |found| if found.passed { "yes" } else { "no" }).to_owned(),
        ]);
        cells
    });
    let same = format!("same {}", report.items);
    let task = report.has_task().then_some(same.as_str());
    let figures = ["error", "limit", "relative", "ULP", "cosine", "within the limit"];
    let headings: Vec<&str> = ["engine"].into_iter().chain(task).chain(report.task_columns()).chain(figures).collect();
    let exact = report.rule().exact(&report.reference);
    Grid::new(format!("The worst of all outputs, against {exact}"), &headings, rows.collect())
}

/// The worst of every engine by the outputs that the user knows to be right, if there are any.
fn given(report: &Report) -> Option<Grid> {
    let found = || report.engines.iter().filter_map(|engine| Some((&engine.row.engine, engine.given.as_ref()?)));
    let rows = found().filter_map(|(engine, given)| {
        let (case, worst) = given.worst()?;
        let mut cells = vec![engine.clone(), worst.output.clone(), case.label.clone()];
        cells.extend([worst.absolute, worst.limit, worst.relative].map(|value| format!("{value:.2e}")));
        cells.push(if given.passed { "yes" } else { "no" }.to_owned());
        Some(cells)
    });
    let (_, first) = found().next()?;
    let headings = ["engine", "output", "inputs", "error", "limit", "relative", "within the limit"];
    Some(Grid::new(format!("The worst of all outputs, against {}", first.framework), &headings, rows.collect()))
}

/// How far every output of every case deviates from float64.
pub fn details(report: &Report) -> Grid {
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
