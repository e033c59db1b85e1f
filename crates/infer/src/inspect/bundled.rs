//! Bundles.

use std::collections::BTreeMap;
use std::path::Path;

use ::bundle::manifest::Manifest;
use ::bundle::verify::{Findings, is_whole, manifest};
use engines::engine::TensorInfo;
use onnx_model::Survey;
use serde::Serialize;
use terminal::failure::sentence;
use terminal::plain::line;

use super::{Content, Found, count, listed, pairs};

/// A bundle.
#[derive(Debug, Serialize)]
pub struct Contents {
    name: String,
    files: usize,
    bytes: u64,
    bundled_by: String,
    revisions: BTreeMap<&'static str, String>,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
    max_batch_size: usize,
    model_sha256: String,
    metadata: BTreeMap<String, String>,
    example: String,
}

/// Checks that the bundle is whole, by its hashes, and that its model is one that Kiln would open. What `bundle --verify` does
/// besides, to run the example, takes a runtime.
pub fn inspect(folder: &Path) -> Found {
    let manifest = manifest(folder)?;
    let Findings { files, problems, .. } = is_whole(folder, &manifest).map_err(|error| sentence(&error))?;
    if let Some(first) = problems.first() {
        let more =
            if problems.len() > 1 { format!("; and {} more problems", problems.len() - 1) } else { String::new() };
        return Err(format!("{first}{more}"));
    }
    let model = folder.join(&manifest.model.path);
    Survey::of(&model).map_err(|error| format!("{}: {}", manifest.model.path, sentence(&error)))?;
    let Manifest { name, code, model, max_batch_size, example, .. } = manifest;
    let revisions = [("bundled", code.bundled_at), ("exported", code.exported_at), ("trained", code.trained_at)];
    let contents = Contents {
        name,
        files,
        bytes: manifest.files.values().map(|file| file.bytes).sum(),
        bundled_by: code.bundled_by,
        revisions: revisions.into_iter().filter_map(|(what, revision)| Some((what, revision?))).collect(),
        inputs: model.signature.inputs,
        outputs: model.signature.outputs,
        max_batch_size,
        model_sha256: model.sha256.to_string(),
        metadata: model.metadata,
        example: example.about,
    };
    Ok((Content::Bundle(contents), Vec::new()))
}

impl Contents {
    pub fn text(&self) -> String {
        let tensors = |tensors: &[TensorInfo]| tensors.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut text = line(format_args!(
            "{}: {}, {}, batches of up to {}",
            self.name,
            count(self.files as u64, "file"),
            count(self.bytes, "byte"),
            self.max_batch_size.max(1)
        ));
        text += &listed("Takes", tensors(&self.inputs));
        text += &listed("Gives", tensors(&self.outputs));
        text += &line(format_args!("The model's SHA-256 is {}", self.model_sha256));
        let revisions = self.revisions.iter().map(|(what, revision)| format!("{what} at {revision}"));
        text += &listed("Code", std::iter::once(self.bundled_by.clone()).chain(revisions));
        text + &listed("The model says of itself", pairs(&self.metadata))
    }
}
