//! One recording of `forward`.

use std::collections::BTreeMap;

use burn::backend::capture::TensorId;
use burn::backend::ir::OperationIr;
use burn::module::Module;
use burn::tensor::{DType, Device, IntDType, TensorData};

use super::linear::broadcast_weights;
use super::panic::{Panic, caught};
use super::parameters::stand_in;
use super::recurrent::roll_up;
use super::signature::{InputSource, ModelInputs, ModelOutputs, OutputSink, TakenInput};
use crate::axis::describe_sizes;
use crate::error::ExportError;
use crate::signature::InputSpec;

/// The operations of one run of `forward`, not executed.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// The sizes of the dynamic axes.
    pub(crate) sizes: Vec<i64>,
    pub(crate) operations: Vec<OperationIr>,
    /// The contents of the tensors that `forward` made from host data.
    pub(crate) values: BTreeMap<TensorId, TensorData>,
    pub(crate) inputs: Vec<TakenInput>,
    pub(crate) outputs: Vec<TensorId>,
    /// The stand-ins of the parameters, in the order in which they are visited.
    pub(crate) parameters: Vec<TensorId>,
}

/// Where and how to trace.
pub(crate) struct TracePoint<'a> {
    pub(crate) inputs: &'a [InputSpec],
    pub(crate) axes: &'a [String],
    pub(crate) sizes: Vec<i64>,
    /// Whether nothing was recorded before.
    pub(crate) first: bool,
}

/// Records `forward` on `device`.
pub(crate) fn record<M, I, O>(
    device: &Device,
    module: &M,
    forward: &impl Fn(&M, I) -> O,
    point: TracePoint<'_>,
) -> Result<Trace, ExportError>
where
    M: Module,
    I: ModelInputs,
    O: ModelOutputs,
{
    let shape = |spec: &InputSpec| spec.shape_at(&point.sizes);
    let mut run = || -> Result<Boundary, ExportError> {
        // Running statistics are shared by clones: only a validation copy may be moved.
        let (module, parameters) = stand_in(module.valid(), device)?;
        let mut source = InputSource::new(point.inputs, device, &shape);
        let arguments = I::take(&mut source)?;
        let inputs = source.finish()?;
        let mut sink = OutputSink::default();
        forward(&module, arguments).give(&mut sink)?;
        Ok(Boundary { inputs, outputs: sink.into_ids(), parameters })
    };
    record_run(device, &point, &mut run)
}

/// The part of recording that is the same for every module and closure.
fn record_run(
    device: &Device,
    point: &TracePoint<'_>,
    run: &mut dyn FnMut() -> Result<Boundary, ExportError>,
) -> Result<Trace, ExportError> {
    let mut boundary = Err(ExportError::NotCaptured);
    let captured = caught(|| {
        device.capture_scope(|scope| {
            if point.first {
                count_in(device, point.inputs);
            }
            boundary = run();
            match &boundary {
                Ok(ends) => {
                    // An output returned twice is declared once. The inputs are recorded as empty tensors, which the
                    // capture takes for computed ones.
                    let given = |id: &TensorId| ends.inputs.iter().any(|input| input.id == *id);
                    let mut outputs: Vec<TensorId> = ends.outputs.iter().copied().filter(|id| !given(id)).collect();
                    outputs.sort_unstable();
                    outputs.dedup();
                    scope.complete([], outputs)
                }
                Err(_) => scope.complete([], []),
            }
        })
    })
    .map_err(|panic| {
        let Panic { message, place } = panic;
        let sizes = describe_sizes(point.axes, &point.sizes);
        // What Burn's capture says when a recorded tensor is read.
        if message.contains("has no concrete value") {
            return ExportError::ReadsValues { sizes };
        }
        // What Burn says when tensors of two devices meet.
        if message.contains("is on the wrong backend") || message.contains("not on the same device") {
            return ExportError::OtherDevice { message };
        }
        let hint = match (point.first, point.axes.len()) {
            (true, 0 | 1) => "run it with tensors of this size on another device first",
            (true, _) => {
                "give one name to axes that have to be equal, and run it with tensors of these sizes on another device"
            }
            (false, _) => {
                "it ran at other sizes: where these are not legal, narrow the axis with `Axis::range`, or with \
                 `Axis::multiple_of` where only multiples are, and give one name to axes that have to be equal"
            }
        };
        ExportError::ForwardPanicked { sizes, message, place, hint }
    })?;
    let ends = boundary?;
    let captured = captured.map_err(|error| ExportError::Capture { message: error.to_string() })?;
    Ok(Trace {
        sizes: point.sizes.clone(),
        operations: broadcast_weights(roll_up(captured.graph.operations), &ends.outputs),
        values: captured.values,
        inputs: ends.inputs,
        outputs: ends.outputs,
        parameters: ends.parameters,
    })
}

/// Lets `forward` count in int32 where that is the type of every integer input that has one declared, as it does on a device
/// for which that is the default. Elsewhere it counts in int64, which is the default here.
fn count_in(device: &Device, inputs: &[InputSpec]) {
    let mut declared = inputs.iter().filter_map(|input| input.dtype).filter(|dtype| dtype.is_int() || dtype.is_uint());
    if declared.next() == Some(DType::I32) && declared.all(|dtype| dtype == DType::I32) {
        // A device that has counted already keeps its type; this one is new.
        let _ = device.clone().configure(IntDType::I32);
    }
}

struct Boundary {
    inputs: Vec<TakenInput>,
    outputs: Vec<TensorId>,
    parameters: Vec<TensorId>,
}
