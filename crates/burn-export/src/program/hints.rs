//! Output sizes that an operation is known by: they are tried before any search.

use std::collections::{BTreeMap, HashMap};

use burn::backend::capture::TensorId;
use burn::backend::ir::{BaseOperationIr, ModuleOperationIr, NumericOperationIr, OperationIr};

use crate::symbolic::Dim;

/// The sizes of what an operation reads, and the numbers in it that follow an axis.
pub(super) struct Known<'a> {
    pub(super) shapes: &'a HashMap<TensorId, Vec<Dim>>,
    pub(super) numbers: &'a BTreeMap<String, Dim>,
}

impl Known<'_> {
    fn shape(&self, id: &TensorId) -> &[Dim] {
        self.shapes.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    fn number(&self, place: &str, fixed: i64) -> Dim {
        self.numbers.get(place).cloned().unwrap_or(Dim::fixed(fixed))
    }
}

/// The size of each output axis as the operation computes it; `None` where nothing special is known.
pub(super) fn output_sizes(operation: &OperationIr, known: &Known<'_>) -> Vec<Option<Dim>> {
    match operation {
        OperationIr::Module(operation) => of_layer(operation, known),
        OperationIr::BaseFloat(operation) | OperationIr::BaseInt(operation) | OperationIr::BaseBool(operation) => {
            of_move(operation, known)
        }
        OperationIr::NumericFloat(_, NumericOperationIr::Pad(op)) => {
            let side =
                |axis: usize, name: &str, base: usize| known.number(&format!("/padding/{axis}/{name}"), base as i64);
            let sizes = known.shape(&op.input.id).iter().zip(&op.padding).enumerate();
            sizes
                .map(|(axis, (size, (before, after)))| {
                    Some(&(size + &side(axis, "0", *before)) + &side(axis, "1", *after))
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// What a number of an operation is likely to be, by its place; `user` reads the operation's result.
pub(super) fn number(
    operation: &OperationIr,
    user: Option<&OperationIr>,
    place: &str,
    known: &Known<'_>,
) -> Option<Dim> {
    if let OperationIr::NumericFloat(_, NumericOperationIr::Pad(pad)) = operation {
        let (axis, side) = place.strip_prefix("/padding/")?.split_once('/')?;
        let axis: usize = axis.parse().ok()?;
        let (kernel, stride) = pool(user?, axis.checked_sub(2)?)?;
        return Some(same_padding(known.shape(&pad.input.id).get(axis)?, kernel, stride, side));
    }
    let (axis, side) = place.strip_prefix("/options/padding/")?.split_once('/')?;
    let axis: usize = axis.parse().ok()?;
    let (x, kernel, stride) = match operation {
        OperationIr::Module(ModuleOperationIr::Conv1d(op)) => {
            (op.x.id, op.weight.shape.to_vec(), op.options.stride.to_vec())
        }
        OperationIr::Module(ModuleOperationIr::Conv2d(op)) => {
            (op.x.id, op.weight.shape.to_vec(), op.options.stride.to_vec())
        }
        _ => return None,
    };
    let (kernel, stride) = (*kernel.get(axis + 2)?, *stride.get(axis)?);
    Some(same_padding(known.shape(&x).get(axis + 2)?, kernel, stride, side))
}

/// Kernel and stride of a pool along one axis of the image.
fn pool(operation: &OperationIr, axis: usize) -> Option<(usize, usize)> {
    use ModuleOperationIr as M;
    let OperationIr::Module(operation) = operation else { return None };
    match operation {
        M::MaxPool1d(op) => Some((op.kernel_size, op.stride)),
        M::AvgPool1d(op) => Some((op.kernel_size, op.stride)),
        M::MaxPool2d(op) => Some((*op.kernel_size.get(axis)?, *op.stride.get(axis)?)),
        M::AvgPool2d(op) => Some((*op.kernel_size.get(axis)?, *op.stride.get(axis)?)),
        _ => None,
    }
}

/// As much as makes the output `ceil(size / stride)`, nothing where that takes none: before ("0") or after.
fn same_padding(size: &Dim, kernel: usize, stride: usize, side: &str) -> Dim {
    let (kernel, stride) = (kernel as i64, stride.max(1) as i64);
    let last = &(&size.ceil_div(stride) - &Dim::fixed(1)) * &Dim::fixed(stride);
    let missing = &(&last + &Dim::fixed(kernel)) - size;
    let padding = if kernel < stride { &missing - &missing.at_most(0) } else { missing };
    let before = padding.floor_div(2);
    if side == "0" { before } else { &padding - &before }
}

/// Moves of elements.
fn of_move(operation: &BaseOperationIr, known: &Known<'_>) -> Vec<Option<Dim>> {
    use BaseOperationIr as B;
    match operation {
        B::Unfold(op) => {
            let window = Window::new(op.size, op.step, 0, 1, false);
            let sizes = known.shape(&op.input.id).iter().enumerate();
            sizes.map(|(axis, dim)| (axis == op.dim).then(|| window.output_size(dim))).chain([None]).collect()
        }
        B::Cat(op) => {
            let mut sum = Dim::fixed(0);
            for tensor in &op.tensors {
                let Some(size) = known.shape(&tensor.id).get(op.dim) else { return Vec::new() };
                sum = &sum + size;
            }
            (0..op.out.shape.num_dims()).map(|axis| (axis == op.dim).then(|| sum.clone())).collect()
        }
        B::RepeatDim(op) => {
            let times = known.number("/times", op.times as i64);
            let sizes = known.shape(&op.tensor.id).iter().enumerate();
            sizes.map(|(axis, dim)| (axis == op.dim).then(|| dim * &times)).collect()
        }
        B::Slice(op) => {
            let sizes = known.shape(&op.tensor.id).iter().zip(&op.ranges).enumerate();
            sizes
                .map(|(axis, (size, range))| {
                    let counted = |name: &str, bound: isize| {
                        let number = known.number(&format!("/ranges/{axis}/{name}"), bound as i64);
                        if bound < 0 { &number + size } else { number }
                    };
                    let end = range.end.map_or_else(|| size.clone(), |end| counted("end", end));
                    let length = &end - &counted("start", range.start);
                    Some(length.ceil_div(range.step.unsigned_abs().max(1) as i64))
                })
                .collect()
        }
        B::Reshape(op) => joined(known.shape(&op.input.id), &op.input.shape, &op.out.shape),
        _ => Vec::new(),
    }
}

/// Axes of a reshape's result that join neighbouring axes: their products.
fn joined(from: &[Dim], recorded: &[usize], result: &[usize]) -> Vec<Option<Dim>> {
    let mut sizes = vec![None; result.len()];
    let (mut taken, mut given) = (0, 0);
    while let (Some(before), Some(after)) = (recorded.get(taken), result.get(given)) {
        let (first, axis) = (taken, given);
        let (mut before, mut after) = (*before, *after);
        (taken, given) = (taken + 1, given + 1);
        while before != after {
            let (product, more, next) = match before < after {
                true => (&mut before, recorded.get(taken), &mut taken),
                false => (&mut after, result.get(given), &mut given),
            };
            let Some(more) = more else { return sizes };
            *product *= more;
            *next += 1;
        }
        if given == axis + 1 {
            sizes[axis] = from.get(first..taken).map(Dim::product);
        }
    }
    sizes
}

/// Windows of layers.
fn of_layer(operation: &ModuleOperationIr, known: &Known<'_>) -> Vec<Option<Dim>> {
    let spatial = |id: &TensorId, windows: &[Window]| -> Vec<Option<Dim>> {
        let sizes =
            windows.iter().zip(known.shape(id).iter().skip(2)).map(|(window, dim)| Some(window.output_size(dim)));
        [None, None].into_iter().chain(sizes).collect()
    };
    let padded = |axis: usize, recorded: (usize, usize)| {
        let side =
            |name: &str, recorded: usize| known.number(&format!("/options/padding/{axis}/{name}"), recorded as i64);
        &side("0", recorded.0) + &side("1", recorded.1)
    };
    let of_convolution = |axis: usize, size: usize, padding: (usize, usize), stride: usize, dilation: usize| Window {
        padding: padded(axis, padding),
        ..Window::new(size, stride, 0, dilation, false)
    };
    use ModuleOperationIr as M;
    match operation {
        M::Conv1d(op) => {
            let options = &op.options;
            let window = |axis: usize| {
                let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
                of_convolution(axis, op.weight.shape[axis + 2], options.padding[axis], stride, dilation)
            };
            spatial(&op.x.id, &[window(0)])
        }
        M::Conv2d(op) => {
            let options = &op.options;
            let window = |axis: usize| {
                let (stride, dilation) = (options.stride[axis], options.dilation[axis]);
                of_convolution(axis, op.weight.shape[axis + 2], options.padding[axis], stride, dilation)
            };
            spatial(&op.x.id, &[window(0), window(1)])
        }
        M::Conv3d(op) => {
            let window = |axis: usize| {
                let options = &op.options;
                let (stride, padding, dilation) = (options.stride[axis], options.padding[axis], options.dilation[axis]);
                Window::new(op.weight.shape[axis + 2], stride, padding, dilation, false)
            };
            spatial(&op.x.id, &[window(0), window(1), window(2)])
        }
        M::MaxPool1d(op) => {
            spatial(&op.x.id, &[Window::new(op.kernel_size, op.stride, op.padding, op.dilation, op.ceil_mode)])
        }
        M::MaxPool1dWithIndices(op) => {
            spatial(&op.x.id, &[Window::new(op.kernel_size, op.stride, op.padding, op.dilation, op.ceil_mode)])
        }
        M::AvgPool1d(op) => spatial(&op.x.id, &[Window::new(op.kernel_size, op.stride, op.padding, 1, op.ceil_mode)]),
        M::MaxPool2d(op) => {
            let window = |axis: usize| {
                Window::new(op.kernel_size[axis], op.stride[axis], op.padding[axis], op.dilation[axis], op.ceil_mode)
            };
            spatial(&op.x.id, &[window(0), window(1)])
        }
        M::MaxPool2dWithIndices(op) => {
            let window = |axis: usize| {
                Window::new(op.kernel_size[axis], op.stride[axis], op.padding[axis], op.dilation[axis], op.ceil_mode)
            };
            spatial(&op.x.id, &[window(0), window(1)])
        }
        M::AvgPool2d(op) => {
            let window =
                |axis: usize| Window::new(op.kernel_size[axis], op.stride[axis], op.padding[axis], 1, op.ceil_mode);
            spatial(&op.x.id, &[window(0), window(1)])
        }
        M::Unfold4d(op) => {
            let sizes = known.shape(&op.x.id);
            let window = |axis: usize| {
                let options = &op.options;
                let (stride, padding, dilation) = (options.stride[axis], options.padding[axis], options.dilation[axis]);
                let window = Window::new(op.kernel_size[axis], stride, padding, dilation, false);
                sizes.get(axis + 2).map(|size| window.output_size(size))
            };
            let count = window(0).zip(window(1)).map(|(rows, columns)| &rows * &columns);
            vec![None, None, count]
        }
        _ => Vec::new(),
    }
}

/// A sliding window along one axis.
struct Window {
    kernel: usize,
    stride: usize,
    /// Both sides together.
    padding: Dim,
    dilation: usize,
    ceil: bool,
}

impl Window {
    fn new(kernel: usize, stride: usize, padding: usize, dilation: usize, ceil: bool) -> Self {
        Self { kernel, stride, padding: Dim::fixed(2 * padding as i64), dilation, ceil }
    }

    /// `(size + padding - dilation * (kernel - 1) - 1) / stride + 1`.
    fn output_size(&self, size: &Dim) -> Dim {
        let reach = (self.dilation * (self.kernel.max(1) - 1)) as i64 + 1;
        let room = &(size + &self.padding) - &Dim::fixed(reach);
        let steps =
            if self.ceil { room.ceil_div(self.stride as i64) } else { room.floor_div(self.stride.max(1) as i64) };
        &steps + &Dim::fixed(1)
    }
}
