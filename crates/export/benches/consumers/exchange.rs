//! Tensors on their way to a program and back: a manifest in JSON, and the elements of each in a file, little-endian.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use engines::tensor::{Elements, NamedTensor, Tensor};
use serde::{Deserialize, Serialize};

use crate::networks::Case;

/// A tensor in a file beside the manifest; the type is numpy's name for it.
#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    file: String,
}

/// What a program is asked.
#[derive(Serialize)]
struct Asked {
    case: String,
    inputs: Vec<Entry>,
    /// The names of the outputs in order.
    outputs: Vec<String>,
}

/// What it answers.
#[derive(Deserialize)]
struct Answer {
    case: String,
    #[serde(default)]
    outputs: Vec<Entry>,
    #[serde(default)]
    error: Option<String>,
}

/// Writes the inputs into `folder`; gives the manifest.
pub(crate) fn write_inputs(folder: &Path, cases: &[Case]) -> Result<PathBuf> {
    let mut asked = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut inputs = Vec::new();
        for input in &case.inputs {
            let (dtype, bytes): (_, Vec<u8>) = match input.tensor.elements() {
                Elements::F32(elements) => ("float32", elements.iter().flat_map(|value| value.to_le_bytes()).collect()),
                Elements::I64(elements) => ("int64", elements.iter().flat_map(|value| value.to_le_bytes()).collect()),
                other => bail!("`{}` is {}, which no program here is asked with", input.name, other.element_type()),
            };
            let file = format!("{number}-{}.bin", input.name);
            artifact::write_atomic(folder.join(&file), bytes)?;
            inputs.push(Entry {
                name: input.name.clone(),
                dtype: dtype.to_owned(),
                shape: input.tensor.shape().to_vec(),
                file,
            });
        }
        let outputs = case.expected.iter().map(|output| output.name.clone()).collect();
        asked.push(Asked { case: case.label.clone(), inputs, outputs });
    }
    let manifest = folder.join("cases.json");
    artifact::write_atomic(&manifest, serde_json::to_string_pretty(&asked)?)?;
    Ok(manifest)
}

/// What the program wrote into `folder`, by the labels of the cases.
pub(crate) fn read_outputs(folder: &Path) -> Result<BTreeMap<String, Result<Vec<NamedTensor>, String>>> {
    let manifest = folder.join("outputs.json");
    let text = std::fs::read_to_string(&manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
    let answers: Vec<Answer> =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", manifest.display()))?;
    let mut found = BTreeMap::new();
    for answer in answers {
        let outputs = match answer.error {
            Some(error) => Err(crate::environment::last_words(&error)),
            None => Ok(answer.outputs.iter().map(|entry| read(folder, entry)).collect::<Result<Vec<_>>>()?),
        };
        found.insert(answer.case, outputs);
    }
    Ok(found)
}

fn read(folder: &Path, entry: &Entry) -> Result<NamedTensor> {
    ensure!(!entry.file.contains('/'), "`{}` lies elsewhere: {}", entry.name, entry.file);
    let path = folder.join(&entry.file);
    let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let elements: Elements = match entry.dtype.as_str() {
        "float32" => bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect::<Vec<_>>().into(),
        "float64" => bytes.as_chunks::<8>().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect::<Vec<_>>().into(),
        "int64" => bytes.as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect::<Vec<_>>().into(),
        other => bail!("`{}` came back as {other}", entry.name),
    };
    Ok(NamedTensor::new(&entry.name, Tensor::new(entry.shape.clone(), elements)?))
}
