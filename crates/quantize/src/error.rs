//! What can be wrong.

use engines::engine::EngineError;
use onnx_model::{CheckError, TensorError};

/// A model that was not quantised.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// Nodes of quantised operators are in it.
    #[error(
        "the model is quantised already: it has a node {op_type} ({name}); give the float model that it was made from"
    )]
    Already {
        /// The operator.
        op_type: String,
        /// The node, or its output.
        name: String,
    },
    /// No node can be quantised.
    #[error("the model has nothing to quantise: {reason}")]
    Nothing {
        /// What was looked for.
        reason: String,
    },
    /// The opset is too old.
    #[error("the model is of opset {found}, and quantisation needs 11 or more; export it anew, or convert it first")]
    Opset {
        /// The model's.
        found: i64,
    },
    /// An operator has no counterpart at the opset that is needed.
    #[error(
        "per-channel QDQ needs opset 13, and {op_type} ({name}) of opset {from} cannot be raised: {reason}; use --format qoperator, which needs no newer opset, or --per-tensor"
    )]
    Raise {
        /// The operator.
        op_type: String,
        /// The node, or its output.
        name: String,
        /// The model's opset.
        from: i64,
        /// Why.
        reason: &'static str,
    },
    /// A sample of the calibration data makes a value that is not finite.
    #[error(
        "{sample}: the value `{value}` holds {what}; ranges cannot be taken from it, so correct or remove that sample"
    )]
    NotFinite {
        /// The sample.
        sample: String,
        /// The value in the model.
        value: String,
        /// `NaN` or `an infinity`.
        what: &'static str,
    },
    /// There is no calibration data.
    #[error("static quantisation takes its ranges from data, and there is none: {0}")]
    NoData(String),
    /// A range that is needed is not among those that were read.
    #[error("the file of ranges lacks `{0}`; remove the file to have the ranges measured anew")]
    NoRange(String),
    /// A range is not one.
    #[error("the range of `{value}` is from {min} to {max}, which is none: both must be finite and in order")]
    BadRange {
        /// The value.
        value: String,
        /// The lower end.
        min: f32,
        /// The upper end.
        max: f32,
    },
    /// A weight cannot be quantised.
    #[error("the weight `{0}` holds values that are not finite")]
    Weight(String),
    /// The model breaks a rule of ONNX.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A tensor contradicts itself, or was not read.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// An engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
