//! Graphs inside, and sequences.

use super::form::{Family, Form};
use super::widen;
use onnx_model::DataType;

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["If", "Loop"], 0, Form::Native),
    (&["Scan"], 0, Form::Without("its batch comes first")),
    (&["Scan"], 9, Form::Native),
    (&["ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceErase", "SequenceInsert", "SequenceLength",
       "SplitToSequence"], 0, Form::Native),
    (&["SequenceEmpty"], 0, Form::One(|step| {
        let dtype = step.op.int("dtype").unwrap_or(DataType::F32.number().into());
        Ok(step.writer.node("SequenceEmpty", &[], &[("dtype", widen::number(dtype).into())]))
    })),
];
