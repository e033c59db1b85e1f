//! Which module an operation belongs to.
//!
//! The recording is a flat list, and only parameters have paths. An operation that reads a parameter belongs to the
//! parameter's module, and so do the statistics of a norm (see [`norms`]). The others are placed by how `forward` walks
//! the tree of modules: between two operations of known modules it climbs from the first to the innermost module that
//! holds both, and descends again. An operation belongs to the innermost module climbed through that holds other modules
//! and that its operands come from: the Gelu behind `intermediate.dense` to `intermediate`, the product of what
//! `self.query` and `self.key` give to `self`, a residual sum to the block that read its input before.

mod norms;

use std::collections::{HashMap, HashSet};

use burn::backend::capture::TensorId;
use burn::backend::ir::{BaseOperationIr, OperationIr};

use crate::capture::parameters::Parameter;

/// The module's parameters, and which of them each visit meets.
#[derive(Clone, Copy)]
pub(crate) struct Modules<'a> {
    pub(crate) parameters: &'a [Parameter],
    pub(crate) visits: &'a [usize],
}

impl<'a> Modules<'a> {
    /// The module path of each operation. `tensors` are the stand-ins of the parameters, each with its visit.
    pub(crate) fn paths(
        &self,
        operations: &[&OperationIr],
        tensors: impl IntoIterator<Item = (TensorId, usize)>,
    ) -> Vec<String> {
        let mut parameters = HashMap::new();
        for (id, visit) in tensors {
            if let Some(parameter) = self.visits.get(visit).and_then(|index| self.parameters.get(*index)) {
                parameters.insert(id, module_of(parameter));
            }
        }
        // A module that holds no other is a layer: what its result goes through next lies outside of it.
        let mut composites: HashSet<Path<'a>> = HashSet::from([Path::new()]);
        for parameter in self.parameters {
            let path = module_of(parameter);
            composites.extend((0..path.len()).map(|length| path[..length].to_vec()));
        }
        paths(operations, &parameters, composites)
    }
}

/// The names of the fields that lead to a module.
type Path<'a> = Vec<&'a str>;

fn module_of(parameter: &Parameter) -> Path<'_> {
    let mut path: Path<'_> = parameter.path.split('.').collect();
    path.pop();
    path
}

fn paths<'a>(
    operations: &[&OperationIr],
    parameters: &HashMap<TensorId, Path<'a>>,
    composites: HashSet<Path<'a>>,
) -> Vec<String> {
    let mut known = known(operations, parameters);
    norms::place(operations, &mut known);
    let mut walk = Walk { composites, origins: HashMap::new(), readers: HashMap::new(), ranks: HashMap::new() };
    let mut following: Vec<Option<&Path<'a>>> = Vec::new();
    for place in known.places.iter().rev() {
        following.push(place.as_ref().or(following.last().copied().flatten()));
    }
    following.reverse();
    let mut before: &[&str] = &[];
    let mut paths = Vec::new();
    for ((operation, place), after) in operations.iter().zip(&known.places).zip(following) {
        let path = match place {
            Some(path) => {
                before = path;
                path.clone()
            }
            None => walk.between(operation, before, after.map_or(&[], Vec::as_slice)),
        };
        paths.push(path.join("."));
        walk.enter(operation, path, place.is_some());
    }
    paths
}

/// What the parameters alone tell.
struct Known<'a> {
    /// The module of each operation that reads parameters.
    places: Vec<Option<Path<'a>>>,
    /// Whether an operation reads anything but parameters.
    reads_data: Vec<bool>,
}

/// A tensor that is computed from parameters alone.
#[derive(Clone)]
struct Derived<'a> {
    path: Path<'a>,
    /// Whether it is some rows of a table, such as the positions of a sequence: a value like any other.
    rows: bool,
}

fn known<'a>(operations: &[&OperationIr], parameters: &HashMap<TensorId, Path<'a>>) -> Known<'a> {
    let whole = |(id, path): (&TensorId, &Path<'a>)| (*id, Derived { path: path.clone(), rows: false });
    let mut derived: HashMap<TensorId, Derived<'a>> = parameters.iter().map(whole).collect();
    let mut known = Known { places: Vec::new(), reads_data: Vec::new() };
    for operation in operations {
        let read: Vec<&Derived<'a>> = operation.inputs().filter_map(|input| derived.get(&input.id)).collect();
        let reads_data = read.len() < operation.inputs().count();
        let joins = reads_data && matches!(operation, OperationIr::NumericFloat(..) | OperationIr::NumericInt(..));
        let path = read.iter().filter(|read| !(joins && read.rows)).map(|read| read.path.clone());
        let path = path.reduce(|left, right| common(&left, &right));
        if let Some(path) = path.as_ref().filter(|_| !reads_data) {
            let rows = takes_rows(operation) || read.iter().any(|read| read.rows);
            let made: Vec<TensorId> = operation.outputs().map(|out| out.id).collect();
            derived.extend(made.into_iter().map(|id| (id, Derived { path: path.clone(), rows })));
        }
        known.places.push(path);
        known.reads_data.push(reads_data);
    }
    known
}

fn takes_rows(operation: &OperationIr) -> bool {
    use BaseOperationIr as B;
    match operation {
        OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
            matches!(op, B::Slice(_) | B::Select(_) | B::Gather(_) | B::GatherNd(_))
        }
        _ => false,
    }
}

/// The walk of `forward` through the modules, up to some operation.
struct Walk<'a> {
    /// Modules that hold other modules.
    composites: HashSet<Path<'a>>,
    /// The module that computed a tensor; none for what comes from inputs and constants alone.
    origins: HashMap<TensorId, Path<'a>>,
    /// The modules that have read a tensor.
    readers: HashMap<TensorId, Vec<Path<'a>>>,
    /// The lowest rank of a tensor computed in a module.
    ranks: HashMap<Path<'a>, usize>,
}

impl<'a> Walk<'a> {
    /// The module of an operation between one in the module `before` and one in the module `after`.
    fn between(&self, operation: &OperationIr, before: &[&'a str], after: &[&'a str]) -> Path<'a> {
        let outer = common(before, after);
        let mut lengths = (outer.len() + 1..=before.len()).rev();
        let inner = lengths.find_map(|length| {
            let module = &before[..length];
            (self.composites.contains(module) && self.holds(module, &outer, operation)).then_some(module)
        });
        match inner {
            Some(module) if !self.leaves(module, &outer, operation) => module.to_vec(),
            _ => outer,
        }
    }

    /// Whether the operands of an operation are at hand in `module`, which the walk leaves towards `outer`.
    fn holds(&self, module: &[&str], outer: &[&str], operation: &OperationIr) -> bool {
        let mut any_inside = false;
        let at_hand = operation.inputs().all(|input| {
            let origin = self.origins.get(&input.id);
            let readers = self.readers.get(&input.id).map(Vec::as_slice).unwrap_or_default();
            if origin.is_some_and(|origin| origin.starts_with(module)) {
                any_inside = true;
                return true;
            }
            // What comes from inputs alone, such as a mask, may be handed down to anywhere.
            if origin.is_none() && !readers.iter().any(|reader| reader.starts_with(outer)) {
                return true;
            }
            // An argument of the module, if it is one of several like it: a block with its residual connection.
            is_element(module) && readers.iter().any(|reader| reader.starts_with(module))
        });
        any_inside && at_hand
    }

    /// Whether an operation of one operand adapts the result of `module` for what comes next: a Flatten in front of a
    /// classifier, the pooling behind the last of several blocks, the choice of a token.
    fn leaves(&self, module: &[&str], outer: &[&str], operation: &OperationIr) -> bool {
        let mut inputs = operation.inputs();
        let (Some(input), None, Some(out)) = (inputs.next(), inputs.next(), operation.outputs().next()) else {
            return false;
        };
        let lowest = self.ranks.get(module).copied().unwrap_or_default();
        input.shape != out.shape && (module.len() > outer.len() + 1 || out.shape.num_dims() < lowest)
    }

    /// Goes past an operation of the module `path`.
    fn enter(&mut self, operation: &OperationIr, path: Path<'a>, reads_parameters: bool) {
        let from_inputs_alone = operation.inputs().all(|input| !self.origins.contains_key(&input.id));
        for input in operation.inputs() {
            self.readers.entry(input.id).or_default().push(path.clone());
        }
        if !reads_parameters && from_inputs_alone {
            return;
        }
        for out in operation.outputs() {
            for length in 0..=path.len() {
                let rank = self.ranks.entry(path[..length].to_vec()).or_insert(usize::MAX);
                *rank = out.shape.num_dims().min(*rank);
            }
            self.origins.insert(out.id, path.clone());
        }
    }
}

/// Whether a module is one of a list.
fn is_element(module: &[&str]) -> bool {
    module.last().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

fn common<'a>(left: &[&'a str], right: &[&str]) -> Path<'a> {
    left.iter().zip(right).take_while(|(left, right)| left == right).map(|(name, _)| *name).collect()
}
