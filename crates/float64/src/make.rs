//! Values made from attributes and sizes.

use super::rule::{Family, Form};
use super::step::{Reason, Step};
use super::widen;
use super::writer::Expr;
use onnx_model::{Attribute, Tensor};

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["AffineGrid", "ImageDecoder", "Range"], 0, Form::Native),
    (&["EyeLike"], 0, Form::Typed("dtype")),
    (&["BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix"], 0, Form::Typed("output_datatype")),
    (&["Constant"], 0, Form::One(constant)),
    (&["ConstantOfShape"], 0, Form::One(|step| filled(step, "ConstantOfShape", Tensor::vector("", &[0.0f64])))),
];

fn constant<'w>(step: &Step<'_, 'w>) -> Result<Expr<'w>, Reason> {
    let (name, value) = step.op.node.attributes.iter().next().ok_or("it has no value")?;
    match value {
        Attribute::Float(value) => filled(step, "Constant", Tensor::scalar("", f64::from(*value))),
        Attribute::Floats(values) => {
            let values: Vec<f64> = values.iter().copied().map(f64::from).collect();
            filled(step, "Constant", Tensor::vector("", &values))
        }
        Attribute::Tensor(tensor) => filled(step, "Constant", tensor.clone()),
        other => Ok(step.writer.node("Constant", &[], &[(name, other.clone())])),
    }
}

/// The operator with its tensor in float64, or `absent`.
fn filled<'w>(step: &Step<'_, 'w>, op_type: &str, absent: Tensor) -> Result<Expr<'w>, Reason> {
    let tensor = match step.op.node.attributes.get("value") {
        Some(Attribute::Tensor(tensor)) => {
            widen::tensor(tensor).map_err(|_| "the values of its tensor have not been read")?
        }
        _ => absent,
    };
    Ok(step.writer.node(op_type, &step.inputs(), &[("value", tensor.into())]))
}
