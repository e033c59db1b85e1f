//! The memory layout of parameters.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

/// The same module with every parameter row-major in memory.
///
/// Weights that come from PyTorch's layout are transposed views. Kernels that want them row-major would copy them in every
/// pass, and others may add in another order for a view: a resumed training must not differ from the one that it continues.
pub fn contiguous<M: Module>(module: M) -> M {
    module.map(&mut Contiguous)
}

struct Contiguous;

impl ModuleMapper for Contiguous {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let (device, learnt) = (tensor.device(), tensor.is_require_grad());
            Tensor::from_data(tensor.into_data(), &device).set_require_grad(learnt)
        })
    }
}
