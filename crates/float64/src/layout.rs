//! Values in another order, shape or number.

use super::form::{Family, Form};

#[rustfmt::skip]
pub const FAMILY: Family = &[
    (&["CenterCropPad", "Concat", "DepthToSpace", "Expand", "Flatten", "Pad", "Reshape", "ReverseSequence", "Shape", "Size", "Slice",
       "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze"], 0, Form::Native),
    (&["Compress", "Gather", "GatherElements", "GatherND", "NonMaxSuppression", "ScatterElements", "ScatterND", "TensorScatter",
       "TopK", "Unique"], 0, Form::Native),
    (&["Scatter"], 0, Form::One(|step| {
        Ok(step.writer.node("ScatterElements", &step.inputs(), &[("axis", step.int("axis").into())]))
    })),
];
