//! The same function in float64.
//!
//! [`to_float64`] makes of a model one that computes with 64 bits wherever the model computes with `float`, `float16` or
//! `bfloat16`. What comes out of it tells how far the model itself deviates by rounding.
//!
//! ```
//! use float64::to_float64;
//! use onnx_model::{DataType, Dim, Graph, Model, Node, ValueInfo};
//!
//! let value = |name: &str| ValueInfo::new(name, DataType::F32, [Dim::from("batch")]);
//! let node = Node::new("LeakyRelu").input("x").output("y").attribute("alpha", 0.25f32);
//! let model = Model::new(11, Graph::new("net").input(value("x")).node(node).output(value("y")));
//! let exact = to_float64(&model)?;
//! assert_eq!(exact.check()?["y"].to_string(), "double[batch]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - Only operators are left that ONNX Runtime 1.32 runs in float64 on the CPU without rewriting the graph. What it has no
//!   kernel for, such as `Conv`, and what its kernel computes in another precision, such as `Shrink`, becomes a formula of
//!   others at the model's own opset, or at opset 11 if that is higher. Axes that are dynamic stay so.
//! - Names of inputs and outputs are kept. Constants and attributes keep the value that they have in float32.
//! - Where rounding chooses a pixel, as `Resize` to the nearest does, the place is computed in float32 as ONNX Runtime does.
//! - The boxes and scores of `NonMaxSuppression` are rounded to float32: it takes nothing else.

mod activation;
mod arithmetic;
mod attention;
mod control;
mod correlate;
mod erf;
mod families;
mod form;
mod grid;
mod index;
mod layout;
mod make;
mod normalise;
mod pool;
mod quantise;
mod recurrent;
mod resize;
mod rewrite;
mod step;
mod trigonometry;
mod widen;
mod window;
mod writer;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use onnx_model::{Attribute, CheckError, Graph, Model, Place, Problem, TensorError, TensorType};

/// More declarations of false shapes than this are no slip.
const MOST_FALSE: usize = 64;

/// The formulas need operators of this opset.
const FIRST_OPSET: i64 = 11;

/// A model has no float64 rewrite.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Float64Error {
    /// The model breaks a rule of ONNX.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The values of a tensor have not been read.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// Operators that have no form: all of those in the model.
    #[error("there is no float64 rewrite of {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; of "))]
    Unsupported(Vec<Unsupported>),
}

/// An operator that has no float64 rewrite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The operator set; empty for ONNX's own.
    pub domain: String,
    /// The operator.
    pub op_type: String,
    /// The first node of its kind.
    pub first: Place,
    /// How many nodes of the operator there are that have no form.
    pub nodes: usize,
    /// Why the first has none.
    pub reason: &'static str,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, reason, .. } = self;
        match self.domain.as_str() {
            "" => write!(f, "{}", self.op_type)?,
            domain => write!(f, "{domain}.{}", self.op_type)?,
        }
        match self.nodes {
            1 => write!(f, " ({first}: {reason})"),
            nodes => write!(f, " ({nodes} nodes, the first of which is {first}: {reason})"),
        }
    }
}

/// The model that computes the same function in float64.
///
/// Inputs and outputs of `float`, `float16` and `bfloat16` become `double`; a caller converts what goes in.
///
/// # Errors
/// When the model breaks a rule of ONNX or its tensors have not been read, and when it has operators for which there is no
/// form: those of other domains, those that draw random numbers, and those that are not known here. All of them are listed.
pub fn to_float64(model: &Model) -> Result<Model, Float64Error> {
    let model = &*with_true_shapes(model)?;
    let known = model.values()?;
    let mut taken = HashSet::new();
    writer::names(&model.graph, &mut taken);
    // A model that imports foreign operators alone has none of ONNX's own.
    let writer = writer::Writer::new(model.opset().unwrap_or(FIRST_OPSET).max(FIRST_OPSET), taken);
    let mut graph = rewrite::graph(model, &known, &writer)?;
    graph.initializers.extend(writer.into_constants());
    // Before version 4 of the format, every initialiser was an input as well.
    let ir_version = model.ir_version.max(4);
    let mut opset_imports = model.opset_imports.clone();
    for own in ["", "ai.onnx"] {
        opset_imports.entry(own.to_owned()).and_modify(|opset| *opset = (*opset).max(FIRST_OPSET));
    }
    Ok(Model {
        ir_version,
        graph,
        opset_imports,
        producer_name: model.producer_name.clone(),
        producer_version: model.producer_version.clone(),
        domain: model.domain.clone(),
        model_version: model.model_version,
        doc: model.doc.clone(),
        metadata: model.metadata.clone(),
    })
}

/// The model with the shapes that its nodes make where it declares others: runtimes warn of those and go by the nodes.
fn with_true_shapes(model: &Model) -> Result<Cow<'_, Model>, CheckError> {
    let mut model = Cow::Borrowed(model);
    for _ in 0..MOST_FALSE {
        let error = match model.values() {
            Ok(_) => break,
            Err(error) => error,
        };
        match &error.problem {
            Problem::Declared { value, declared, inferred }
                if declared.dtype == inferred.dtype && retype(&mut model.to_mut().graph, value, inferred) => {}
            _ => return Err(error),
        }
    }
    Ok(model)
}

/// Gives the outputs and values inside of this name a type, and returns whether there are any.
fn retype(graph: &mut Graph, name: &str, ty: &TensorType) -> bool {
    let mut found = false;
    for value in graph.outputs.iter_mut().chain(&mut graph.value_infos).filter(|value| value.name == name) {
        value.ty = Some(ty.clone());
        found = true;
    }
    for attribute in graph.nodes.iter_mut().flat_map(|node| node.attributes.values_mut()) {
        if let Attribute::Graph(inner) = attribute {
            found |= retype(inner, name, ty);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use onnx_model::{DataType, Dim, Graph, Node, Tensor, ValueInfo};

    fn vector(name: &str, dtype: DataType) -> ValueInfo {
        ValueInfo::new(name, dtype, [Dim::from("n")])
    }

    fn model(opset: i64, nodes: impl IntoIterator<Item = Node>) -> Model {
        let (x, y) = (vector("x", DataType::F32), vector("y", DataType::F32));
        Model::new(opset, Graph { nodes: nodes.into_iter().collect(), ..Graph::new("net").input(x).output(y) })
    }

    #[test]
    fn every_operator_without_a_form_is_named() {
        let mut model = model(
            13,
            [
                Node::new("RandomNormalLike").named("noise").input("x").output("a"),
                Node::new("FusedGelu").domain("com.microsoft").input("a").output("b"),
                Node::new("RandomNormalLike").named("more").input("x").output("d"),
                Node::new("Sum").inputs(["a", "b", "d"]).output("y"),
            ],
        );
        model.opset_imports.insert("com.microsoft".to_owned(), 1);
        let error = to_float64(&model).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no float64 rewrite of RandomNormalLike (2 nodes, the first of which is RandomNormalLike node \"noise\" of graph \
             \"net\": it draws random numbers); of com.microsoft.FusedGelu (FusedGelu node 1 of graph \"net\": operators of this \
             domain are not known)"
        );
        let Float64Error::Unsupported(found) = error else { panic!("{error}") };
        assert_eq!(found.iter().map(|found| found.nodes).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn dropout_is_allowed_in_inference_alone() {
        let dropout = |training: bool| {
            let mut model = model(13, [Node::new("Dropout").named("drop").inputs(["x", "", "training"]).output("y")]);
            let training = Tensor::new("training", DataType::Bool, [], vec![u8::from(training)]).unwrap();
            model.graph = model.graph.initializer(training);
            model
        };
        assert!(to_float64(&dropout(false)).is_ok());
        let error = to_float64(&dropout(true)).unwrap_err().to_string();
        assert!(error.contains("Dropout node \"drop\"") && error.contains("at random"), "{error}");
    }

    #[test]
    fn what_breaks_a_rule_is_no_model() {
        let error = to_float64(&model(13, [Node::new("Relu").input("z").output("y")])).unwrap_err();
        assert!(matches!(error, Float64Error::Check(_)), "{error}");
    }

    #[test]
    fn shapes_follow_from_the_nodes_and_not_from_what_is_declared() {
        let shape = |name: &str, sizes: &[u64]| ValueInfo::typed(name, TensorType::fixed(DataType::F32, sizes));
        let node = Node::new("Relu").input("x").output("y");
        let graph = Graph::new("net").input(shape("x", &[2, 5, 3])).node(node).output(shape("y", &[2, 3]));
        let mut model = Model::new(13, graph);
        assert_eq!(to_float64(&model).unwrap().check().unwrap()["y"].to_string(), "double[2, 5, 3]");
        // Another element type is no slip.
        model.graph.outputs[0] = ValueInfo::typed("y", TensorType::fixed(DataType::I64, &[2, 5, 3]));
        assert!(matches!(to_float64(&model), Err(Float64Error::Check(_))));
    }

    /// By hand: 0.1 in float32 and in float16, widened.
    #[test]
    fn constants_keep_their_value() {
        let half = Tensor::from_slice("half", [1], &[half::f16::from_f32(0.1)]).unwrap();
        let mut model = model(
            12,
            [
                Node::new("Constant").output("single").attribute("value_float", 0.1f32),
                Node::new("Cast").input("half").output("wide").attribute("to", DataType::F32),
                Node::new("Sum").inputs(["x", "single", "wide"]).output("y"),
            ],
        );
        model.graph = model.graph.initializer(half);
        let exact = to_float64(&model).unwrap();
        assert_eq!(exact.check().unwrap()["y"].to_string(), "double[n]");
        let half = exact.graph.find_initializer("half").unwrap();
        assert_eq!(half.to_vec::<f64>().unwrap(), [0.0999755859375]);
        let Some(onnx_model::Attribute::Tensor(single)) = exact.graph.nodes[0].attributes.get("value") else {
            panic!()
        };
        assert_eq!(single.to_vec::<f64>().unwrap(), [f64::from(0.1f32)]);
        // What is double already, and what is no float, stays as it is.
        let ints = |name| vector(name, DataType::I64);
        let sum = Node::new("Add").inputs(["a", "a"]).output("b");
        let model = Model::new(13, Graph::new("net").input(ints("a")).node(sum).output(ints("b")));
        assert_eq!(to_float64(&model).unwrap(), model);
    }

    #[test]
    fn branches_are_rewritten_and_see_the_constants_around_them() {
        let branch = |name: &str, node: Node| {
            let graph = Graph::new(name).node(node.input("x").output("z"));
            graph.output(vector("z", DataType::F32))
        };
        let choice = Node::new("If").named("choice").input("yes").output("y");
        let choice = choice.attribute("then_branch", branch("leaky", Node::new("LeakyRelu")));
        let choice = choice.attribute("else_branch", branch("error", Node::new("Erf")));
        let mut model = model(13, [choice]);
        model.graph = model.graph.input(ValueInfo::new("yes", DataType::Bool, []));
        let exact = to_float64(&model).unwrap();
        assert_eq!(exact.check().unwrap()["y"].to_string(), "double[n]");
        let inside: Vec<&Graph> = exact.graph.nodes[0].subgraphs().collect();
        let types: Vec<_> = inside.iter().map(|graph| graph.outputs[0].ty.as_ref().unwrap().dtype).collect();
        assert_eq!(types, [DataType::F64; 2]);
        assert!(
            inside.iter().all(|graph| graph.nodes.iter().all(|node| !["Erf", "LeakyRelu"].contains(&&*node.op_type)))
        );
    }
}
