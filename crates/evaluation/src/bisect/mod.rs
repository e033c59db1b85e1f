//! Where an engine goes wrong: the first node whose output departs from the reference, and the smallest and simplest inputs
//! that show it.
//!
//! Every value inside the graph is made an output, of the engine's model and of the reference's, and both run side by
//! side. That keeps an engine from fusing nodes, and may cure it. Then the values are made outputs one at a time, and the
//! first that departs is found by halving.

mod expose;
mod shrink;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use artifact::interrupt::TemporaryFolder;
use onnx_model::{Model, Node};
use serde::{Deserialize, Serialize};

use crate::onnx_file::compare::{OutputDifference, difference};
use crate::onnx_file::inputs::{Sizes, cut, sizes_of};
use engines::engine::{Engine, EngineError, Signature};
use engines::tensor::NamedTensor;
use engines::worker::EngineSpec;
use engines::worker::remote::{Launcher, RemoteEngine};

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
    /// The output of the model that is wrong.
    pub output: String,
    /// The largest difference that passes there.
    pub limit: f64,
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
    /// How its output differs on the simplest inputs.
    pub difference: OutputDifference,
    /// Whether the engine is right once every value is an output: it errs in what it makes of several nodes together.
    pub only_when_fused: bool,
    /// The smallest sizes of the dynamic axes that show it.
    pub sizes: Sizes,
    /// How many elements the inputs have at these sizes; 0 in reports that do not know.
    #[serde(default)]
    pub elements: usize,
    /// How many of them are left other than zero.
    #[serde(default)]
    pub nonzero: usize,
    /// The file with these inputs, if it was written.
    #[serde(default)]
    pub trigger: Option<PathBuf>,
    /// These inputs; empty in what was read from a report.
    #[serde(skip)]
    pub inputs: Vec<NamedTensor>,
}

/// How often simpler inputs are tried.
const TRIES: u32 = 200;

/// How long that may take: where a try is slow, there are fewer.
const TIME: Duration = Duration::from_secs(20);

/// How many times as far as it may an output must deviate for simpler inputs to count, unless the failure was smaller to begin
/// with. It keeps them from what is barely wrong, or only rounded.
const MARGIN: f64 = 2.0;

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
    /// Where their models lie, which an engine may load again.
    _folder: TemporaryFolder,
}

/// What tells whether inputs show the departure: both its value inside the graph and the output that is wrong.
struct Witness<'a> {
    inside: Pair,
    value: &'a String,
    tolerance: f64,
    /// The models with their own outputs; `None` where the nodes make no such output.
    outside: Option<Pair>,
    output: &'a String,
    /// What the output must deviate at least.
    least: f64,
    /// The last inputs that showed it, and how the value differs there.
    shown: Option<(Vec<NamedTensor>, OutputDifference)>,
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
    let values = expose::values(suspect.model, reference.model);
    let mut pair = start(launcher, suspect, reference, &values)?;
    let differences = pair.differences(&trigger.inputs, &values)?;
    let first = differences.iter().position(|found| !found.within(trigger.tolerance));
    let (position, fused) = match first {
        Some(position) => (position, false),
        None => match alone(launcher, suspect, reference, trigger, &values)? {
            Some((position, engines)) => {
                pair = engines;
                (position, true)
            }
            None => return Ok(None),
        },
    };
    let Some(value) = values.get(position) else { return Ok(None) };
    let outputs: Vec<String> = values.iter().filter(|value| is_output(suspect.model, value)).cloned().collect();
    let outside =
        outputs.contains(&trigger.output).then(|| start(launcher, suspect, reference, &outputs)).transpose()?;
    let mut witness = Witness {
        inside: pair,
        value,
        tolerance: trigger.tolerance,
        outside,
        output: &trigger.output,
        least: 0.0,
        shown: None,
    };
    let whole = witness.deviates(&trigger.inputs)?;
    witness.least = whole.min((MARGIN * trigger.limit).max(f64::MIN_POSITIVE));
    let sizes = witness.shrink(trigger)?;
    let nodes = &suspect.model.graph.nodes;
    let maker = nodes.iter().position(|node| node.outputs.contains(value));
    let (Some(index), Some((inputs, difference))) = (maker, witness.shown) else { return Ok(None) };
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
        elements: inputs.iter().map(|input| input.tensor.elements().len()).sum(),
        nonzero: nonzero(&inputs).len(),
        trigger: None,
        inputs,
    }))
}

impl Witness<'_> {
    /// How far the output deviates; infinitely far where it is of another form or no number.
    fn deviates(&mut self, inputs: &[NamedTensor]) -> Result<f64, EngineError> {
        let Some(outside) = &mut self.outside else { return Ok(0.0) };
        let found = outside.differences(inputs, std::slice::from_ref(self.output))?;
        let far = |found: &OutputDifference| match found.same_form && found.not_finite == 0 {
            true => found.max_absolute,
            false => f64::INFINITY,
        };
        Ok(found.first().map_or(0.0, far))
    }

    /// Whether these inputs show it. What the model refuses shows nothing.
    fn shows(&mut self, inputs: Vec<NamedTensor>) -> bool {
        let found = self.inside.differences(&inputs, std::slice::from_ref(self.value)).unwrap_or_default();
        let Some(found) = found.into_iter().next().filter(|found| !found.within(self.tolerance)) else { return false };
        let shown = self.deviates(&inputs).is_ok_and(|deviates| deviates >= self.least);
        if shown {
            self.shown = Some((inputs, found));
        }
        shown
    }

    /// The smallest sizes that show it. The simplest inputs of these sizes are then the last that showed it; there are none if
    /// not even the whole inputs do.
    fn shrink(&mut self, trigger: &Trigger) -> Result<Sizes, BisectError> {
        self.shows(trigger.inputs.clone());
        let whole = sizes_of(&trigger.signature, &trigger.inputs);
        let sizes = shrink::shrink(&whole, |sizes| {
            let inputs = cut(&trigger.signature, &trigger.inputs, sizes);
            Ok::<_, BisectError>(inputs.is_some_and(|inputs| self.shows(inputs)))
        })?;
        let Some((inputs, _)) = self.shown.clone() else { return Ok(sizes) };
        let begun = Instant::now();
        self.shows(inputs.clone());
        let tries = (TIME.as_secs_f64() / begun.elapsed().as_secs_f64()).min(f64::from(TRIES)) as usize;
        let places = nonzero(&inputs);
        shrink::needed(places.len(), tries, |kept| {
            let kept: BTreeSet<_> = kept.iter().filter_map(|&one| places.get(one).copied()).collect();
            let simpler = (0..).zip(&inputs).map(|(index, input)| {
                NamedTensor::new(&input.name, input.tensor.keeping(|place| kept.contains(&(index, place))))
            });
            Ok::<_, BisectError>(self.shows(simpler.collect()))
        })?;
        Ok(sizes)
    }
}

/// The elements that are not zero: the input and the place in it of each.
fn nonzero(inputs: &[NamedTensor]) -> Vec<(usize, usize)> {
    let of = |(index, input): (usize, &NamedTensor)| {
        let values = (0..).zip(input.tensor.to_f64());
        values.filter(|(_, value)| *value != 0.0).map(|(place, _)| (index, place)).collect::<Vec<_>>()
    };
    inputs.iter().enumerate().flat_map(of).collect()
}

/// The first value that departs when it alone is made an output, with the engines that show it.
fn alone(
    launcher: &Launcher,
    suspect: &Side,
    reference: &Side,
    trigger: &Trigger,
    values: &[String],
) -> Result<Option<(usize, Pair)>, BisectError> {
    let shows = |position: usize| -> Result<Option<Pair>, BisectError> {
        let Some(value) = values.get(position).map(std::slice::from_ref) else { return Ok(None) };
        let mut pair = start(launcher, suspect, reference, value)?;
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
fn start(launcher: &Launcher, suspect: &Side, reference: &Side, values: &[String]) -> Result<Pair, BisectError> {
    let folder = TemporaryFolder::new()?;
    let open = |side: &Side, name: &str| -> Result<RemoteEngine, BisectError> {
        let path = folder.path().join(name);
        expose::with_outputs(side.model, values).save(&path)?;
        Ok(launcher.engine(&(side.engine)(&path)?)?)
    };
    let (suspect, reference) = (open(suspect, "suspect.onnx")?, open(reference, "reference.onnx")?);
    Ok(Pair { suspect, reference, _folder: folder })
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
        let simple = match (self.nonzero, self.elements) {
            (_, 0) => None,
            (0, _) => Some("nothing but zeros in the inputs".to_owned()),
            (nonzero, elements) => Some(format!("{nonzero} of {elements} input elements other than zero")),
        };
        let least = match (sizes.join(" "), simple) {
            (sizes, None) if sizes.is_empty() => String::new(),
            (sizes, Some(simple)) if sizes.is_empty() => format!(" (seen with {simple})"),
            (sizes, None) => format!(" (seen down to {sizes})"),
            (sizes, Some(simple)) => format!(" (seen down to {sizes}, with {simple})"),
        };
        format!(
            "{engine} departs at node {index} of {nodes}, `{}` ({}): its output `{}` {how}{least}{fused}{unseen}",
            self.name, self.operator, found.output
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As reports had it before they told of the values.
    const EARLIER: &str = r#"{"index":2,"nodes":4,"name":"encoder.1","operator":"Gemm","only_when_fused":false,
        "difference":{"output":"c","max_absolute":0.5,"max_relative":0.25,"cosine":null,"not_finite":0,"same_form":true},
        "sizes":{"batch":1}}"#;

    #[test]
    fn an_earlier_departure_loads_and_says_what_it_knows() {
        let mut departure: Departure = serde_json::from_str(EARLIER).unwrap();
        let ends = |departure: &Departure, end: &str| assert!(departure.sentence("tract").ends_with(end), "{end}");
        ends(&departure, " of its largest value (seen down to batch=1)");
        departure.elements = 784;
        ends(&departure, " (seen down to batch=1, with nothing but zeros in the inputs)");
        departure.nonzero = 3;
        ends(&departure, " (seen down to batch=1, with 3 of 784 input elements other than zero)");
        departure.sizes.clear();
        ends(&departure, " (seen with 3 of 784 input elements other than zero)");
        departure.inputs.push(NamedTensor::new("x", engines::tensor::Tensor::new([1], vec![1.0_f32]).unwrap()));
        let again: Departure = serde_json::from_str(&serde_json::to_string(&departure).unwrap()).unwrap();
        assert_eq!(again, Departure { inputs: Vec::new(), ..departure });
    }
}
