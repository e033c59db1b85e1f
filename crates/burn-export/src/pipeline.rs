//! The stages of an export, in order.

use burn::module::Module;
use burn::tensor::Device;

use crate::capture::parameters::{self, Parameter};
use crate::capture::trace::{Trace, TracePoint, describe_sizes, record};
use crate::capture::{ModelInputs, ModelOutputs};
use crate::error::ExportError;
use crate::exported::ExportedModel;
use crate::exporter::{OnnxExporter, Signature};
use crate::program::Program;
use crate::report::ExportReport;
use crate::{emit, equivalence, lower, program, simplify};

/// Capture, symbolic sizes, lowering, simplification, writing, checking.
pub(crate) fn run<M, I, O>(
    exporter: &OnnxExporter,
    signature: &Signature,
    module: &M,
    forward: &impl Fn(&M, I) -> O,
) -> Result<ExportedModel, ExportError>
where
    M: Module,
    I: ModelInputs,
    O: ModelOutputs,
{
    let axes: Vec<String> = signature.axes.iter().map(|axis| axis.name.clone()).collect();
    let (mut parameters, visits) = parameters::read(module)?;
    if let Some(rename) = exporter.rename {
        parameters.iter_mut().for_each(|parameter| parameter.path = rename(&parameter.path));
    }
    let device = Device::capture();
    let mut traces = Vec::new();
    let points = trace_points(signature);
    let last = points.len() - 1;
    for (position, sizes) in points.into_iter().enumerate() {
        // Another fill for the last trace: what changes with it looked at values.
        let fill = u8::from(position == last);
        let point = TracePoint { inputs: &signature.inputs, axes: &axes, sizes, fill };
        traces.push(record(&device, module, forward, point)?);
    }
    finish(exporter, signature, &axes, &parameters, &visits, traces)
}

/// Everything after the recording, which is the same for every module and closure.
fn finish(
    exporter: &OnnxExporter,
    signature: &Signature,
    axes: &[String],
    parameters: &[Parameter],
    visits: &[usize],
    traces: Vec<Trace>,
) -> Result<ExportedModel, ExportError> {
    let returned = traces.first().map_or(0, |trace| trace.outputs.len());
    if returned != exporter.outputs.len() {
        return Err(ExportError::OutputCount { declared: exporter.outputs.len(), returned });
    }
    let described = traces.iter().map(|trace| describe_sizes(axes, &trace.sizes)).collect();
    let (program, divergences) = program::merge(axes, traces)?;
    let lower = |program: &Program| lower::lower(program, &signature.inputs, parameters, visits, exporter.opset);
    for divergence in divergences {
        let sizes = divergence.trace.sizes.clone();
        let Some(mut expected) = program.at(&sizes).map(|program| lower(&program)).transpose()? else {
            return Err(divergence.difference);
        };
        let (found, _) = program::merge(axes, vec![divergence.trace])?;
        let mut found = lower(&found)?;
        simplify::simplify(&mut expected);
        simplify::simplify(&mut found);
        if !equivalence::same(&expected, &found) {
            return Err(divergence.difference);
        }
    }
    let mut graph = lower(&program)?;
    let lowered_nodes = graph.nodes.len();
    let simplifications = simplify::simplify(&mut graph);
    let model = emit::emit(&graph, exporter, signature, parameters, &program.axes)?;
    let checked = model.check();
    checked.map_err(|error| ExportError::Invalid { message: error.to_string() })?;
    let mut report = ExportReport {
        opset: exporter.opset,
        traces: described,
        operations: Default::default(),
        parameters: parameters.len(),
        parameter_bytes: parameters.iter().map(|parameter| parameter.bytes.len() as u64).sum(),
        lowered_nodes,
        simplifications,
        nodes: Default::default(),
        checked: true,
    };
    for operation in &program.operations {
        *report.operations.entry(operation.name.clone()).or_insert(0) += 1;
    }
    for node in &model.graph.nodes {
        *report.nodes.entry(node.op_type.clone()).or_insert(0) += 1;
    }
    Ok(ExportedModel { model, report })
}

/// The base sizes, each axis alone at several sizes, and all axes together at fresh ones.
fn trace_points(signature: &Signature) -> Vec<Vec<i64>> {
    let sizes: Vec<_> = signature.axes.iter().enumerate().map(|(position, axis)| axis.trace_sizes(position)).collect();
    let base: Vec<i64> = sizes.iter().map(|size| size.base as i64).collect();
    let mut points = vec![base.clone()];
    if sizes.is_empty() {
        // A second run shows whether constants depend on the values of the inputs.
        points.push(base);
        return points;
    }
    for (axis, size) in sizes.iter().enumerate() {
        for alone in &size.alone {
            let mut point = base.clone();
            point[axis] = *alone as i64;
            points.push(point);
        }
    }
    for check in 0..3 {
        points.push(sizes.iter().map(|size| size.together[check] as i64).collect());
    }
    points
}
