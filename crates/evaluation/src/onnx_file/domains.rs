//! Which values a model can make something of, by the first operators that take its inputs.

use std::collections::{BTreeMap, HashMap};

use onnx_model::{Graph, Model, Node};

/// The domains of inputs by their names; any value will do for the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Domains(BTreeMap<String, Domain>);

/// The values of an input that an operator is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Domain {
    /// The lowest and the highest float.
    pub floats: (f32, f32),
    /// The lowest whole number, and the first beyond the highest.
    pub whole: (i64, i64),
}

impl Default for Domain {
    /// Floats within one of zero; 0 or 1, which are legal as token ids and as masks.
    fn default() -> Self {
        Self { floats: (-1.0, 1.0), whole: (0, 2) }
    }
}

/// Numbers that are not nearly zero.
const POSITIVE: Domain = Domain { floats: (0.05, 1.0), whole: (1, 8) };

/// Numbers that are a cosine, and not nearly 1.
const COSINE: Domain = Domain { floats: (-0.95, 0.95), whole: (0, 2) };

/// Numbers that are a hyperbolic cosine.
const ABOVE_ONE: Domain = Domain { floats: (1.05, 2.0), whole: (2, 8) };

/// The most that an index is, however large its table.
const MOST: i64 = 1 << 20;

impl Domains {
    /// The domains of the inputs of a model.
    pub fn of(model: &Model) -> Self {
        let graph = &model.graph;
        let types = model.check().unwrap_or_default();
        let size = |name: &str, axis: i64| {
            let tensor = graph.initializers.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.dims.clone());
            let typed =
                || types.get(name)?.shape.as_ref()?.iter().map(onnx_model::Dim::known).collect::<Option<Vec<u64>>>();
            let dims = tensor.or_else(typed)?;
            let axis = if axis < 0 { axis + i64::try_from(dims.len()).ok()? } else { axis };
            dims.get(usize::try_from(axis).ok()?).and_then(|size| i64::try_from(*size).ok())
        };
        // What an input is called behind operators that leave its values as they are.
        let mut same: HashMap<&str, &str> =
            graph.inputs.iter().map(|input| (input.name.as_str(), input.name.as_str())).collect();
        let mut domains = Self::default();
        for node in &graph.nodes {
            for (position, value) in node.inputs.iter().enumerate() {
                let Some(&input) = same.get(value.as_str()) else { continue };
                if let Some(domain) = domain(graph, node, position, &size) {
                    domains.narrow(input, domain);
                }
                if leaves(node, position) {
                    same.extend(node.outputs.iter().map(|output| (output.as_str(), input)));
                }
            }
        }
        domains
    }

    /// The values of an input.
    pub fn get(&self, input: &str) -> Domain {
        self.0.get(input).copied().unwrap_or_default()
    }

    /// Keeps of an input what is in this domain as well; where nothing is, the earlier one stays.
    fn narrow(&mut self, input: &str, to: Domain) {
        let Some(known) = self.0.get_mut(input) else {
            self.0.insert(input.to_owned(), to);
            return;
        };
        let floats = (known.floats.0.max(to.floats.0), known.floats.1.min(to.floats.1));
        let whole = (known.whole.0.max(to.whole.0), known.whole.1.min(to.whole.1));
        if floats.0 < floats.1 {
            known.floats = floats;
        }
        if whole.0 < whole.1 {
            known.whole = whole;
        }
    }
}

/// The domain of an operator's input; `None` where any value will do.
fn domain(graph: &Graph, node: &Node, position: usize, size: &dyn Fn(&str, i64) -> Option<i64>) -> Option<Domain> {
    let axis = || match node.attributes.get("axis") {
        Some(onnx_model::Attribute::Int(axis)) => *axis,
        _ => 0,
    };
    let table = |data: usize, axis: i64| {
        let size = size(node.inputs.get(data)?, axis).filter(|size| *size > 0)?;
        Some(Domain { whole: (0, size.min(MOST)), ..Domain::default() })
    };
    match (node.op_type.as_str(), position) {
        ("Log" | "Sqrt" | "Reciprocal", 0) | ("Div" | "Mod", 1) => Some(POSITIVE),
        ("Pow", 0) => {
            let exponent = graph.initializers.iter().find(|tensor| node.inputs.get(1) == Some(&tensor.name));
            let exponent = exponent.and_then(|tensor| tensor.to_vec::<f32>().ok());
            let is_whole =
                exponent.is_some_and(|values| values.iter().all(|value| value.fract() == 0.0 && *value >= 0.0));
            (!is_whole).then_some(POSITIVE)
        }
        ("Acos" | "Asin" | "Atanh", 0) => Some(COSINE),
        ("Acosh", 0) => Some(ABOVE_ONE),
        ("Gather" | "GatherElements" | "ScatterElements" | "Scatter", 1) => table(0, axis()),
        ("GatherND", 1) | ("ScatterND", 1) => table(0, 0),
        ("OneHot", 0) => {
            let depth = graph.initializers.iter().find(|tensor| node.inputs.get(1) == Some(&tensor.name))?;
            let depth = depth.to_i64s().ok()?.first().copied().filter(|depth| *depth > 0)?;
            Some(Domain { whole: (0, depth.min(MOST)), ..Domain::default() })
        }
        _ => None,
    }
}

/// Whether an operator gives the values of this input, all or some of them.
pub fn leaves(node: &Node, position: usize) -> bool {
    match node.op_type.as_str() {
        "Concat" => true,
        "Cast" | "Dropout" | "Expand" | "Flatten" | "Identity" | "Reshape" | "Slice" | "Split" | "Squeeze" | "Tile"
        | "Transpose" | "Unsqueeze" => position == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onnx_model::{DataType, Dim, Tensor, ValueInfo};

    #[test]
    fn the_first_operators_tell_what_values_are_for() {
        let value = |name: &str, dtype| ValueInfo::new(name, dtype, [Dim::from("n")]);
        let graph = Graph::new("net")
            .input(value("x", DataType::F32))
            .input(value("angle", DataType::F32))
            .input(value("ids", DataType::I64))
            .input(value("free", DataType::F32))
            .node(Node::new("Unsqueeze").inputs(["x", "axes"]).output("column"))
            .node(Node::new("Log").input("column").output("log"))
            .node(Node::new("Acos").input("angle").output("cosine"))
            .node(Node::new("Gather").inputs(["table", "ids"]).output("rows"))
            .node(Node::new("Exp").input("free").output("e"))
            .node(Node::new("Log").input("e").output("again"))
            .initializer(Tensor::from_slice("axes", [1], &[1_i64]).unwrap())
            .initializer(Tensor::from_slice("table", [30, 1], &[0.5_f32; 30]).unwrap());
        let domains = Domains::of(&Model::new(13, graph));
        assert_eq!((domains.get("x"), domains.get("angle")), (POSITIVE, COSINE));
        assert_eq!(domains.get("ids").whole, (0, 30));
        assert_eq!(domains.get("free"), Domain::default());
    }

    #[test]
    fn two_operators_narrow_what_both_take() {
        let mut domains = Domains::default();
        domains.narrow("x", POSITIVE);
        domains.narrow("x", COSINE);
        assert_eq!(domains.get("x").floats, (0.05, 0.95));
        // Nothing is above one and a cosine.
        domains.narrow("x", ABOVE_ONE);
        assert_eq!(domains.get("x").floats, (0.05, 0.95));
    }
}
