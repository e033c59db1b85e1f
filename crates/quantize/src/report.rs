//! What came of a quantisation.

use std::path::PathBuf;

use artifact::Digest;
use serde::{Deserialize, Serialize};
use terminal::plain::line;
use terminal::table::{Table, figure};

use crate::gate::{Harm, Point};
use crate::workbench::Times;
use crate::writer::Ranges;
use evaluation::quantised::fidelity::{Comparison, Metric};

/// A file with its size and hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes, with those of its file of weights.
    pub bytes: u64,
    /// The SHA-256 of the ONNX file.
    pub sha256: Digest,
}

/// A limit on the drop of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The largest drop that is good enough.
    pub max_drop: f64,
    /// Whether the result holds it.
    pub holds: bool,
}

/// The report, which is written beside the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The program and its version.
    pub generator: String,
    /// The float model.
    pub float: Mark,
    /// The quantised model.
    pub quantized: Mark,
    /// `static` or `dynamic`.
    pub method: String,
    /// `qdq` or `qoperator`.
    pub format: String,
    /// How ranges were chosen.
    pub calibration: Option<String>,
    /// Bits of the weights.
    pub weight_bits: u8,
    /// Whether each output channel has a scale of its own.
    pub per_channel: bool,
    /// The opset that the model was raised to, where it was.
    pub raised_to_opset: Option<i64>,
    /// The files of the samples, for those that judge it again.
    pub inputs: Vec<PathBuf>,
    /// The samples that it was judged on.
    pub samples: usize,
    /// Nodes that compute with integers.
    pub quantized_nodes: usize,
    /// Nodes that could, and stay in float: because the user or the gate wanted it.
    pub in_float: Vec<String>,
    /// What a drop is one of; `None` without samples.
    pub metric: Option<Metric>,
    /// How the result compares with the float model; `None` without samples.
    pub comparison: Option<Comparison>,
    /// The limit, if there is one.
    pub gate: Option<Gate>,
    /// The harm of each node alone, the worst first, where it was measured.
    pub sensitivity: Vec<Harm>,
    /// The models that were tried, by the number of nodes in float.
    pub curve: Vec<Point>,
    /// Times on this machine; `None` without samples.
    pub times: Option<Times>,
    /// The ranges of values in a static model.
    pub ranges: Ranges,
    /// Seconds that all of it took.
    pub seconds: f64,
    /// The most memory that this program held, and the largest of the processes that it ran models in, in bytes.
    pub peak_memory: [u64; 2],
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Nodes that are listed in the text.
const SHOWN: usize = 8;

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut say = |words: String| text += &line(words);
        let mebibytes = |bytes: u64| figure(bytes as f64 / f64::from(1 << 20));
        say(format!(
            "Quantised {}: {}, {}{} bits, {} of {} nodes in integers",
            self.quantized.path.display(),
            match self.method.as_str() {
                "static" => format!("static, {}", self.format),
                method => method.to_owned(),
            },
            if self.per_channel { "weights per channel in " } else { "weights per tensor in " },
            self.weight_bits,
            self.quantized_nodes,
            self.quantized_nodes + self.in_float.len(),
        ));
        say(format!("SHA-256 {}", self.quantized.sha256));
        say(format!("{} MiB instead of {} MiB", mebibytes(self.quantized.bytes), mebibytes(self.float.bytes)));
        if let Some(opset) = self.raised_to_opset {
            say(format!("The model was raised to opset {opset}, which scales per channel need in this format."));
        }
        if let Some(calibration) = &self.calibration {
            say(format!("Ranges: {calibration}"));
        }
        if let Some(Comparison { items, agreeing, cosine, noise, .. }) = &self.comparison {
            say(format!(
                "On {items} items of {} samples: the largest output agrees in {agreeing} ({:.2} %), cosine {cosine:.5}, signal to noise {:.1} dB",
                self.samples,
                *agreeing as f64 * 100.0 / (*items).max(1) as f64,
                -10.0 * noise.log10(),
            ));
        }
        if let Some(Comparison { labelled: labelled @ 1.., correct: [float, found], .. }) = &self.comparison {
            say(format!("Right by their labels: {found} of {labelled}; the float model {float}"));
        }
        if let Some(Times { float_ms, quantized_ms, share }) = &self.times {
            let interval = share.interval.map(|(low, high)| format!(" ({low:.3} to {high:.3})")).unwrap_or_default();
            say(format!(
                "Time with 1 thread: {} ms instead of {} ms, a share of {:.3}{interval}",
                figure(*quantized_ms),
                figure(*float_ms),
                share.value
            ));
        }
        if !self.curve.is_empty() {
            let mut table = Table::new(["nodes in float", "drop", "cosine", "share of the time", "MiB"]);
            for point in &self.curve {
                table.row([
                    point.in_float.to_string(),
                    format!("{:.5}", point.drop),
                    format!("{:.5}", point.comparison.cosine),
                    point.time_share.map_or(String::new(), |share| format!("{share:.3}")),
                    mebibytes(point.bytes),
                ]);
            }
            text += &table.render();
        }
        let mut say = |words: String| text += &line(words);
        if !self.in_float.is_empty() {
            let shown: Vec<&str> = self.in_float.iter().take(SHOWN).map(String::as_str).collect();
            let more = self.in_float.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            say(format!("In float: {}{more}", shown.join(", ")));
        }
        for note in &self.notes {
            say(format!("Note: {note}"));
        }
        if let Some(Gate { max_drop, holds: false }) = self.gate {
            let worst: Vec<String> = self
                .sensitivity
                .iter()
                .filter(|harm| !self.in_float.contains(&harm.node))
                .take(SHOWN)
                .map(|harm| format!("{} {}", harm.operator, harm.node))
                .collect();
            say(format!(
                "FAILED: no model lost {max_drop} or less; this one lost the least. In its way stand: {}",
                if worst.is_empty() { self.in_float.join(", ") } else { worst.join(", ") }
            ));
        }
        let [own, engine] = self.peak_memory;
        let engine = match engine {
            0 => "no engine ran".to_owned(),
            engine => format!("the largest process of an engine took {} MiB", mebibytes(engine)),
        };
        say(format!("Took {:.1} s and {} MiB of memory; {engine}", self.seconds, mebibytes(own)));
        text
    }
}
