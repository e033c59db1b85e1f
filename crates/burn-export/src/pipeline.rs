//! The stages of an export, in order.

use burn::backend::ir::OperationIr;
use burn::module::Module;
use burn::tensor::Device;
use onnx_model::Model;

use crate::axis::describe_sizes;
use crate::capture::parameters;
use crate::capture::pools::pad_outside;
use crate::capture::survey::survey;
use crate::capture::trace::{Trace, TracePoint, record};
use crate::capture::{ModelInputs, ModelOutputs};
use crate::emit::{self, Header};
use crate::error::ExportError;
use crate::exported::ExportedModel;
use crate::paths::Modules;
use crate::program::merge::{Divergence, merge, other_base};
use crate::program::{Frames, Program};
use crate::report::{ExportReport, FailedExport, Stage};
use crate::signature::{DeclaredInput, Signature};
use crate::symbolic::Known;
use crate::{equivalence, lower, proof, simplify};

/// What the user asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) header: Header,
    pub(crate) inputs: Vec<DeclaredInput>,
    pub(crate) outputs: Vec<String>,
    /// Whether a BatchNormalization stays an operator of its own.
    pub(crate) keep_batch_norms: bool,
    /// From a parameter's path in the module to its name in the file.
    pub(crate) rename: Option<fn(&str) -> String>,
}

/// Capture, symbolic sizes, lowering, simplification, writing, checking.
pub(crate) fn run<M, I, O>(
    plan: &Plan,
    module: &M,
    forward: &impl Fn(&M, I) -> O,
) -> Result<ExportedModel, FailedExport>
where
    M: Module,
    I: ModelInputs,
    O: ModelOutputs,
{
    let mut report = ExportReport::new(plan.header.opset);
    match export(plan, module, forward, &mut report) {
        Ok((model, signature)) => Ok(ExportedModel { model, report, signature }),
        Err(error) => Err(FailedExport { error, report: Box::new(report) }),
    }
}

fn export<M, I, O>(
    plan: &Plan,
    module: &M,
    forward: &impl Fn(&M, I) -> O,
    report: &mut ExportReport,
) -> Result<(Model, Signature), ExportError>
where
    M: Module,
    I: ModelInputs,
    O: ModelOutputs,
{
    let signature = Signature::resolve(&plan.inputs, &plan.outputs)?;
    let axes: Vec<String> = signature.axes.iter().map(|axis| axis.name.clone()).collect();
    let (mut parameters, visits) = parameters::read(module)?;
    if let Some(rename) = plan.rename {
        parameters.iter_mut().for_each(|parameter| parameter.path = rename(&parameter.path));
    }
    report.parameters = parameters.len();
    report.parameter_bytes = parameters.iter().map(|parameter| parameter.bytes.len() as u64).sum();
    report.finished = Some(Stage::Declarations);
    let device = Device::capture();
    let traces = survey(&signature, &axes, &mut |sizes| {
        let trace = record(
            &device,
            module,
            forward,
            TracePoint { inputs: &signature.inputs, axes: &axes, sizes, first: report.traces.is_empty() },
        )?;
        report.traces.push(describe_sizes(&axes, &trace.sizes));
        Ok(trace)
    })?;
    let modules = Modules { parameters: &parameters, visits: &visits };
    let model = finish(plan, &signature, &axes, modules, traces, report)?;
    Ok((model, signature))
}

/// Everything after the recording, which is the same for every module and closure.
fn finish(
    plan: &Plan,
    signature: &Signature,
    axes: &[String],
    modules: Modules<'_>,
    traces: Vec<Trace>,
    report: &mut ExportReport,
) -> Result<Model, ExportError> {
    let returned = traces.first().map_or(0, |trace| trace.outputs.len());
    if returned != plan.outputs.len() {
        return Err(ExportError::OutputCount { declared: plan.outputs.len(), returned });
    }
    report.recorded = traces.first().map_or(0, |trace| {
        trace.operations.iter().filter(|operation| !matches!(operation, OperationIr::Drop(_))).count()
    });
    report.finished = Some(Stage::Capture);
    let known = Known::new(signature.axes.iter().map(|axis| axis.multiple_of as i64).collect());
    let tried: Vec<Vec<i64>> = traces.iter().map(|trace| trace.sizes.clone()).collect();
    let lower = |program: &Program| lower::lower(program, &signature.inputs, modules, plan.header.opset);
    let frames = Frames::default();
    let prove = |traces: &[Trace], base: usize| -> Result<Program, ExportError> {
        let (program, divergences) = merge(axes, &known, modules, traces, base, &frames)?;
        for Divergence { trace, difference } in divergences {
            let Some(mut expected) = program.at(&trace.sizes).map(|program| lower(&program)).transpose()? else {
                return Err(difference);
            };
            let (found, _) = merge(axes, &known, modules, std::slice::from_ref(trace), 0, &frames)?;
            let mut found = lower(&found)?;
            simplify::settle(&mut expected);
            simplify::settle(&mut found);
            if !equivalence::same(&expected, &found) {
                return Err(difference);
            }
        }
        Ok(program)
    };
    // The base sizes may be those at which Burn takes a shortcut.
    let from_any_base = |traces: &[Trace]| {
        let otherwise = |error| other_base(traces, &frames).and_then(|base| prove(traces, base).ok()).ok_or(error);
        prove(traces, 0).or_else(otherwise)
    };
    let padded = || pad_outside(&traces).and_then(|traces| from_any_base(&traces).ok());
    let program = from_any_base(&traces).or_else(|error| padded().ok_or(error))?;
    for operation in &program.operations {
        *report.operations.entry(operation.name.clone()).or_insert(0) += 1;
    }
    report.finished = Some(Stage::Sizes);
    let mut graph = lower(&program)?;
    report.lowered_nodes = graph.nodes.len();
    report.finished = Some(Stage::Lowering);
    report.simplifications = simplify::simplify(&mut graph, !plan.keep_batch_norms);
    report.finished = Some(Stage::Simplification);
    let mut model = emit::emit(&graph, &plan.header, signature, &plan.outputs, &program.axes)?;
    model.metadata.extend(proof::entry(&signature.axes, &tried));
    for node in &model.graph.nodes {
        *report.nodes.entry(node.op_type.clone()).or_insert(0) += 1;
    }
    report.finished = Some(Stage::Writing);
    model.check().map_err(|error| ExportError::Invalid { message: error.to_string() })?;
    report.finished = Some(Stage::Check);
    Ok(model)
}
