//! Which module an operation belongs to.
//!
//! The recording is a flat list. An operation that reads a parameter belongs to the parameter's module; one that does
//! not belongs to the innermost module that holds both its neighbours.

use std::collections::HashMap;

use burn::backend::capture::TensorId;
use burn::backend::ir::OperationIr;

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
        let mut origin: HashMap<TensorId, Vec<&'a str>> = HashMap::new();
        for (id, visit) in tensors {
            if let Some(parameter) = self.visits.get(visit).and_then(|index| self.parameters.get(*index)) {
                let mut path: Vec<&str> = parameter.path.split('.').collect();
                path.pop();
                origin.insert(id, path);
            }
        }
        paths(operations, origin)
    }
}

fn paths(operations: &[&OperationIr], mut origin: HashMap<TensorId, Vec<&str>>) -> Vec<String> {
    let mut own: Vec<Option<Vec<&str>>> = Vec::new();
    for operation in operations {
        let mut path: Option<Vec<&str>> = None;
        let mut only_parameters = true;
        for input in operation.inputs() {
            match origin.get(&input.id) {
                Some(other) => path = Some(path.map_or_else(|| other.clone(), |path| common(&path, other))),
                None => only_parameters = false,
            }
        }
        // What is computed from parameters alone (a reshaped bias) belongs where they do.
        if only_parameters && let Some(path) = &path {
            for out in operation.outputs() {
                origin.insert(out.id, path.clone());
            }
        }
        own.push(path);
    }
    let mut following: Vec<Option<Vec<&str>>> = vec![None; own.len()];
    let mut next: Option<Vec<&str>> = None;
    for (slot, path) in following.iter_mut().zip(&own).rev() {
        if path.is_some() {
            next.clone_from(path);
        }
        slot.clone_from(&next);
    }
    let mut previous: Option<Vec<&str>> = None;
    own.iter()
        .zip(following)
        .map(|(path, following)| {
            if path.is_some() {
                previous.clone_from(path);
            }
            let path = match (path, &previous, &following) {
                (Some(path), _, _) => path.clone(),
                (None, Some(before), Some(after)) => common(before, after),
                _ => Vec::new(),
            };
            path.join(".")
        })
        .collect()
}

fn common<'a>(left: &[&'a str], right: &[&str]) -> Vec<&'a str> {
    left.iter().zip(right).take_while(|(left, right)| left == right).map(|(name, _)| *name).collect()
}
