//! Tensors of the flex backend as slices, and back.

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Device, Shape, Tensor};

use crate::adadelta::{Rule, step};
use crate::simd::Isa;

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
    rule: Rule,
    parameters: Tensor<D>,
    gradients: Tensor<D>,
    square_averages: Tensor<D>,
    update_averages: Tensor<D>,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let own = |tensor: Tensor<D>| {
        let tensor = tensor.try_into_primitive::<Flex>().expect("the tensors are on the flex backend");
        if tensor.bytes().len() == tensor.layout().num_elements() * size_of::<f32>() && tensor.is_contiguous() {
            tensor
        } else {
            FlexTensor::from_data(tensor.to_contiguous().into_data())
        }
    };
    let gradients = Row::of(gradients.try_into_primitive::<Flex>().expect("the tensors are on the flex backend"));
    let [mut parameters, mut squares, mut updates] = [parameters, square_averages, update_averages].map(own);
    step(Isa::best(), rule, parameters.storage_mut(), gradients.values(), squares.storage_mut(), updates.storage_mut());
    let [parameters, squares, updates] = [parameters, squares, updates].map(Tensor::from_primitive::<Flex>);
    (parameters, squares, updates)
}
