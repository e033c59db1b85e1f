//! Fills the parameters of a Burn module from a checkpoint.

use std::collections::{BTreeMap, HashSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::error::{count, listed};
use super::names::{self, Found, has_no_effect};
use super::{Checkpoint, Misshaped, WeightsError};

/// From a parameter's path in the Burn module to its `state_dict` name.
pub type StateDictName = fn(&str) -> String;

/// For modules whose field names already are those of the `state_dict`.
pub fn identity_name(path: &str) -> String {
    path.to_owned()
}

/// What a successful [`load`] did to fit a file to the network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// What stood before the network's names in the file, such as `state_dict.` or `module.`; empty if nothing did.
    pub prefix: String,
    /// Tensors in the file that have no effect on the network, in alphabetical order: those elsewhere than behind the prefix,
    /// of other heads, and what PyTorch stores beside parameters (`num_batches_tracked`).
    pub left_aside: Vec<String>,
}

/// Replaces every parameter of `module` by the tensor of the same `state_dict` name.
///
/// The weight of a `Linear` is kept as PyTorch stores it, `[out, in]`, and presented transposed; matrix products take
/// either order, so nothing is copied. All values become float32. The module's own initial values are never computed.
///
/// Names may stand behind a prefix that they share, which the report tells. A tensor behind it that no parameter takes means
/// another network, and is an error, unless it has no effect ([`LoadReport::left_aside`]).
///
/// # Errors
/// [`WeightsError::Mismatch`] lists every missing parameter and wrong shape at once, [`WeightsError::Unexpected`] what is left
/// over; other errors concern the file.
pub fn load<M: Module>(
    module: M,
    checkpoint: &Checkpoint,
    name: StateDictName,
) -> Result<(M, LoadReport), WeightsError> {
    let (report, stored) = matched(&module, checkpoint, name)?;
    let mut loader = Loader { path: ModulePath::default(), name, checkpoint, stored, failure: None };
    let module = module.map(&mut loader);
    match loader.failure {
        Some(error) => Err(error),
        None => Ok((module, report)),
    }
}

/// Whether [`load`] would find a tensor of the right shape for every parameter of `module`. No tensor is read.
///
/// # Errors
/// As [`load`], but for those of reading tensors.
pub fn fit<M: Module>(module: &M, checkpoint: &Checkpoint, name: StateDictName) -> Result<LoadReport, WeightsError> {
    Ok(matched(module, checkpoint, name)?.0)
}

/// The report, and for each parameter's name the tensor's.
fn matched<'a, M: Module>(
    module: &M,
    checkpoint: &'a Checkpoint,
    name: StateDictName,
) -> Result<(LoadReport, BTreeMap<String, &'a str>), WeightsError> {
    let parameters = parameter_names(module, name);
    let names: HashSet<String> = parameters.iter().map(|(name, _)| name.clone()).collect();
    let Found { prefix, stored, elsewhere } = names::find(checkpoint, &names)?;
    let (mut missing, mut misshaped) = (Vec::new(), Vec::new());
    for (name, expected) in parameters {
        match stored.get(&name).and_then(|whole| checkpoint.tensors().get(*whole)) {
            None => missing.push(name),
            Some(tensor) if tensor.shape != expected => {
                misshaped.push(Misshaped { name, expected, found: tensor.shape.clone() });
            }
            Some(_) => {}
        }
    }
    let untaken = stored.iter().filter(|(name, _)| !names.contains(*name)).map(|(_, whole)| (*whole).to_owned());
    let (without_effect, unexpected): (Vec<String>, Vec<String>) = untaken.partition(|name| has_no_effect(name));
    let path = || checkpoint.path().to_owned();
    if !missing.is_empty() || !misshaped.is_empty() {
        return Err(WeightsError::Mismatch { path: path(), missing, misshaped, unexpected, prefix });
    }
    if !unexpected.is_empty() {
        return Err(WeightsError::Unexpected { path: path(), names: unexpected });
    }
    let elsewhere = elsewhere.into_iter().map(str::to_owned);
    let mut left_aside: Vec<String> =
        without_effect.into_iter().chain(elsewhere).chain(checkpoint.left_aside().iter().cloned()).collect();
    left_aside.sort_unstable();
    Ok((LoadReport { prefix, left_aside }, stored))
}

impl LoadReport {
    /// What a user should know of it, in sentences; none if the file is exactly the network.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.prefix.is_empty() {
            notes.push(format!(
                "the network's tensors were found behind the {:?} that stands before their names",
                self.prefix
            ));
        }
        if !self.left_aside.is_empty() {
            let number = count(self.left_aside.len(), "tensor");
            notes.push(format!("{number} without effect on the network left aside: {}", listed(&self.left_aside)));
        }
        notes
    }
}

/// The `state_dict` names of a module's parameters with their shapes in PyTorch's order, in the order of its fields.
pub fn parameter_names<M: Module>(module: &M, name: StateDictName) -> Vec<(String, Vec<usize>)> {
    let mut lister = Lister { path: ModulePath::default(), name, found: Vec::new() };
    module.visit(&mut lister);
    lister.found
}

/// Where a traversal stands: names and kinds of the modules entered.
#[derive(Default)]
pub(super) struct ModulePath {
    names: Vec<String>,
    kinds: Vec<String>,
}

impl ModulePath {
    pub(super) fn enter(&mut self, name: &str, kind: &str) {
        self.names.push(name.to_owned());
        self.kinds.push(kind.to_owned());
    }

    pub(super) fn exit(&mut self) {
        self.names.pop();
        self.kinds.pop();
    }

    /// The parameter's path, joined with dots.
    pub(super) fn joined(&self) -> String {
        self.names.join(".")
    }

    /// The last component: the field that holds the parameter.
    pub(super) fn field(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// Whether the parameter belongs to the struct `name`.
    pub(super) fn is_in(&self, name: &str) -> bool {
        let owner = self.kinds.iter().rev().find_map(|kind| kind.strip_prefix("Struct:"));
        owner == Some(name)
    }

    /// Whether PyTorch stores this parameter transposed: the weight of a linear layer.
    pub(super) fn is_transposed(&self) -> bool {
        self.is_in("Linear") && self.field() == "weight"
    }

    /// The parameter's shape in PyTorch's order.
    pub(super) fn stored_shape<const D: usize>(&self, param: &Param<Tensor<D>>) -> Vec<usize> {
        let mut shape = param.lazy_shape().to_vec();
        if self.is_transposed() {
            shape.reverse();
        }
        shape
    }
}

/// A tensor in PyTorch's order as the value of a parameter.
pub(super) fn in_burn_order<const D: usize>(path: &ModulePath, tensor: Tensor<D>) -> Tensor<D> {
    if path.is_transposed() { tensor.transpose() } else { tensor }
}

struct Loader<'a> {
    path: ModulePath,
    name: StateDictName,
    checkpoint: &'a Checkpoint,
    stored: BTreeMap<String, &'a str>,
    failure: Option<WeightsError>,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, kind: &str) {
        self.path.enter(name, kind);
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.failure.is_some() {
            return param;
        }
        let name = (self.name)(&self.path.joined());
        // `matched` has found it, and its shape.
        let stored = self.stored.get(&name).and_then(|whole| self.checkpoint.tensors().get(*whole));
        let Some(stored) = stored else { return param };
        match stored.to_f32(&name) {
            Ok(data) => {
                let tensor = Tensor::<D>::from_data(data, &param.lazy_device());
                let id = param.id;
                param.transform_for_load(in_burn_order(&self.path, tensor), id)
            }
            Err(error) => {
                self.failure = Some(error);
                param
            }
        }
    }
}

struct Lister {
    path: ModulePath,
    name: StateDictName,
    found: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for Lister {
    fn enter_module(&mut self, name: &str, kind: &str) {
        self.path.enter(name, kind);
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = (self.name)(&self.path.joined());
        self.found.push((name, self.path.stored_shape(param)));
    }
}
