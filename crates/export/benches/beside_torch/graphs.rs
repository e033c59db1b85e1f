//! What ONNX Runtime's fusions make of a file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use engines::runtime::Runtime;
use engines::session::{Optimization, SessionOptions, write_optimized};
use onnx_model::{LoadOptions, Model};

/// How many operators a file has.
pub struct Counts {
    /// In the file.
    pub raw: usize,
    /// After ONNX Runtime's extended fusions.
    pub fused: usize,
    /// The operators that only fusions make, and MatMul, after them.
    pub kinds: String,
}

impl Counts {
    /// Of the file at `path`.
    pub fn of(runtime: &Runtime, path: &Path) -> Result<Self> {
        let raw = Model::load_with(path, &LoadOptions { external_data: false, ..LoadOptions::default() })?;
        let folder = tempfile::tempdir()?;
        let fused_path = folder.path().join("fused.onnx");
        let options = SessionOptions { optimization: Optimization::Extended, ..SessionOptions::default() };
        write_optimized(runtime, path, &options, &fused_path)?;
        let fused = Model::load(&fused_path)?;
        // Operators of the runtime's own domain, and those that it forms of others.
        let formed = ["LayerNormalization", "Gelu", "MatMul"];
        let mut counts = BTreeMap::<&str, usize>::new();
        for node in &fused.graph.nodes {
            if !node.domain.is_empty() || formed.contains(&node.op_type.as_str()) {
                *counts.entry(&node.op_type).or_default() += 1;
            }
        }
        let kinds: Vec<String> = counts.iter().map(|(op, count)| format!("{op} {count}")).collect();
        Ok(Self { raw: raw.graph.nodes.len(), fused: fused.graph.nodes.len(), kinds: kinds.join(", ") })
    }
}
