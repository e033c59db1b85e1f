//! What can stand in the way of an export.

use std::fmt;

use burn::tensor::DType;
use onnx_model::{EncodeError, SaveError, TensorError};

use crate::opset::Opset;

/// The operation that stands in the way, as `Float::Exp([n, 3]) in "encoder.layer.0"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedOperation {
    /// The Burn operation: `Float::Exp`.
    pub name: String,
    /// The module that it belongs to, as the path of its fields; empty for the module that is exported.
    pub path: String,
    /// The shapes of its inputs, with the sizes as expressions over the axes: `[n, 3]`.
    pub shapes: Vec<String>,
}

impl fmt::Display for FailedOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.shapes.is_empty() {
            write!(f, "({})", self.shapes.join(", "))?;
        }
        if self.path.is_empty() { Ok(()) } else { write!(f, " in {:?}", self.path) }
    }
}

/// Why a module could not be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The closure takes another number of tensors than inputs are declared.
    #[error("forward takes {taken} input tensors, but {declared} are declared with `.input(…)`")]
    InputCount {
        /// Declared inputs.
        declared: usize,
        /// Tensors that the closure takes (at least).
        taken: usize,
    },
    /// A declared input has another rank than the tensor that the closure takes.
    #[error("input {input:?} is declared with {declared} axes, but forward takes a tensor of rank {taken}")]
    InputRank {
        /// The input.
        input: String,
        /// Declared axes.
        declared: usize,
        /// The rank of the tensor.
        taken: usize,
    },
    /// A declared element type is of another kind than the tensor that the closure takes.
    #[error("input {input:?} is declared as {dtype:?}, but forward takes a tensor of {kind} elements")]
    InputKind {
        /// The input.
        input: String,
        /// The declared type.
        dtype: DType,
        /// What the closure takes: float, integer, boolean.
        kind: &'static str,
    },
    /// The closure returns another number of tensors than outputs are declared.
    #[error("forward returns {returned} tensors, but {declared} outputs are declared with `.output(…)`")]
    OutputCount {
        /// Declared outputs.
        declared: usize,
        /// Tensors that the closure returns.
        returned: usize,
    },
    /// Two inputs or outputs have the same name.
    #[error("the name {name:?} is declared twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A name is empty.
    #[error("an input, output or axis has an empty name")]
    EmptyName,
    /// A dynamic axis allows no size, or uses of one name disagree.
    #[error("axis {axis:?} of input {input:?}: {reason}")]
    Axis {
        /// The axis.
        axis: String,
        /// The input.
        input: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An input with dynamic axes has too many elements at every choice of sizes that would prove its formulas.
    #[error(
        "input {input:?} of shape {axes} has {elements} elements at {sizes}, where forward would be recorded, and {most} is \
         the most; lower the sizes of its axes, with `Axis::range` for a dynamic one, or fix some of them"
    )]
    InputTooLarge {
        /// The input.
        input: String,
        /// Its axes: `[batch, 3, n, n]`.
        axes: String,
        /// The sizes of the dynamic axes.
        sizes: String,
        /// Its elements at these sizes.
        elements: u64,
        /// The most elements that a recording uses.
        most: u64,
    },
    /// `forward` does too much to be recorded at the end of an axis's range.
    #[error(
        "forward would be recorded with about {count} {what} at {sizes}, the end of a range, where the file has to be proven, \
         and {most} is the most; lower the range with `Axis::range`, or let forward do less there: no loop over the axis, no \
         table made on the host"
    )]
    RecordingTooLarge {
        /// The sizes of the dynamic axes.
        sizes: String,
        /// What there would be too much of: operations, or bytes of constants.
        what: &'static str,
        /// How much of it.
        count: u64,
        /// The most that a recording may have.
        most: u64,
    },
    /// A tensor given or returned does not live on the capture device.
    #[error(
        "forward returned a tensor that was not computed from its inputs or the module's parameters: it lives on another \
         device than they do"
    )]
    NotCaptured,
    /// `forward` used a tensor of another device than that of its inputs.
    #[error(
        "forward uses a tensor of another device than that of its inputs ({message}): take every layer from the module \
         that is given to the closure, not from one outside, and make tensors on `x.device()`"
    )]
    OtherDevice {
        /// What Burn said.
        message: String,
    },
    /// Burn's capture refused the recording.
    #[error("Burn could not record the forward pass: {message}")]
    Capture {
        /// What it said.
        message: String,
    },
    /// `forward` panicked while it was recorded.
    #[error("forward panicked at {sizes} ({place}): {message}; {hint}")]
    ForwardPanicked {
        /// The sizes of the dynamic axes.
        sizes: String,
        /// The panic's message.
        message: String,
        /// The line that panicked: `src/net.rs:12:9`.
        place: String,
        /// What to do.
        hint: &'static str,
    },
    /// `forward` asked for the value of a tensor.
    #[error(
        "forward reads the value of a tensor at {sizes} (`into_data`, `into_scalar`, or a Burn function that does so to \
         check its arguments, such as `one_hot`); a file cannot ask, so compute it with tensor operations"
    )]
    ReadsValues {
        /// The sizes of the dynamic axes.
        sizes: String,
    },
    /// The operations differ between sizes: `forward` branches on a size.
    #[error(
        "forward takes another way at {sizes} than at {base_sizes}: operation {index} is {found} instead of {expected}; \
         an ONNX graph has one way only, so decide by a module's setting instead of a size, or fix the axis"
    )]
    ControlFlow {
        /// The sizes of the first trace.
        base_sizes: String,
        /// The sizes of the other trace.
        sizes: String,
        /// The place in the recording.
        index: usize,
        /// The operation of the first trace.
        expected: String,
        /// The operation of the other trace.
        found: String,
    },
    /// A loop has more turns at other sizes.
    #[error(
        "forward repeats a step of {length} operations {more} times at {longer} and {fewer} times at {shorter}, which a graph \
         cannot follow; the step is {step}; compute all steps at once, fix the axis, or export one step and loop outside"
    )]
    RepeatedStep {
        /// The first operations of the step, in order.
        step: String,
        /// How many it has.
        length: usize,
        /// The sizes with more turns.
        longer: String,
        /// How many turns there are.
        more: usize,
        /// The sizes with fewer turns.
        shorter: String,
        /// How many turns there are.
        fewer: usize,
    },
    /// A size cannot be written as an expression over the axes.
    #[error(
        "{operation}: {what} follows {axes} in a way that no formula explains ({values}); fix the axis or compute the size \
         differently"
    )]
    UnexplainedSize {
        /// The operation.
        operation: Box<FailedOperation>,
        /// Which number.
        what: String,
        /// The axes that change it.
        axes: String,
        /// Some of its values, and the sizes that they belong to.
        values: String,
    },
    /// A constant made in `forward` changes with an axis in a way that no formula explains.
    #[error(
        "a constant of shape {shape} made in forward and used by {operation} follows {axes} in a way that no formula \
         explains; compute it with tensor operations from `arange` or `ones`, or fix the axis"
    )]
    UnexplainedConstant {
        /// The first operation that uses it.
        operation: Box<FailedOperation>,
        /// Its symbolic shape.
        shape: String,
        /// The axes that change it.
        axes: String,
    },
    /// `forward` made another constant when it was run again at the same sizes.
    #[error(
        "forward makes a constant (shape {shape}, used by {operation}) that differs from run to run; the file would hold that \
         of one run, so pass it in as an input, or make it once, before the export"
    )]
    UnrepeatableConstant {
        /// The first operation that uses it.
        operation: Box<FailedOperation>,
        /// The shape of the constant.
        shape: String,
    },
    /// A number of an operation follows an axis, and ONNX wants it fixed.
    #[error("{operation}: its {what} is {formula}, and ONNX has only a fixed one; fix the axis")]
    DynamicNumber {
        /// The operation.
        operation: Box<FailedOperation>,
        /// Which number.
        what: String,
        /// The expression over the axes.
        formula: String,
    },
    /// No ONNX form of the operation.
    #[error("{operation}: {reason}")]
    Unsupported {
        /// The operation.
        operation: Box<FailedOperation>,
        /// Why, and what to do.
        reason: String,
    },
    /// The operation needs a later opset.
    #[error(
        "{operation}: needs opset {lowest} or later, this export is for opset {opset}; choose it with \
         `.opset(Opset::V{lowest})`"
    )]
    OpsetTooLow {
        /// The operation.
        operation: Box<FailedOperation>,
        /// The opset asked for.
        opset: Opset,
        /// The lowest one that can express it.
        lowest: Opset,
    },
    /// ONNX has no such element type.
    #[error("{what} has elements of type {dtype:?}, which ONNX does not have; cast it to another type first")]
    ElementType {
        /// A parameter, input or operation.
        what: String,
        /// The type.
        dtype: DType,
    },
    /// A parameter is quantised.
    #[error("parameter {path:?} is quantised; export the module before it is quantised")]
    QuantizedParameter {
        /// The parameter.
        path: String,
    },
    /// An opset that this crate does not write.
    #[error("opset {opset} is not supported; choose one from 11 to 28")]
    UnknownOpset {
        /// The number asked for.
        opset: i64,
    },
    /// The finished model does not pass the checker: a defect of this crate.
    #[error(
        "the exported model is not valid ONNX, which is a defect of burn-export and not of your network; please report it with \
         the code of forward and this text: \"burn-export {version}, invalid: {message}\"",
        version = env!("CARGO_PKG_VERSION")
    )]
    Invalid {
        /// What the checker said.
        message: String,
    },
    /// A defect of this crate, found out in time.
    #[error(
        "the exporter contradicts itself, which is a defect of burn-export and not of your network; please report it with the \
         code of forward and this text: \"burn-export {version}, internal: {message}\"",
        version = env!("CARGO_PKG_VERSION")
    )]
    Internal {
        /// What went wrong.
        message: String,
    },
    /// A tensor of the model is malformed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The model does not fit the format.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The file could not be written.
    #[error(transparent)]
    Save(#[from] SaveError),
}

impl TryFrom<i64> for Opset {
    type Error = ExportError;

    fn try_from(opset: i64) -> Result<Self, ExportError> {
        Self::from_number(opset).ok_or(ExportError::UnknownOpset { opset })
    }
}
