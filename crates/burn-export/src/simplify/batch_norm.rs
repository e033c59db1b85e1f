//! A BatchNormalization behind a convolution or a linear layer becomes part of its weights.
//!
//! At inference it scales and shifts each channel by fixed numbers, which the layer in front of it may do as well:
//! `scale = gamma / sqrt(variance + epsilon)`, `weight * scale`, and `(bias - mean) * scale + beta`. The new weights are
//! computed in float64 and rounded once.

use onnx_model::{Attribute, DataType};

use crate::elements;
use crate::graph::{Graph, Node, Operand, Source, ValueId};
use crate::symbolic::Dim;

/// Folds every BatchNormalization whose layer has no other user and weights of its own.
pub(super) fn fold_batch_norm(graph: &mut Graph) -> usize {
    let mut count = 0;
    let mut index = 0;
    while index < graph.nodes.len() {
        if graph.nodes[index].op == "BatchNormalization" && fold_one(graph, index).is_some() {
            count += 1;
        } else {
            index += 1;
        }
    }
    count
}

/// A layer in front of a normalisation.
struct Layer {
    at: usize,
    weight: ValueId,
    bias: Option<ValueId>,
    /// The channel of the result that each weight belongs to is its place, divided by the first number, modulo the second;
    /// counted on within each group of inputs by the third.
    channels: Channels,
}

/// How the channels of the result lie in the weights, in row-major order.
struct Channels {
    /// Weights from one channel to the next.
    step: usize,
    /// Channels in a row.
    count: usize,
    /// Weights of a group, whose channels follow those of the group before.
    group: usize,
}

impl Channels {
    fn of(&self, place: usize) -> usize {
        place / self.group * self.count + place / self.step % self.count
    }
}

fn fold_one(graph: &mut Graph, index: usize) -> Option<()> {
    let norm = &graph.nodes[index];
    let (input, result) = (norm.input(0)?, norm.outputs[0]);
    let layer = layer(graph, input)?;
    let statistics: Vec<Vec<f64>> =
        (1..5).map(|position| numbers(graph, norm.input(position)?)).collect::<Option<_>>()?;
    let [gamma, beta, mean, variance] = statistics.as_slice() else { return None };
    let epsilon = match norm.attributes.get("epsilon") {
        Some(Attribute::Float(epsilon)) => f64::from(*epsilon),
        _ => 1e-5,
    };
    let scale: Vec<f64> =
        gamma.iter().zip(variance).map(|(gamma, variance)| gamma / (variance + epsilon).sqrt()).collect();
    let weights = numbers(graph, layer.weight)?;
    let scaled: Vec<f64> = weights
        .iter()
        .enumerate()
        .map(|(place, weight)| Some(weight * scale.get(layer.channels.of(place))?))
        .collect::<Option<_>>()?;
    let bias = match layer.bias {
        Some(bias) => numbers(graph, bias)?,
        None => vec![0.0; scale.len()],
    };
    if [bias.len(), beta.len(), mean.len()] != [scale.len(); 3] {
        return None;
    }
    let shifted: Vec<f64> = (0..scale.len()).map(|at| (bias[at] - mean[at]) * scale[at] + beta[at]).collect();
    // What is not a number would spread over all places instead of staying where it comes from.
    if scaled.iter().chain(&shifted).any(|number| !number.is_finite()) {
        return None;
    }
    let name = graph.parameter_name(layer.weight)?;
    let bias_name = match layer.bias.and_then(|bias| graph.parameter_name(bias)) {
        Some(name) => name,
        None => name.rsplit_once('.').map_or_else(|| format!("{name}.bias"), |(module, _)| format!("{module}.bias")),
    };
    let dtype = graph.dtype(layer.weight);
    let weight_shape = graph.shape(layer.weight).to_vec();
    let weight = derived(graph, dtype, weight_shape, name, &scaled);
    let channels = vec![Dim::fixed(scale.len() as i64)];
    let bias = derived(graph, dtype, channels, bias_name, &shifted);
    let node = &mut graph.nodes[layer.at];
    node.inputs.resize(3, Operand::Absent);
    node.inputs[1] = Operand::Value(weight);
    node.inputs[2] = Operand::Value(bias);
    if node.op == "MatMul" {
        node.op = "Gemm";
    }
    node.outputs[0] = result;
    graph.nodes.remove(index);
    Some(())
}

fn layer(graph: &Graph, result: ValueId) -> Option<Layer> {
    if graph.uses()[result.0] != 1 {
        return None;
    }
    let at = graph.producers()[result.0]?;
    let node: &Node = &graph.nodes[at];
    let weight = node.input(1)?;
    let bias = node.input(2);
    let sizes: Vec<usize> =
        graph.shape(weight).iter().map(|dim| usize::try_from(dim.as_fixed()?).ok()).collect::<Option<_>>()?;
    let all: usize = sizes.iter().product();
    let channels = match (node.op, sizes.as_slice()) {
        // [out, in, ..]
        ("Conv", [out, ..]) => Channels { step: all / (*out).max(1), count: *out, group: all },
        // [in, out / groups, ..]
        ("ConvTranspose", [_, out, kernel @ ..]) => {
            let groups = match node.attributes.get("group") {
                Some(Attribute::Int(groups)) => usize::try_from(*groups).ok()?,
                _ => 1,
            };
            Channels { step: kernel.iter().product(), count: *out, group: all / groups.max(1) }
        }
        ("Gemm", [rows, columns]) => match node.attributes.get("transB") {
            Some(Attribute::Int(1)) => Channels { step: *columns, count: *rows, group: all },
            _ => Channels { step: 1, count: *columns, group: all },
        },
        ("MatMul", [_, columns]) if graph.shape(result).len() == 2 => Channels { step: 1, count: *columns, group: all },
        _ => return None,
    };
    (channels.step > 0 && channels.group > 0).then_some(Layer { at, weight, bias, channels })
}

/// The elements of a parameter or constant of real numbers, in row-major order of its shape here.
fn numbers(graph: &Graph, value: ValueId) -> Option<Vec<f64>> {
    let dtype = graph.dtype(value);
    elements::is_float(dtype).then(|| elements::read(dtype, &graph.bytes(value)?)).flatten()
}

fn derived(graph: &mut Graph, dtype: DataType, shape: Vec<Dim>, name: String, numbers: &[f64]) -> ValueId {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| elements::element(dtype, *number, 0)).collect();
    graph.add(dtype, shape, Source::Derived { name, bytes: bytes.into() })
}
