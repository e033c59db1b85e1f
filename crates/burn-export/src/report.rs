//! What an export did, stage by stage.

use std::collections::BTreeMap;
use std::fmt;

use crate::opset::Opset;

/// What was captured, simplified, lowered and checked. Its `Display` is a text of a few lines.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportReport {
    /// The opset written.
    pub opset: Opset,
    /// The sizes at which `forward` was recorded, as `batch = 3, seq = 7`.
    pub traces: Vec<String>,
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
    /// Whether the finished model passed the checker.
    pub checked: bool,
}

impl ExportReport {
    /// The number of Burn's operations that the outputs need.
    pub fn operation_count(&self) -> usize {
        self.operations.values().sum()
    }

    /// The number of nodes in the file.
    pub fn node_count(&self) -> usize {
        self.nodes.values().sum()
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "captured    {} operations at {} sizes: {}", self.operation_count(), self.traces.len(), {
            self.traces.join("; ")
        })?;
        writeln!(f, "parameters  {} tensors, {} bytes", self.parameters, self.parameter_bytes)?;
        writeln!(f, "lowered     {} nodes at opset {}", self.lowered_nodes, self.opset)?;
        let list = |counts: Vec<String>| if counts.is_empty() { "nothing".to_string() } else { counts.join(", ") };
        let applied = self.simplifications.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "simplified  {}", list(applied))?;
        let nodes = self.nodes.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "wrote       {} nodes: {}", self.node_count(), list(nodes))?;
        write!(f, "checked     {}", if self.checked { "passed" } else { "not run" })
    }
}
