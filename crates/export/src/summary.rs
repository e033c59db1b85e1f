//! What was exported and how it was verified, for people and for programs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use artifact::Digest;
use evaluation::verify::Verification;
use onnx_model::{Model, WrittenFile};
use serde::Serialize;
use terminal::plain::line;
use terminal::table::grouped;

/// The most operators that are listed one by one.
const LISTED: usize = 40;

/// The result of an export.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The network.
    pub network: String,
    /// The file.
    pub model: PathBuf,
    /// What is in it.
    #[serde(flatten)]
    pub content: Content,
    /// The weights that it was made from.
    pub weights: PathBuf,
    /// What a reader should know first.
    pub notes: Vec<String>,
    /// The runtime that verified it: `ONNX Runtime 1.32.0`.
    pub runtime: String,
    /// How far it deviates from the network in float64.
    pub verification: Verification,
    /// How long it took.
    pub seconds: Seconds,
}

/// The seconds of each part of an export.
#[derive(Debug, Serialize)]
pub struct Seconds {
    /// Reading the weights into the network.
    pub load: f64,
    /// Making the graph.
    pub export: f64,
    /// Writing the file beside its place.
    pub write: f64,
    /// Running network and file on the same inputs, and putting the file in its place.
    pub verify: f64,
}

/// Tells the seconds from one part to the next.
pub struct Clock(Instant);

impl Clock {
    /// A clock that runs.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The seconds since the last call.
    pub fn lap(&mut self) -> f64 {
        std::mem::replace(&mut self.0, Instant::now()).elapsed().as_secs_f64()
    }
}

/// What is in a file.
#[derive(Debug, Serialize)]
pub struct Content {
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its size.
    pub bytes: u64,
    /// The weights, where they have a file of their own beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataFile>,
    /// The version of the operator set.
    pub opset: i64,
    /// The version of the file format.
    pub ir_version: i64,
    /// The operators in order.
    pub nodes: Vec<String>,
    /// How many numbers the initialisers hold.
    pub parameters: u64,
    /// What the file says about itself.
    pub metadata: BTreeMap<String, String>,
}

/// The weights of a large network: one file cannot hold 2 GiB.
#[derive(Debug, Serialize)]
pub struct DataFile {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its size.
    pub bytes: u64,
}

impl Content {
    /// Of a model and the files that hold it: first itself, then its weights if they have a file of their own.
    pub fn of(model: &Model, files: &[WrittenFile]) -> Result<Self> {
        let (file, data) = files.split_first().context("a model has at least one file")?;
        let data =
            data.first().map(|file| DataFile { path: file.path.clone(), sha256: file.sha256, bytes: file.bytes });
        Ok(Self {
            sha256: file.sha256,
            bytes: file.bytes,
            data,
            opset: model.opset().unwrap_or_default(),
            ir_version: model.ir_version,
            nodes: model.graph.nodes.iter().map(|node| node.op_type.clone()).collect(),
            parameters: model.graph.initializers.iter().filter_map(|tensor| tensor.elements()).sum(),
            metadata: model.metadata.clone(),
        })
    }
}

impl Summary {
    /// For the terminal.
    pub fn text(&self) -> String {
        let content = &self.content;
        let mut text: String = self.notes.iter().map(|note| line(format_args!("Note: {note}."))).collect();
        text += &line(format_args!(
            "Exported {}: opset {}, IR version {}, {} nodes, {} parameters, {} bytes",
            self.model.display(),
            content.opset,
            content.ir_version,
            content.nodes.len(),
            grouped(&content.parameters.to_string()),
            grouped(&content.bytes.to_string()),
        ));
        text += &line(format_args!("SHA-256 {}", content.sha256));
        if let Some(data) = &content.data {
            let bytes = grouped(&data.bytes.to_string());
            text += &line(format_args!("Weights in {}, which belongs to it: {bytes} bytes", data.path.display()));
            text += &line(format_args!("SHA-256 {}", data.sha256));
        }
        text += &line(operators(&content.nodes));
        text += &format!("\nVerified under {} against Burn in float64\n", self.runtime);
        text += &self.verification.table("Burn");
        let Seconds { load, export, write, verify } = self.seconds;
        text += &format!(
            "Took {load:.1} s to load, {export:.1} s to export, {write:.1} s to write, {verify:.1} s to verify\n"
        );
        text
    }
}

/// The operators in order, or, of a large graph, how often each one stands in it, the most frequent first.
fn operators(nodes: &[String]) -> String {
    if nodes.len() <= LISTED {
        return nodes.join(" ");
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        *counts.entry(node).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_graph_is_listed_and_a_large_one_counted() {
        let nodes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(operators(&nodes(&["Conv", "Relu", "Conv"])), "Conv Relu Conv");
        let many = nodes(&["MatMul", "Add", "Add"].repeat(LISTED));
        assert_eq!(operators(&many), format!("Add {}, MatMul {LISTED}", 2 * LISTED));
    }
}
