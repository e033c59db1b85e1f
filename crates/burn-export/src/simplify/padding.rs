//! Padding in front of a window becomes padding of the window.

use onnx_model::Attribute;

use crate::graph::{Graph, Node, Operand};

/// Folds every Pad of fixed sizes around the image into the convolution or pool behind it.
pub(super) fn fold_padding(graph: &mut Graph) -> usize {
    let producers = graph.producers();
    let mut count = 0;
    for index in 0..graph.nodes.len() {
        let Some(pad) = graph.nodes[index].input(0).and_then(|image| producers[image.0]) else { continue };
        if let Some((operand, pads)) = folded(graph, &graph.nodes[pad], &graph.nodes[index]) {
            let node = &mut graph.nodes[index];
            node.inputs[0] = operand;
            node.attributes.insert("pads", pads.into());
            if node.op == "AveragePool" {
                // Zeros that were in the image count.
                node.attributes.insert("count_include_pad", 1i64.into());
            }
            count += 1;
        }
    }
    count
}

/// The image without its padding, and the pads of the window: all beginnings, then all ends.
fn folded(graph: &Graph, pad: &Node, window: &Node) -> Option<(Operand, Vec<i64>)> {
    let whole = |name: &str| match window.attributes.get(name) {
        Some(Attribute::Int(value)) => *value,
        _ => 0,
    };
    let constant = matches!(pad.attributes.get("mode"), Some(Attribute::String(mode)) if mode == "constant");
    if pad.op != "Pad" || !constant || window.attributes.contains_key("auto_pad") {
        return None;
    }
    let fill = match pad.inputs.get(2) {
        Some(Operand::Value(value)) => graph.scalar(*value)?,
        _ => 0.0,
    };
    let own = window.ints("pads").map_or(&[][..], |pads| pads);
    let fits = match window.op {
        "Conv" => fill == 0.0,
        "MaxPool" => fill == f64::NEG_INFINITY && window.outputs.len() == 1,
        // Padding of its own may not count.
        "AveragePool" => fill == 0.0 && own.iter().all(|pad| *pad == 0),
        _ => return None,
    };
    if !fits || whole("ceil_mode") != 0 {
        return None;
    }
    let Some(Operand::Dims(dims)) = pad.inputs.get(1) else { return None };
    let sizes: Vec<i64> = dims.iter().map(|dim| dim.as_fixed().filter(|size| *size >= 0)).collect::<Option<_>>()?;
    let (before, after) = sizes.split_at_checked(sizes.len() / 2)?;
    let spatial =
        |side: &[i64]| side.split_at_checked(2).filter(|(first, _)| *first == [0, 0]).map(|(_, rest)| rest.to_vec());
    let mut pads = [spatial(before)?, spatial(after)?].concat();
    pads.iter_mut().zip(own).for_each(|(pad, own)| *pad += own);
    // A window of nothing but padding is legal for a convolution alone; one with gaps may have all of its places there, however
    // small the padding is.
    let kernel = window.ints("kernel_shape")?;
    let dense = window.ints("dilations").is_none_or(|dilations| dilations.iter().all(|dilation| *dilation == 1));
    let covered = dense && pads.iter().zip(kernel.iter().cycle()).all(|(pad, kernel)| pad < kernel);
    (covered || window.op == "Conv").then(|| (pad.inputs[0].clone(), pads))
}
