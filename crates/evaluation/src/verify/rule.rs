//! What engines are judged by.

use serde::{Deserialize, Serialize};

use super::FACTOR;

/// What errors are measured from, and how large they may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// From float64: the larger of this multiple of the framework's own error and [`FLOOR_ULP`](super::FLOOR_ULP).
    Float32(f64),
    /// From float64: this share of the largest value of the output.
    Share(f64),
    /// From the framework's float32, for want of a float64: this share of the largest value of the output.
    Apart(f64),
}

impl Default for Rule {
    fn default() -> Self {
        Self::Float32(FACTOR)
    }
}

impl Rule {
    /// What errors are measured from: `burn in float64`.
    pub fn exact(self, framework: &str) -> String {
        match self {
            Self::Float32(_) | Self::Share(_) => format!("{framework} in float64"),
            Self::Apart(_) => framework.to_owned(),
        }
    }

    /// What holds if all engines pass, in a sentence without its full stop.
    pub fn criterion(self, framework: &str) -> String {
        match self {
            Self::Float32(multiple) => {
                format!("No engine deviates more than {multiple} times as far from float64 as {framework} in float32")
            }
            Self::Share(share) | Self::Apart(share) => {
                let exact = self.exact(framework);
                format!("No engine deviates from {exact} by more than {share:.1e} of the largest value")
            }
        }
    }
}
