//! Fills the parameters of a Burn module from a checkpoint.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::{Checkpoint, Misshaped, WeightsError};

/// From a parameter's path in the Burn module to its `state_dict` name.
pub type StateDictName = fn(&str) -> String;

/// For modules whose field names already are those of the `state_dict`.
pub fn identity_name(path: &str) -> String {
    path.to_owned()
}

/// What a successful [`load`] left aside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "tensors that nothing took may mean the wrong file"]
pub struct LoadReport {
    /// Tensors in the file that no parameter took, in alphabetical order.
    pub unexpected: Vec<String>,
}

/// Replaces every parameter of `module` by the tensor of the same `state_dict` name.
///
/// The weight of a `Linear` is kept as PyTorch stores it, `[out, in]`, and presented transposed; matrix products take
/// either order, so nothing is copied. All values become float32. The module's own initial values are never computed.
///
/// # Errors
/// [`WeightsError::Mismatch`] lists every missing parameter and wrong shape at once; other errors concern the file.
pub fn load<M: Module>(
    module: M,
    checkpoint: &Checkpoint,
    name: StateDictName,
) -> Result<(M, LoadReport), WeightsError> {
    let report = fit(&module, checkpoint, name)?;
    let mut loader = Loader { path: ModulePath::default(), name, checkpoint, failure: None };
    let module = module.map(&mut loader);
    match loader.failure {
        Some(error) => Err(error),
        None => Ok((module, report)),
    }
}

/// Whether `checkpoint` has a tensor of the right shape for every parameter of `module`. No tensor is read.
///
/// # Errors
/// [`WeightsError::Mismatch`] lists every missing parameter and wrong shape at once.
pub fn fit<M: Module>(module: &M, checkpoint: &Checkpoint, name: StateDictName) -> Result<LoadReport, WeightsError> {
    let mut taken = BTreeSet::new();
    let (mut missing, mut misshaped) = (Vec::new(), Vec::new());
    for (name, expected) in parameter_names(module, name) {
        match checkpoint.tensors().get(&name) {
            None => missing.push(name),
            Some(stored) => {
                taken.insert(name.clone());
                if stored.shape != expected {
                    misshaped.push(Misshaped { name, expected, found: stored.shape.clone() });
                }
            }
        }
    }
    let unexpected: Vec<String> = checkpoint.tensors().keys().filter(|name| !taken.contains(*name)).cloned().collect();
    if missing.is_empty() && misshaped.is_empty() {
        return Ok(LoadReport { unexpected });
    }
    Err(WeightsError::Mismatch { path: checkpoint.path().to_owned(), missing, misshaped, unexpected })
}

impl LoadReport {
    /// Refuses a file that holds more than the network.
    ///
    /// # Errors
    /// [`WeightsError::Unexpected`] with the names.
    pub fn require_all_taken(self, checkpoint: &Checkpoint) -> Result<(), WeightsError> {
        if self.unexpected.is_empty() {
            return Ok(());
        }
        Err(WeightsError::Unexpected { path: checkpoint.path().to_owned(), names: self.unexpected })
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
        // `fit` has found it, and its shape.
        let Some(stored) = self.checkpoint.tensors().get(&name) else { return param };
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
