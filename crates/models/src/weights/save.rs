//! The parameters of a Burn module as PyTorch would save them.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};

use super::StateDictName;
use super::load::ModulePath;

/// Every parameter of `module` by its `state_dict` name, as float32 in PyTorch's layout: a linear weight is `[out, in]`.
pub fn state_dict<M: Module>(module: &M, name: StateDictName) -> BTreeMap<String, TensorData> {
    let mut saver = Saver { path: ModulePath::default(), name, tensors: BTreeMap::new() };
    module.visit(&mut saver);
    saver.tensors
}

/// A safetensors file with these float32 tensors. The same tensors give the same bytes.
///
/// # Errors
/// When a tensor is not float32 or its data does not match its shape.
pub fn to_safetensors(tensors: &BTreeMap<String, TensorData>) -> Result<Vec<u8>, SafeTensorError> {
    let views = tensors
        .iter()
        .map(|(name, data)| Ok((name, TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())?)))
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    // The entry that Hugging Face's loaders ask for.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize(views, Some(metadata))
}

struct Saver {
    path: ModulePath,
    name: StateDictName,
    tensors: BTreeMap<String, TensorData>,
}

impl ModuleVisitor for Saver {
    fn enter_module(&mut self, name: &str, kind: &str) {
        self.path.enter(name, kind);
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let tensor = if self.path.is_transposed() { tensor.transpose() } else { tensor };
        let data = tensor.into_data_as::<f32>();
        self.tensors.insert((self.name)(&self.path.joined()), data);
    }
}
