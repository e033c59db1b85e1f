//! What `forward` takes and returns: tensors, and tuples, arrays and vectors of tensors.

use burn::backend::Capture;
use burn::backend::capture::TensorId;
use burn::tensor::{Bool, BoolStore, DType, Device, Int, Shape, Tensor};

use crate::error::ExportError;
use crate::signature::InputSpec;

/// What the closure given to [`OnnxExporter::export`](crate::OnnxExporter::export) takes after the module.
///
/// Implemented for float, `Int` and `Bool` tensors and for tuples of up to eight such values, nested at will. Each
/// tensor takes the next declared input.
pub trait ModelInputs: Sized {
    /// Takes the next inputs from the declared ones.
    ///
    /// # Errors
    /// When fewer inputs are declared than taken, or one has another rank or kind.
    fn take(source: &mut InputSource<'_>) -> Result<Self, ExportError>;
}

/// What the closure given to [`OnnxExporter::export`](crate::OnnxExporter::export) returns.
///
/// Implemented for float, `Int` and `Bool` tensors, options, tuples of up to eight, arrays and vectors of such values,
/// nested at will. Each tensor becomes one output of the model, in order.
pub trait ModelOutputs {
    /// Hands every tensor to `sink`.
    ///
    /// # Errors
    /// When a tensor was not computed from the inputs or the module's parameters.
    fn give(self, sink: &mut OutputSink) -> Result<(), ExportError>;
}

/// The declared inputs at the sizes of one trace.
pub struct InputSource<'a> {
    specs: std::slice::Iter<'a, InputSpec>,
    device: &'a Device,
    shape: &'a dyn Fn(&InputSpec) -> Vec<usize>,
    taken: usize,
    tensors: Vec<TakenInput>,
    /// The values of the inputs, in their order, where `forward` computes.
    #[cfg(feature = "verify")]
    values: Option<std::vec::IntoIter<burn::tensor::TensorData>>,
}

/// An input that `forward` was given.
#[derive(Clone, Debug)]
pub(crate) struct TakenInput {
    pub(crate) id: TensorId,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: DType,
}

impl<'a> InputSource<'a> {
    pub(crate) fn new(specs: &'a [InputSpec], device: &'a Device, shape: &'a dyn Fn(&InputSpec) -> Vec<usize>) -> Self {
        Self {
            specs: specs.iter(),
            device,
            shape,
            taken: 0,
            tensors: Vec::new(),
            #[cfg(feature = "verify")]
            values: None,
        }
    }

    /// Hands out tensors with these values, one an input, in the element types that they have.
    #[cfg(feature = "verify")]
    pub(crate) fn with_values(self, values: Vec<burn::tensor::TensorData>) -> Self {
        Self { values: Some(values.into_iter()), ..self }
    }

    /// The tensors handed out, once all declared inputs are taken.
    pub(crate) fn finish(self) -> Result<Vec<TakenInput>, ExportError> {
        match self.specs.len() {
            0 => Ok(self.tensors),
            left => Err(ExportError::InputCount { declared: self.taken + left, taken: self.taken }),
        }
    }

    fn next(
        &mut self,
        rank: usize,
        kind: &'static str,
        default: DType,
        is_kind: fn(DType) -> bool,
    ) -> Result<(Vec<usize>, DType), ExportError> {
        let Some(spec) = self.specs.next() else {
            return Err(ExportError::InputCount { declared: self.taken, taken: self.taken + 1 });
        };
        self.taken += 1;
        if spec.axes.len() != rank {
            return Err(ExportError::InputRank { input: spec.name.clone(), declared: spec.axes.len(), taken: rank });
        }
        let dtype = spec.dtype.unwrap_or(default);
        if !is_kind(dtype) {
            return Err(ExportError::InputKind { input: spec.name.clone(), dtype, kind });
        }
        Ok(((self.shape)(spec), dtype))
    }
}

/// The outputs of one trace.
#[derive(Default)]
pub struct OutputSink {
    ids: Vec<TensorId>,
    /// What was computed, where `forward` computes.
    #[cfg(feature = "verify")]
    values: Option<Vec<burn::tensor::TensorData>>,
}

impl OutputSink {
    pub(crate) fn into_ids(self) -> Vec<TensorId> {
        self.ids
    }

    /// A sink that takes values.
    #[cfg(feature = "verify")]
    pub(crate) fn of_values() -> Self {
        Self { ids: Vec::new(), values: Some(Vec::new()) }
    }

    #[cfg(feature = "verify")]
    pub(crate) fn into_values(self) -> Vec<burn::tensor::TensorData> {
        self.values.unwrap_or_default()
    }
}

macro_rules! tensor_signature {
    ($tensor:ty, $kind:literal, $default:expr, $is_kind:expr) => {
        impl<const D: usize> ModelInputs for $tensor {
            fn take(source: &mut InputSource<'_>) -> Result<Self, ExportError> {
                let (shape, dtype) = source.next(D, $kind, $default, $is_kind)?;
                #[cfg(feature = "verify")]
                if let Some(values) = source.values.as_mut().and_then(Iterator::next) {
                    let dtype = values.dtype();
                    return Ok(<$tensor>::from_data(values, (source.device, dtype)));
                }
                // Without elements: an input of any size costs nothing, and whoever reads its values is found out.
                let tensor = <$tensor>::empty(Shape::from(shape.clone()), (source.device, dtype));
                source.tensors.push(TakenInput { id: tensor_id!(tensor)?, shape, dtype });
                Ok(tensor)
            }
        }

        impl<const D: usize> ModelOutputs for $tensor {
            fn give(self, sink: &mut OutputSink) -> Result<(), ExportError> {
                #[cfg(feature = "verify")]
                if let Some(values) = &mut sink.values {
                    values.push(self.into_data());
                    return Ok(());
                }
                sink.ids.push(tensor_id!(self)?);
                Ok(())
            }
        }
    };
}

macro_rules! tensor_id {
    ($tensor:expr) => {
        $tensor
            .clone()
            .try_into_primitive::<Capture>()
            .map(|primitive| primitive.id())
            .map_err(|_| ExportError::NotCaptured)
    };
}
pub(crate) use tensor_id;

tensor_signature!(Tensor<D>, "float", DType::F32, |dtype| dtype.is_float());
tensor_signature!(Tensor<D, Int>, "integer", DType::I64, |dtype| dtype.is_int() || dtype.is_uint());
tensor_signature!(Tensor<D, Bool>, "boolean", DType::Bool(BoolStore::U8), |dtype| dtype.is_bool());

macro_rules! tuple_signature {
    ($($name:ident),+) => {
        impl<$($name: ModelInputs),+> ModelInputs for ($($name,)+) {
            fn take(source: &mut InputSource<'_>) -> Result<Self, ExportError> {
                Ok(($($name::take(source)?,)+))
            }
        }

        impl<$($name: ModelOutputs),+> ModelOutputs for ($($name,)+) {
            #[allow(non_snake_case)]
            fn give(self, sink: &mut OutputSink) -> Result<(), ExportError> {
                let ($($name,)+) = self;
                $($name.give(sink)?;)+
                Ok(())
            }
        }
    };
}

tuple_signature!(A);
tuple_signature!(A, B);
tuple_signature!(A, B, C);
tuple_signature!(A, B, C, E);
tuple_signature!(A, B, C, E, F);
tuple_signature!(A, B, C, E, F, G);
tuple_signature!(A, B, C, E, F, G, H);
tuple_signature!(A, B, C, E, F, G, H, I);

impl<T: ModelInputs, const N: usize> ModelInputs for [T; N] {
    fn take(source: &mut InputSource<'_>) -> Result<Self, ExportError> {
        let values = (0..N).map(|_| T::take(source)).collect::<Result<Vec<T>, _>>()?;
        let taken = values.len();
        values.try_into().map_err(|_| ExportError::InputCount { declared: taken, taken: N })
    }
}

impl<T: ModelOutputs, const N: usize> ModelOutputs for [T; N] {
    fn give(self, sink: &mut OutputSink) -> Result<(), ExportError> {
        self.into_iter().try_for_each(|value| value.give(sink))
    }
}

impl<T: ModelOutputs> ModelOutputs for Vec<T> {
    fn give(self, sink: &mut OutputSink) -> Result<(), ExportError> {
        self.into_iter().try_for_each(|value| value.give(sink))
    }
}

impl<T: ModelOutputs> ModelOutputs for Option<T> {
    fn give(self, sink: &mut OutputSink) -> Result<(), ExportError> {
        self.into_iter().try_for_each(|value| value.give(sink))
    }
}
