//! Values made from attributes and sizes.

use super::form::{Family, Form};
use super::step::{One, Step};
use super::widen;
use onnx_model::{Attribute, DataType, Tensor};

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["AffineGrid", "ImageDecoder", "Range"], 0, Form::Native),
    (&["EyeLike"], 0, Form::Typed("dtype")),
    (&["BlackmanWindow", "HammingWindow", "HannWindow"], 0, Form::Typed("output_datatype")),
    (&["MelWeightMatrix"], 0, Form::One(mel_weights)),
    (&["Constant"], 0, Form::One(constant)),
    (&["ConstantOfShape"], 0, Form::One(|step| filled(step, "ConstantOfShape", Tensor::vector("", &[0.0f64])))),
];

/// ONNX Runtime takes the frequencies of the edges in float32, as which they came.
fn mel_weights<'w>(step: &Step<'_, 'w>) -> One<'w> {
    let dtype = widen::number(step.int("output_datatype"));
    let edges = [3, 4].map(|edge| step.input(edge).cast(DataType::F32));
    let inputs = [step.input(0), step.input(1), step.input(2), edges[0], edges[1]];
    Ok(step.writer.node("MelWeightMatrix", &inputs, &[("output_datatype", dtype.into())]))
}

fn constant<'w>(step: &Step<'_, 'w>) -> One<'w> {
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
fn filled<'w>(step: &Step<'_, 'w>, op_type: &str, absent: Tensor) -> One<'w> {
    let tensor = match step.op.node.attributes.get("value") {
        Some(Attribute::Tensor(tensor)) => {
            widen::tensor(tensor).map_err(|_| "the values of its tensor have not been read")?
        }
        _ => absent,
    };
    Ok(step.writer.node(op_type, &step.inputs(), &[("value", tensor.into())]))
}
