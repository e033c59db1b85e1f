//! Element types that the signature alone does not give.

use super::constant_node;
use super::op::Op;
use crate::check::Problem;
use crate::{Attribute, DataType};

/// Completes `outputs`, which hold what the signature says.
pub fn refine(op: &Op, outputs: &mut [Option<DataType>]) -> Result<(), Problem> {
    let Some(first) = outputs.first_mut() else { return Ok(()) };
    match op.node.op_type.as_str() {
        "Cast" | "BitCast" => {
            let rule = "it is the number of an element type";
            let absent = || Problem::Value { name: "to", value: "0".to_owned(), rule };
            *first = Some(named(op, "to")?.ok_or_else(absent)?);
        }
        "CastLike" => *first = op.input(1).and_then(|value| value.dtype),
        "Constant" => *first = constant_node(op.node).and_then(|value| value.dtype),
        "ConstantOfShape" => {
            *first = match op.node.attributes.get("value") {
                Some(Attribute::Tensor(tensor)) => Some(tensor.dtype),
                _ => Some(DataType::F32),
            }
        }
        "RandomNormal" | "RandomUniform" => *first = named(op, "dtype")?,
        "RandomNormalLike" | "RandomUniformLike" | "EyeLike" | "Bernoulli" => {
            *first = named(op, "dtype")?.or_else(|| op.input(0).and_then(|value| value.dtype));
        }
        "Multinomial" => *first = named(op, "dtype")?.or(Some(DataType::I32)),
        "BlackmanWindow" | "HammingWindow" | "HannWindow" | "MelWeightMatrix" => {
            *first = named(op, "output_datatype")?;
        }
        "QuantizeLinear" => {
            let zero_point = op.input(2).and_then(|value| value.dtype);
            let said = named(op, "output_dtype")?;
            if let (Some(said), Some(found)) = (said, zero_point)
                && said != found
            {
                let rule = "the zero point is of that type";
                return Err(Problem::Value { name: "output_dtype", value: said.to_string(), rule });
            }
            *first = zero_point.or(said).or_else(|| op.input(2).is_none().then_some(DataType::U8));
        }
        "DequantizeLinear" => *first = named(op, "output_dtype")?.or_else(|| op.input(1).and_then(|value| value.dtype)),
        _ => {}
    }
    if let (Some(dtype), Some(formal)) = (*first, op.schema.output(0))
        && !formal.types.contains(dtype)
    {
        let value = op.node.outputs.first().cloned().unwrap_or_default();
        return Err(Problem::ElementType { value, formal: formal.name, found: dtype, allowed: formal.types });
    }
    Ok(())
}

/// The element type that an attribute names; 0 stands for none.
fn named(op: &Op, attribute: &'static str) -> Result<Option<DataType>, Problem> {
    let number = match op.int(attribute) {
        None | Some(0) => return Ok(None),
        Some(number) => number,
    };
    let dtype = i32::try_from(number).ok().and_then(DataType::from_number);
    let rule = "it is the number of an element type";
    dtype.map(Some).ok_or(Problem::Value { name: attribute, value: number.to_string(), rule })
}
