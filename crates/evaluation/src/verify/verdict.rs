//! How an engine did.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use terminal::table::Table;

use super::{FLOOR_ULP, Rule};

/// How an engine did on all cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The engine.
    pub engine: String,
    /// The framework.
    pub framework: String,
    /// What it was judged by.
    pub rule: Rule,
    /// Whether every output of every case is within its limit.
    pub passed: bool,
    /// How far the framework's float32 deviates at most over all cases and outputs.
    #[serde(deserialize_with = "null_is_infinite")]
    pub native_error: f64,
    /// The cases in order.
    pub cases: Vec<Case>,
}

/// One set of inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What the inputs are: `batch 7`.
    pub label: String,
    /// How far the engine deviates at most; infinite where it gives something that is no number, or of another form.
    #[serde(deserialize_with = "null_is_infinite")]
    pub error: f64,
    /// How far the framework's float32 deviates at most.
    #[serde(deserialize_with = "null_is_infinite")]
    pub native_error: f64,
    /// The largest difference between the engine and the framework's float32.
    #[serde(deserialize_with = "null_is_infinite")]
    pub difference: f64,
    /// Each output in the order of the network.
    pub outputs: Vec<OutputError>,
}

/// How far one output of a case deviates from the exact result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputError {
    /// The output.
    pub output: String,
    /// The largest `|result - exact|`.
    #[serde(deserialize_with = "null_is_infinite")]
    pub absolute: f64,
    /// What it may be.
    #[serde(deserialize_with = "null_is_infinite")]
    pub limit: f64,
    /// It, as a share of the largest value of the output.
    #[serde(deserialize_with = "null_is_infinite")]
    pub relative: f64,
    /// It, in units in the last place of the largest value.
    #[serde(deserialize_with = "null_is_infinite")]
    pub ulp: f64,
    /// The cosine of the angle between both as vectors; `None` if one of them is zero everywhere or no number.
    pub cosine: Option<f64>,
    /// Values that are infinite or no number and not the same in the exact result.
    pub not_finite: usize,
    /// The largest error of the framework's float32.
    #[serde(deserialize_with = "null_is_infinite")]
    pub native: f64,
    /// Whether it was compared with the framework's float32, since float64 says nothing of it.
    #[serde(default)]
    pub apart: bool,
    /// Element type and shape, if they are not the framework's, with those: `int32 [2] and not float [2]`.
    #[serde(default)]
    pub form: Option<String>,
}

/// JSON has no infinity and writes `null`.
fn null_is_infinite<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

impl OutputError {
    /// Whether the output is of the right form and within its limit. A limit that is no number proves nothing.
    pub fn passed(&self) -> bool {
        self.form.is_none() && self.limit.is_finite() && self.absolute <= self.limit
    }

    /// The share of the limit that the error takes.
    pub fn used(&self) -> f64 {
        match self.absolute {
            _ if self.form.is_some() || !self.limit.is_finite() => f64::INFINITY,
            0.0 => 0.0,
            absolute => absolute / self.limit,
        }
    }
}

/// Which of two outputs comes nearer to its limit or is farther beyond.
fn farther(a: &OutputError, b: &OutputError) -> Ordering {
    a.used().total_cmp(&b.used()).then(a.not_finite.cmp(&b.not_finite))
}

impl Case {
    /// The output that comes nearest to its limit or is farthest beyond.
    pub fn worst(&self) -> Option<&OutputError> {
        self.outputs.iter().max_by(|a, b| farther(a, b))
    }
}

impl Verification {
    /// The output that comes nearest to its limit or is farthest beyond, with its case.
    pub fn worst(&self) -> Option<(&Case, &OutputError)> {
        let outputs = self.cases.iter().filter_map(|case| Some((case, case.worst()?)));
        outputs.max_by(|(_, a), (_, b)| farther(a, b))
    }

    /// As [`worst`](Self::worst), if an output is beyond its limit.
    pub fn failure(&self) -> Option<(&Case, &OutputError)> {
        self.worst().filter(|_| !self.passed)
    }

    /// The errors case by case, for the terminal; `framework` is what the framework is called.
    pub fn table(&self, framework: &str) -> String {
        let own = format!("error of {framework}'s float32");
        let mut table = Table::new(["case", "error", "limit", &own, "difference from it"]);
        for case in &self.cases {
            table.row([
                case.label.clone(),
                format!("{:.2e}", case.error),
                case.worst().map_or_else(String::new, |output| format!("{:.2e}", output.limit)),
                format!("{:.2e}", case.native_error),
                format!("{:.2e}", case.difference),
            ]);
        }
        let limit = match self.rule {
            Rule::Float32(multiple) => format!(
                "limit: {multiple} times the error of {framework}'s own float32 in the same output and case, or {FLOOR_ULP} units \
                 in the last place if that is more\n"
            ),
            Rule::Share(share) | Rule::Apart(share) => {
                format!("limit: {share:.1e} of the largest value of the output\n")
            }
        };
        table.render() + &limit
    }

    /// What is wrong with the worst output, in a sentence without its full stop; `engine` is what the engine is called.
    pub fn failed(&self, engine: &str) -> Option<String> {
        let (Case { label, .. }, worst) = self.failure()?;
        let output = &worst.output;
        let exact = if worst.apart { self.framework.as_str() } else { "float64" };
        Some(match worst {
            OutputError { form: Some(form), .. } => format!("{engine} gives `{output}` as {form} ({label})"),
            worst if worst.not_finite > 0 => {
                format!(
                    "{} values of `{output}` of {engine} are no numbers, unlike in {exact} ({label})",
                    worst.not_finite
                )
            }
            worst => format!(
                "{engine} deviates by {:.2e} from {exact} in `{output}` ({label}), and {:.2e} is the limit",
                worst.absolute, worst.limit
            ),
        })
    }
}
