//! Work on constants, done once instead of at every run.

use bytes::Bytes;
use onnx_model::DataType;

use crate::elements;
use crate::graph::{Graph, Operand, Source, ValueId};
use crate::symbolic::Dim;

/// Constants larger than this are left for the runtime: folding must not blow the file up.
const LARGEST: usize = 1 << 16;

/// Folds what can be folded.
pub(super) fn fold(graph: &mut Graph) -> usize {
    let mut count = 0;
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let [output] = node.outputs.as_slice() else { continue };
        let output = *output;
        if graph.value(output).source != Source::Node {
            continue;
        }
        let Some(source) = moved(graph, index).or_else(|| counted(graph, index)).or_else(|| computed(graph, index))
        else {
            continue;
        };
        graph.values[output.0].source = source;
        count += 1;
    }
    let values = &graph.values;
    graph.nodes.retain(|node| node.outputs.iter().any(|output| values[output.0].source == Source::Node));
    count
}

fn fixed_shape(shape: &[Dim]) -> Option<Vec<usize>> {
    shape.iter().map(|dim| usize::try_from(dim.as_fixed()?).ok()).collect()
}

/// A constant or parameter whose elements move but do not change.
fn moved(graph: &Graph, index: usize) -> Option<Source> {
    let node = &graph.nodes[index];
    let input = graph.value(node.input(0)?);
    let shape = fixed_shape(&input.shape)?;
    fixed_shape(graph.shape(node.outputs[0]))?;
    match (node.op, &input.source) {
        ("Reshape" | "Unsqueeze", Source::Constant(bytes)) => Some(Source::Constant(bytes.clone())),
        ("Reshape" | "Unsqueeze", Source::Derived { .. }) => Some(input.source.clone()),
        ("Reshape" | "Unsqueeze", Source::Parameter { index, permutation: None }) => {
            Some(Source::Parameter { index: *index, permutation: None })
        }
        ("Transpose", Source::Parameter { index, permutation }) => {
            // A parameter that has been reshaped keeps its elements in order, which a permutation would not describe.
            let perm: Vec<usize> = node.ints("perm")?.iter().map(|axis| *axis as usize).collect();
            let merged = match permutation {
                Some(first) => perm.iter().map(|axis| first[*axis]).collect(),
                None => perm,
            };
            let reshaped = permutation.is_none() && graph.reshaped(node.input(0)?);
            (!reshaped).then_some(Source::Parameter { index: *index, permutation: Some(merged) })
        }
        ("Transpose", Source::Constant(bytes)) => {
            let perm: Vec<usize> = node.ints("perm")?.iter().map(|axis| *axis as usize).collect();
            let width = bytes.len() / shape.iter().product::<usize>().max(1);
            Some(Source::Constant(elements::permute(bytes, &shape, &perm, width).into()))
        }
        _ => None,
    }
}

/// A Range between fixed bounds, or a size that turned out fixed.
fn counted(graph: &Graph, index: usize) -> Option<Source> {
    let node = &graph.nodes[index];
    let elements: Vec<i64> = match (node.op, node.inputs.as_slice()) {
        ("Range", [Operand::Size(start), Operand::Size(end), Operand::Size(step)]) => {
            let (start, end) = (start.as_fixed()?, end.as_fixed()?);
            (step.is(1) && end.checked_sub(start)? <= LARGEST as i64).then(|| (start..end).collect())?
        }
        ("Identity", [Operand::Size(size)]) => vec![size.as_fixed()?],
        ("Identity", [Operand::Dims(sizes)]) => sizes.iter().map(Dim::as_fixed).collect::<Option<_>>()?,
        _ => return None,
    };
    let bytes: Vec<u8> = elements.iter().flat_map(|element| element.to_le_bytes()).collect();
    Some(Source::Constant(bytes.into()))
}

/// Element-wise work on small constants of the types that are computed alike everywhere.
fn computed(graph: &Graph, index: usize) -> Option<Source> {
    let node = &graph.nodes[index];
    let output = graph.value(node.outputs[0]);
    let shape = fixed_shape(&output.shape)?;
    let count: usize = shape.iter().product();
    if count > LARGEST {
        return None;
    }
    let inputs: Vec<ValueId> = node.values().collect();
    if inputs.len() != node.inputs.len() {
        return None;
    }
    let whole = |value: ValueId| -> Option<Vec<i64>> {
        let value = graph.value(value);
        let Source::Constant(bytes) = &value.source else { return None };
        let whole = matches!(value.dtype, DataType::I64 | DataType::I32 | DataType::Bool);
        let source = fixed_shape(&value.shape)?;
        let elements: Vec<i64> = match value.dtype {
            DataType::I64 => bytes.as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect(),
            _ if whole => elements::read(value.dtype, bytes)?.into_iter().map(|element| element as i64).collect(),
            _ => return None,
        };
        Some(spread(&elements, &source, &shape))
    };
    let result: Vec<i64> = match (node.op, inputs.as_slice()) {
        ("Cast", [x]) => {
            let elements = whole(*x)?;
            let dtype = output.dtype;
            let bytes: Vec<u8> = elements
                .into_iter()
                .flat_map(|element| {
                    let element = if dtype == DataType::Bool { i64::from(element != 0) } else { element };
                    elements::element(dtype, element as f64, element)
                })
                .collect();
            return Some(Source::Constant(bytes.into()));
        }
        ("Not", [x]) => whole(*x)?.into_iter().map(|element| i64::from(element == 0)).collect(),
        (op, [left, right]) => {
            let (left, right) = (whole(*left)?, whole(*right)?);
            let apply = |left: i64, right: i64| -> Option<i64> {
                Some(match op {
                    "Add" => left.checked_add(right)?,
                    "Sub" => left.checked_sub(right)?,
                    "Mul" => left.checked_mul(right)?,
                    "Equal" => i64::from(left == right),
                    "Less" => i64::from(left < right),
                    "Greater" => i64::from(left > right),
                    "LessOrEqual" => i64::from(left <= right),
                    "GreaterOrEqual" => i64::from(left >= right),
                    "And" => i64::from(left != 0 && right != 0),
                    "Or" => i64::from(left != 0 || right != 0),
                    "Xor" => i64::from((left != 0) != (right != 0)),
                    _ => return None,
                })
            };
            left.into_iter().zip(right).map(|(left, right)| apply(left, right)).collect::<Option<_>>()?
        }
        _ => return None,
    };
    let in_range = output.dtype != DataType::I32 || result.iter().all(|element| i32::try_from(*element).is_ok());
    if !in_range || !matches!(output.dtype, DataType::I64 | DataType::I32 | DataType::Bool) {
        return None;
    }
    let bytes: Vec<u8> =
        result.into_iter().flat_map(|element| elements::element(output.dtype, element as f64, element)).collect();
    Some(Source::Constant(Bytes::from(bytes)))
}

/// Broadcasts elements of one shape to another.
fn spread(elements: &[i64], from: &[usize], to: &[usize]) -> Vec<i64> {
    if from == to {
        return elements.to_vec();
    }
    let lead = to.len().saturating_sub(from.len());
    let count: usize = to.iter().product();
    (0..count)
        .map(|position| {
            let mut rest = position;
            let mut index = 0;
            let mut stride = 1;
            for axis in (0..to.len()).rev() {
                let coordinate = rest % to[axis].max(1);
                rest /= to[axis].max(1);
                if let Some(own) = axis.checked_sub(lead) {
                    if from[own] != 1 {
                        index += coordinate * stride;
                    }
                    stride *= from[own];
                }
            }
            elements.get(index).copied().unwrap_or_default()
        })
        .collect()
}
