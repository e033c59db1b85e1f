//! Models: a graph with the versions that give it a meaning.

use std::collections::BTreeMap;

use crate::Graph;

/// A graph, the operator sets that it uses, and where it comes from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    /// The version of the file format; [`ir_version_for_opset`] gives the one that goes with an operator set.
    pub ir_version: i64,
    /// The version of each operator set in use; the empty name is ONNX's own.
    pub opset_imports: BTreeMap<String, i64>,
    /// The program that made the model.
    pub producer_name: String,
    /// Its version.
    pub producer_version: String,
    /// The name space of the model, as `org.example`; may be empty.
    pub domain: String,
    /// The version of the model itself.
    pub model_version: i64,
    /// A text for people.
    pub doc: String,
    /// Notes by name: provenance, labels.
    pub metadata: BTreeMap<String, String>,
    /// What the model computes.
    pub graph: Graph,
}

impl Model {
    /// A model over ONNX's own operator set of version `opset`, with the format version that goes with it.
    pub fn new(opset: i64, graph: Graph) -> Self {
        Self {
            ir_version: ir_version_for_opset(opset),
            opset_imports: BTreeMap::from([(String::new(), opset)]),
            graph,
            ..Self::default()
        }
    }

    /// The version of ONNX's own operator set; `None` when the model does not import it.
    pub fn opset(&self) -> Option<i64> {
        // Both names are in use for the same set.
        self.opset_imports.get("").or_else(|| self.opset_imports.get("ai.onnx")).copied()
    }
}

/// The highest opset of ONNX's own operators that [`ir_version_for_opset`] knows of.
pub const LAST_OPSET: i64 = 28;

/// The version of the file format of the ONNX release that brought this opset (`onnx.helper.VERSION_TABLE`): a
/// runtime that knows the operators then also reads the file. Opsets after [`LAST_OPSET`] get the last version known.
pub fn ir_version_for_opset(opset: i64) -> i64 {
    match opset {
        ..=8 => 3,
        9 => 4,
        10 => 5,
        11 => 6,
        12..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        23 => 11,
        24 => 12,
        25..=27 => 13,
        _ => 14,
    }
}
