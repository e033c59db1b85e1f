//! The result of an evaluation, as JSON and as tables.

use serde::{Deserialize, Serialize};

use crate::engine::Placement;
use crate::fingerprint::Fingerprint;
use crate::mnist::evaluate::{BatchTiming, Validation};
use crate::session::SessionOptions;
use crate::statistics::Median;
use crate::table::{Table, figure, grouped};

/// Everything that an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The network.
    pub network: String,
    /// Whether both engines give the same digit for every image.
    pub passed: bool,
    /// What a reader should know before they trust the figures.
    pub notes: Vec<String>,
    /// How long each engine took to load.
    pub load: Vec<Load>,
    /// Accuracy, agreement, differences.
    pub validation: Validation,
    /// Where each engine ran the network.
    pub placement: Vec<EnginePlacement>,
    /// The times, one entry a batch size.
    pub timing: Vec<BatchTiming>,
    /// Threads and graph optimisation.
    pub settings: SessionOptions,
    /// What it was measured on.
    pub fingerprint: Fingerprint,
}

/// How long an engine took to be ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The engine.
    pub engine: String,
    /// Milliseconds that loading the file took. What an engine puts off until it is needed is not in it.
    pub load_ms: f64,
    /// Milliseconds that the very first run took, of one image.
    pub first_run_ms: f64,
}

/// Where an engine ran the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnginePlacement {
    /// The engine.
    pub engine: String,
    /// What ran where.
    pub placement: Placement,
}

/// Items that a table lists before it only counts.
const LISTED: usize = 20;

impl Report {
    /// Tables for the terminal.
    pub fn text(&self) -> String {
        let mut parts = vec![self.validation_text(), self.timing_text(), self.machine_text()];
        parts.extend(self.notes.iter().map(|note| format!("Note: {note}.\n")));
        parts.push(match self.passed {
            true => "Passed: the same digit for every image.\n".to_owned(),
            false => "FAILED: the digits differ.\n".to_owned(),
        });
        parts.join("\n")
    }

    fn validation_text(&self) -> String {
        let validation = &self.validation;
        let images = grouped(&validation.images.to_string());
        let mut table = Table::new(["engine", "correct", "accuracy", "load ms", "first run ms"]);
        for accuracy in &validation.engines {
            let load = self.load.iter().find(|load| load.engine == accuracy.engine);
            table.row([
                accuracy.engine.clone(),
                grouped(&accuracy.correct.to_string()),
                format!("{:.2} %", 100.0 * accuracy.accuracy),
                load.map_or_else(String::new, |load| figure(load.load_ms)),
                load.map_or_else(String::new, |load| figure(load.first_run_ms)),
            ]);
        }
        let difference = &validation.difference;
        let mut text = format!("Validation on {images} test digits\n{}", table.render());
        text += &format!(
            "same digit: {} of {images}; largest difference {:.2e} absolute, {:.2e} relative to the image's largest value \
             ({:.1} ULP)\n",
            grouped(&validation.agreeing.to_string()),
            difference.max_absolute,
            difference.max_relative,
            difference.max_ulp,
        );
        if difference.not_finite > 0 {
            text += &format!("values that are no numbers: {}\n", difference.not_finite);
        }
        if !validation.disagreements.is_empty() {
            let names: Vec<&str> = validation.engines.iter().map(|accuracy| accuracy.engine.as_str()).collect();
            let mut table = Table::new(["image", "label"].into_iter().chain(names));
            for item in validation.disagreements.iter().take(LISTED) {
                let digits = item.digits.iter().map(usize::to_string);
                table.row([item.index.to_string(), item.label.to_string()].into_iter().chain(digits));
            }
            text += &format!("images that differ\n{}", table.render());
            if validation.disagreements.len() > LISTED {
                text += &format!("and {} more\n", validation.disagreements.len() - LISTED);
            }
        }
        text
    }

    fn timing_text(&self) -> String {
        let headings = ["engine", "batch", "p50 ms", "p90 ms", "p99 ms", "runs", "images/s", "times as long"];
        let mut table = Table::new(headings);
        let percentile = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure);
        for timing in &self.timing {
            for (index, engine) in timing.engines.iter().enumerate() {
                let latency = &engine.series.latency_ms;
                table.row([
                    engine.series.engine.clone(),
                    timing.batch.to_string(),
                    figure(latency.p50),
                    percentile(latency.p90),
                    percentile(latency.p99),
                    grouped(&latency.samples.to_string()),
                    figure(engine.images_per_second),
                    match (index, timing.ratio) {
                        (0, Some(ratio)) => ratio_text(ratio),
                        _ => String::new(),
                    },
                ]);
            }
        }
        let threads = match self.settings.threads {
            1 => "1 thread".to_owned(),
            count => format!("{count} threads"),
        };
        format!("Timing with {threads}, engines taking turns\n{}", table.render())
    }

    fn machine_text(&self) -> String {
        let Fingerprint { machine, library, .. } = &self.fingerprint;
        let mut text = format!("{}, {} cores, {}", machine.cpu, machine.cores, machine.kernel);
        if let Some(memory) = machine.memory {
            text += &format!(", {:.0} GiB", memory as f64 / f64::from(1 << 30));
        }
        text += &format!("\n{} {} ({})\n", library.name, library.version, library.origin);
        for EnginePlacement { engine, placement } in &self.placement {
            let parts: Vec<String> = placement
                .parts
                .iter()
                .filter(|part| part.nodes > 0)
                .map(|part| {
                    let (nodes, time) = (part.nodes, 100.0 * part.time_share);
                    format!("{} runs {nodes} nodes, {time:.0} % of the time", part.provider)
                })
                .collect();
            if !parts.is_empty() {
                text += &format!("{engine}: {}\n", parts.join("; "));
            }
        }
        text
    }
}

fn ratio_text(ratio: Median) -> String {
    match ratio.interval {
        Some((low, high)) => format!("{} ({} to {})", figure(ratio.value), figure(low), figure(high)),
        None => figure(ratio.value),
    }
}
