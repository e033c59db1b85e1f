//! Output sizes that an operation is known by: they are tried before any search.

use std::collections::HashMap;

use burn::backend::capture::TensorId;
use burn::backend::ir::{BaseOperationIr, ModuleOperationIr, OperationIr};

use crate::symbolic::Dim;

/// The size of each output axis as the operation computes it; `None` where nothing special is known.
pub(super) fn output_sizes(operation: &OperationIr, shapes: &HashMap<TensorId, Vec<Dim>>) -> Vec<Option<Dim>> {
    let spatial = |id: &TensorId, windows: &[Window]| -> Vec<Option<Dim>> {
        let dims = shapes.get(id).map(Vec::as_slice).unwrap_or_default();
        let sizes = windows.iter().zip(dims.iter().skip(2)).map(|(window, dim)| Some(window.output_size(dim)));
        [None, None].into_iter().chain(sizes).collect()
    };
    use ModuleOperationIr as M;
    match operation {
        OperationIr::Module(M::Conv1d(op)) => {
            let kernel = op.weight.shape.to_vec();
            let windows: Vec<Window> = (0..1)
                .map(|axis| Window {
                    kernel: kernel[axis + 2],
                    stride: op.options.stride[axis],
                    padding: op.options.padding[axis].0 + op.options.padding[axis].1,
                    dilation: op.options.dilation[axis],
                    ceil: false,
                })
                .collect();
            spatial(&op.x.id, &windows)
        }
        OperationIr::Module(M::Conv2d(op)) => {
            let kernel = op.weight.shape.to_vec();
            let windows: Vec<Window> = (0..2)
                .map(|axis| Window {
                    kernel: kernel[axis + 2],
                    stride: op.options.stride[axis],
                    padding: op.options.padding[axis].0 + op.options.padding[axis].1,
                    dilation: op.options.dilation[axis],
                    ceil: false,
                })
                .collect();
            spatial(&op.x.id, &windows)
        }
        OperationIr::Module(M::Conv3d(op)) => {
            let kernel = op.weight.shape.to_vec();
            let windows: Vec<Window> = (0..3)
                .map(|axis| Window {
                    kernel: kernel[axis + 2],
                    stride: op.options.stride[axis],
                    padding: 2 * op.options.padding[axis],
                    dilation: op.options.dilation[axis],
                    ceil: false,
                })
                .collect();
            spatial(&op.x.id, &windows)
        }
        OperationIr::Module(M::MaxPool1d(op)) => {
            spatial(&op.x.id, &[Window::new(op.kernel_size, op.stride, op.padding, op.dilation, op.ceil_mode)])
        }
        OperationIr::Module(M::MaxPool1dWithIndices(op)) => {
            spatial(&op.x.id, &[Window::new(op.kernel_size, op.stride, op.padding, op.dilation, op.ceil_mode)])
        }
        OperationIr::Module(M::AvgPool1d(op)) => {
            spatial(&op.x.id, &[Window::new(op.kernel_size, op.stride, op.padding, 1, op.ceil_mode)])
        }
        OperationIr::Module(M::MaxPool2d(op)) => {
            let window = |axis: usize| {
                Window::new(op.kernel_size[axis], op.stride[axis], op.padding[axis], op.dilation[axis], op.ceil_mode)
            };
            spatial(&op.x.id, &[window(0), window(1)])
        }
        OperationIr::Module(M::MaxPool2dWithIndices(op)) => {
            let window = |axis: usize| {
                Window::new(op.kernel_size[axis], op.stride[axis], op.padding[axis], op.dilation[axis], op.ceil_mode)
            };
            spatial(&op.x.id, &[window(0), window(1)])
        }
        OperationIr::Module(M::AvgPool2d(op)) => {
            let window =
                |axis: usize| Window::new(op.kernel_size[axis], op.stride[axis], op.padding[axis], 1, op.ceil_mode);
            spatial(&op.x.id, &[window(0), window(1)])
        }
        OperationIr::BaseFloat(BaseOperationIr::Unfold(op))
        | OperationIr::BaseInt(BaseOperationIr::Unfold(op))
        | OperationIr::BaseBool(BaseOperationIr::Unfold(op)) => {
            let dims = shapes.get(&op.input.id).map(Vec::as_slice).unwrap_or_default();
            let window = Window::new(op.size, op.step, 0, 1, false);
            dims.iter()
                .enumerate()
                .map(|(axis, dim)| (axis == op.dim).then(|| window.output_size(dim)))
                .chain([None])
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A sliding window along one axis.
struct Window {
    kernel: usize,
    stride: usize,
    /// Both sides together.
    padding: usize,
    dilation: usize,
    ceil: bool,
}

impl Window {
    fn new(kernel: usize, stride: usize, padding: usize, dilation: usize, ceil: bool) -> Self {
        Self { kernel, stride, padding: 2 * padding, dilation, ceil }
    }

    /// `(size + padding - dilation * (kernel - 1) - 1) / stride + 1`.
    fn output_size(&self, size: &Dim) -> Dim {
        let reach = self.padding as i64 - (self.dilation * (self.kernel.max(1) - 1)) as i64 - 1;
        let room = size + &Dim::fixed(reach);
        let steps =
            if self.ceil { room.ceil_div(self.stride as i64) } else { room.floor_div(self.stride.max(1) as i64) };
        &steps + &Dim::fixed(1)
    }
}
