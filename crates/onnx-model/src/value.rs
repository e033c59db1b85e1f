//! What is known of a value before the graph runs: element type and symbolic shape.

use std::fmt;

use crate::DataType;

/// One dimension of a shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dim {
    /// A fixed size.
    Known(u64),
    /// A named axis; the same name means the same size everywhere in a model.
    Symbol(String),
    /// Any size.
    Unknown,
}

impl Dim {
    /// A named axis.
    pub fn symbol(name: impl Into<String>) -> Self {
        Self::Symbol(name.into())
    }

    /// The size, where it is fixed.
    pub fn known(&self) -> Option<u64> {
        match self {
            Self::Known(size) => Some(*size),
            _ => None,
        }
    }
}

impl From<u64> for Dim {
    fn from(size: u64) -> Self {
        Self::Known(size)
    }
}

impl From<&str> for Dim {
    fn from(name: &str) -> Self {
        Self::symbol(name)
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(size) => write!(f, "{size}"),
            Self::Symbol(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

/// The type of a tensor: elements and shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// The element type.
    pub dtype: DataType,
    /// The shape; `None` when not even the rank is known.
    pub shape: Option<Vec<Dim>>,
}

impl TensorType {
    /// A tensor of known rank.
    pub fn new(dtype: DataType, shape: impl Into<Vec<Dim>>) -> Self {
        Self { dtype, shape: Some(shape.into()) }
    }

    /// A tensor of fixed shape.
    pub fn fixed(dtype: DataType, dims: &[u64]) -> Self {
        Self::new(dtype, dims.iter().copied().map(Dim::Known).collect::<Vec<_>>())
    }

    /// A tensor of unknown rank.
    pub fn unranked(dtype: DataType) -> Self {
        Self { dtype, shape: None }
    }

    /// The number of dimensions, where it is known.
    pub fn rank(&self) -> Option<usize> {
        self.shape.as_ref().map(Vec::len)
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dtype)?;
        let Some(shape) = &self.shape else { return f.write_str("[...]") };
        f.write_str("[")?;
        for (index, dim) in shape.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{dim}")?;
        }
        f.write_str("]")
    }
}

/// A named value with its type: a graph's input or output, or a note about a value inside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ValueInfo {
    /// The name by which nodes refer to it.
    pub name: String,
    /// Elements and shape; `None` where the file says nothing.
    pub ty: Option<TensorType>,
    /// A text for people.
    pub doc: String,
}

impl ValueInfo {
    /// A value of known rank.
    pub fn new(name: impl Into<String>, dtype: DataType, shape: impl Into<Vec<Dim>>) -> Self {
        Self::typed(name, TensorType::new(dtype, shape))
    }

    /// A value of the given type.
    pub fn typed(name: impl Into<String>, ty: TensorType) -> Self {
        Self { name: name.into(), ty: Some(ty), doc: String::new() }
    }

    /// The same value with a text for people.
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = doc.into();
        self
    }
}
