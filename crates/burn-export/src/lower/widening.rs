//! Element types that an ONNX operator does not take: the operator runs in a wider type, between two casts.
//!
//! Operators take more types from version to version: `Sign` knows bf16 from opset 13, `MatMul` never knows int8. In
//! the wider type sums, products and powers are the same up to what the narrow one cuts off, and the cast back cuts it off.

use onnx_model::{DataType, schema};

use super::{Lowering, Result};
use crate::error::ExportError;
use crate::graph::{Node, Operand, Source, ValueId};
use crate::opset::Opset;

/// The types that hold every number of a type, the narrowest first.
fn wider(dtype: DataType) -> &'static [DataType] {
    match dtype {
        DataType::BF16 | DataType::F16 => &[DataType::F32],
        DataType::I8 | DataType::I16 | DataType::U8 | DataType::U16 => &[DataType::I32, DataType::I64],
        DataType::I32 | DataType::U32 => &[DataType::I64],
        _ => &[],
    }
}

/// The type in which an operator takes a value of `dtype` as this input; `None` when it cannot.
fn taken(op: &str, position: usize, dtype: DataType, opset: Opset) -> Option<DataType> {
    let formal = schema::find(op, opset.number())?.input(position)?;
    if formal.types.contains(dtype) {
        return Some(dtype);
    }
    let cast = schema::find("Cast", opset.number())?.input(0)?;
    // An index is below the size of an axis, so that int64 holds it.
    let candidates = if formal.parameter == Some("Tind") { &[DataType::I64] } else { wider(dtype) };
    candidates.iter().copied().find(|wider| formal.types.contains(*wider) && cast.types.contains(dtype))
}

impl Lowering<'_> {
    /// Widens the nodes from this one on, which are those of the operation at hand.
    pub(super) fn widen(&mut self, from: usize) -> Result<()> {
        let nodes = self.b.graph.nodes.split_off(from.min(self.b.graph.nodes.len()));
        for mut node in nodes {
            let casts = self.widened(&mut node)?;
            self.b.graph.nodes.push(node);
            self.b.graph.nodes.extend(casts);
        }
        Ok(())
    }

    /// Casts the inputs of a node, and gives the casts of its outputs.
    fn widened(&mut self, node: &mut Node) -> Result<Vec<Node>> {
        let Some(schema) = schema::find(node.op, self.b.opset.number()) else { return Ok(Vec::new()) };
        let mut widened: Vec<(&str, DataType, DataType)> = Vec::new();
        for position in 0..node.inputs.len() {
            let (Some(value), Some(formal)) = (node.input(position), schema.input(position)) else { continue };
            let dtype = self.b.dtype(value);
            let to = taken(node.op, position, dtype, self.b.opset)
                .ok_or_else(|| self.no_such_type(node.op, position, dtype))?;
            if to != dtype {
                let operand = Operand::Value(self.b.cast(value, to));
                node.inputs.get_mut(position).into_iter().for_each(|input| *input = operand.clone());
                widened.extend(formal.parameter.map(|parameter| (parameter, dtype, to)));
            }
        }
        let mut casts = Vec::new();
        for (position, output) in node.outputs.iter_mut().enumerate() {
            let parameter = schema.output(position).and_then(|formal| formal.parameter);
            let to = widened.iter().find(|(name, ..)| Some(*name) == parameter).map(|(_, _, to)| *to);
            if let Some(to) = to {
                let wide = self.b.graph.add(to, self.b.shape(*output), Source::Node);
                casts.push(self.cast_to(wide, std::mem::replace(output, wide), &node.path));
            }
        }
        Ok(casts)
    }

    /// A cast into a value that is there already.
    fn cast_to(&self, from: ValueId, to: ValueId, path: &str) -> Node {
        Node {
            op: "Cast",
            inputs: vec![from.into()],
            outputs: vec![to],
            attributes: [("to", self.b.dtype(to).into())].into(),
            path: path.to_string(),
        }
    }

    fn no_such_type(&self, op: &str, position: usize, dtype: DataType) -> ExportError {
        let later = |opset: &Opset| *opset > self.b.opset && taken(op, position, dtype, *opset).is_some();
        match Opset::ALL.into_iter().find(later) {
            Some(lowest) => ExportError::OpsetTooLow { operation: self.at_fault(), opset: self.b.opset, lowest },
            None => self.refuse(format!("ONNX's {op} takes no {dtype}; cast to another element type")),
        }
    }
}
