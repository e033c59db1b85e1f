//! The ranges of values, from running the float model: one pass, in bounded memory.

use std::collections::{BTreeMap, BTreeSet};

use engines::engine::Engine;
use engines::tensor::{NamedTensor, Tensor};
use onnx_model::{DataType, Model, TensorType, ValueInfo};

use crate::error::QuantizeError;
use crate::histogram::Histogram;
use crate::moments::{Lens, Moments};
use crate::range::{Method, Range};
use crate::samples::Sample;
use crate::writer::Ranges;

/// The model with further outputs: the values that are to be seen. The inputs among them need none.
pub fn observed(model: &Model, values: &BTreeSet<String>) -> Model {
    let mut observed = model.clone();
    let graph = &mut observed.graph;
    let made: BTreeSet<&str> = graph.nodes.iter().flat_map(|node| &node.outputs).map(String::as_str).collect();
    let there: BTreeSet<String> = graph.outputs.iter().map(|output| output.name.clone()).collect();
    let further: Vec<ValueInfo> = values
        .iter()
        .filter(|value| made.contains(value.as_str()) && !there.contains(*value))
        .map(|value| ValueInfo::typed(value.clone(), TensorType::unranked(DataType::F32)))
        .collect();
    graph.outputs.extend(further);
    observed
}

/// What is to be seen.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The values whose ranges are needed.
    pub ranges: BTreeSet<String>,
    /// The values that products take, with how they see them.
    pub products: BTreeSet<(String, Lens)>,
    /// The most rows that a product takes of a sample.
    pub rows: usize,
}

impl Wanted {
    /// The values.
    pub fn values(&self) -> BTreeSet<String> {
        let products = self.products.iter().map(|(value, _)| value);
        self.ranges.iter().chain(products).cloned().collect()
    }
}

/// What was seen of each value.
#[derive(Debug, Default)]
pub struct Seen {
    histograms: BTreeMap<String, Histogram>,
    moments: BTreeMap<(String, Lens), Moments>,
    samples: usize,
}

impl Seen {
    /// Runs a sample through the observed model and counts what it makes of it. Of values that begin with the axes of `mask`, an input
    /// of zeros and ones, the rows at zeros are left out: they belong to padding. Returned are all outputs.
    ///
    /// # Errors
    /// When the engine fails, or a value is not finite.
    pub fn add(
        &mut self,
        engine: &mut dyn Engine,
        wanted: &Wanted,
        Sample { name, inputs, .. }: &Sample,
        mask: Option<&str>,
    ) -> Result<Vec<NamedTensor>, QuantizeError> {
        let outputs = engine.run(inputs)?;
        let mask = mask.and_then(|mask| inputs.iter().find(|input| input.name == mask)).map(|input| &input.tensor);
        for value in inputs.iter().chain(&outputs) {
            let Some(elements) = value.tensor.as_f32() else { continue };
            let kept = mask.and_then(|mask| unpadded(&value.tensor, elements, mask));
            for key in wanted.products.iter().filter(|(name, _)| *name == value.name) {
                let moments = self.moments.entry(key.clone()).or_default();
                moments.add(&key.1, &value.tensor, kept.as_deref().unwrap_or(elements), wanted.rows);
            }
            if !wanted.ranges.contains(&value.name) {
                continue;
            }
            let histogram = self.histograms.entry(value.name.clone()).or_default();
            histogram.add(kept.as_deref().unwrap_or(elements)).map_err(|error| QuantizeError::NotFinite {
                sample: name.clone(),
                value: value.name.clone(),
                what: if error.is_nan { "NaN" } else { "an infinity" },
            })?;
        }
        self.samples += 1;
        Ok(outputs)
    }

    /// How many samples were seen.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// What the products saw.
    pub fn moments(&mut self) -> BTreeMap<(String, Lens), Moments> {
        std::mem::take(&mut self.moments)
    }

    /// The range of every value.
    pub fn ranges(&self, method: Method) -> Ranges {
        let range = |(name, histogram): (&String, &Histogram)| Some((name.clone(), Range::choose(histogram, method)?));
        self.histograms.iter().filter_map(range).collect()
    }
}

/// The elements of a value but those of the rows that the mask leaves out; `None` if it has no such rows.
fn unpadded(tensor: &Tensor, elements: &[f32], mask: &Tensor) -> Option<Vec<f32>> {
    let kept = mask.to_whole()?;
    if tensor.shape().len() <= mask.shape().len() || !tensor.shape().starts_with(mask.shape()) {
        return None;
    }
    let width = elements.len().checked_div(kept.len())?.max(1);
    let rows = elements.chunks(width).zip(&kept).filter(|(_, kept)| **kept != 0);
    Some(rows.flat_map(|(row, _)| row).copied().collect())
}
