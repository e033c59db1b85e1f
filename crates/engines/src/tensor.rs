//! Tensors in memory, as they go into an engine and come out of it.

use std::fmt;

use half::{bf16, f16};
use onnx_model::DataType;
use serde::{Deserialize, Serialize};

/// A tensor, row-major. The elements are as many as the shape says.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    elements: Elements,
}

/// The elements of a tensor, in the types that networks take and give.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// float
    F32(Vec<f32>),
    /// double
    F64(Vec<f64>),
    /// float16
    F16(Vec<f16>),
    /// bfloat16
    BF16(Vec<bf16>),
    /// int64
    I64(Vec<i64>),
    /// int32
    I32(Vec<i32>),
    /// int16
    I16(Vec<i16>),
    /// int8
    I8(Vec<i8>),
    /// uint64
    U64(Vec<u64>),
    /// uint32
    U32(Vec<u32>),
    /// uint16
    U16(Vec<u16>),
    /// uint8
    U8(Vec<u8>),
    /// bool
    Bool(Vec<bool>),
    /// string, UTF-8
    Text(Vec<String>),
}

/// Does the same with the vector of elements, whatever their type; with text something else, if it is given.
///
/// ```
/// use engines::{each, tensor::Elements};
///
/// let elements = Elements::from(vec![1_u16, 2, 3]);
/// assert_eq!(each!(&elements, values => values.len()), 3);
/// assert_eq!(each!(&elements, _values => "numbers", _texts => "text"), "numbers");
/// ```
#[macro_export]
macro_rules! each {
    ($elements:expr, $values:ident => $does:expr) => {
        $crate::each!($elements, $values => $does, $values => $does)
    };
    ($elements:expr, $values:ident => $does:expr, $texts:ident => $other:expr) => {
        match $elements {
            $crate::tensor::Elements::F32($values) => $does,
            $crate::tensor::Elements::F64($values) => $does,
            $crate::tensor::Elements::F16($values) => $does,
            $crate::tensor::Elements::BF16($values) => $does,
            $crate::tensor::Elements::I64($values) => $does,
            $crate::tensor::Elements::I32($values) => $does,
            $crate::tensor::Elements::I16($values) => $does,
            $crate::tensor::Elements::I8($values) => $does,
            $crate::tensor::Elements::U64($values) => $does,
            $crate::tensor::Elements::U32($values) => $does,
            $crate::tensor::Elements::U16($values) => $does,
            $crate::tensor::Elements::U8($values) => $does,
            $crate::tensor::Elements::Bool($values) => $does,
            $crate::tensor::Elements::Text($texts) => $other,
        }
    };
}

/// What the elements of a tensor are, by ONNX's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// 32-bit floating point.
    Float,
    /// 64-bit floating point.
    Double,
    /// 16-bit floating point.
    Float16,
    /// The upper 16 bits of a 32-bit floating-point number.
    Bfloat16,
    /// 64-bit integer.
    Int64,
    /// 32-bit integer.
    Int32,
    /// 16-bit integer.
    Int16,
    /// 8-bit integer.
    Int8,
    /// 64-bit unsigned integer.
    Uint64,
    /// 32-bit unsigned integer.
    Uint32,
    /// 16-bit unsigned integer.
    Uint16,
    /// 8-bit unsigned integer.
    Uint8,
    /// True or false.
    Bool,
    /// Text in UTF-8.
    String,
}

/// A tensor and the name of the input or output that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// The name in the network.
    pub name: String,
    /// The value.
    pub tensor: Tensor,
}

/// Elements that do not fill a shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the shape {shape:?} does not hold {elements} elements")]
pub struct ShapeError {
    /// The shape.
    pub shape: Vec<usize>,
    /// How many elements there are.
    pub elements: usize,
}

impl Tensor {
    /// A tensor of `elements` in row-major order.
    ///
    /// # Errors
    /// When they are not as many as the shape says.
    pub fn new(shape: impl Into<Vec<usize>>, elements: impl Into<Elements>) -> Result<Self, ShapeError> {
        let (shape, elements) = (shape.into(), elements.into());
        match count(&shape) {
            Some(count) if count == elements.len() => Ok(Self { shape, elements }),
            _ => Err(ShapeError { shape, elements: elements.len() }),
        }
    }

    /// A whole number without axes.
    pub fn scalar(number: i64) -> Self {
        Self { shape: Vec::new(), elements: vec![number].into() }
    }

    /// The size of each dimension, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row-major.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// The elements, if they are of type float.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.elements {
            Elements::F32(elements) => Some(elements),
            _ => None,
        }
    }

    /// The elements as float64, whatever their type; `false` and `true` are 0 and 1, and so are empty texts and others.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.elements {
            Elements::F32(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Elements::F64(elements) => elements.clone(),
            Elements::F16(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Elements::BF16(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Elements::I64(elements) => elements.iter().map(|&x| x as f64).collect(),
            Elements::I32(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Elements::I16(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Elements::I8(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Elements::U64(elements) => elements.iter().map(|&x| x as f64).collect(),
            Elements::U32(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Elements::U16(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Elements::U8(elements) => elements.iter().map(|&x| f64::from(x)).collect(),
            Elements::Bool(elements) => elements.iter().map(|&x| f64::from(u8::from(x))).collect(),
            Elements::Text(elements) => elements.iter().map(|x| f64::from(u8::from(!x.is_empty()))).collect(),
        }
    }
}

impl Tensor {
    /// The elements of a type of whole numbers; `false` and `true` are 0 and 1. `None` for floating-point types and text.
    pub fn to_whole(&self) -> Option<Vec<i128>> {
        match &self.elements {
            Elements::F32(_) | Elements::F64(_) | Elements::F16(_) | Elements::BF16(_) | Elements::Text(_) => None,
            Elements::I64(elements) => Some(elements.iter().map(|&x| x.into()).collect()),
            Elements::I32(elements) => Some(elements.iter().map(|&x| x.into()).collect()),
            Elements::I16(elements) => Some(elements.iter().map(|&x| x.into()).collect()),
            Elements::I8(elements) => Some(elements.iter().map(|&x| x.into()).collect()),
            Elements::U64(elements) => Some(elements.iter().map(|&x| x.into()).collect()),
            Elements::U32(elements) => Some(elements.iter().map(|&x| x.into()).collect()),
            Elements::U16(elements) => Some(elements.iter().map(|&x| x.into()).collect()),
            Elements::U8(elements) => Some(elements.iter().map(|&x| x.into()).collect()),
            Elements::Bool(elements) => Some(elements.iter().map(|&x| x.into()).collect()),
        }
    }

    /// Whether both are text, and not the same.
    pub fn is_other_text(&self, other: &Self) -> bool {
        matches!((&self.elements, &other.elements), (Elements::Text(one), Elements::Text(other)) if one != other)
    }

    /// The same with zero, `false` or an empty text at every place, in row-major order, that is not to be kept.
    #[must_use]
    pub fn keeping(&self, kept: impl Fn(usize) -> bool) -> Self {
        let elements: Elements = each!(&self.elements, elements => {
            let kept = |(place, element)| if kept(place) { Clone::clone(element) } else { Default::default() };
            elements.iter().enumerate().map(kept).collect::<Vec<_>>().into()
        });
        Self { shape: self.shape.clone(), elements }
    }

    /// The first elements along every axis, as many as `shape` says; `None` if it has other axes or longer ones.
    pub fn beginning(&self, shape: &[usize]) -> Option<Self> {
        let fits = shape.iter().zip(&self.shape).all(|(kept, all)| kept <= all);
        fits.then(|| self.cycled(shape))?
    }

    /// The first elements along every axis, as many as `shape` says, and from the start again where that is more than there
    /// are; `None` if it has other axes.
    pub fn cycled(&self, shape: &[usize]) -> Option<Self> {
        let places = (self.shape.len() == shape.len()).then(|| places(&self.shape, shape))?;
        let elements: Elements = each!(&self.elements, elements => {
            places.iter().filter_map(|&place| elements.get(place).cloned()).collect::<Vec<_>>().into()
        });
        Self::new(shape, elements).ok()
    }
}

/// Where the first elements along every axis lie in a tensor of the shape `all`: as many as `wanted` says, from the start again
/// behind the last.
fn places(all: &[usize], wanted: &[usize]) -> Vec<usize> {
    let mut places = vec![0];
    for (&all, &wanted) in all.iter().zip(wanted) {
        let along = |place: usize| (0..wanted).filter_map(move |index| Some(place * all + index.checked_rem(all)?));
        places = places.into_iter().flat_map(along).collect();
    }
    places
}

/// The number of elements of a shape, or `None` if no memory could hold them.
pub fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))
}

impl NamedTensor {
    /// `tensor` under a name.
    pub fn new(name: impl Into<String>, tensor: Tensor) -> Self {
        Self { name: name.into(), tensor }
    }
}

impl Elements {
    /// How many there are.
    pub fn len(&self) -> usize {
        each!(self, elements => elements.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their type.
    pub fn element_type(&self) -> ElementType {
        match self {
            Self::F32(_) => ElementType::Float,
            Self::F64(_) => ElementType::Double,
            Self::F16(_) => ElementType::Float16,
            Self::BF16(_) => ElementType::Bfloat16,
            Self::I64(_) => ElementType::Int64,
            Self::I32(_) => ElementType::Int32,
            Self::I16(_) => ElementType::Int16,
            Self::I8(_) => ElementType::Int8,
            Self::U64(_) => ElementType::Uint64,
            Self::U32(_) => ElementType::Uint32,
            Self::U16(_) => ElementType::Uint16,
            Self::U8(_) => ElementType::Uint8,
            Self::Bool(_) => ElementType::Bool,
            Self::Text(_) => ElementType::String,
        }
    }
}

macro_rules! elements_from {
    ($($element:ty => $variant:ident),*) => {
        $(impl From<Vec<$element>> for Elements {
            fn from(elements: Vec<$element>) -> Self {
                Self::$variant(elements)
            }
        })*
    };
}

elements_from!(f32 => F32, f64 => F64, f16 => F16, bf16 => BF16, i64 => I64, i32 => I32, i16 => I16, i8 => I8);
elements_from!(u64 => U64, u32 => U32, u16 => U16, u8 => U8, bool => Bool, String => Text);

/// An element type of ONNX that no engine takes or gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no engine takes or gives the element type {0:?}")]
pub struct UnknownElement(pub DataType);

impl TryFrom<DataType> for ElementType {
    type Error = UnknownElement;

    fn try_from(dtype: DataType) -> Result<Self, UnknownElement> {
        Ok(match dtype {
            DataType::F32 => Self::Float,
            DataType::F64 => Self::Double,
            DataType::F16 => Self::Float16,
            DataType::BF16 => Self::Bfloat16,
            DataType::I64 => Self::Int64,
            DataType::I32 => Self::Int32,
            DataType::I16 => Self::Int16,
            DataType::I8 => Self::Int8,
            DataType::U64 => Self::Uint64,
            DataType::U32 => Self::Uint32,
            DataType::U16 => Self::Uint16,
            DataType::U8 => Self::Uint8,
            DataType::Bool => Self::Bool,
            DataType::String => Self::String,
            other => return Err(UnknownElement(other)),
        })
    }
}

impl ElementType {
    /// Whether it is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float | Self::Double | Self::Float16 | Self::Bfloat16)
    }

    /// The bytes of an element; of text, those of an empty one.
    pub fn size(self) -> usize {
        match self {
            Self::Double | Self::Int64 | Self::Uint64 => 8,
            Self::Float | Self::Int32 | Self::Uint32 => 4,
            Self::Float16 | Self::Bfloat16 | Self::Int16 | Self::Uint16 => 2,
            Self::Int8 | Self::Uint8 | Self::Bool => 1,
            Self::String => size_of::<String>(),
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "float",
            Self::Double => "double",
            Self::Float16 => "float16",
            Self::Bfloat16 => "bfloat16",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Int16 => "int16",
            Self::Int8 => "int8",
            Self::Uint64 => "uint64",
            Self::Uint32 => "uint32",
            Self::Uint16 => "uint16",
            Self::Uint8 => "uint8",
            Self::Bool => "bool",
            Self::String => "string",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_must_fill_the_shape() {
        assert!(Tensor::new([2, 3], vec![0_f32; 6]).is_ok());
        assert!(Tensor::new([], vec![1_i64]).is_ok());
        assert!(Tensor::new([2, 0], Vec::<f32>::new()).is_ok());
        let error = Tensor::new([2, 3], vec![0_f32; 5]).unwrap_err();
        assert_eq!(error.to_string(), "the shape [2, 3] does not hold 5 elements");
        assert!(Tensor::new([usize::MAX, 2], vec![0_f32; 5]).is_err());
    }

    #[test]
    fn elements_come_again_where_more_are_wanted() {
        let tensor = Tensor::new([2, 3], (0..6).collect::<Vec<i64>>()).unwrap();
        assert_eq!(tensor.cycled(&[3, 2]).unwrap(), Tensor::new([3, 2], vec![0_i64, 1, 3, 4, 0, 1]).unwrap());
        assert_eq!(tensor.beginning(&[1, 2]).unwrap(), Tensor::new([1, 2], vec![0_i64, 1]).unwrap());
        assert_eq!((tensor.beginning(&[3, 2]), tensor.cycled(&[6])), (None, None));
        assert_eq!(Tensor::new([0], Vec::<i64>::new()).unwrap().cycled(&[2]), None);
    }

    #[test]
    fn what_is_not_kept_is_zero() {
        let tensor = Tensor::new([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(tensor.keeping(|place| place == 2), Tensor::new([2, 2], vec![0.0_f32, 0.0, 3.0, 0.0]).unwrap());
        let flags = Tensor::new([2], vec![true, true]).unwrap();
        assert_eq!(flags.keeping(|place| place == 0), Tensor::new([2], vec![true, false]).unwrap());
    }

    #[test]
    fn every_type_widens_to_float64() {
        let cases: [(Elements, f64); 15] = [
            (vec![1.5_f32].into(), 1.5),
            (vec![1.5_f64].into(), 1.5),
            (vec![f16::from_f32(1.5)].into(), 1.5),
            (vec![bf16::from_f32(1.5)].into(), 1.5),
            (vec![-3_i64].into(), -3.0),
            (vec![-3_i32].into(), -3.0),
            (vec![-3_i16].into(), -3.0),
            (vec![u64::MAX].into(), 18_446_744_073_709_551_616.0),
            (vec![u32::MAX].into(), 4_294_967_295.0),
            (vec![u16::MAX].into(), 65_535.0),
            (vec![-3_i8].into(), -3.0),
            (vec![3_u8].into(), 3.0),
            (vec![true].into(), 1.0),
            (vec!["0.5".to_owned()].into(), 1.0),
            (vec![String::new()].into(), 0.0),
        ];
        for (elements, expected) in cases {
            assert_eq!(Tensor::new([1], elements).unwrap().to_f64(), [expected]);
        }
    }
}
