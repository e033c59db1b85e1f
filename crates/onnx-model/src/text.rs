//! Models as text, for people and for snapshot tests.
//!
//! One line a value or node, in the order of the model, so that a diff of two texts is a diff of two graphs:
//!
//! ```text
//! model: ir 6, opset 11
//! graph mnist
//!   input  x: float[batch, 784]
//!   const  fc1.weight: float[128, 784]
//!   const  shape: int64[2] = [0, -1]
//!   node   fc1: y = Gemm(x, fc1.weight) {transB = 1}
//!   output y: float[batch, 128]
//! ```
//!
//! Values of constants are shown up to eight elements. Names that contain blanks or control characters are quoted.

use std::fmt::{self, Display, Formatter, Write};

use crate::{Attribute, DataType, Element, Graph, Model, Node, Tensor, TensorData, ValueInfo};

/// Constants with more elements are shown by their type alone.
const SHOWN: usize = 8;

impl Display for Model {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "model: ir {}", self.ir_version)?;
        for (domain, version) in &self.opset_imports {
            match domain.as_str() {
                "" => write!(f, ", opset {version}")?,
                domain => write!(f, ", {} {version}", name(domain))?,
            }
        }
        f.write_char('\n')?;
        for (label, value) in [("producer", &self.producer_name), ("version", &self.producer_version)] {
            if !value.is_empty() {
                writeln!(f, "{label}: {}", value.escape_debug())?;
            }
        }
        for (key, value) in &self.metadata {
            writeln!(f, "note {}: {}", name(key), value.escape_debug())?;
        }
        write!(f, "{}", self.graph)
    }
}

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_graph(f, self, 0)
    }
}

fn write_graph(f: &mut Formatter<'_>, graph: &Graph, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    writeln!(f, "{indent}graph {}", name(&graph.name))?;
    for value in &graph.inputs {
        writeln!(f, "{indent}  input  {}", typed(value))?;
    }
    for tensor in &graph.initializers {
        writeln!(f, "{indent}  const  {}: {tensor}", name(&tensor.name))?;
    }
    for value in &graph.value_infos {
        writeln!(f, "{indent}  value  {}", typed(value))?;
    }
    for node in &graph.nodes {
        writeln!(f, "{indent}  node   {node}")?;
        for subgraph in node.subgraphs() {
            write_graph(f, subgraph, depth + 2)?;
        }
    }
    for value in &graph.outputs {
        writeln!(f, "{indent}  output {}", typed(value))?;
    }
    Ok(())
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{}: ", name(&self.name))?;
        }
        let list = |names: &[String]| names.iter().map(|value| name(value)).collect::<Vec<_>>().join(", ");
        write!(f, "{} = ", list(&self.outputs))?;
        if !self.domain.is_empty() {
            write!(f, "{}.", name(&self.domain))?;
        }
        write!(f, "{}({})", name(&self.op_type), list(&self.inputs))?;
        if self.attributes.is_empty() {
            return Ok(());
        }
        f.write_str(" {")?;
        for (index, (key, value)) in self.attributes.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{} = {value}", name(key))?;
        }
        f.write_char('}')
    }
}

impl Display for Attribute {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Tensor(value) => write!(f, "{value}"),
            Self::Graph(value) => write!(f, "graph {}", name(&value.name)),
            Self::Floats(values) => write!(f, "{values:?}"),
            Self::Ints(values) => write!(f, "{values:?}"),
            Self::Strings(values) => write!(f, "{values:?}"),
            Self::Tensors(values) => list(f, values.iter()),
            Self::Graphs(values) => list(f, values.iter().map(|graph| format!("graph {}", name(&graph.name)))),
        }
    }
}

/// The type of a tensor and, when it is small, its values; not its name.
impl Display for Tensor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dtype)?;
        list(f, self.dims.iter())?;
        if let TensorData::External(file) = &self.data {
            return write!(f, " in {} at {}", name(&file.location), file.offset);
        }
        match self.elements().and_then(|elements| usize::try_from(elements).ok()) {
            Some(elements) if elements <= SHOWN => {}
            _ => return Ok(()),
        }
        match values(self) {
            Some(values) if self.dims.is_empty() => write!(f, " = {}", values.join(", ")),
            Some(values) => {
                f.write_str(" = ")?;
                list(f, values.iter())
            }
            None => Ok(()),
        }
    }
}

/// The elements as text; `None` for types without a plain notation.
fn values(tensor: &Tensor) -> Option<Vec<String>> {
    fn text<E: Element>(tensor: &Tensor, show: impl Fn(E) -> String) -> Option<Vec<String>> {
        Some(tensor.to_vec::<E>().ok()?.into_iter().map(show).collect())
    }
    match tensor.dtype {
        DataType::F32 => text(tensor, |value: f32| format!("{value:?}")),
        DataType::F64 => text(tensor, |value: f64| format!("{value:?}")),
        DataType::F16 => text(tensor, |value: half::f16| format!("{:?}", value.to_f32())),
        DataType::BF16 => text(tensor, |value: half::bf16| format!("{:?}", value.to_f32())),
        DataType::U8 => text(tensor, |value: u8| value.to_string()),
        DataType::U16 => text(tensor, |value: u16| value.to_string()),
        DataType::U32 => text(tensor, |value: u32| value.to_string()),
        DataType::U64 => text(tensor, |value: u64| value.to_string()),
        DataType::I8 => text(tensor, |value: i8| value.to_string()),
        DataType::I16 => text(tensor, |value: i16| value.to_string()),
        DataType::I32 => text(tensor, |value: i32| value.to_string()),
        DataType::I64 => text(tensor, |value: i64| value.to_string()),
        DataType::Bool => text(tensor, |value: bool| value.to_string()),
        DataType::String => match &tensor.data {
            TensorData::Strings(strings) => {
                Some(strings.iter().map(|text| format!("{:?}", String::from_utf8_lossy(text))).collect())
            }
            _ => None,
        },
        _ => None,
    }
}

fn typed(value: &ValueInfo) -> String {
    match &value.ty {
        Some(ty) => format!("{}: {ty}", name(&value.name)),
        None => format!("{}: ?", name(&value.name)),
    }
}

/// A name as it is, or quoted when it could be mistaken for something else.
fn name(name: &str) -> String {
    match name {
        // An optional value that is left out.
        "" => "_".to_owned(),
        name if name.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"\",(){}=".contains(c)) => {
            name.to_owned()
        }
        name => format!("{name:?}"),
    }
}

fn list(f: &mut Formatter<'_>, items: impl Iterator<Item = impl Display>) -> fmt::Result {
    f.write_char('[')?;
    for (index, item) in items.enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(f, "{comma}{item}")?;
    }
    f.write_char(']')
}
