//! Timing, placement and the machine as HTML, whatever the network.

use crate::html::{Bar, bars, escape, facts, folded, paragraph, table};
use engines::fingerprint::{Fingerprint, Library};
use engines::provider::Provider;
use evaluation::contender::{BatchTiming, EngineRecord};
use evaluation::measured::Comparison;
use evaluation::scenario::{self, ScenarioResult};
use evaluation::statistics::enough;
use evaluation::timing::Series;
use evaluation::timing_text;
use terminal::table::{Grid, figure, grouped};

/// The heading of MLPerf's scenarios.
pub const SCENARIOS: &str = "MLPerf's scenarios";

/// MLPerf's scenarios as a table, and what the runs lack of MLPerf's; `None` if there are none.
pub fn scenarios(results: &[ScenarioResult], items: &str) -> Option<String> {
    let grid = scenario::grid(results, items)?;
    let remarks = scenario::remarks(results);
    let lacking = match remarks.as_slice() {
        [] => String::new(),
        remarks => {
            let items: String = remarks.iter().map(|remark| format!("<li>{}</li>\n", escape(remark))).collect();
            folded("What these runs lack of MLPerf's", &format!("<ul>\n{items}</ul>\n"))
        }
    };
    Some(table(&grid) + &paragraph(scenario::HOW) + &lacking)
}

/// The changes since an earlier report.
pub fn changes(compared: &Comparison) -> String {
    let rows: Vec<Vec<String>> = compared.changes.iter().map(|change| change.cells().into()).collect();
    let headings = ["engine", "batch", "before ms", "now ms", "change", "noise", "verdict"];
    let caption = format!("Against {}; a change counts beyond the noise", compared.with.display());
    table(&Grid::new(caption, &headings, rows))
}

/// Charts and a table of the times; `items` is what a batch consists of, such as `images`.
pub fn timing(timing: &[BatchTiming], items: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for engine in timing.iter().flat_map(|batch| &batch.engines) {
        if !names.contains(&engine.series.engine.as_str()) {
            names.push(&engine.series.engine);
        }
    }
    let colour = |name: &str| names.iter().position(|known| *known == name).unwrap_or(0);
    let (mut latency, mut throughput, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let percentile = |value: Option<f64>, percent: usize| {
        value.map_or_else(|| format!("- (takes {} runs)", enough(percent)), figure)
    };
    for batch in timing {
        for engine in &batch.engines {
            let (series, summary) = (&engine.series, &engine.series.latency_ms);
            let bar = |value: f64, (low, high): (f64, f64), unit: &str| Bar {
                group: format!("batch {}", batch.batch),
                label: series.engine.clone(),
                colour: colour(&series.engine),
                value,
                spread: Some((low, high)),
                text: format!("{} {unit} ({} to {})", figure(value), figure(low), figure(high)),
            };
            let (fast, slow) = spread(series);
            let rate = |milliseconds: f64| batch.batch as f64 * 1e3 / milliseconds;
            latency.push(bar(summary.p50, (fast, slow), "ms"));
            throughput.push(bar(engine.items_per_second, (rate(slow), rate(fast)), "/s"));
            rows.push(vec![
                series.engine.clone(),
                batch.batch.to_string(),
                figure(summary.p50),
                percentile(summary.p90, 90),
                percentile(summary.p99, 99),
                figure(summary.mean),
                figure(summary.deviation),
                grouped(&summary.samples.to_string()),
                figure(engine.items_per_second),
                engine.speedup.map_or_else(|| "1".to_owned(), timing_text::interval),
            ]);
        }
    }
    let headings =
        ["engine", "batch", "p50 ms", "p90 ms", "p99 ms", "mean", "deviation", "runs", "per second", "times as fast"];
    let spread = format!(
        "with a line from the fastest run to what 90 % of the runs do not exceed, or to the slowest of fewer than {}",
        enough(90)
    );
    bars("Latency", &format!("The median, {spread}. A line without an end goes on. Shorter is better."), &latency)
        + &bars(
            &format!("Throughput in {items} a second"),
            "Over the whole time, with a line from the slow runs to the fastest. Longer is better.",
            &throughput,
        )
        + &folded(
            "Every figure of the timing",
            &table(&Grid::new("The last column with its 95 % interval", &headings, rows)),
        )
}

/// The fastest run and what 90 % of the runs do not exceed; the slowest one where there are too few to tell.
fn spread(series: &Series) -> (f64, f64) {
    let summary = &series.latency_ms;
    let slowest = series.samples_ms.iter().fold(summary.p50, |most, &sample| most.max(sample));
    (summary.min, summary.p90.unwrap_or(slowest))
}

/// Where engines depart from the reference, in sentences.
pub fn departures<'a>(rows: impl IntoIterator<Item = &'a EngineRecord>) -> String {
    let departed = rows.into_iter().filter_map(EngineRecord::departed);
    departed.map(|departed| paragraph(&format!("{departed}."))).collect()
}

/// Where every engine ran, with what, how much memory it took, and whether its process was confined.
pub fn placement<'a>(rows: impl IntoIterator<Item = &'a EngineRecord>) -> String {
    let (mut cells, mut fallen) = (Vec::new(), Vec::new());
    for row in rows {
        fallen.extend(elsewhere(row));
        let library =
            row.library.as_ref().map_or_else(String::new, |found| format!("{} {}", found.name, found.version));
        let memory = row.usage.map_or_else(String::new, |usage| figure(usage.peak_memory as f64 / f64::from(1 << 20)));
        let optional = |value: Option<f64>| value.map_or_else(String::new, figure);
        let placed: Vec<String> = row
            .placement
            .iter()
            .flat_map(|placement| &placement.parts)
            .filter(|part| part.nodes > 0)
            .map(|part| {
                let nodes = if part.nodes == 1 { "node" } else { "nodes" };
                format!("{}: {} {nodes}, {:.0} % of the time", part.provider, part.nodes, 100.0 * part.time_share)
            })
            .collect();
        cells.push(vec![
            row.engine.clone(),
            library,
            placed.join("; "),
            optional(row.load_ms),
            optional(row.first_run_ms),
            memory,
            row.sandbox.map_or_else(String::new, |sandbox| sandbox.word().to_owned()),
        ]);
    }
    let headings = ["engine", "library", "where its nodes ran", "load ms", "first run ms", "peak MiB", "process"];
    let mut html = table(&Grid::new("By the runtime's own profile", &headings, cells));
    html += &fallen.concat();
    html
}

/// The nodes of an engine that did not run where it was asked to, by name.
fn elsewhere(row: &EngineRecord) -> Vec<String> {
    let asked = row.engine.strip_prefix("ort:").and_then(|name| Provider::try_from(name.to_owned()).ok());
    let Some(asked) = asked else { return Vec::new() };
    row.placement
        .iter()
        .flat_map(|placement| &placement.parts)
        .filter(|part| part.nodes > 0 && !asked.is_called(&part.provider))
        .map(|part| {
            let names: String = part.node_names.iter().map(|name| format!("<li>{}</li>\n", escape(name))).collect();
            let nodes = if part.nodes == 1 { "node" } else { "nodes" };
            let summary = format!("{} {nodes} of {} ran on {}", part.nodes, row.engine, part.provider);
            folded(&summary, &format!("<ul>\n{names}</ul>\n"))
        })
        .collect()
}

/// The libraries, where they lie, and their hashes.
pub fn libraries<'a>(rows: impl IntoIterator<Item = &'a EngineRecord>) -> String {
    let mut found: Vec<&Library> = Vec::new();
    for library in rows.into_iter().filter_map(|row| row.library.as_ref()) {
        if !found.contains(&library) {
            found.push(library);
        }
    }
    let pairs: Vec<(String, String)> = found
        .iter()
        .map(|library| {
            let name = format!("{} {}", library.name, library.version);
            (name, format!("{}, SHA-256 {}", library.path.display(), library.sha256))
        })
        .collect();
    let pairs: Vec<(&str, String)> = pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    if pairs.is_empty() { String::new() } else { facts(&pairs) }
}

/// The machine and the files.
pub fn machine(fingerprint: &Fingerprint, threads: Option<usize>) -> String {
    let machine = &fingerprint.machine;
    let mut pairs = vec![
        ("CPU", machine.cpu.clone()),
        ("Features", machine.features.join(" ")),
        ("Cores", machine.cores.to_string()),
        (
            "Memory",
            machine
                .memory
                .map_or_else(|| "unknown".to_owned(), |bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))),
        ),
        ("Kernel", machine.kernel.clone()),
    ];
    pairs.extend(machine.gpus.as_ref().map(|gpus| ("NVIDIA GPUs", gpus.to_string())));
    pairs.extend([
        ("Threads in an operation", threads.map_or_else(|| "unknown".to_owned(), |count| count.to_string())),
        ("Program", fingerprint.program.clone()),
    ]);
    for (role, mark) in &fingerprint.files {
        pairs.push((role.as_str(), format!("{}, SHA-256 {}", mark.path.display(), mark.sha256)));
    }
    facts(&pairs)
}
