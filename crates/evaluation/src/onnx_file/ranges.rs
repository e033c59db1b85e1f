//! The sizes that a model is made for: as its exporter proved them, or as its strides ask for.

use std::collections::{BTreeMap, HashMap};

use engines::engine::Signature;
use engines::session::Metadata;
use onnx_model::{Attribute, Model, Node};
use serde::Deserialize;

use super::domains::leaves;
use super::inputs::axis_name;

/// The entry of a file's metadata in which an exporter says for which sizes it holds.
const KEY: &str = "burn_export.axes";

/// Pixels that an image has at least along an axis: fewer are a saturated point, or none behind a few kernels.
const PIXELS: usize = 16;

/// A larger stride than any network of images has in all.
const MOST_STRIDE: usize = 256;

/// The sizes of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Range {
    /// The least.
    lowest: usize,
    /// The largest; any if there is none.
    highest: Option<usize>,
    /// What all are multiples of.
    multiple_of: usize,
}

/// The sizes of axes by their names; any will do for the others.
pub type Ranges = BTreeMap<String, Range>;

impl Range {
    /// Sizes in ascending order, the first of which is the least; the largest where there are no more.
    pub fn nth(&self, index: usize) -> usize {
        let multiple = self.multiple_of.max(1);
        let first = self.lowest.max(1).div_ceil(multiple).saturating_mul(multiple);
        let size = first.saturating_add(index.saturating_mul(multiple));
        let highest = self.highest.map_or(usize::MAX, |highest| highest / multiple * multiple);
        size.min(highest.max(first))
    }
}

/// The sizes that a model is made for. What its exporter says goes before what its operators ask for.
pub fn of(signature: &Signature, metadata: Option<&Metadata>, model: Option<&Model>) -> Ranges {
    let mut ranges = model.map(|model| pixels(signature, model)).unwrap_or_default();
    let told = metadata.and_then(|metadata| serde_json::from_str::<Ranges>(metadata.entries.get(KEY)?).ok());
    ranges.extend(told.unwrap_or_default());
    ranges
}

/// The axes of images: those behind the second of an input that a convolution or a pool takes.
fn pixels(signature: &Signature, model: &Model) -> Ranges {
    // By how much each value is reduced, of those that come from an input, and whether a window has passed over it.
    let mut found: HashMap<&str, (&str, usize)> = HashMap::new();
    let mut strides: BTreeMap<&str, usize> = BTreeMap::new();
    found.extend(model.graph.inputs.iter().map(|input| (input.name.as_str(), (input.name.as_str(), 1))));
    for node in &model.graph.nodes {
        let taken = node.inputs.iter().filter_map(|value| found.get(value.as_str())).max_by_key(|(_, stride)| *stride);
        let Some(&(input, stride)) = taken else { continue };
        let is_window =
            matches!(node.op_type.as_str(), "Conv" | "MaxPool" | "AveragePool" | "LpPool" | "ConvTranspose");
        let stride = if is_window { stride.saturating_mul(own_stride(node)).min(MOST_STRIDE) } else { stride };
        if is_window {
            let most = strides.entry(input).or_insert(1);
            *most = stride.max(*most);
        }
        // Before the first window, what changes the axes ends the trace.
        if is_window || strides.contains_key(input) || keeps_axes(node) {
            found.extend(node.outputs.iter().map(|output| (output.as_str(), (input, stride))));
        }
    }
    let mut ranges = Ranges::new();
    for info in &signature.inputs {
        let Some(&stride) = strides.get(info.name.as_str()) else { continue };
        for axis in (2..info.shape.len()).filter_map(|index| axis_name(info, index)) {
            ranges.insert(axis, Range { lowest: PIXELS.max(2 * stride), highest: None, multiple_of: stride });
        }
    }
    ranges
}

/// The largest stride of a window; what enlarges has none.
fn own_stride(node: &Node) -> usize {
    let strides = match node.attributes.get("strides") {
        Some(Attribute::Ints(strides)) if node.op_type != "ConvTranspose" => strides.as_slice(),
        _ => &[],
    };
    strides.iter().copied().max().and_then(|stride| usize::try_from(stride).ok()).unwrap_or(1).max(1)
}

/// Whether the axes behind an operator that has not passed a window yet are those before it.
fn keeps_axes(node: &Node) -> bool {
    let elementwise = ["Add", "Sub", "Mul", "Div", "Pad", "BatchNormalization", "Clip", "Relu", "Sigmoid"];
    elementwise.contains(&node.op_type.as_str())
        || (leaves(node, 0) && matches!(node.op_type.as_str(), "Cast" | "Identity" | "Dropout" | "Concat" | "Slice"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::engine::{Dimension, TensorInfo};
    use engines::tensor::ElementType;
    use onnx_model::{DataType, Dim, Graph, ValueInfo};

    fn signature() -> Signature {
        let named = |name: &str| Dimension::Named(name.to_owned());
        let shape = vec![named("batch"), Dimension::Fixed(3), named("height"), Dimension::Unknown];
        let input =
            TensorInfo { name: "x".to_owned(), element: Some(ElementType::Float), other: None, container: None, shape };
        Signature { inputs: vec![input], outputs: Vec::new() }
    }

    /// By hand: strides of 2, 2 and 3 reduce by 12; the branch beside them by 2.
    #[test]
    fn images_are_as_large_as_strides_and_pools_ask_for() {
        let strided = |op: &str, from: &str, to: &str, stride: i64| {
            Node::new(op).inputs([from, "w"]).output(to).attribute("strides", [stride, stride])
        };
        let dims = ["batch", "c", "height", "width"].map(Dim::from);
        let graph = Graph::new("net")
            .input(ValueInfo::new("x", DataType::F32, dims))
            .node(Node::new("Sub").inputs(["x", "mean"]).output("centred"))
            .node(strided("Conv", "centred", "a", 2))
            .node(Node::new("Relu").input("a").output("b"))
            .node(strided("MaxPool", "b", "c", 2))
            .node(strided("Conv", "b", "side", 1))
            .node(strided("AveragePool", "c", "d", 3));
        let ranges = of(&signature(), None, Some(&Model::new(13, graph)));
        let range = Range { lowest: 24, highest: None, multiple_of: 12 };
        assert_eq!(ranges, [("height".to_owned(), range), ("x.3".to_owned(), range)].into());
        assert_eq!([0, 1, 6].map(|index| range.nth(index)), [24, 36, 96]);
    }

    #[test]
    fn what_an_exporter_says_goes_before() {
        let text = r#"{"batch":{"lowest":1,"multiple_of":1,"tried":[1,2]},"height":{"highest":50,"lowest":30,"multiple_of":8}}"#;
        let metadata = Metadata {
            producer: String::new(),
            graph: String::new(),
            description: String::new(),
            entries: [(KEY.to_owned(), text.to_owned())].into(),
        };
        let ranges = of(&signature(), Some(&metadata), None);
        assert_eq!([0, 1, 6].map(|index| ranges["height"].nth(index)), [32, 40, 48]);
        assert_eq!([0, 1, 6].map(|index| ranges["batch"].nth(index)), [1, 2, 7]);
        let none = Metadata { entries: [(KEY.to_owned(), "[]".to_owned())].into(), ..metadata };
        assert!(of(&signature(), Some(&none), None).is_empty());
    }
}
