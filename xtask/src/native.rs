//! The networks of `bench pytorch`, made in PyTorch, and those of `bench native`, with random weights.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde_json::json;

use crate::programs::{Program, Programs, succeeds};
use crate::workspace;

/// The shape of the BERT, whose weights are random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BertShape {
    /// 12 layers, 768 wide: 109 million parameters.
    Base,
    /// 24 layers, 1024 wide, as in the article: 334 million parameters. All contenders together take over 8 GiB.
    Large,
}

impl BertShape {
    fn config(self) -> serde_json::Value {
        let (layers, width, heads) = match self {
            Self::Base => (12, 768, 12),
            Self::Large => (24, 1024, 16),
        };
        json!({
            "model_type": "bert",
            "vocab_size": 30_522,
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": 4 * width,
        })
    }
}

/// Exports the networks of `bench native` with random weights. Gives the folder with all of it.
pub fn prepare_random() -> Result<PathBuf> {
    let folder = workspace::root().join("target/inference");
    let minilm = json!({
        "model_type": "bert",
        "vocab_size": 30_522,
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
    });
    let programs = Programs::for_program(Program::Export)?;
    let bert_base = BertShape::Base.config();
    for (name, network, config) in [
        ("alexnet", "alexnet", None),
        ("efficientnet-lite0", "efficientnet-lite0", None),
        ("minilm", "bert-qa", Some(minilm)),
        ("bert-base", "bert-qa", Some(bert_base)),
    ] {
        let folder = folder.join(name);
        let mut export = programs.command(Program::Export)?;
        export.args([network, "--random-init", "1", "--out"]).arg(folder.join("model.onnx"));
        if let Some(config) = config {
            let file = folder.join("config.json");
            artifact::write_atomic(&file, config.to_string())?;
            export.arg("--config").arg(file);
        }
        if !succeeds(&mut export)? {
            bail!("`export {network}` failed; the message above says why");
        }
    }
    Ok(folder)
}

/// The networks, in the order of the article.
const NETWORKS: [&str; 3] = ["mnist", "alexnet", "bert-qa"];

/// Makes weights, inputs and PyTorch's outputs, and exports every network. Gives the folder with all of it.
pub fn prepare(python: &Path, bert: BertShape) -> Result<PathBuf> {
    let folder = workspace::root().join("target/native").join(format!("{bert:?}").to_lowercase());
    artifact::write_atomic(folder.join("bert.json"), bert.config().to_string())?;
    // The trained network if there is one; its times are those of any weights.
    let trained = workspace::root().join("artifacts/mnist/model.safetensors");
    let weights = folder.join("mnist.safetensors");
    if trained.is_file() && !weights.exists() {
        artifact::write_atomic(&weights, std::fs::read(&trained).map_err(artifact::FileError::new("read", &trained))?)?;
    }
    let script = workspace::root().join("crates/infer/benches/native/native.py");
    let mut make = std::process::Command::new(python);
    make.arg(script).args(["prepare", "--networks", &NETWORKS.join(",")]).arg("--folder").arg(&folder);
    if !succeeds(&mut make)? {
        bail!("PyTorch did not make the networks; the message above says why");
    }
    let programs = Programs::for_program(Program::Export)?;
    for network in NETWORKS {
        let out = folder.join(format!("{network}.onnx"));
        let weights = match network {
            "bert-qa" => folder.join(network),
            _ => folder.join(format!("{network}.safetensors")),
        };
        let mut export = programs.command(Program::Export)?;
        if !succeeds(export.arg(network).arg("--weights").arg(weights).arg("--out").arg(out))? {
            bail!("`export {network}` failed; the message above says why");
        }
    }
    Ok(folder)
}
