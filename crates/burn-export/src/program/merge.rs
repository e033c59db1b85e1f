//! From the numbers of several recordings to expressions over the axes.

use std::collections::{BTreeMap, HashMap, HashSet};

use burn::backend::capture::TensorId;
use burn::backend::ir::{NumericOperationIr, OperationIr, ScalarIr};

use super::run::{Run, compare};
use super::skeleton::{Frames, Skeleton};
use super::{Constant, Operation, Program, constants, hints};
use crate::capture::trace::Trace;
use crate::error::{ExportError, FailedOperation};
use crate::paths::Modules;
use crate::symbolic::{AxisId, Dim, Known, Solver, axis_names, shape_text};

/// A trace that does other operations than the base, and how it differs.
pub(crate) struct Divergence<'a> {
    pub(crate) trace: &'a Trace,
    pub(crate) difference: ExportError,
}

/// Merges traces of the same `forward` at different sizes; `base` is the place of the one that the others are held against.
///
/// Traces of another structure are handed back: Burn itself takes shortcuts at size one, so they may still compute the
/// same, which only the finished graphs can tell.
pub(crate) fn merge<'a>(
    axes: &[String],
    known: &Known,
    modules: Modules<'_>,
    traces: &'a [Trace],
    base: usize,
    frames: &Frames,
) -> Result<(Program, Vec<Divergence<'a>>), ExportError> {
    let Some(first) = traces.get(base) else {
        return Err(ExportError::Internal { message: "no trace was taken".to_string() });
    };
    let run = Run::new(first, frames);
    let (mut agreeing, mut divergent) = (vec![run], Vec::new());
    for (_, trace) in traces.iter().enumerate().filter(|(position, _)| *position != base) {
        let run = Run::new(trace, frames);
        match compare(axes, modules, &agreeing[0], &run) {
            Ok(()) => agreeing.push(run),
            Err(difference) => divergent.push(Divergence { trace, difference }),
        }
    }
    Ok((merge_agreeing(axes.to_vec(), known, modules, &agreeing)?, divergent))
}

/// The place of the first trace of those that do the same, and not what the first trace does: of several such, of the most.
pub(crate) fn other_base(traces: &[Trace], frames: &Frames) -> Option<usize> {
    let mut classes: BTreeMap<Vec<String>, (usize, usize)> = BTreeMap::new();
    for (position, trace) in traces.iter().enumerate() {
        let run = Run::new(trace, frames);
        let names = run.skeletons.iter().map(|skeleton| skeleton.name().to_string()).collect();
        classes.entry(names).or_insert((0, position)).0 += 1;
    }
    let others = classes.into_values().filter(|(_, first)| *first > 0);
    others.max_by_key(|(count, first)| (*count, usize::MAX - first)).map(|(_, first)| first)
}

fn merge_agreeing(
    axes: Vec<String>,
    known: &Known,
    modules: Modules<'_>,
    runs: &[Run<'_>],
) -> Result<Program, ExportError> {
    let mut solver = Solver::new(runs.iter().map(|run| run.trace.sizes.clone()).collect(), known.clone());
    let Some(base) = runs.first() else {
        return Err(ExportError::Internal { message: "no trace was taken".to_string() });
    };
    let mut merger = Merger { axes: &axes, modules, solver: &mut solver, runs, shapes: HashMap::new() };
    let mut constants = HashMap::new();
    for (position, input) in base.trace.inputs.iter().enumerate() {
        let place = || FailedOperation { name: "an input".to_string(), ..FailedOperation::default() };
        merger.explain_shape(input.id, |run| run.trace.inputs[position].shape.clone(), &place)?;
    }
    // A constant's size may be one that an operation before it made, and which is known by then.
    let mut operations = Vec::new();
    let mut leaves = base.leaves.iter().enumerate().peekable();
    for (index, live) in base.live.iter().enumerate() {
        while let Some((position, id)) = leaves.next_if(|(_, id)| live.inputs().any(|input| input.id == **id)) {
            merger.leaf(position, *id, &mut constants)?;
        }
        operations.push(merger.operation(index)?);
    }
    for (position, id) in leaves {
        merger.leaf(position, *id, &mut constants)?;
    }
    let shapes = merger.shapes;
    let trace = base.trace;
    Ok(Program {
        operations,
        shapes,
        constants,
        parameters: trace.parameters.iter().enumerate().map(|(visit, id)| (*id, visit)).collect(),
        inputs: trace.inputs.iter().map(|input| input.id).collect(),
        input_dtypes: trace.inputs.iter().map(|input| input.dtype).collect(),
        outputs: trace.outputs.clone(),
        axes,
        known: known.clone(),
    })
}

struct Merger<'a> {
    axes: &'a [String],
    modules: Modules<'a>,
    solver: &'a mut Solver,
    runs: &'a [Run<'a>],
    shapes: HashMap<TensorId, Vec<Dim>>,
}

impl Merger<'_> {
    /// The shape of a tensor that no operation computes, and the rule behind its values.
    fn leaf(
        &mut self,
        position: usize,
        id: TensorId,
        constants: &mut HashMap<TensorId, Constant>,
    ) -> Result<(), ExportError> {
        let (runs, modules) = (self.runs, self.modules);
        let Some(base) = runs.first() else {
            return Err(ExportError::Internal { message: "no run".to_string() });
        };
        let name = || format!("a constant made in forward and used by {}", base.user(modules, id));
        let place = || FailedOperation { name: name(), ..FailedOperation::default() };
        self.explain_shape(id, |run| run.shape_of_value(run.leaves[position]), &place)?;
        if base.trace.values.contains_key(&id) {
            let samples: Vec<_> = runs.iter().filter_map(|run| run.trace.values.get(&run.leaves[position])).collect();
            let shape = self.shapes.get(&id).cloned().unwrap_or_default();
            let user = || Box::new(base.user(modules, id));
            constants.insert(id, constants::explain(&samples, &shape, self.solver, self.axes, user)?);
        }
        Ok(())
    }

    fn explain_shape(
        &mut self,
        id: TensorId,
        shape: impl Fn(&Run<'_>) -> Vec<usize>,
        place: &dyn Fn() -> FailedOperation,
    ) -> Result<(), ExportError> {
        let samples: Vec<Vec<usize>> = self.runs.iter().map(shape).collect();
        let dims = self.explain_sizes(&samples, &[], &[], place, "size")?;
        self.shapes.insert(id, dims);
        Ok(())
    }

    fn explain_sizes(
        &mut self,
        samples: &[Vec<usize>],
        hints: &[Option<Dim>],
        near: &[Dim],
        operation: &dyn Fn() -> FailedOperation,
        what: &str,
    ) -> Result<Vec<Dim>, ExportError> {
        let rank = samples.first().map_or(0, Vec::len);
        (0..rank)
            .map(|axis| {
                let values: Vec<i64> =
                    samples.iter().filter_map(|shape| shape.get(axis).map(|size| *size as i64)).collect();
                let hint: Vec<Dim> = hints.get(axis).cloned().flatten().into_iter().collect();
                self.solver
                    .explain(&values, &hint, near)
                    .ok_or_else(|| self.unexplained(&values, operation(), &format!("{what} {axis}")))
            })
            .collect()
    }

    fn unexplained(&self, values: &[i64], operation: FailedOperation, what: &str) -> ExportError {
        ExportError::UnexplainedSize {
            operation: Box::new(operation),
            what: what.to_string(),
            axes: axis_names(&self.solver.responsible_axes(values), self.axes),
            values: self.values_at(values, &values.iter().map(i64::to_string).collect::<Vec<_>>()),
        }
    }

    /// `1 at n = 1, 6 at n = 9`: some values and their sizes, along the axes that change them.
    fn values_at(&self, kinds: &[i64], texts: &[String]) -> String {
        const MOST: usize = 5;
        let responsible = self.solver.responsible_axes(kinds);
        let base = self.runs.first().map_or(&[][..], |run| run.trace.sizes.as_slice());
        let pairs = self.runs.iter().zip(texts).filter_map(|(run, text)| {
            let sizes = run.trace.sizes.iter().zip(base).enumerate();
            let moved: Vec<usize> = sizes.filter(|(_, (size, base))| size != base).map(|(axis, _)| axis).collect();
            let shown: Vec<String> = responsible
                .iter()
                .filter_map(|AxisId(axis)| Some(format!("{} = {}", self.axes.get(*axis)?, run.trace.sizes.get(*axis)?)))
                .collect();
            // Where one axis alone moves, it is seen what it does.
            let alone = moved.iter().all(|axis| responsible.contains(&AxisId(*axis))) && moved.len() < 2;
            alone.then(|| format!("{text} at {}", shown.join(", ")))
        });
        let mut known = HashSet::new();
        let mut pairs: Vec<String> = pairs.filter(|pair| known.insert(pair.clone())).collect();
        if pairs.len() > MOST {
            let last = pairs.pop();
            pairs.truncate(MOST - 1);
            pairs.push("...".to_string());
            pairs.extend(last);
        }
        pairs.join("; ")
    }

    fn operation(&mut self, index: usize) -> Result<Operation, ExportError> {
        let runs = self.runs;
        let Some(base) = runs.first() else {
            return Err(ExportError::Internal { message: "no run".to_string() });
        };
        let ir = base.live[index];
        let name = base.name(index);
        let mut near: Vec<Dim> = Vec::new();
        for input in ir.inputs() {
            near.extend(self.shapes.get(&input.id).into_iter().flatten().cloned());
        }
        near.dedup();
        let (axes, modules) = (self.axes, self.modules);
        let inputs: Vec<String> = ir
            .inputs()
            .map(|input| shape_text(self.shapes.get(&input.id).map(Vec::as_slice).unwrap_or_default(), axes))
            .collect();
        let at_fault = || FailedOperation { shapes: inputs.clone(), ..base.at_fault(modules, index) };
        let skeletons: Vec<&Skeleton> = runs.iter().filter_map(|run| run.skeletons.get(index)).collect();
        let user = match ir {
            OperationIr::NumericFloat(_, NumericOperationIr::Pad(pad)) => base.user_after(index, pad.out.id),
            _ => None,
        };
        let mut dims = BTreeMap::new();
        let Some(first) = skeletons.first() else {
            return Err(ExportError::Internal { message: "no skeleton".to_string() });
        };
        for (position, (place, _)) in first.numbers().iter().enumerate() {
            let samples: Vec<i64> = skeletons.iter().map(|skeleton| skeleton.numbers()[position].1).collect();
            if samples.iter().all(|sample| Some(sample) == samples.first()) || place.ends_with("/accumulator_len") {
                continue;
            }
            let known = hints::Known { shapes: &self.shapes, numbers: &dims };
            let hint: Vec<Dim> = hints::number(ir, user, place, &known).into_iter().collect();
            let dim = self
                .solver
                .explain(&samples, &hint, &near)
                .ok_or_else(|| self.unexplained(&samples, at_fault(), place.trim_start_matches('/')))?;
            dims.insert(place.clone(), dim);
        }
        let hints = hints::output_sizes(ir, &hints::Known { shapes: &self.shapes, numbers: &dims });
        for (position, out) in ir.outputs().enumerate() {
            let samples: Vec<Vec<usize>> = runs
                .iter()
                .filter_map(|run| run.live.get(index)?.outputs().nth(position).map(|out| out.shape.to_vec()))
                .collect();
            let sizes = self.explain_sizes(&samples, &hints, &near, &at_fault, "output size")?;
            near.extend(sizes.iter().cloned());
            self.shapes.insert(out.id, sizes);
        }
        let mut scalars = BTreeMap::new();
        for position in 0..first.scalars.len() {
            let samples: Vec<_> = skeletons.iter().map(|skeleton| skeleton.scalars[position]).collect();
            if samples.iter().all(|sample| constants::same_scalar(sample, &samples[0])) {
                continue;
            }
            let number =
                constants::explain_scalar(&samples, self.solver).ok_or_else(|| ExportError::UnexplainedSize {
                    operation: Box::new(at_fault()),
                    what: "a scalar".to_string(),
                    axes: axis_names(&self.solver.responsible_axes(&distinct(&samples)), self.axes),
                    values: self.values_at(&distinct(&samples), &scalar_values(&samples)),
                })?;
            scalars.insert(position, number);
        }
        Ok(Operation { ir: ir.clone(), name, dims, scalars })
    }
}

/// The same number for the same scalar.
fn distinct(samples: &[ScalarIr]) -> Vec<i64> {
    let first = |sample| samples.iter().position(|other| constants::same_scalar(sample, other));
    samples.iter().map(|sample| first(sample).unwrap_or_default() as i64).collect()
}

fn scalar_values(samples: &[ScalarIr]) -> Vec<String> {
    let text = |sample: &ScalarIr| match sample {
        ScalarIr::Float(value) => format!("{value:?}"),
        ScalarIr::Int(value) => value.to_string(),
        ScalarIr::UInt(value) => value.to_string(),
        ScalarIr::Bool(value) => value.to_string(),
    };
    samples.iter().map(text).collect()
}
