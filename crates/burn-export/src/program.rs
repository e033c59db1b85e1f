//! The recording as one program whose sizes are expressions over the axes.

mod constants;
mod hints;
mod skeleton;

use std::collections::{BTreeMap, HashMap, HashSet};

use burn::backend::capture::TensorId;
use burn::backend::ir::{OperationIr, ScalarIr};
use burn::tensor::DType;

pub(crate) use constants::{AffineTerm, Constant, Number};

use crate::capture::trace::{Trace, describe_sizes};
use crate::error::{ExportError, FailedOperation};
use crate::lower::paths::Modules;
use crate::symbolic::{AxisId, Dim, Solver, shape_text};
use skeleton::Skeleton;

/// What `forward` does, at any size.
#[derive(Clone)]
pub(crate) struct Program {
    /// The names of the dynamic axes.
    pub(crate) axes: Vec<String>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) shapes: HashMap<TensorId, Vec<Dim>>,
    pub(crate) constants: HashMap<TensorId, Constant>,
    /// Position among the module's parameter visits.
    pub(crate) parameters: HashMap<TensorId, usize>,
    pub(crate) inputs: Vec<TensorId>,
    pub(crate) input_dtypes: Vec<DType>,
    pub(crate) outputs: Vec<TensorId>,
}

/// One operation with the numbers in it that follow axes.
#[derive(Clone)]
pub(crate) struct Operation {
    /// As recorded at the base sizes.
    pub(crate) ir: OperationIr,
    /// `NumericFloat::Add`.
    pub(crate) name: String,
    /// Numbers other than tensor shapes that follow an axis, by their place in the operation.
    pub(crate) dims: BTreeMap<String, Dim>,
    /// Scalars that follow an axis, by their position.
    pub(crate) scalars: BTreeMap<usize, Number>,
}

/// A trace that does other operations than the base, and how it differs.
pub(crate) struct Divergence {
    pub(crate) trace: Trace,
    pub(crate) difference: ExportError,
}

impl Program {
    /// The program at one size of each axis; `None` where a size is not a whole number there.
    pub(crate) fn at(&self, sizes: &[i64]) -> Option<Self> {
        let fix = |dim: &Dim| dim.eval(sizes).map(Dim::fixed);
        let fix_all = |dims: &[Dim]| dims.iter().map(fix).collect::<Option<Vec<Dim>>>();
        let mut fixed = self.clone();
        for shape in fixed.shapes.values_mut() {
            *shape = fix_all(shape)?;
        }
        for constant in fixed.constants.values_mut() {
            match constant {
                Constant::Affine { offset, steps, .. } => {
                    for term in std::iter::once(offset).chain(steps) {
                        if let AffineTerm::Whole(dim) = term {
                            *dim = fix(dim)?;
                        }
                    }
                }
                Constant::Sizes(sizes, _) => *sizes = fix_all(sizes)?,
                Constant::Fixed(_) | Constant::Fill(_) | Constant::Triangle { .. } => {}
            }
        }
        for operation in &mut fixed.operations {
            for dim in operation.dims.values_mut() {
                *dim = fix(dim)?;
            }
            for number in operation.scalars.values_mut() {
                match number {
                    Number::Whole(dim) | Number::Reciprocal(dim) | Number::Root(dim) | Number::ReciprocalRoot(dim) => {
                        *dim = fix(dim)?;
                    }
                }
            }
        }
        Some(fixed)
    }
}

/// Merges traces of the same `forward` at different sizes; the first is the base.
///
/// Traces of another structure are handed back: Burn itself takes shortcuts at size one, so they may still compute the
/// same, which only the finished graphs can tell.
pub(crate) fn merge(
    axes: &[String],
    modules: Modules<'_>,
    traces: Vec<Trace>,
) -> Result<(Program, Vec<Divergence>), ExportError> {
    let mut traces = traces.into_iter();
    let Some(base) = traces.next() else {
        return Err(ExportError::Internal { message: "no trace was taken".to_string() });
    };
    let (mut agreeing, mut divergent) = (Vec::new(), Vec::new());
    for trace in traces {
        match compare(axes, modules, &Run::new(&base), &Run::new(&trace)) {
            Ok(()) => agreeing.push(trace),
            Err(difference) => divergent.push(Divergence { trace, difference }),
        }
    }
    agreeing.insert(0, base);
    Ok((merge_agreeing(axes.to_vec(), modules, &agreeing)?, divergent))
}

fn merge_agreeing(axes: Vec<String>, modules: Modules<'_>, traces: &[Trace]) -> Result<Program, ExportError> {
    let mut solver = Solver::new(traces.iter().map(|trace| trace.sizes.clone()).collect());
    let runs: Vec<Run<'_>> = traces.iter().map(Run::new).collect();
    let Some(base) = runs.first() else {
        return Err(ExportError::Internal { message: "no trace was taken".to_string() });
    };
    let mut merger = Merger { axes: &axes, modules, solver: &mut solver, runs: &runs, shapes: HashMap::new() };
    let mut constants = HashMap::new();
    for (position, id) in base.trace.inputs.iter().enumerate() {
        let place = || FailedOperation { name: "an input".to_string(), ..FailedOperation::default() };
        merger.explain_shape(*id, |run| run.shape_of_value(run.trace.inputs[position]), &place)?;
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
        inputs: trace.inputs.clone(),
        input_dtypes: trace.input_dtypes.clone(),
        outputs: trace.outputs.clone(),
        axes,
    })
}

/// A trace reduced to what its outputs need.
struct Run<'a> {
    trace: &'a Trace,
    live: Vec<&'a OperationIr>,
    skeletons: Vec<Skeleton>,
    /// Tensors that no live operation computes, in order of first use.
    leaves: Vec<TensorId>,
    leaf_shapes: HashMap<TensorId, Vec<usize>>,
}

impl<'a> Run<'a> {
    fn new(trace: &'a Trace) -> Self {
        let parameters: HashSet<TensorId> = trace.parameters.iter().copied().collect();
        let mut needed: HashSet<TensorId> = trace.outputs.iter().copied().collect();
        let mut live = Vec::new();
        for operation in trace.operations.iter().rev() {
            let is_leaf = operation.outputs().any(|out| parameters.contains(&out.id))
                || matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_));
            if !is_leaf && operation.outputs().any(|out| needed.contains(&out.id)) {
                needed.extend(operation.inputs().map(|input| input.id));
                live.push(operation);
            }
        }
        live.reverse();
        let mut leaf_shapes: HashMap<TensorId, Vec<usize>> = HashMap::new();
        for (id, value) in &trace.values {
            leaf_shapes.insert(*id, value.shape().to_vec());
        }
        for (id, shape) in trace.inputs.iter().zip(&trace.input_shapes) {
            leaf_shapes.insert(*id, shape.clone());
        }
        for tensor in trace.operations.iter().flat_map(|operation| operation.nodes()) {
            leaf_shapes.entry(tensor.id).or_insert_with(|| tensor.shape.to_vec());
        }
        let mut order: HashMap<TensorId, u64> = HashMap::new();
        for id in &trace.inputs {
            let next = order.len() as u64;
            order.entry(*id).or_insert(next);
        }
        let mut computed: HashSet<TensorId> = trace.inputs.iter().copied().collect();
        let mut leaves = Vec::new();
        let mut skeletons = Vec::new();
        for operation in &live {
            for input in operation.inputs() {
                if computed.insert(input.id) {
                    leaves.push(input.id);
                }
            }
            computed.extend(operation.outputs().map(|out| out.id));
            skeletons.push(Skeleton::new(operation, &mut order));
        }
        for id in &trace.outputs {
            if computed.insert(*id) {
                leaves.push(*id);
            }
        }
        Self { trace, live, skeletons, leaves, leaf_shapes }
    }

    fn shape_of_value(&self, id: TensorId) -> Vec<usize> {
        self.leaf_shapes.get(&id).cloned().unwrap_or_default()
    }

    /// What a leaf is: a constant of some type, a parameter, or neither.
    fn kind_of_leaf(&self, position: usize) -> (Option<DType>, Option<usize>) {
        let Some(id) = self.leaves.get(position) else { return (None, None) };
        let parameter = self.trace.parameters.iter().position(|parameter| parameter == id);
        (self.trace.values.get(id).map(|value| value.dtype()), parameter)
    }

    /// `a constant of F32 read by NumericFloat::Add([3, 3], [3])`.
    fn describe_leaf(&self, modules: Modules<'_>, position: usize) -> String {
        let Some(id) = self.leaves.get(position) else { return "nothing".to_string() };
        let what = match self.kind_of_leaf(position) {
            (Some(dtype), _) => format!("a constant of {dtype:?}"),
            (None, Some(_)) => "a parameter".to_string(),
            (None, None) => "an input".to_string(),
        };
        format!("{what} read by {}", self.user(modules, *id))
    }

    fn name(&self, index: usize) -> String {
        self.skeletons.get(index).map_or_else(|| "nothing".to_string(), |skeleton| skeleton.name.clone())
    }

    /// The operation of this index for an error, with the shapes of this trace.
    fn at_fault(&self, modules: Modules<'_>, index: usize) -> FailedOperation {
        let visits = self.trace.parameters.iter().enumerate().map(|(visit, id)| (*id, visit));
        let path = modules.paths(&self.live, visits).get(index).cloned().unwrap_or_default();
        let inputs = self.live.get(index).into_iter().flat_map(|operation| operation.inputs());
        let shapes = inputs.map(|input| format!("{:?}", input.shape.to_vec())).collect();
        FailedOperation { name: self.name(index), path, shapes }
    }

    /// The first operation that reads a tensor.
    fn user(&self, modules: Modules<'_>, id: TensorId) -> FailedOperation {
        let reads = |operation: &&OperationIr| operation.inputs().any(|input| input.id == id);
        match self.live.iter().position(reads) {
            Some(index) => self.at_fault(modules, index),
            None => FailedOperation { name: "an output".to_string(), ..FailedOperation::default() },
        }
    }
}

/// Both runs must do the same operations on the same tensors.
fn compare(axes: &[String], modules: Modules<'_>, base: &Run<'_>, other: &Run<'_>) -> Result<(), ExportError> {
    let count = base.skeletons.len().max(other.skeletons.len());
    for index in 0..count {
        let same = match (base.skeletons.get(index), other.skeletons.get(index)) {
            (Some(left), Some(right)) => left.agrees_with(right),
            _ => false,
        };
        if !same {
            return Err(ExportError::ControlFlow {
                base_sizes: describe_sizes(axes, &base.trace.sizes),
                sizes: describe_sizes(axes, &other.trace.sizes),
                index,
                expected: base.at_fault(modules, index).to_string(),
                found: other.at_fault(modules, index).to_string(),
            });
        }
    }
    let leaves = base.leaves.len().max(other.leaves.len());
    let differs = (0..leaves).find(|position| base.kind_of_leaf(*position) != other.kind_of_leaf(*position));
    if differs.is_some() || base.trace.outputs.len() != other.trace.outputs.len() {
        let describe = |run: &Run<'_>| match differs {
            Some(position) => run.describe_leaf(modules, position),
            None => format!("the end, with {} outputs", run.trace.outputs.len()),
        };
        return Err(ExportError::ControlFlow {
            base_sizes: describe_sizes(axes, &base.trace.sizes),
            sizes: describe_sizes(axes, &other.trace.sizes),
            index: count,
            expected: describe(base),
            found: describe(other),
        });
    }
    Ok(())
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
        const MOST: usize = 8;
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
            pairs.truncate(MOST);
            pairs.push("...".to_string());
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
        let hints = hints::output_sizes(ir, &self.shapes);
        let (axes, modules) = (self.axes, self.modules);
        let inputs: Vec<String> = ir
            .inputs()
            .map(|input| shape_text(self.shapes.get(&input.id).map(Vec::as_slice).unwrap_or_default(), axes))
            .collect();
        let at_fault = || FailedOperation { shapes: inputs.clone(), ..base.at_fault(modules, index) };
        for (position, out) in ir.outputs().enumerate() {
            let samples: Vec<Vec<usize>> = runs
                .iter()
                .filter_map(|run| run.live.get(index)?.outputs().nth(position).map(|out| out.shape.to_vec()))
                .collect();
            let dims = self.explain_sizes(&samples, &hints, &near, &at_fault, "output size")?;
            near.extend(dims.iter().cloned());
            self.shapes.insert(out.id, dims);
        }
        let skeletons: Vec<&Skeleton> = runs.iter().filter_map(|run| run.skeletons.get(index)).collect();
        let mut dims = BTreeMap::new();
        let Some(first) = skeletons.first() else {
            return Err(ExportError::Internal { message: "no skeleton".to_string() });
        };
        for (position, (place, _)) in first.numbers.iter().enumerate() {
            let samples: Vec<i64> = skeletons.iter().map(|skeleton| skeleton.numbers[position].1).collect();
            if samples.iter().all(|sample| Some(sample) == samples.first()) || place.ends_with("/accumulator_len") {
                continue;
            }
            let dim = self
                .solver
                .explain(&samples, &[], &near)
                .ok_or_else(|| self.unexplained(&samples, at_fault(), place.trim_start_matches('/')))?;
            dims.insert(place.clone(), dim);
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

/// `batch and seq`.
pub(crate) fn axis_names(axes: &[AxisId], names: &[String]) -> String {
    let names: Vec<&str> = axes.iter().filter_map(|AxisId(axis)| names.get(*axis).map(String::as_str)).collect();
    match names.as_slice() {
        [] => "the axes".to_string(),
        [one] => format!("axis {one:?}"),
        many => format!("axes {}", many.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" and ")),
    }
}
