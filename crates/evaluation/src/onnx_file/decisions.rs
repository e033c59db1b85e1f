//! Whole numbers and truth values that floats decide: what they are where those floats are a little different.
//!
//! `Cast`, `ArgMax` and `Greater` jump. Where a float lies nearer to such a jump than float32 deviates, a right program may come out
//! on either side. Each float that decides is found in the graph; how far float32 deviates there is measured as everywhere else; and
//! the model is run in float64 with that much added and taken away.

use std::collections::BTreeSet;

use engines::engine::{Engine, EngineError};
use engines::tensor::{Elements, NamedTensor, Tensor};
use half::{bf16, f16};
use onnx_model::{DataType, Dim, Model, Node, TensorType, ValueInfo};

use crate::compare::spacing;
use crate::random::uniform;
use crate::verify::{FLOOR_ULP, LANES_FACTOR};

/// How often the floats are shifted at random.
const DRAWS: usize = 24;

/// How often they are shifted before, all alike: up, down, and against each other.
const ORDERLY: usize = 4;

/// So many values are not all exact by luck: where float32 deviates in none, the operation makes no error.
const MANY: usize = 4;

/// A model in which the floats that decide can be shifted, by further inputs, and are given out as well.
pub struct Decisions {
    /// The model.
    pub model: Model,
    floats: Vec<Deciding>,
}

/// The shape of a float that decides, and how far a right program may be from each value.
type Reach = (Vec<usize>, Vec<f64>);

/// A float that decides.
struct Deciding {
    value: String,
    shift: String,
    dtype: DataType,
    rank: usize,
    /// Whether it is the second of two that are compared.
    second: bool,
}

impl Decisions {
    /// The floats that decide about the whole numbers and truth values that a model gives; `None` if there are none.
    pub fn of(model: &Model) -> Option<Self> {
        let mut model = model.clone();
        model.graph.sort();
        let types = model.check().ok()?;
        let is_whole =
            |name: &String| types.get(name).is_some_and(|ty| ty.dtype.is_integer() || ty.dtype == DataType::Bool);
        let outputs: Vec<String> = model.graph.outputs.iter().map(|output| output.name.clone()).collect();
        let mut needed: BTreeSet<String> = outputs.into_iter().filter(is_whole).collect();
        let computed = model.graph.nodes.iter().filter(|node| node.op_type != "Constant");
        let made: BTreeSet<String> = computed.flat_map(|node| node.outputs.clone()).collect();
        let mut floats: Vec<Deciding> = Vec::new();
        let mut nodes = Vec::new();
        for mut node in std::mem::take(&mut model.graph.nodes).into_iter().rev() {
            if !node.outputs.iter().any(|output| needed.contains(output)) {
                nodes.push(node);
                continue;
            }
            needed.extend(node.inputs.iter().cloned());
            let decides = node.outputs.iter().any(is_whole) && !matches!(node.op_type.as_str(), "Shape" | "Size");
            let mut adds = Vec::new();
            for (position, input) in node.inputs.iter_mut().enumerate().filter(|_| decides) {
                let Some(TensorType { dtype, shape: Some(shape) }) = types.get(input.as_str()) else { continue };
                if !dtype.is_float() || !made.contains(input) {
                    continue;
                }
                let (value, shift) = (input.clone(), format!("{input}.shift"));
                let shifted = format!("{input}.shifted.{}", nodes.len());
                adds.push(Node::new("Add").inputs([value.as_str(), shift.as_str()]).output(shifted.as_str()));
                *input = shifted;
                if !floats.iter().any(|known| known.value == value) {
                    floats.push(Deciding { value, shift, dtype: *dtype, rank: shape.len(), second: position == 1 });
                }
            }
            nodes.push(node);
            nodes.extend(adds);
        }
        nodes.reverse();
        model.graph.nodes = nodes;
        for Deciding { value, shift, dtype, rank, .. } in &floats {
            model.graph.inputs.push(ValueInfo::new(shift, *dtype, vec![Dim::Unknown; *rank]));
            if !model.graph.outputs.iter().any(|output| output.name == *value) {
                model.graph.outputs.push(ValueInfo::new(value, *dtype, vec![Dim::Unknown; *rank]));
            }
        }
        (!floats.is_empty()).then_some(Self { model, floats })
    }

    /// The whole numbers and truth values that the model gives for these inputs where the floats that decide are shifted by as much as float32 deviates there, in many
    /// ways. `native` runs the model in float32, `exact` in float64.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn alternatives(
        &self,
        native: &mut dyn Engine,
        exact: &mut dyn Engine,
        inputs: &[NamedTensor],
    ) -> Result<Vec<Vec<NamedTensor>>, EngineError> {
        let unshifted = |wide: bool| -> Vec<NamedTensor> {
            inputs.iter().cloned().chain(self.floats.iter().filter_map(|float| zero(float, wide))).collect()
        };
        let (deviated, right) = (native.run(&unshifted(false))?, exact.run(&unshifted(true))?);
        let reaches: Vec<Option<Reach>> = self
            .floats
            .iter()
            .map(|float| {
                let found = |outputs: &[NamedTensor]| {
                    outputs.iter().find(|output| output.name == float.value).map(|output| output.tensor.clone())
                };
                let (deviated, right) = (found(&deviated)?, found(&right)?);
                let reach = reach(&deviated.to_f64(), &right.to_f64());
                (deviated.shape() == right.shape()).then(|| (right.shape().to_vec(), reach))
            })
            .collect();
        // Floats are compared otherwise, and may be large.
        let whole = |mut outputs: Vec<NamedTensor>| {
            outputs.retain(|output| !output.tensor.elements().element_type().is_float());
            outputs
        };
        let mut alternatives = vec![whole(right)];
        for draw in 0..DRAWS + ORDERLY {
            let shift = |(index, (float, reach)): (usize, (&Deciding, &Option<Reach>))| {
                let Some((shape, reach)) = reach else { return zero(float, true) };
                let seed = (draw * self.floats.len() + index) as u64;
                let shifts: Vec<f64> =
                    signs(draw, float.second, seed, reach.len()).zip(reach).map(|(a, b)| a * b).collect();
                Some(NamedTensor::new(&float.shift, Tensor::new(shape.clone(), shifts).ok()?))
            };
            let shifts: Vec<NamedTensor> = self.floats.iter().zip(&reaches).enumerate().filter_map(shift).collect();
            let inputs: Vec<NamedTensor> = inputs.iter().cloned().chain(shifts).collect();
            alternatives.push(whole(exact.run(&inputs)?));
        }
        Ok(alternatives)
    }
}

/// By how much of its reach each of `count` values is shifted: all up, all down, against those that they are compared with, and
/// then at random, every other time to an end.
fn signs(draw: usize, second: bool, seed: u64, count: usize) -> impl Iterator<Item = f64> {
    let drawn = uniform(seed, count, -1.0, 1.0).into_iter();
    drawn.map(move |drawn| match draw {
        0 => 1.0,
        1 => -1.0,
        2 | 3 if second == (draw == 2) => 1.0,
        2 | 3 => -1.0,
        draw if draw % 2 == 0 => f64::from(drawn.signum()),
        _ => f64::from(drawn),
    })
}

/// How far a right program may be from each value.
fn reach(deviated: &[f64], right: &[f64]) -> Vec<f64> {
    let finite = deviated.iter().zip(right).map(|(a, b)| (a - b).abs()).filter(|error| error.is_finite());
    let error = finite.fold(0.0, f64::max);
    let exact = error == 0.0 && right.len() >= MANY;
    let of = |(deviated, right): (&f64, &f64)| match *right {
        // What is zero in both, as behind a Relu, is so in every right program.
        right if exact || !right.is_finite() || (right == 0.0 && *deviated == 0.0) => 0.0,
        right => (LANES_FACTOR * error).max(FLOOR_ULP * spacing(right.abs())),
    };
    deviated.iter().zip(right).map(of).collect()
}

/// A single zero of this type, which shifts nothing.
fn zero(float: &Deciding, wide: bool) -> Option<NamedTensor> {
    let elements: Elements = match float.dtype {
        _ if wide => vec![0.0_f64].into(),
        DataType::F16 => vec![f16::ZERO].into(),
        DataType::BF16 => vec![bf16::ZERO].into(),
        DataType::F64 => vec![0.0_f64].into(),
        _ => vec![0.0_f32].into(),
    };
    Some(NamedTensor::new(&float.shift, Tensor::new(vec![1; float.rank], elements).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use onnx_model::Graph;

    #[test]
    fn what_float32_computes_and_a_jump_decides_can_be_shifted() {
        let value = |name: &str, dtype| ValueInfo::new(name, dtype, [Dim::from("batch")]);
        let graph = Graph::new("net")
            .input(value("x", DataType::F32))
            .output(value("y", DataType::I64))
            .output(value("more", DataType::Bool))
            .node(Node::new("Exp").input("x").output("e"))
            .node(Node::new("Cast").input("e").output("y").attribute("to", DataType::I64))
            // An input is not rounded; a comparison of floats is.
            .node(Node::new("Less").inputs(["x", "e"]).output("more"));
        let decisions = Decisions::of(&Model::new(13, graph)).unwrap();
        let types = decisions.model.check().unwrap();
        assert_eq!((decisions.floats.len(), decisions.floats[0].value.as_str()), (1, "e"));
        let inputs: Vec<&str> = decisions.model.graph.inputs.iter().map(|input| input.name.as_str()).collect();
        let outputs: Vec<&str> = decisions.model.graph.outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!((inputs, outputs), (vec!["x", "e.shift"], vec!["y", "more", "e"]));
        assert_eq!(types["y"].to_string(), "int64[batch]");
        let plain = Graph::new("net").input(value("x", DataType::F32)).output(value("y", DataType::I64));
        let plain = plain.node(Node::new("Cast").input("x").output("y").attribute("to", DataType::I64));
        assert!(Decisions::of(&Model::new(13, plain)).is_none());
    }

    /// By hand: the largest error is 2^-22, 16 times which is 2^-18; four units of 64 are 4 * 2^-17.
    #[test]
    fn a_value_reaches_as_far_as_float32_strays() {
        let deviated = [1.0 + 2.0_f64.powi(-22), 0.0, f64::INFINITY, 64.0];
        let reaches = reach(&deviated, &[1.0, 0.0, f64::INFINITY, 64.0]);
        assert_eq!(reaches, [2.0_f64.powi(-18), 0.0, 0.0, 2.0_f64.powi(-15)]);
        assert_eq!(reach(&[0.5; 4], &[0.5; 4]), [0.0; 4]);
        assert_eq!(reach(&[0.5], &[0.5]), [2.0_f64.powi(-22)]);
    }
}
