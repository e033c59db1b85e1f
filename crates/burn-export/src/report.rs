//! What an export did, stage by stage.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::ExportError;
use crate::opset::Opset;

/// A stage of an export, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// The declared inputs and outputs were looked at, and the module's parameters read.
    Declarations,
    /// `forward` was recorded at several sizes.
    Capture,
    /// Every size and constant got an expression over the axes.
    Sizes,
    /// Every operation got ONNX operators.
    Lowering,
    /// The graph was simplified.
    Simplification,
    /// The graph became an ONNX model.
    Writing,
    /// The model passed the checker.
    Check,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Declarations => "the declarations",
            Self::Capture => "the capture",
            Self::Sizes => "the sizes",
            Self::Lowering => "the lowering",
            Self::Simplification => "the simplification",
            Self::Writing => "the writing",
            Self::Check => "the check",
        })
    }
}

/// What was captured, simplified, lowered and checked. Its `Display` is a text of a few lines, one for each stage that was
/// finished.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportReport {
    /// The opset written.
    pub opset: Opset,
    /// The last stage that was finished; `None` when the declarations already do not fit.
    pub finished: Option<Stage>,
    /// The sizes at which `forward` was recorded, as `batch = 3, seq = 7`.
    pub traces: Vec<String>,
    /// Burn's operations in the first recording, those included that the outputs do not need.
    pub recorded: usize,
    /// Burn's operations that the outputs need, by name: `NumericFloat::Add`.
    pub operations: BTreeMap<String, usize>,
    /// Parameter tensors, and their bytes.
    pub parameters: usize,
    /// The bytes of all parameters.
    pub parameter_bytes: u64,
    /// ONNX operators before simplification.
    pub lowered_nodes: usize,
    /// How often each simplification was applied, by its name.
    pub simplifications: BTreeMap<&'static str, usize>,
    /// ONNX operators in the file, by operator.
    pub nodes: BTreeMap<String, usize>,
}

impl ExportReport {
    /// Of an export that has not begun.
    pub(crate) fn new(opset: Opset) -> Self {
        Self {
            opset,
            finished: None,
            traces: Vec::new(),
            recorded: 0,
            operations: BTreeMap::new(),
            parameters: 0,
            parameter_bytes: 0,
            lowered_nodes: 0,
            simplifications: BTreeMap::new(),
            nodes: BTreeMap::new(),
        }
    }

    /// The number of Burn's operations that the outputs need.
    pub fn operation_count(&self) -> usize {
        self.operations.values().sum()
    }

    /// The number of nodes in the file.
    pub fn node_count(&self) -> usize {
        self.nodes.values().sum()
    }

    /// Whether the finished model passed the checker.
    pub fn checked(&self) -> bool {
        self.finished == Some(Stage::Check)
    }

    /// The stage after the last one that was finished.
    pub(crate) fn next_stage(&self) -> Stage {
        match self.finished {
            None => Stage::Declarations,
            Some(Stage::Declarations) => Stage::Capture,
            Some(Stage::Capture) => Stage::Sizes,
            Some(Stage::Sizes) => Stage::Lowering,
            Some(Stage::Lowering) => Stage::Simplification,
            Some(Stage::Simplification) => Stage::Writing,
            Some(Stage::Writing | Stage::Check) => Stage::Check,
        }
    }

    fn line(&self, stage: Stage) -> String {
        let list = |counts: Vec<String>| if counts.is_empty() { "nothing".to_string() } else { counts.join(", ") };
        match stage {
            Stage::Declarations => format!("parameters  {} tensors, {} bytes", self.parameters, self.parameter_bytes),
            Stage::Capture => {
                // A few of them say what the rest is like.
                let sizes = match self.traces.as_slice() {
                    [first, second, third, .., last] => format!("{first}; {second}; {third}; ...; {last}"),
                    few => few.join("; "),
                };
                format!("captured    {} operations at {} sizes: {sizes}", self.recorded, self.traces.len())
            }
            Stage::Sizes => format!("explained   the sizes of the {} that the outputs need", self.operation_count()),
            Stage::Lowering => format!("lowered     {} nodes at opset {}", self.lowered_nodes, self.opset),
            Stage::Simplification => {
                let applied = self.simplifications.iter().map(|(name, count)| format!("{name} {count}"));
                format!("simplified  {}", list(applied.collect()))
            }
            Stage::Writing => {
                let nodes = self.nodes.iter().map(|(name, count)| format!("{name} {count}"));
                format!("wrote       {} nodes: {}", self.node_count(), list(nodes.collect()))
            }
            Stage::Check => "checked     passed".to_string(),
        }
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Stage::{Capture, Check, Declarations, Lowering, Simplification, Sizes, Writing};
        let stages = [Declarations, Capture, Sizes, Lowering, Simplification, Writing, Check];
        let done = stages.into_iter().filter(|stage| self.finished >= Some(*stage));
        f.write_str(&done.map(|stage| self.line(stage)).collect::<Vec<_>>().join("\n"))
    }
}

/// What stopped an export, and what had been done by then.
///
/// Its `Display` has the error first, and a line for each finished stage below it.
#[derive(Debug)]
pub struct FailedExport {
    /// What stopped it.
    pub error: ExportError,
    /// The stages that it went through.
    pub report: Box<ExportReport>,
}

impl FailedExport {
    /// The stage that did not finish.
    pub fn stage(&self) -> Stage {
        self.report.next_stage()
    }
}

impl fmt::Display for FailedExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the export stopped at {}: {}", self.stage(), self.error)?;
        let done = self.report.to_string();
        if done.is_empty() { Ok(()) } else { write!(f, "\n{done}") }
    }
}

impl std::error::Error for FailedExport {}
