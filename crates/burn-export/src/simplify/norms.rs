//! Normalisations over groups of channels, which Burn records as formulas.

use std::collections::BTreeMap;

use onnx_model::DataType;

use super::pattern::Pattern;
use crate::elements;
use crate::graph::{Graph, Node, Operand, Source, ValueId};
use crate::symbolic::Dim;

/// `InstanceNormalization`: where a group is a channel, with scale and shift; elsewhere of each group as if it were a channel.
///
/// `GroupNormalization` would be the whole layer from opset 21 on, but few programs read it, and ONNX Runtime takes twice as
/// long for it as for this.
pub(super) fn name_norms(graph: &mut Graph) -> usize {
    let producers = graph.producers();
    graph.change_backwards(|graph, index| {
        let found = match graph.nodes[index].op {
            "Add" => affine(graph, &producers, index),
            "Div" => of_rows(graph, &producers, index),
            _ => None,
        };
        found.map(|norm| norm.write(graph, index)).is_some()
    })
}

/// What takes the place of a node.
struct Norm {
    x: ValueId,
    /// The channels, or groups, and their factors and terms, `[channels]` each; ones and zeros where there are none.
    channels: usize,
    scale: Option<Source>,
    shift: Option<Source>,
    epsilon: f32,
}

impl Norm {
    fn write(self, graph: &mut Graph, index: usize) {
        let dtype = graph.dtype(self.x);
        let channels = self.channels;
        let mut vector = |source: Option<Source>, fill: f64| {
            let constant = || Source::Constant(elements::element(dtype, fill, fill as i64).repeat(channels).into());
            graph.add(dtype, vec![Dim::fixed(channels as i64)], source.unwrap_or_else(constant))
        };
        let (scale, shift) = (vector(self.scale, 1.0), vector(self.shift, 0.0));
        let node = &mut graph.nodes[index];
        node.op = "InstanceNormalization";
        node.inputs = [self.x, scale, shift].map(Operand::Value).to_vec();
        node.attributes = BTreeMap::from([("epsilon", self.epsilon.into())]);
    }
}

/// `(x - mean) / sqrt(mean((x - mean)^2) + epsilon)` over the last axis: the operand and epsilon.
fn normalised(pattern: &Pattern<'_>, value: ValueId) -> Option<(ValueId, f32)> {
    let [centred, deviation] = pattern.two(value, "Div")?;
    let [x, mean] = pattern.two(centred, "Sub")?;
    let [variance, epsilon] = pattern.two(pattern.one(deviation, "Sqrt")?, "Add")?;
    let square = pattern.mean_of_last(variance)?;
    let squared = pattern.two(square, "Mul") == Some([centred; 2])
        || pattern.two(square, "Pow").is_some_and(|[base, power]| base == centred && pattern.is(power, 2.0));
    let epsilon = pattern.graph.scalar(epsilon)? as f32;
    (squared && pattern.mean_of_last(mean) == Some(x)).then_some((x, epsilon))
}

/// Rows `[batch, groups, elements]` that an image was cut into, and the image.
fn rows(pattern: &Pattern<'_>, rows: ValueId) -> Option<(ValueId, i64)> {
    let image = pattern.one(rows, "Reshape")?;
    let (from, to) = (pattern.graph.shape(image), pattern.graph.shape(rows));
    let fits = from.len() >= 3 && to.len() == 3 && from.first() == to.first();
    // Kernels of runtimes are in float32, and float16 runs by way of it.
    let typed = matches!(pattern.graph.dtype(image), DataType::F32 | DataType::F16);
    let channels = from.get(1)?.as_fixed()?;
    let groups = to.get(1)?.as_fixed()?;
    (fits && typed && groups > 0 && channels % groups == 0).then_some((image, groups))
}

/// The whole layer, whose last node is the addition of the shift.
fn affine(graph: &Graph, producers: &[Option<usize>], index: usize) -> Option<Norm> {
    let pattern = Pattern::new(graph, producers);
    let output = graph.nodes[index].outputs[0];
    let [scaled, shift] = pattern.two(output, "Add")?;
    let [back, scale] = pattern.two(scaled, "Mul")?;
    let (x, epsilon) = normalised(&pattern, pattern.one(back, "Reshape")?)?;
    let (image, groups) = rows(&pattern, x)?;
    let shape = graph.shape(image);
    let channels = shape.get(1)?.as_fixed()?;
    if groups != channels || graph.shape(back) != shape || graph.shape(output) != shape {
        return None;
    }
    let of_channel = |value: ValueId| {
        let own = graph.shape(value);
        let ones = own.iter().enumerate().all(|(axis, dim)| axis == 1 || dim.is(1));
        let settled = match &graph.value(value).source {
            Source::Parameter { permutation: None, .. } | Source::Constant(_) | Source::Derived { .. } => true,
            Source::Parameter { .. } | Source::Input(_) | Source::Node => false,
        };
        let fits = own.len() == shape.len() && own.get(1).is_some_and(|dim| dim.is(channels));
        (ones && fits && settled).then(|| graph.value(value).source.clone())
    };
    let (scale, shift) = (Some(of_channel(scale)?), Some(of_channel(shift)?));
    Some(Norm { x: image, channels: usize::try_from(channels).ok()?, scale, shift, epsilon })
}

/// The normalisation of rows by itself.
fn of_rows(graph: &Graph, producers: &[Option<usize>], index: usize) -> Option<Norm> {
    let pattern = Pattern::new(graph, producers);
    let node: &Node = &graph.nodes[index];
    let (x, epsilon) = normalised(&pattern, node.outputs[0])?;
    let (_, groups) = rows(&pattern, x)?;
    Some(Norm { x, channels: usize::try_from(groups).ok()?, scale: None, shift: None, epsilon })
}
