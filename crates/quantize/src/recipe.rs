//! How a model is quantised.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use cli::quantize::{Processor, QuantizeArgs, QuantizeFormat, QuantizeMethod};
use onnx_model::Model;

use crate::arithmetic::WeightBits;
use crate::calibrate::Wanted;
use crate::dynamic::StepsOf;
use crate::error::QuantizeError;
use crate::graph::{constants, float_input, id, label};
use crate::moments::Lens;
use crate::plan::Plan;
use crate::products::Products;
use crate::report::Mark;
use crate::writer::{Format, Ranges, WeightOptions};
use crate::{dynamic, embedding, prepare, writer};

/// Rows that a product is looked at over all samples, and the fewest and the most of a single one.
const ROWS: usize = 4096;
const LEAST_ROWS: usize = 16;
const MOST_ROWS: usize = 512;

/// How a model is quantised.
pub struct Recipe {
    /// From samples, or while it runs.
    pub is_static: bool,
    /// How integers stand in a static one.
    pub format: Format,
    /// How weights become integers.
    pub weights: WeightOptions,
    /// What has steps of its own in a dynamic model.
    pub steps: StepsOf,
    /// The nodes that the user wants in float, by their ids.
    pub kept: BTreeSet<String>,
    /// The ranges of a static one.
    pub ranges: Ranges,
    /// What the products saw of the samples.
    pub products: Products,
}

impl Recipe {
    /// The nodes that are quantised, by their ids, with their operators.
    pub fn nodes(&self, model: &Model) -> Vec<(String, String)> {
        let places: Vec<usize> = match self.is_static {
            true => Plan::of(model, &self.kept, self.format).sites.into_keys().collect(),
            false => dynamic::sites(model, &self.kept).into_iter().map(|(index, _)| index).collect(),
        };
        let nodes = places.into_iter().filter_map(|index| model.graph.nodes.get(index));
        nodes.map(|node| (id(node).to_owned(), node.op_type.clone())).collect()
    }

    /// What is to be seen of a model, on so many samples.
    pub fn wanted(&self, model: &Model, samples: usize) -> Wanted {
        let graph = &model.graph;
        let (places, ranges): (Vec<usize>, BTreeSet<String>) = match self.is_static {
            true => {
                let plan = Plan::of(model, &self.kept, self.format);
                let ranges = plan.values(model);
                (plan.sites.into_keys().collect(), ranges)
            }
            false => (dynamic::sites(model, &self.kept).into_iter().map(|(place, _)| place).collect(), BTreeSet::new()),
        };
        let constants = constants(graph);
        let product = |place: &usize| {
            let node = graph.nodes.get(*place)?;
            let lens = Lens::of(node, &float_input(&constants, node, 1)?.dims)?;
            Some((node.inputs.first()?.clone(), lens))
        };
        let rows = (ROWS / samples.max(1)).clamp(LEAST_ROWS, MOST_ROWS);
        Wanted { ranges, products: places.iter().filter_map(product).collect(), rows }
    }

    /// The quantised model, with these nodes in float as well.
    ///
    /// # Errors
    /// When a range is missing, or a weight is not finite.
    pub fn write(&self, model: &Model, in_float: &BTreeSet<String>) -> Result<Model, QuantizeError> {
        let skip: BTreeSet<String> = self.kept.union(in_float).cloned().collect();
        let mut written = match self.is_static {
            true => writer::write(
                model,
                &Plan::of(model, &skip, self.format),
                &self.ranges,
                &self.products,
                self.format,
                self.weights,
            )?,
            false => dynamic::write(model, &skip, &self.products, self.weights, self.steps)?,
        };
        written = embedding::write(&written)?;
        prepare::keep_sums_apart(&mut written.graph);
        Ok(written)
    }
}

/// What the options say of a model. Notes are what a reader should know.
///
/// # Errors
/// When a node that is to be kept is not there.
pub fn recipe(arguments: &QuantizeArgs, model: &Model, notes: &mut Vec<String>) -> Result<Recipe> {
    let has_convolutions = model.graph.nodes.iter().any(|node| node.op_type == "Conv" && node.is_own());
    let bits = match arguments.cpu {
        Processor::Any => WeightBits::Seven,
        Processor::Vnni => WeightBits::Eight,
        Processor::This if adds_without_loss() => WeightBits::Eight,
        Processor::This => {
            notes.push("this processor adds products of bytes in 16 bits, so that weights have 7 bits (--cpu vnni gives them 8)".to_owned());
            WeightBits::Seven
        }
    };
    if bits == WeightBits::Eight {
        notes.push("on an x86 processor without VNNI sums of products can saturate; --cpu any gives a file that is right there as well".to_owned());
    }
    let mut kept = BTreeSet::new();
    for name in &arguments.keep {
        let node = model.graph.nodes.iter().find(|node| label(node) == name || id(node) == name);
        let node = node.with_context(|| format!("--keep {name}: the model has no node of that name"))?;
        kept.insert(id(node).to_owned());
    }
    Ok(Recipe {
        is_static: match arguments.method {
            QuantizeMethod::Static => true,
            QuantizeMethod::Dynamic => false,
            QuantizeMethod::Auto => has_convolutions,
        },
        format: match arguments.format {
            QuantizeFormat::Qdq => Format::Qdq,
            QuantizeFormat::Qoperator => Format::QOperator,
        },
        weights: WeightOptions { per_channel: !arguments.per_tensor, bits },
        steps: if arguments.per_token { StepsOf::Row } else { StepsOf::Input },
        kept,
        ranges: Ranges::new(),
        products: Products::default(),
    })
}

/// Whether this processor adds up products of bytes in 32 bits: with VNNI, or if it is no x86.
fn adds_without_loss() -> bool {
    if !cfg!(target_arch = "x86_64") {
        return true;
    }
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    about.lines().find(|line| line.starts_with("flags")).is_some_and(|flags| flags.contains("vnni"))
}

/// Notes in a model what it was made of, and how.
pub fn describe(model: &mut Model, float: &Mark, recipe: &Recipe, calibration: Option<&str>) {
    let Recipe { is_static, format, weights, .. } = recipe;
    let how = match (is_static, format) {
        (false, _) if recipe.steps == StepsOf::Row => "dynamic, steps for each row".to_owned(),
        (false, _) => "dynamic".to_owned(),
        (true, Format::Qdq) => format!("static, qdq, ranges by {}", calibration.unwrap_or_default()),
        (true, Format::QOperator) => format!("static, qoperator, ranges by {}", calibration.unwrap_or_default()),
    };
    let bits = if weights.bits == WeightBits::Eight { 8 } else { 7 };
    let scales = if weights.per_channel { "channel" } else { "tensor" };
    model.metadata.insert("kiln.quantization".to_owned(), format!("{how}, weights of {bits} bits per {scales}"));
    model.metadata.insert("kiln.quantized_from".to_owned(), float.sha256.to_string());
}
