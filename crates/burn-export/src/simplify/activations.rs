//! Activations that ONNX has an operator for and Burn records as formulas.

use std::collections::BTreeMap;

use onnx_model::{Attribute, DataType};

use super::pattern::Pattern;
use crate::graph::{Graph, Node, Operand, ValueId};
use crate::opset::Opset;

/// `HardSigmoid` from opset 11, `HardSwish` from 14, `Mish` from 18, `Gelu` by tanh from 20.
pub(super) fn name_activations(graph: &mut Graph) -> usize {
    let producers = graph.producers();
    let uses = graph.uses();
    graph.change_backwards(|graph, index| {
        if let Some((op, x, attributes)) = activation(graph, &producers, index) {
            let node = &mut graph.nodes[index];
            (node.op, node.inputs, node.attributes) = (op, vec![Operand::Value(x)], attributes);
            return true;
        }
        halve_first(graph, &producers, &uses, index).is_some()
    })
}

/// `(x * (1 + tanh(…))) * 0.5` becomes `(x * 0.5) * (1 + tanh(…))`, the form that ONNX Runtime computes in one operator: `Gelu` by tanh
/// before opset 20. Halves are exact.
fn halve_first(graph: &mut Graph, producers: &[Option<usize>], uses: &[usize], index: usize) -> Option<()> {
    let outer = &graph.nodes[index];
    let result = *outer.outputs.first()?;
    if outer.op != "Mul" || graph.dtype(result) != DataType::F32 {
        return None;
    }
    let pattern = Pattern::new(graph, producers);
    let (x, sum) = gelu_by_tanh(&pattern, result)?;
    let half = [0, 1].into_iter().find_map(|place| outer.input(place).filter(|value| pattern.is(*value, 0.5)))?;
    let product = pattern.beside(result, "Mul", 0.5)?;
    let inner = producers[product.0].filter(|_| uses[product.0] == 1)?;
    graph.nodes[inner].inputs = [x, half].map(Operand::Value).to_vec();
    graph.nodes[index].inputs = [product, sum].map(Operand::Value).to_vec();
    Some(())
}

type Named = (&'static str, ValueId, BTreeMap<&'static str, Attribute>);

fn activation(graph: &Graph, producers: &[Option<usize>], index: usize) -> Option<Named> {
    let node: &Node = &graph.nodes[index];
    let output = node.outputs[0];
    // Runtimes have these operators in float32, and run float16 by way of it.
    if !matches!(node.op, "Mul" | "Div") || !matches!(graph.dtype(output), DataType::F32 | DataType::F16) {
        return None;
    }
    let pattern = Pattern::new(graph, producers);
    let same = |x: &ValueId| graph.shape(*x) == graph.shape(output);
    if graph.opset >= Opset::V14
        && let Some(x) = hard_swish(&pattern, output).filter(same)
    {
        return Some(("HardSwish", x, BTreeMap::new()));
    }
    if graph.opset >= Opset::V20
        && let Some((x, _)) = gelu_by_tanh(&pattern, output).filter(|(x, _)| same(x))
    {
        return Some(("Gelu", x, [("approximate", "tanh".into())].into()));
    }
    if graph.opset >= Opset::V18
        && let Some(x) = mish(&pattern, output).filter(same)
    {
        return Some(("Mish", x, BTreeMap::new()));
    }
    let x = sixth_of_clipped(&pattern, output).filter(same)?;
    let attributes = [("alpha", (1.0f32 / 6.0).into()), ("beta", 0.5f32.into())];
    Some(("HardSigmoid", x, attributes.into()))
}

/// `clip(x + 3, 0, 6)`.
fn clipped(pattern: &Pattern<'_>, value: ValueId) -> Option<ValueId> {
    let clip = pattern.node(value, "Clip")?;
    let fits = pattern.is(clip.input(1)?, 0.0) && pattern.is(clip.input(2)?, 6.0);
    fits.then(|| pattern.beside(clip.input(0)?, "Add", 3.0)).flatten()
}

/// `clip(x + 3, 0, 6) / 6`.
fn sixth_of_clipped(pattern: &Pattern<'_>, value: ValueId) -> Option<ValueId> {
    let divided = pattern.divided(value, 6.0).or_else(|| pattern.beside(value, "Mul", 1.0 / 6.0))?;
    clipped(pattern, divided)
}

/// `x * clip(x / 6 + 1 / 2, 0, 1)`.
fn hard_swish(pattern: &Pattern<'_>, value: ValueId) -> Option<ValueId> {
    // (x * clip(x + 3, 0, 6)) / 6.
    let scaled = pattern.divided(value, 6.0).or_else(|| pattern.beside(value, "Mul", 1.0 / 6.0));
    let product = scaled.and_then(|product| pattern.two(product, "Mul"));
    if let Some([left, right]) = product {
        let of = |x, other| clipped(pattern, other).filter(|clipped| *clipped == x);
        if let Some(x) = of(left, right).or_else(|| of(right, left)) {
            return Some(x);
        }
    }
    let [left, right] = pattern.two(value, "Mul")?;
    let gate = |x, gate| {
        let by_name = pattern.node(gate, "HardSigmoid").filter(|node| {
            let is = |name, number: f32| Pattern::float(node, name) == Some(number);
            is("alpha", 1.0 / 6.0) && is("beta", 0.5)
        });
        let operand = by_name.and_then(|node| node.input(0)).or_else(|| sixth_of_clipped(pattern, gate));
        operand.filter(|operand| *operand == x)
    };
    gate(left, right).or_else(|| gate(right, left))
}

/// `(x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))) * 0.5` as Burn has it: the operand, and the sum with the one.
fn gelu_by_tanh(pattern: &Pattern<'_>, value: ValueId) -> Option<(ValueId, ValueId)> {
    let [left, right] = pattern.two(pattern.beside(value, "Mul", 0.5)?, "Mul")?;
    let of = |x: ValueId, sum: ValueId| {
        let scaled = pattern.one(pattern.beside(sum, "Add", 1.0)?, "Tanh")?;
        let inner = pattern.beside(scaled, "Mul", (2.0 / std::f64::consts::PI).sqrt())?;
        let cube = pattern.beside(pattern.with(inner, "Add", x)?, "Mul", 0.044715)?;
        let [base, power] = pattern.two(cube, "Pow")?;
        (base == x && pattern.is(power, 3.0)).then_some((x, sum))
    };
    of(left, right).or_else(|| of(right, left))
}

/// `x * tanh(ln(1 + exp(x)))`.
fn mish(pattern: &Pattern<'_>, value: ValueId) -> Option<ValueId> {
    let [left, right] = pattern.two(value, "Mul")?;
    let of = |x, tanh| softplus(pattern, pattern.one(tanh, "Tanh")?).filter(|softplus| *softplus == x);
    of(left, right).or_else(|| of(right, left))
}

/// `ln(1 + exp(x))` as Burn has it: where `exp(x)` is so large that the one is lost, `x`.
fn softplus(pattern: &Pattern<'_>, value: ValueId) -> Option<ValueId> {
    let [large, x, logarithm] = pattern.choice(value)?;
    let [compared, bound] = pattern.two(large, "Greater")?;
    let least = if pattern.graph.dtype(x) == DataType::F16 { 10.0 } else { 20.0 };
    let [again, most, operand] = pattern.choice(pattern.one(log_of_one_and(pattern, logarithm)?, "Exp")?)?;
    let same = compared == x && again == large && operand == x;
    let bounded = pattern.graph.scalar(bound)?;
    (same && bounded >= least && pattern.graph.scalar(most)? == bounded).then_some(x)
}

/// The operand of `ln(1 + x)` as this crate writes it, exact for small numbers.
fn log_of_one_and(pattern: &Pattern<'_>, value: ValueId) -> Option<ValueId> {
    let [tiny, x, rest] = pattern.choice(value)?;
    let sum = pattern.beside(tiny, "Equal", 1.0)?;
    let is_sum = pattern.beside(sum, "Add", 1.0) == Some(x);
    let [huge, logarithm, corrected] = pattern.choice(rest)?;
    let is_log = pattern.one(logarithm, "Log") == Some(sum) && pattern.with(huge, "Equal", sum) == Some(x);
    let [dividend, divisor] = pattern.two(pattern.with(corrected, "Mul", logarithm)?, "Div")?;
    let [minuend, one] = pattern.two(divisor, "Sub")?;
    (is_sum && is_log && dividend == x && minuend == sum && pattern.is(one, 1.0)).then_some(x)
}
