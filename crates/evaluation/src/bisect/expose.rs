//! Values inside a graph made outputs.

use std::collections::BTreeSet;

use onnx_model::{DataType, Model, TensorType, ValueInfo};

/// The values that the nodes of both models make, under the same name and in a type that is handled, in the order of the
/// suspect's nodes.
pub fn values(suspect: &Model, reference: &Model) -> Vec<String> {
    let (here, there) = (typed(suspect), typed(reference));
    let there: BTreeSet<&str> = there.iter().map(|info| info.name.as_str()).collect();
    here.into_iter().map(|info| info.name).filter(|name| there.contains(name.as_str())).collect()
}

/// The model with these values as its outputs, instead of those that it has.
pub fn with_outputs(model: &Model, values: &[String]) -> Model {
    let wanted: BTreeSet<&str> = values.iter().map(String::as_str).collect();
    let mut exposed = model.clone();
    exposed.graph.outputs = typed(model).into_iter().filter(|info| wanted.contains(info.name.as_str())).collect();
    exposed
}

/// What the nodes make, with its type and no shape: the runtime knows that better.
fn typed(model: &Model) -> Vec<ValueInfo> {
    let types = model.check().unwrap_or_default();
    let declared = model.graph.value_infos.iter().chain(&model.graph.outputs);
    let declared =
        |name: &str| declared.clone().find(|info| info.name == name).and_then(|info| Some(info.ty.as_ref()?.dtype));
    let made = model.graph.nodes.iter().flat_map(|node| &node.outputs).filter(|name| !name.is_empty());
    made.filter_map(|name| {
        let dtype = types.get(name).map(|known| known.dtype).or_else(|| declared(name))?;
        let handled = dtype == DataType::Bool
            || (dtype.bits().is_some_and(|bits| bits >= 8) && dtype.is_integer())
            || matches!(dtype, DataType::F32 | DataType::F64 | DataType::F16 | DataType::BF16);
        handled.then(|| ValueInfo::typed(name, TensorType::unranked(dtype)))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use onnx_model::{Dim, Graph, Node};

    use super::*;

    fn model(middle: &str) -> Model {
        let vector = || [Dim::symbol("batch"), Dim::Known(2)];
        let graph = Graph::new("g")
            .input(ValueInfo::new("x", DataType::F32, vector()))
            .node(Node::new("Relu").input("x").output("a"))
            .node(Node::new("Neg").input("a").output(middle))
            .node(Node::new("Exp").input(middle).output("y"))
            .output(ValueInfo::new("y", DataType::F32, vector()));
        Model::new(11, graph)
    }

    #[test]
    fn values_that_both_make_become_outputs_in_their_order() {
        let values = values(&model("b"), &model("b"));
        assert_eq!(values, ["a", "b", "y"]);
        let mut exposed = with_outputs(&model("b"), &values);
        let names: Vec<&str> = exposed.graph.outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "y"]);
        // The shapes are all that the checker misses; runtimes find them.
        for output in &mut exposed.graph.outputs {
            assert_eq!(output.ty, Some(TensorType::unranked(DataType::F32)));
            *output = ValueInfo::new(&output.name, DataType::F32, [Dim::symbol("batch"), Dim::Known(2)]);
        }
        exposed.check().unwrap();
        assert_eq!(super::values(&model("b"), &model("c")), ["a", "y"]);
    }
}
