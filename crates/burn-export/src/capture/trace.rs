//! One recording of `forward`.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::capture::TensorId;
use burn::backend::ir::OperationIr;
use burn::module::Module;
use burn::tensor::{Device, TensorData};

use super::linear::broadcast_weights;
use super::parameters::stand_in;
use super::signature::{InputSource, ModelInputs, ModelOutputs, OutputSink, TakenInput};
use crate::axis::describe_sizes;
use crate::error::ExportError;
use crate::signature::InputSpec;

/// The operations of one run of `forward`, not executed.
#[derive(Debug)]
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
    let captured = catch_unwind(AssertUnwindSafe(|| {
        device.capture_scope(|scope| {
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
    }))
    .map_err(|panic| {
        let sizes = describe_sizes(point.axes, &point.sizes);
        let message = one_line(&panic_message(panic.as_ref()));
        // What Burn's capture says when a recorded tensor is read.
        if message.contains("has no concrete value") {
            return ExportError::ReadsValues { sizes };
        }
        // What Burn says when tensors of two devices meet.
        if message.contains("is on the wrong backend") || message.contains("not on the same device") {
            return ExportError::OtherDevice { message };
        }
        ExportError::ForwardPanicked { sizes, message }
    })?;
    let ends = boundary?;
    let captured = captured.map_err(|error| ExportError::Capture { message: error.to_string() })?;
    Ok(Trace {
        sizes: point.sizes.clone(),
        operations: broadcast_weights(captured.graph.operations, &ends.outputs),
        values: captured.values,
        inputs: ends.inputs,
        outputs: ends.outputs,
        parameters: ends.parameters,
    })
}

struct Boundary {
    inputs: Vec<TakenInput>,
    outputs: Vec<TensorId>,
    parameters: Vec<TensorId>,
}

/// Burn frames its messages and numbers their reasons.
fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("==="));
    lines.collect::<Vec<_>>().join(" ").trim_end_matches('.').to_string()
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()))
        .unwrap_or_else(|| "no message".to_string())
}
