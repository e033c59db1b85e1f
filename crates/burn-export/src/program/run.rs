//! One recording, reduced to what its outputs need, and whether two do the same.

use std::collections::{HashMap, HashSet};

use burn::backend::capture::TensorId;
use burn::backend::ir::OperationIr;
use burn::tensor::DType;

use super::skeleton::{Frames, Skeleton};
use crate::axis::describe_sizes;
use crate::capture::trace::Trace;
use crate::error::{ExportError, FailedOperation};
use crate::paths::Modules;

/// A trace reduced to what its outputs need.
pub(super) struct Run<'a> {
    pub(super) trace: &'a Trace,
    pub(super) live: Vec<&'a OperationIr>,
    pub(super) skeletons: Vec<Skeleton>,
    /// Tensors that no live operation computes, in order of first use.
    pub(super) leaves: Vec<TensorId>,
    leaf_shapes: HashMap<TensorId, Vec<usize>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(trace: &'a Trace, frames: &Frames) -> Self {
        let given = trace.inputs.iter().map(|input| input.id);
        let given: HashSet<TensorId> = given.chain(trace.parameters.iter().copied()).collect();
        let mut needed: HashSet<TensorId> = trace.outputs.iter().copied().collect();
        let mut live = Vec::new();
        for operation in trace.operations.iter().rev() {
            let is_leaf = operation.outputs().any(|out| given.contains(&out.id))
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
        for input in &trace.inputs {
            leaf_shapes.insert(input.id, input.shape.clone());
        }
        for tensor in trace.operations.iter().flat_map(|operation| operation.nodes()) {
            leaf_shapes.entry(tensor.id).or_insert_with(|| tensor.shape.to_vec());
        }
        let mut order: HashMap<TensorId, u64> = HashMap::new();
        for input in &trace.inputs {
            let next = order.len() as u64;
            order.entry(input.id).or_insert(next);
        }
        let mut computed: HashSet<TensorId> = trace.inputs.iter().map(|input| input.id).collect();
        let mut leaves = Vec::new();
        let mut skeletons = Vec::new();
        for operation in &live {
            for input in operation.inputs() {
                if computed.insert(input.id) {
                    leaves.push(input.id);
                }
            }
            computed.extend(operation.outputs().map(|out| out.id));
            skeletons.push(Skeleton::new(operation, &mut order, frames));
        }
        for id in &trace.outputs {
            if computed.insert(*id) {
                leaves.push(*id);
            }
        }
        Self { trace, live, skeletons, leaves, leaf_shapes }
    }

    pub(super) fn shape_of_value(&self, id: TensorId) -> Vec<usize> {
        self.leaf_shapes.get(&id).cloned().unwrap_or_default()
    }

    /// The first operation behind this one that reads a tensor.
    pub(super) fn user_after(&self, index: usize, id: TensorId) -> Option<&'a OperationIr> {
        let mut later = self.live.iter().skip(index + 1).copied();
        later.find(|operation| operation.inputs().any(|input| input.id == id))
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

    pub(super) fn name(&self, index: usize) -> String {
        self.skeletons.get(index).map_or_else(|| "nothing".to_string(), |skeleton| skeleton.name().to_string())
    }

    /// The operation of this index for an error, with the shapes of this trace.
    pub(super) fn at_fault(&self, modules: Modules<'_>, index: usize) -> FailedOperation {
        let visits = self.trace.parameters.iter().enumerate().map(|(visit, id)| (*id, visit));
        let path = modules.paths(&self.live, visits).get(index).cloned().unwrap_or_default();
        let inputs = self.live.get(index).into_iter().flat_map(|operation| operation.inputs());
        let shapes = inputs.map(|input| format!("{:?}", input.shape.to_vec())).collect();
        FailedOperation { name: self.name(index), path, shapes }
    }

    /// The first operation that reads a tensor.
    pub(super) fn user(&self, modules: Modules<'_>, id: TensorId) -> FailedOperation {
        let reads = |operation: &&OperationIr| operation.inputs().any(|input| input.id == id);
        match self.live.iter().position(reads) {
            Some(index) => self.at_fault(modules, index),
            None => FailedOperation { name: "an output".to_string(), ..FailedOperation::default() },
        }
    }
}

/// Both runs must do the same operations on the same tensors.
pub(super) fn compare(
    axes: &[String],
    modules: Modules<'_>,
    base: &Run<'_>,
    other: &Run<'_>,
) -> Result<(), ExportError> {
    let count = base.skeletons.len().max(other.skeletons.len());
    for index in 0..count {
        let same = match (base.skeletons.get(index), other.skeletons.get(index)) {
            (Some(left), Some(right)) => left.agrees_with(right),
            _ => false,
        };
        if !same {
            if let Some(repeated) = repeated_step(axes, modules, [base, other], index) {
                return Err(repeated);
            }
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

/// The error for two runs that do the same up to `index`, where one of them has a step once more than the other.
fn repeated_step(axes: &[String], modules: Modules<'_>, runs: [&Run<'_>; 2], index: usize) -> Option<ExportError> {
    const SHOWN: usize = 4;
    let [shorter, longer] = match runs {
        [base, other] if base.skeletons.len() < other.skeletons.len() => [base, other],
        [base, other] => [other, base],
    };
    let extra = longer.skeletons.len() - shorter.skeletons.len();
    let name = |place: usize| longer.skeletons.get(place).map(Skeleton::name);
    // Two neighbouring blocks of this length that have the same operations.
    let alike = |at: usize, length: usize| name(at).is_some() && name(at) == name(at + length);
    let repeats = |from: usize, length: usize| (from..from + length).all(|at| alike(at, length));
    let length = (1..=extra).filter(|length| extra.is_multiple_of(*length)).find(|length| {
        let before = index.checked_sub(*length);
        let all = |from: usize| (from..from + extra).all(|at| alike(at, *length));
        before.is_some_and(all) || all(index)
    })?;
    // From the first turn to the last, as far as they are alike.
    let mut first = index;
    while first >= length && repeats(first - length, length) {
        first -= length;
    }
    let more = 1 + (0..).take_while(|turn| repeats(first + turn * length, length)).count();
    let fewer = more.checked_sub(extra / length)?;
    let step = (first..first + length.min(SHOWN)).map(|at| longer.at_fault(modules, at).to_string());
    let mut step = step.collect::<Vec<String>>().join(", ");
    if length > SHOWN {
        step.push_str(", ...");
    }
    let sizes = |run: &Run<'_>| describe_sizes(axes, &run.trace.sizes);
    Some(ExportError::RepeatedStep { step, length, longer: sizes(longer), more, shorter: sizes(shorter), fewer })
}
