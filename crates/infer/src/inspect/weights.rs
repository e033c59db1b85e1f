//! Weight files: safetensors, and what `torch.save` writes.

use std::collections::BTreeMap;
use std::path::Path;

use models::weights::{Checkpoint, Format};
use serde::Serialize;
use terminal::failure::sentence;
use terminal::plain::line;
use terminal::table::Table;

use super::{count, hidden, listed, pairs};

/// Weights.
#[derive(Debug, Serialize)]
pub struct Contents {
    bytes: u64,
    /// The files that hold them.
    files: Vec<String>,
    /// Elements in all tensors.
    parameters: u64,
    tensors: Vec<Stored>,
    /// How many tensors there are of each element type.
    types: BTreeMap<String, u64>,
    metadata: BTreeMap<String, String>,
}

/// A tensor.
#[derive(Debug, Serialize)]
struct Stored {
    name: String,
    #[serde(rename = "type")]
    ty: String,
    shape: Vec<usize>,
}

/// Tensors that are listed before they are only counted.
const LISTED: usize = 40;

/// Opens the weights as every command does, without reading values into memory.
///
/// # Errors
/// A sentence, where Kiln would not open them.
pub fn inspect(path: &Path) -> Result<(&'static str, Contents, Vec<String>), String> {
    let checkpoint = Checkpoint::open(path).map_err(|error| sentence(&error))?;
    let stored: Vec<Stored> = checkpoint
        .tensors()
        .iter()
        .map(|(name, tensor)| Stored {
            name: name.clone(),
            ty: tensor.dtype.name().to_owned(),
            shape: tensor.shape.clone(),
        })
        .collect();
    let elements =
        |tensor: &Stored| tensor.shape.iter().fold(1_u64, |product, &size| product.saturating_mul(size as u64));
    let mut types = BTreeMap::new();
    for tensor in &stored {
        *types.entry(tensor.ty.clone()).or_default() += 1;
    }
    let size = |file: &Path| std::fs::metadata(file).map_or(0, |about| about.len());
    let contents = Contents {
        bytes: checkpoint.files().map(size).sum(),
        files: checkpoint.files().map(|file| file.display().to_string()).collect(),
        parameters: stored.iter().map(elements).fold(0, u64::saturating_add),
        types,
        metadata: checkpoint.metadata().clone(),
        tensors: stored,
    };
    let unusual = unusual(&checkpoint, &contents);
    Ok((checkpoint.format().name(), contents, unusual))
}

/// What few weight files have.
fn unusual(checkpoint: &Checkpoint, contents: &Contents) -> Vec<String> {
    let mut unusual = Vec::new();
    if checkpoint.format() == Format::Legacy {
        unusual.push("its format has no checksums, so that a changed weight is not noticed".to_owned());
    }
    let empty = contents.tensors.iter().filter(|tensor| tensor.shape.contains(&0)).count();
    if empty > 0 {
        unusual.push(format!("{} without elements", count(empty as u64, "tensor")));
    }
    let names = contents.tensors.iter().map(|tensor| tensor.name.as_str());
    unusual.extend(hidden(names.chain(contents.metadata.keys().map(String::as_str))));
    unusual
}

impl Contents {
    pub fn text(&self) -> String {
        let types = self.types.iter().map(|(ty, number)| format!("{number} of {ty}"));
        let mut text = line(format_args!(
            "{} in {} ({}), {}",
            count(self.parameters, "parameter"),
            count(self.tensors.len() as u64, "tensor"),
            types.collect::<Vec<_>>().join(", "),
            count(self.bytes, "byte")
        ));
        if self.files.len() > 1 {
            text += &listed("Files", self.files.iter().cloned());
        }
        let mut table = Table::left(["tensor", "type", "shape"]);
        for tensor in self.tensors.iter().take(LISTED) {
            table.row([tensor.name.clone(), tensor.ty.clone(), format!("{:?}", tensor.shape)]);
        }
        text += &table.render();
        if self.tensors.len() > LISTED {
            text += &line(format_args!("and {} more", self.tensors.len() - LISTED));
        }
        text + &listed("It says of itself", pairs(&self.metadata))
    }
}
