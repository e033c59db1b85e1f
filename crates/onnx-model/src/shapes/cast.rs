//! Element by element to another type: casts and quantisation.

use super::elementwise::{kept, same};
use super::op::Op;
use super::rule::{Family, Rule};
use crate::DataType;
use crate::problem::Problem;

pub const FAMILY: Family = &[
    (&["Cast"], Rule::one(same).dtype(to).elements(kept)),
    (&["BitCast"], Rule::one(same).dtype(to)),
    (&["CastLike"], Rule::one(same).dtype(|op| Ok(op.dtype(1)))),
    (&["QuantizeLinear"], Rule::one(same).dtype(quantised)),
    (&["DequantizeLinear"], Rule::one(same).dtype(|op| Ok(named(op, "output_dtype")?.or(op.dtype(1))))),
    (&["DynamicQuantizeLinear"], Rule::all(|op| Ok(vec![op.dims(0).cloned(), Some(Vec::new()), Some(Vec::new())]))),
];

const RULE: &str = "it is the number of an element type";

/// The element type that an attribute names; 0 stands for none.
pub fn named(op: &Op, attribute: &'static str) -> Result<Option<DataType>, Problem> {
    let number = match op.int(attribute) {
        None | Some(0) => return Ok(None),
        Some(number) => number,
    };
    let dtype = i32::try_from(number).ok().and_then(DataType::from_number);
    dtype.map(Some).ok_or(Problem::Value { name: attribute, value: number.to_string(), rule: RULE })
}

fn to(op: &Op) -> Result<Option<DataType>, Problem> {
    let absent = || Problem::Value { name: "to", value: "0".to_owned(), rule: RULE };
    named(op, "to")?.ok_or_else(absent).map(Some)
}

fn quantised(op: &Op) -> Result<Option<DataType>, Problem> {
    let (zero_point, said) = (op.dtype(2), named(op, "output_dtype")?);
    if let (Some(said), Some(found)) = (said, zero_point)
        && said != found
    {
        let rule = "the zero point is of that type";
        return Err(Problem::Value { name: "output_dtype", value: said.to_string(), rule });
    }
    Ok(zero_point.or(said).or_else(|| op.input(2).is_none().then_some(DataType::U8)))
}
