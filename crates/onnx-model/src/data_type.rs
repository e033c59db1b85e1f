//! The element types of tensors.

use std::fmt;

use crate::TensorError;

/// The element type of a tensor: `TensorProto.DataType` of the ONNX format, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum DataType {
    /// `float`, IEEE 754 single.
    F32 = 1,
    /// `uint8`.
    U8 = 2,
    /// `int8`.
    I8 = 3,
    /// `uint16`.
    U16 = 4,
    /// `int16`.
    I16 = 5,
    /// `int32`.
    I32 = 6,
    /// `int64`.
    I64 = 7,
    /// `string`, UTF-8.
    String = 8,
    /// `bool`, one byte each, 0 or 1.
    Bool = 9,
    /// `float16`, IEEE 754 half.
    F16 = 10,
    /// `double`, IEEE 754 double.
    F64 = 11,
    /// `uint32`.
    U32 = 12,
    /// `uint64`.
    U64 = 13,
    /// `complex64`: two `float`.
    Complex64 = 14,
    /// `complex128`: two `double`.
    Complex128 = 15,
    /// `bfloat16`.
    BF16 = 16,
    /// `float8e4m3fn`.
    F8E4M3FN = 17,
    /// `float8e4m3fnuz`.
    F8E4M3FNUZ = 18,
    /// `float8e5m2`.
    F8E5M2 = 19,
    /// `float8e5m2fnuz`.
    F8E5M2FNUZ = 20,
    /// `uint4`, two in a byte, the first in the low half.
    U4 = 21,
    /// `int4`, two in a byte, the first in the low half.
    I4 = 22,
    /// `float4e2m1`, two in a byte, the first in the low half.
    F4E2M1 = 23,
    /// `float8e8m0`, a power of two.
    F8E8M0 = 24,
    /// `uint2`, four in a byte, the first in the lowest bits.
    U2 = 25,
    /// `int2`, four in a byte, the first in the lowest bits.
    I2 = 26,
}

impl DataType {
    /// Every element type, in the order of the format's numbers.
    pub const ALL: [Self; 26] = [
        Self::F32,
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::String,
        Self::Bool,
        Self::F16,
        Self::F64,
        Self::U32,
        Self::U64,
        Self::Complex64,
        Self::Complex128,
        Self::BF16,
        Self::F8E4M3FN,
        Self::F8E4M3FNUZ,
        Self::F8E5M2,
        Self::F8E5M2FNUZ,
        Self::U4,
        Self::I4,
        Self::F4E2M1,
        Self::F8E8M0,
        Self::U2,
        Self::I2,
    ];

    /// The format's number, as it stands in `Cast`'s attribute `to`.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The type with this number; `None` for 0 (undefined) and for numbers that the format does not have.
    pub fn from_number(number: i32) -> Option<Self> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        Self::ALL.get(index).copied()
    }

    /// The name that ONNX's own text uses: `float`, `int64`, `bfloat16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "float",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::String => "string",
            Self::Bool => "bool",
            Self::F16 => "float16",
            Self::F64 => "double",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::Complex64 => "complex64",
            Self::Complex128 => "complex128",
            Self::BF16 => "bfloat16",
            Self::F8E4M3FN => "float8e4m3fn",
            Self::F8E4M3FNUZ => "float8e4m3fnuz",
            Self::F8E5M2 => "float8e5m2",
            Self::F8E5M2FNUZ => "float8e5m2fnuz",
            Self::U4 => "uint4",
            Self::I4 => "int4",
            Self::F4E2M1 => "float4e2m1",
            Self::F8E8M0 => "float8e8m0",
            Self::U2 => "uint2",
            Self::I2 => "int2",
        }
    }

    /// The type with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// Bits of one element; `None` for strings.
    pub fn bits(self) -> Option<u64> {
        Some(match self {
            Self::String => return None,
            Self::U2 | Self::I2 => 2,
            Self::U4 | Self::I4 | Self::F4E2M1 => 4,
            Self::U8 | Self::I8 | Self::Bool => 8,
            Self::F8E4M3FN | Self::F8E4M3FNUZ | Self::F8E5M2 | Self::F8E5M2FNUZ | Self::F8E8M0 => 8,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 16,
            Self::F32 | Self::I32 | Self::U32 => 32,
            Self::F64 | Self::I64 | Self::U64 | Self::Complex64 => 64,
            Self::Complex128 => 128,
        })
    }

    /// Bytes that `elements` of this type take in a file, rounded up to whole bytes; `None` for strings and when the
    /// number does not fit.
    pub fn byte_len(self, elements: u64) -> Option<u64> {
        Some(elements.checked_mul(self.bits()?)?.div_ceil(8))
    }

    /// `float`, `double`, `float16`, `bfloat16` and the 8-bit and 4-bit floats.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64 | Self::F16 | Self::BF16 | Self::F4E2M1 | Self::F8E8M0)
            || matches!(self, Self::F8E4M3FN | Self::F8E4M3FNUZ | Self::F8E5M2 | Self::F8E5M2FNUZ)
    }

    /// Signed and unsigned integers; not `bool`.
    pub fn is_integer(self) -> bool {
        self.is_signed_integer() || matches!(self, Self::U2 | Self::U4 | Self::U8 | Self::U16 | Self::U32 | Self::U64)
    }

    /// `int2`, `int4`, `int8`, `int16`, `int32` and `int64`.
    pub fn is_signed_integer(self) -> bool {
        matches!(self, Self::I2 | Self::I4 | Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that is the element of a tensor.
pub trait Element: Copy + Sized {
    /// Its name in the format.
    const DATA_TYPE: DataType;

    /// Appends the element as the format stores it: little-endian.
    fn put(self, bytes: &mut Vec<u8>);

    /// Reads the elements of `bytes`.
    ///
    /// # Errors
    /// When `bytes` is no whole number of elements.
    fn get_all(bytes: &[u8]) -> Result<Vec<Self>, TensorError>;
}

macro_rules! element {
    ($($rust:ty => $dtype:ident),* $(,)?) => {$(
        impl Element for $rust {
            const DATA_TYPE: DataType = DataType::$dtype;

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn get_all(bytes: &[u8]) -> Result<Vec<Self>, TensorError> {
                let (elements, rest) = bytes.as_chunks();
                match rest.len() {
                    0 => Ok(elements.iter().map(|element| Self::from_le_bytes(*element)).collect()),
                    _ => Err(TensorError::Ragged { dtype: Self::DATA_TYPE, bytes: bytes.len() as u64 }),
                }
            }
        }
    )*};
}

element! {
    f32 => F32, f64 => F64, half::f16 => F16, half::bf16 => BF16,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64,
}

impl Element for bool {
    const DATA_TYPE: DataType = DataType::Bool;

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(self));
    }

    fn get_all(bytes: &[u8]) -> Result<Vec<Self>, TensorError> {
        Ok(bytes.iter().map(|byte| *byte != 0).collect())
    }
}
