//! The memory layout of parameters.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

/// The same module with every parameter row-major in memory.
///
/// Weights that come from PyTorch's layout are transposed views. A kernel may add in another order for those, and a
/// resumed run must not differ from the one that it continues.
pub fn contiguous<M: Module>(module: M) -> M {
    module.map(&mut Contiguous)
}

struct Contiguous;

impl ModuleMapper for Contiguous {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let device = tensor.device();
            Tensor::from_data(tensor.into_data(), &device).require_grad()
        })
    }
}
