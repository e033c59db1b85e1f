//! Where an engine goes wrong: the first node whose output departs from the reference, and the smallest input that shows
//! it.
//!
//! Every value inside the graph is made an output, of the engine's model and of the reference's, and both run side by
//! side. That keeps an engine from fusing nodes, and may cure it. Then the values are made outputs one at a time, and the
//! first that departs is found by halving.

mod expose;
mod shrink;

use std::path::Path;

use onnx_model::{Model, Node};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::any_model::compare::{OutputDifference, difference};
use crate::any_model::inputs::{Sizes, cut, sizes_of};
use crate::engine::{Engine, EngineError, Signature};
use crate::tensor::NamedTensor;
use crate::worker::EngineSpec;
use crate::worker::remote::{Launcher, RemoteEngine};

/// An engine with a model.
pub struct Side<'a> {
    /// The model, with its weights.
    pub model: &'a Model,
    /// The engine for a file that holds the model or a variant of it.
    pub engine: &'a dyn Fn(&Path) -> Result<EngineSpec, EngineError>,
}

/// The inputs that an engine is wrong about.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// What the model takes.
    pub signature: Signature,
    /// The inputs.
    pub inputs: Vec<NamedTensor>,
    /// The largest difference that passes, as a share of the largest value.
    pub tolerance: f64,
}

/// The first node that departs from the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Departure {
    /// The node, from zero, in the order of the file.
    pub index: usize,
    /// How many nodes there are.
    pub nodes: usize,
    /// Its name, which is the path of the module where the exporter gives it.
    pub name: String,
    /// Its operator.
    pub operator: String,
    /// Nodes right before it of which no output could be compared, as the reference has none of the same name.
    #[serde(default)]
    pub unseen: usize,
    /// How its output differs at the smallest sizes.
    pub difference: OutputDifference,
    /// Whether the engine is right once every value is an output: it errs in what it makes of several nodes together.
    pub only_when_fused: bool,
    /// The smallest sizes of the dynamic axes that show it.
    pub sizes: Sizes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum BisectError {
    /// An engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The model with more outputs cannot be written.
    #[error(transparent)]
    Save(#[from] onnx_model::SaveError),
    /// A temporary folder cannot be made.
    #[error(transparent)]
    File(#[from] artifact::FileError),
}

/// Two engines that run the same values side by side.
struct Pair {
    suspect: RemoteEngine,
    reference: RemoteEngine,
}

/// Finds the first node whose output departs. `None` if nothing departs, not even the outputs.
///
/// # Errors
/// When an engine cannot load or run a model.
pub fn bisect(
    launcher: &Launcher,
    suspect: &Side,
    reference: &Side,
    trigger: &Trigger,
) -> Result<Option<Departure>, BisectError> {
    let folder = tempfile::tempdir().map_err(artifact::FileError::new("create", std::env::temp_dir()))?;
    let values = expose::values(suspect.model, reference.model);
    let mut pair = start(launcher, &folder, suspect, reference, &values)?;
    let differences = pair.differences(&trigger.inputs, &values)?;
    let first = differences.iter().position(|found| !found.within(trigger.tolerance));
    let (position, fused) = match first {
        Some(position) => (position, false),
        None => match alone(launcher, &folder, suspect, reference, trigger, &values)? {
            Some((position, engines)) => {
                pair = engines;
                (position, true)
            }
            None => return Ok(None),
        },
    };
    let Some(value) = values.get(position) else { return Ok(None) };
    let departs = |pair: &mut Pair, sizes: &Sizes| -> Result<Option<OutputDifference>, BisectError> {
        let Some(inputs) = cut(&trigger.signature, &trigger.inputs, sizes) else { return Ok(None) };
        // A size that the model refuses shows nothing.
        let Ok(found) = pair.differences(&inputs, std::slice::from_ref(value)) else { return Ok(None) };
        Ok(found.into_iter().next().filter(|found| !found.within(trigger.tolerance)))
    };
    let whole = sizes_of(&trigger.signature, &trigger.inputs);
    let sizes = shrink::shrink(&whole, |sizes| departs(&mut pair, sizes).map(|found| found.is_some()))?;
    let shown = departs(&mut pair, &sizes)?;
    let nodes = &suspect.model.graph.nodes;
    let maker = nodes.iter().position(|node| node.outputs.contains(value));
    let (Some(index), Some(difference)) = (maker, shown) else { return Ok(None) };
    // What stands between the node and the last one before it that was compared.
    let compared = |node: &Node| node.outputs.iter().any(|output| values.contains(output));
    let unseen = nodes.iter().take(index).rev().take_while(|node| !compared(node)).count();
    let named = |node: &Node| if node.name.is_empty() { value.clone() } else { node.name.clone() };
    Ok(nodes.get(index).map(|node| Departure {
        index,
        nodes: nodes.len(),
        name: named(node),
        operator: node.op_type.clone(),
        unseen,
        difference,
        only_when_fused: fused,
        sizes,
    }))
}

/// The first value that departs when it alone is made an output, with the engines that show it.
fn alone(
    launcher: &Launcher,
    folder: &TempDir,
    suspect: &Side,
    reference: &Side,
    trigger: &Trigger,
    values: &[String],
) -> Result<Option<(usize, Pair)>, BisectError> {
    let shows = |position: usize| -> Result<Option<Pair>, BisectError> {
        let Some(value) = values.get(position).map(std::slice::from_ref) else { return Ok(None) };
        let mut pair = start(launcher, folder, suspect, reference, value)?;
        let found = pair.differences(&trigger.inputs, value)?;
        Ok(found.iter().any(|found| !found.within(trigger.tolerance)).then_some(pair))
    };
    // The search begins at the first of the graph's own outputs that departs.
    let mut begun = None;
    for (position, _) in values.iter().enumerate().filter(|(_, value)| is_output(suspect.model, value)) {
        if let Some(found) = shows(position)? {
            begun = Some((position, found));
            break;
        }
    }
    let Some((mut wrong, mut pair)) = begun else { return Ok(None) };
    let mut right = 0;
    while right < wrong {
        let middle = right.midpoint(wrong);
        match shows(middle)? {
            Some(found) => (wrong, pair) = (middle, found),
            None => right = middle + 1,
        }
    }
    Ok(Some((wrong, pair)))
}

fn is_output(model: &Model, value: &str) -> bool {
    model.graph.outputs.iter().any(|output| output.name == value)
}

/// Both engines on their models with these values as outputs.
fn start(
    launcher: &Launcher,
    folder: &TempDir,
    suspect: &Side,
    reference: &Side,
    values: &[String],
) -> Result<Pair, BisectError> {
    let open = |side: &Side, name: &str| -> Result<RemoteEngine, BisectError> {
        let path = folder.path().join(name);
        expose::with_outputs(side.model, values).save(&path)?;
        Ok(launcher.engine(&(side.engine)(&path)?)?)
    };
    Ok(Pair { suspect: open(suspect, "suspect.onnx")?, reference: open(reference, "reference.onnx")? })
}

impl Pair {
    /// How each of the values differs, in the order given.
    fn differences(&mut self, inputs: &[NamedTensor], values: &[String]) -> Result<Vec<OutputDifference>, EngineError> {
        let expected = self.reference.run(inputs)?;
        let found = self.suspect.run(inputs)?;
        let of = |outputs: &[NamedTensor], name: &String| outputs.iter().position(|output| output.name == *name);
        let compared = values.iter().filter_map(|name| {
            let expected = expected.get(of(&expected, name)?)?;
            let found = of(&found, name).and_then(|place| found.get(place)).map(|found| &found.tensor);
            Some(difference(expected, found))
        });
        Ok(compared.collect())
    }
}

impl Departure {
    /// In a sentence.
    pub fn sentence(&self, engine: &str) -> String {
        let sizes: Vec<String> = self.sizes.iter().map(|(axis, size)| format!("{axis}={size}")).collect();
        let (index, nodes) = (self.index + 1, self.nodes);
        let found = &self.difference;
        let how = match found {
            found if !found.same_form => "has another type or shape".to_owned(),
            found if found.not_finite > 0 => format!("holds {} values that are no numbers", found.not_finite),
            found => format!("differs by {:.2e}, {:.2e} of its largest value", found.max_absolute, found.max_relative),
        };
        let fused = match self.only_when_fused {
            true => "; the engine is right when every value is an output, so it errs in a fusion that ends there",
            false => "",
        };
        let unseen = match self.unseen {
            0 => String::new(),
            nodes => format!(
                "; the {nodes} nodes before it may be the cause, as the reference has no values by the names of theirs"
            ),
        };
        let least = if sizes.is_empty() { String::new() } else { format!(" (seen down to {})", sizes.join(" ")) };
        format!(
            "{engine} departs at node {index} of {nodes}, `{}` ({}): its output `{}` {how}{least}{fused}{unseen}",
            self.name, self.operator, found.output
        )
    }
}
