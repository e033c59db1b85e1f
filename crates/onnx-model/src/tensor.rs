//! Tensors with values: initialisers and tensor attributes.

use bytes::Bytes;

use crate::{DataType, Element};

/// A tensor's values contradict its type or shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The values have another length than type and shape ask for.
    #[error("tensor {name:?} of {dtype} and shape {dims:?} needs {expected} bytes and has {found}")]
    Length {
        /// The tensor.
        name: String,
        /// Its element type.
        dtype: DataType,
        /// Its shape.
        dims: Vec<u64>,
        /// Bytes that type and shape ask for.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// The number of bytes does not fit in 64 bits.
    #[error("tensor {name:?} of shape {dims:?} is larger than any memory")]
    Overflow {
        /// The tensor.
        name: String,
        /// Its shape.
        dims: Vec<u64>,
    },
    /// The elements asked for are not of the tensor's type.
    #[error("tensor {name:?} holds {found}, not {expected}")]
    Type {
        /// The tensor.
        name: String,
        /// The type asked for.
        expected: DataType,
        /// The type of the tensor.
        found: DataType,
    },
    /// A text is no UTF-8.
    #[error("tensor {name:?} holds what is no UTF-8")]
    NotText {
        /// The tensor.
        name: String,
    },
    /// The values are no whole number of elements.
    #[error("{bytes} bytes are no whole number of {dtype} elements")]
    Ragged {
        /// The element type.
        dtype: DataType,
        /// Bytes that there are.
        bytes: u64,
    },
    /// The values lie in another file that has not been read.
    #[error("the values of tensor {name:?} lie in the file {location:?} and have not been read")]
    NotLoaded {
        /// The tensor.
        name: String,
        /// The file, relative to the model's folder.
        location: String,
    },
}

/// Where the values of a tensor lie in a file beside the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ExternalData {
    /// The file, relative to the model's folder, with `/` between folders.
    pub location: String,
    /// The first byte.
    pub offset: u64,
    /// The number of bytes; `None` reads to the end of the file.
    pub length: Option<u64>,
}

/// The values of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TensorData {
    /// Little-endian elements in row-major order, shared and not copied.
    Bytes(Bytes),
    /// The elements of a string tensor.
    Strings(Vec<Bytes>),
    /// Values that have not been read from their file.
    External(ExternalData),
}

/// A tensor with values.
///
/// ```
/// use onnx_model::{DataType, Tensor};
///
/// let axes = Tensor::vector("axes", &[0i64, -1]);
/// assert_eq!((axes.dtype, axes.dims.as_slice()), (DataType::I64, [2].as_slice()));
/// assert_eq!(axes.to_vec::<i64>()?, [0, -1]);
/// # Ok::<(), onnx_model::TensorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tensor {
    /// The name by which nodes refer to an initialiser; empty in an attribute.
    pub name: String,
    /// The element type.
    pub dtype: DataType,
    /// The shape; empty for a scalar.
    pub dims: Vec<u64>,
    /// The values.
    pub data: TensorData,
    /// A text for people.
    pub doc: String,
}

impl Tensor {
    /// A tensor over little-endian `bytes`, which are shared and not copied.
    ///
    /// # Errors
    /// When the number of bytes is not what `dtype` and `dims` ask for.
    pub fn new(
        name: impl Into<String>,
        dtype: DataType,
        dims: impl Into<Vec<u64>>,
        bytes: impl Into<Bytes>,
    ) -> Result<Self, TensorError> {
        let data = TensorData::Bytes(bytes.into());
        let tensor = Self { name: name.into(), dtype, dims: dims.into(), data, doc: String::new() };
        tensor.validate()?;
        Ok(tensor)
    }

    /// A tensor of the given shape over a slice of elements.
    ///
    /// # Errors
    /// When the number of elements is not the product of `dims`.
    pub fn from_slice<E: Element>(
        name: impl Into<String>,
        dims: impl Into<Vec<u64>>,
        elements: &[E],
    ) -> Result<Self, TensorError> {
        Self::new(name, E::DATA_TYPE, dims, little_endian(elements))
    }

    /// A tensor of the given shape over texts.
    ///
    /// # Errors
    /// When the number of texts is not the product of `dims`.
    pub fn text(
        name: impl Into<String>,
        dims: impl Into<Vec<u64>>,
        texts: &[impl AsRef<str>],
    ) -> Result<Self, TensorError> {
        let strings = texts.iter().map(|text| Bytes::copy_from_slice(text.as_ref().as_bytes()));
        let data = TensorData::Strings(strings.collect());
        let tensor = Self { name: name.into(), dtype: DataType::String, dims: dims.into(), data, doc: String::new() };
        tensor.validate()?;
        Ok(tensor)
    }

    /// The elements of a tensor of texts, in row-major order.
    ///
    /// # Errors
    /// When the tensor holds another type, or what is no UTF-8.
    pub fn to_texts(&self) -> Result<Vec<String>, TensorError> {
        let TensorData::Strings(strings) = &self.data else { return Err(self.type_error(DataType::String)) };
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec());
        strings.iter().map(text).collect::<Result<_, _>>().map_err(|_| TensorError::NotText { name: self.name.clone() })
    }

    /// A tensor of rank 0.
    pub fn scalar<E: Element>(name: impl Into<String>, element: E) -> Self {
        Self::known(name.into(), E::DATA_TYPE, Vec::new(), little_endian(&[element]))
    }

    /// A tensor of rank 1.
    pub fn vector<E: Element>(name: impl Into<String>, elements: &[E]) -> Self {
        Self::known(name.into(), E::DATA_TYPE, vec![elements.len() as u64], little_endian(elements))
    }

    fn known(name: String, dtype: DataType, dims: Vec<u64>, bytes: Vec<u8>) -> Self {
        Self { name, dtype, dims, data: TensorData::Bytes(bytes.into()), doc: String::new() }
    }

    /// The same tensor under another name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The number of elements; `None` when it does not fit in 64 bits.
    pub fn elements(&self) -> Option<u64> {
        element_count(&self.dims)
    }

    /// Bytes that type and shape ask for; `None` for strings and when the number does not fit in 64 bits.
    pub fn byte_len(&self) -> Option<u64> {
        self.dtype.byte_len(self.elements()?)
    }

    /// The little-endian values.
    ///
    /// # Errors
    /// When they lie in a file that has not been read, or the tensor holds strings.
    pub fn bytes(&self) -> Result<&Bytes, TensorError> {
        match &self.data {
            TensorData::Bytes(bytes) => Ok(bytes),
            TensorData::Strings(_) => Err(self.type_error(DataType::U8)),
            TensorData::External(file) => {
                Err(TensorError::NotLoaded { name: self.name.clone(), location: file.location.clone() })
            }
        }
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// When the tensor holds another type, or its values have not been read.
    pub fn to_vec<E: Element>(&self) -> Result<Vec<E>, TensorError> {
        if self.dtype != E::DATA_TYPE {
            return Err(self.type_error(E::DATA_TYPE));
        }
        E::get_all(self.bytes()?)
    }

    /// The elements of an integer tensor as `i64`: shapes, axes, bounds. Accepts `int32` and `int64`.
    ///
    /// # Errors
    /// When the tensor holds another type, or its values have not been read.
    pub fn to_i64s(&self) -> Result<Vec<i64>, TensorError> {
        match self.dtype {
            DataType::I32 => Ok(i32::get_all(self.bytes()?)?.into_iter().map(i64::from).collect()),
            _ => self.to_vec(),
        }
    }

    /// Whether the values are as long as type and shape ask for. What lies in another file is not looked at.
    ///
    /// # Errors
    /// When they are not.
    pub fn validate(&self) -> Result<(), TensorError> {
        let overflow = || TensorError::Overflow { name: self.name.clone(), dims: self.dims.clone() };
        let elements = self.elements().ok_or_else(overflow)?;
        let (expected, found) = match (&self.data, self.dtype) {
            (TensorData::External(_), _) => return Ok(()),
            (TensorData::Strings(strings), DataType::String) => (elements, strings.len() as u64),
            (TensorData::Strings(_), _) => return Err(self.type_error(DataType::String)),
            (TensorData::Bytes(_), DataType::String) => return Err(self.type_error(DataType::U8)),
            (TensorData::Bytes(bytes), dtype) => (dtype.byte_len(elements).ok_or_else(overflow)?, bytes.len() as u64),
        };
        if expected == found {
            return Ok(());
        }
        let (name, dims) = (self.name.clone(), self.dims.clone());
        Err(TensorError::Length { name, dtype: self.dtype, dims, expected, found })
    }

    fn type_error(&self, expected: DataType) -> TensorError {
        TensorError::Type { name: self.name.clone(), expected, found: self.dtype }
    }
}

/// The product of `dims`; `None` when it does not fit in 64 bits.
pub(crate) fn element_count(dims: &[u64]) -> Option<u64> {
    if dims.contains(&0) {
        return Some(0);
    }
    dims.iter().try_fold(1u64, |product, dim| product.checked_mul(*dim))
}

fn little_endian<E: Element>(elements: &[E]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(elements));
    for element in elements {
        element.put(&mut bytes);
    }
    bytes
}
