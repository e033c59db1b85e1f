//! Timing, placement and the machine as HTML, whatever the network.

use crate::fingerprint::Fingerprint;
use crate::html::{Bar, bars, facts, table};
use crate::subject::{BatchTiming, Row};
use crate::table::{figure, grouped};
use crate::timing_text;

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
    let percentile = |value: Option<f64>| value.map_or_else(|| "too few runs".to_owned(), figure);
    for batch in timing {
        for engine in &batch.engines {
            let (series, summary) = (&engine.series, &engine.series.latency_ms);
            let bar = |value: f64, reach: Option<f64>, text: String| Bar {
                group: format!("batch {}", batch.batch),
                label: series.engine.clone(),
                colour: colour(&series.engine),
                value,
                reach,
                text,
            };
            latency.push(bar(summary.p50, summary.p90, format!("{} ms", figure(summary.p50))));
            throughput.push(bar(
                engine.items_per_second,
                None,
                format!("{} {items}/s", figure(engine.items_per_second)),
            ));
            rows.push(vec![
                series.engine.clone(),
                batch.batch.to_string(),
                figure(summary.p50),
                percentile(summary.p90),
                percentile(summary.p99),
                figure(summary.mean),
                summary.deviation.map_or_else(|| "-".to_owned(), figure),
                grouped(&summary.samples.to_string()),
                figure(engine.items_per_second),
                engine.speedup.map_or_else(|| "1".to_owned(), timing_text::interval),
            ]);
        }
    }
    let headings =
        ["engine", "batch", "p50 ms", "p90 ms", "p99 ms", "mean", "deviation", "runs", "per second", "times as fast"];
    bars("Latency: the median, with a line to the 90th percentile; shorter is better", &latency)
        + &bars(&format!("Throughput in {items} a second; longer is better"), &throughput)
        + &table("Every figure; the last column with its 95 % interval", &headings, &rows)
}

/// Where every engine ran, with what, and how much memory it took.
pub fn placement<'a>(rows: impl IntoIterator<Item = &'a Row>) -> String {
    let mut cells = Vec::new();
    for row in rows {
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
        ]);
    }
    let headings = ["engine", "library", "where its nodes ran", "load ms", "first run ms", "peak MiB"];
    table("By the runtime's own profile", &headings, &cells)
}

/// The machine and the files.
pub fn machine(fingerprint: &Fingerprint, threads: usize) -> String {
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
        ("Threads in an operation", threads.to_string()),
        ("Program", fingerprint.program.clone()),
    ];
    for (role, mark) in &fingerprint.files {
        pairs.push((role, format!("{}, SHA-256 {}", mark.path.display(), mark.sha256)));
    }
    facts(&pairs)
}
