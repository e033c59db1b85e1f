//! Timing, placement and the machine as text for the terminal, whatever the network.

use crate::contender::{BatchTiming, EngineRecord, EngineTiming};
use crate::scenario::{self, ScenarioResult};
use crate::statistics::{Median, Summary, enough};
use engines::fingerprint::Machine;
use terminal::plain::line;
use terminal::table::{Grid, Table, figure, grouped};

/// What the columns mean.
pub const HOW: &str = "the rate is items over the whole time; times as fast: the median over pairs of turns, with its 95 % \
                       interval; the quotient of the p50s can be another";

/// The times as a table; `items` is what a batch consists of, such as `images`.
pub fn timing(timing: &[BatchTiming], threads: usize, items: &str) -> String {
    let mut table = Table::new(headings(items));
    rows(timing, "").into_iter().for_each(|row| table.row(row));
    let threads = match threads {
        1 => "1 thread".to_owned(),
        count => format!("{count} threads"),
    };
    let told = too_few(timing.iter().flat_map(|batch| &batch.engines).map(|engine| &engine.series.latency_ms));
    let told = told.map(|why| format!("{why}\n")).unwrap_or_default();
    format!("Timing with {threads}, engines taking turns\n{}{HOW}\n{told}", table.render())
}

/// What stands above [`rows`].
pub fn headings(items: &str) -> [String; 8] {
    ["engine", "batch", "p50 ms", "p90 ms", "p99 ms", "runs", &format!("{items}/s"), "times as fast"].map(str::to_owned)
}

/// The times, a row for each engine and batch size; `one` is said of the engine that the others are compared with.
pub fn rows(timing: &[BatchTiming], one: &str) -> Vec<Vec<String>> {
    let percentile = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure);
    let row = |batch: usize, engine: &EngineTiming| {
        let latency = &engine.series.latency_ms;
        vec![
            engine.series.engine.clone(),
            batch.to_string(),
            figure(latency.p50),
            percentile(latency.p90),
            percentile(latency.p99),
            grouped(&latency.samples.to_string()),
            figure(engine.items_per_second),
            engine.speedup.map_or_else(|| one.to_owned(), interval),
        ]
    };
    timing.iter().flat_map(|batch| batch.engines.iter().map(|engine| row(batch.batch, engine))).collect()
}

/// Why some percentiles are dashes; `None` if none is.
pub fn too_few<'a>(latencies: impl IntoIterator<Item = &'a Summary>) -> Option<String> {
    let lacks = |latency: &Summary| latency.p90.is_none() || latency.p99.is_none();
    latencies.into_iter().any(lacks).then(|| {
        format!(
            "-: too few runs to say with 95 % confidence; p90 takes {} and p99 {} (more --seconds give more runs)",
            enough(90),
            enough(99)
        )
    })
}

/// MLPerf's scenarios as a table, and what the runs lack of MLPerf's; empty if there are none.
pub fn scenarios(results: &[ScenarioResult], items: &str) -> String {
    let Some(Grid { headings, rows, .. }) = scenario::grid(results, items) else { return String::new() };
    let mut table = Table::new(headings);
    rows.into_iter().for_each(|row| table.row(row));
    let remarks: String = scenario::remarks(results).iter().map(line).collect();
    format!("MLPerf's scenarios, one engine after the other\n{}{}\n{remarks}", table.render(), scenario::HOW)
}

/// The machine in a line, and a line for each engine: library, placement, memory.
pub fn machine<'a>(machine: &Machine, rows: impl IntoIterator<Item = &'a EngineRecord>) -> String {
    let memory = machine.memory.map(|memory| format!(", {:.0} GiB of memory", memory as f64 / f64::from(1 << 30)));
    let mut text = line(machine.in_words() + &memory.unwrap_or_default());
    for row in rows {
        let facts = facts(row);
        if !facts.is_empty() {
            text += &line(format_args!("{}: {}", row.engine, facts.join(", ")));
        }
    }
    text
}

/// Library, placement and memory of an engine, and whether its process was confined.
pub fn facts(row: &EngineRecord) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(library) = &row.library {
        facts.push(format!("{} {}", library.name, library.version));
    }
    for part in row.placement.iter().flat_map(|placement| &placement.parts).filter(|part| part.nodes > 0) {
        let nodes = if part.nodes == 1 { "node" } else { "nodes" };
        let time = 100.0 * part.time_share;
        facts.push(format!("{} {nodes} and {time:.0} % of the time on {}", part.nodes, part.provider));
    }
    if let Some(usage) = &row.usage {
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        facts.push(format!("at most {:.0} MiB", mebibytes(usage.peak_memory)));
        facts.extend(usage.resident_memory.map(|bytes| format!("{:.0} MiB at the end", mebibytes(bytes))));
        facts.push(format!("{} s of CPU time", figure(usage.cpu_seconds)));
    }
    facts.extend(row.sandbox.map(|sandbox| sandbox.word().to_owned()));
    facts
}

/// A median with its interval: `2.88 (2.79 to 3.00)`.
pub fn interval(ratio: Median) -> String {
    match ratio.interval {
        Some((low, high)) => format!("{} ({} to {})", figure(ratio.value), figure(low), figure(high)),
        None => figure(ratio.value),
    }
}
