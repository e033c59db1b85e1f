//! Tables of which a model gathers rows: integers with a scale for each row. They take a quarter of the bytes; the time stays.

use std::collections::HashSet;

use onnx_model::{DataType, Graph, Model, Node, Tensor};

use crate::arithmetic::{WeightBits, weight};
use crate::error::QuantizeError;
use crate::graph::{Use, Uses, captured, constants, drop_unused, float_input, id};
use crate::integers::finite;

/// The fewest elements of a table that is worth it.
const LARGE: u64 = 1 << 16;

/// The model with its large tables in integers: those that are used in no other way than to gather rows.
///
/// # Errors
/// When a table holds values that are not finite.
pub fn write(model: &Model) -> Result<Model, QuantizeError> {
    let (uses, constants) = (Uses::of(&model.graph), constants(&model.graph));
    let gathers = |place: &Use| match place {
        Use::Input(node, 0) => model.graph.nodes.get(*node).is_some_and(is_of_rows),
        _ => false,
    };
    let table = |node: &Node| {
        let tensor = float_input(&constants, node, 0).filter(|_| is_of_rows(node))?;
        let suits = tensor.dims.len() == 2 && tensor.elements() >= Some(LARGE);
        (suits && uses.get(&tensor.name).iter().all(gathers)).then_some(tensor)
    };
    let (mut nodes, mut made, mut done) = (Vec::new(), Vec::new(), HashSet::new());
    let mut taken: HashSet<String> = captured(&model.graph);
    taken.extend(model.graph.nodes.iter().flat_map(|node| &node.outputs).cloned());
    taken.extend(model.graph.initializers.iter().map(|tensor| tensor.name.clone()));
    for node in &model.graph.nodes {
        let output = id(node);
        let names = table(node).map(|tensor| {
            let own = [format!("{}_quantized", tensor.name), format!("{}_scale", tensor.name)];
            (tensor, own, ["integers", "floats", "scales"].map(|ending| format!("{output}_{ending}")))
        });
        let Some((tensor, [integers, scales], [rows, floats, factors])) =
            names.filter(|(_, own, inner)| own.iter().chain(inner).all(|name| !taken.contains(name)))
        else {
            nodes.push(node.clone());
            continue;
        };
        if done.insert(tensor.name.as_str()) {
            let count = tensor.dims.first().copied().unwrap_or(1);
            let width = tensor.dims.last().copied().unwrap_or(1) as usize;
            let quantised = weight(&finite(tensor)?, count as usize, width, true, WeightBits::Eight, &[]);
            made.push(Tensor::from_slice(integers.clone(), tensor.dims.clone(), &quantised.steps)?);
            made.push(Tensor::from_slice(scales.clone(), [count, 1], &quantised.scales)?);
        }
        let indices = node.inputs.get(1).cloned().unwrap_or_default();
        nodes.push(Node::new("Gather").named(rows.clone()).inputs([&integers, &indices]).output(rows.clone()));
        nodes.push(
            Node::new("Cast").named(floats.clone()).input(rows).attribute("to", DataType::F32).output(floats.clone()),
        );
        nodes.push(Node::new("Gather").named(factors.clone()).inputs([&scales, &indices]).output(factors.clone()));
        nodes.push(Node::new("Mul").named(node.name.clone()).inputs([floats, factors]).output(output));
    }
    let mut written = Model { graph: Graph { nodes, ..model.graph.clone() }, ..model.clone() };
    written.graph.initializers.extend(made);
    drop_unused(&mut written.graph);
    Ok(written)
}

/// Whether a node gathers along the first axis.
fn is_of_rows(node: &Node) -> bool {
    node.op_type == "Gather" && node.is_own() && node.int("axis").unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use onnx_model::ValueInfo;

    use super::*;

    #[test]
    fn each_row_of_a_table_has_its_own_scale() {
        let values: Vec<f32> =
            (0..1024 * 64).map(|index| (1 + index / 64) as f32 * ((index % 64) as f32 - 31.0)).collect();
        let table = Tensor::from_slice("table", [1024, 64], &values).unwrap();
        let graph = Graph::new("net")
            .input(ValueInfo::new("ids", DataType::I64, ["batch".into()]))
            .initializer(table)
            .node(Node::new("Gather").named("words").inputs(["table", "ids"]).output("y"))
            .output(ValueInfo::new("y", DataType::F32, ["batch".into(), 64.into()]));
        let written = write(&Model::new(11, graph)).unwrap();
        assert_eq!(written.check().unwrap()["y"].to_string(), "float[batch, 64]");
        let scales = written.graph.find_initializer("table_scale").unwrap().to_vec::<f32>().unwrap();
        // The largest of row `r` is 32 (r + 1).
        assert_eq!((scales[0], scales[999]), (32.0 / 127.0, 32000.0 / 127.0));
        let steps = written.graph.find_initializer("table_quantized").unwrap().to_vec::<i8>().unwrap();
        assert_eq!((steps[63], steps[0], steps[999 * 64 + 63]), (127, -123, 127));
        assert!(written.graph.find_initializer("table").is_none());
    }
}
