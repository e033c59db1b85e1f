//! Tensors of the flex backend as slices, and back.

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Device, Shape, Tensor};

use crate::simd::Isa;
use crate::{adadelta, adamw};

/// The flex backend that records operations.
pub(super) type Taped = Autodiff<Flex>;

/// A tensor that may have a gradient.
pub(super) type TapedTensor = FloatTensor<Taped>;

/// The flex tensor behind `tensor`, if it is float32 there and not recorded.
pub(super) fn plain<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    let tensor = tensor.clone().try_into_primitive::<Flex>().ok()?;
    (tensor.dtype() == DType::F32).then_some(tensor)
}

/// The recorded flex tensor behind `tensor`, if it is float32 there.
pub(super) fn taped<const D: usize>(tensor: &Tensor<D>) -> Option<TapedTensor> {
    let tensor = tensor.clone().try_into_primitive::<Taped>().ok()?;
    (tensor.primitive().dtype() == DType::F32).then_some(tensor)
}

/// A factor without gradient of its own, recorded or not.
pub(super) fn constant<const D: usize>(tensor: &Tensor<D>) -> Option<Row> {
    let tensor = match plain(tensor) {
        Some(tensor) => tensor,
        None => {
            let tensor = taped(tensor)?;
            if tensor.is_tracked() {
                return None;
            }
            tensor.into_primitive()
        }
    };
    Some(Row::of(tensor))
}

/// A tensor with its values in row-major order.
#[derive(Debug, Clone)]
pub(super) struct Row(FlexTensor);

impl Row {
    /// The tensor itself, or a row-major copy.
    pub(super) fn of(tensor: FlexTensor) -> Self {
        match tensor.as_slice::<f32>() {
            Some(_) => Self(tensor),
            None => Self(tensor.to_contiguous()),
        }
    }

    /// Images `[image, channel, row, column]` as `[image, row, column, channel]`.
    pub(super) fn channels_last(images: &FlexTensor) -> Self {
        Self::of(images.permute(&[0, 2, 3, 1]))
    }

    /// The values.
    pub(super) fn values(&self) -> &[f32] {
        self.0.as_slice().unwrap_or_default()
    }
}

/// A tensor of a parameter's gradient, whose memory is its own.
pub(super) fn own_tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::new(burn::tensor::Bytes::from_elems(values), Layout::contiguous(Shape::from(shape)), DType::F32)
}

/// Whether the kernels can update these parameters: whether they are float32 on the flex backend, not recorded.
pub fn fits<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.device() == Device::flex() && tensor.dtype() == DType::F32
}

/// One step of Adadelta on tensors of equal shape that [`fits`]: the parameters, their gradient, and the averages of
/// squared gradients and of squared updates. Gives the new parameters and averages, in the memory of the old where
/// nothing else uses it.
///
/// # Panics
/// When a tensor does not fit, or the shapes differ.
pub fn adadelta<const D: usize>(
    rule: adadelta::Rule,
    parameters: Tensor<D>,
    gradients: Tensor<D>,
    square_averages: Tensor<D>,
    update_averages: Tensor<D>,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let gradients = row(gradients);
    let [mut parameters, mut squares, mut updates] = [parameters, square_averages, update_averages].map(own);
    let (squares_to, updates_to) = (squares.storage_mut(), updates.storage_mut());
    adadelta::step(Isa::best(), rule, parameters.storage_mut(), gradients.values(), squares_to, updates_to);
    let [parameters, squares, updates] = [parameters, squares, updates].map(Tensor::from_primitive::<Flex>);
    (parameters, squares, updates)
}

/// [`adadelta()`] for the values from `first` on, as many as there are gradients. The tensors are flat, and what lies outside stays.
///
/// # Panics
/// When a tensor does not fit, or is too short.
pub fn adadelta_part(
    rule: adadelta::Rule,
    first: usize,
    gradients: &[f32],
    parameters: Tensor<1>,
    square_averages: Tensor<1>,
    update_averages: Tensor<1>,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let [mut parameters, mut squares, mut updates] = [parameters, square_averages, update_averages].map(own);
    let [parameters_to, squares_to, updates_to] = [&mut parameters, &mut squares, &mut updates]
        .map(|tensor| &mut tensor.storage_mut()[first..][..gradients.len()]);
    adadelta::step(Isa::best(), rule, parameters_to, gradients, squares_to, updates_to);
    let [parameters, squares, updates] = [parameters, squares, updates].map(Tensor::from_primitive::<Flex>);
    (parameters, squares, updates)
}

/// The tensor with values that `change` changed, in the memory of the old where nothing else uses it.
///
/// # Panics
/// When the tensor does not [`fits`].
pub fn change<const D: usize>(tensor: Tensor<D>, change: impl FnOnce(&mut [f32])) -> Tensor<D> {
    let mut tensor = own(tensor);
    change(tensor.storage_mut());
    Tensor::from_primitive::<Flex>(tensor)
}

/// One step of AdamW on tensors of equal shape that [`fits`]: the parameters, their gradient, and the averages of gradients and of
/// their squares. Gives the new parameters and averages, in the memory of the old where nothing else uses it.
///
/// # Panics
/// When a tensor does not fit, or the shapes differ.
pub fn adamw<const D: usize>(
    rule: adamw::Rule,
    parameters: Tensor<D>,
    gradients: Tensor<D>,
    averages: Tensor<D>,
    square_averages: Tensor<D>,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let gradients = row(gradients);
    let [mut parameters, mut averages, mut squares] = [parameters, averages, square_averages].map(own);
    let (averages_to, squares_to) = (averages.storage_mut(), squares.storage_mut());
    adamw::step(Isa::best(), rule, parameters.storage_mut(), gradients.values(), averages_to, squares_to);
    let [parameters, averages, squares] = [parameters, averages, squares].map(Tensor::from_primitive::<Flex>);
    (parameters, averages, squares)
}

/// The sum of the squares of all values, the same for any number of threads.
///
/// # Panics
/// When the tensor does not [`fits`].
pub fn sum_of_squares<const D: usize>(tensor: Tensor<D>) -> f64 {
    adamw::sum_of_squares(Isa::best(), row(tensor).values())
}

fn row<const D: usize>(tensor: Tensor<D>) -> Row {
    Row::of(tensor.try_into_primitive::<Flex>().expect("the tensor is on the flex backend"))
}

/// The tensor with memory that holds its values in their order, and no others.
fn own<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    let tensor = tensor.try_into_primitive::<Flex>().expect("the tensor is on the flex backend");
    if tensor.bytes().len() == tensor.layout().num_elements() * size_of::<f32>() && tensor.is_contiguous() {
        tensor
    } else {
        FlexTensor::from_data(tensor.to_contiguous().into_data())
    }
}
