//! Models and tensors as bytes.

use bytes::Bytes;

use crate::proto::{self, DecodeError, EncodeError, Layout};
use crate::{Model, Tensor};

impl Model {
    /// The model as the bytes of an `.onnx` file. The same model always gives the same bytes.
    ///
    /// # Errors
    /// When a tensor contradicts its shape, or the result would be 2 GiB or more.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let layout = Layout::new(self)?;
        layout.fits()?;
        let mut bytes = Vec::with_capacity(layout.len() as usize);
        // Writing to memory does not fail.
        let _ = layout.write(&mut bytes);
        Ok(bytes)
    }

    /// Reads the bytes of an `.onnx` file. Tensors share `bytes`; values in other files stay there, see
    /// [`Model::load`].
    ///
    /// # Errors
    /// When the bytes are no model, or one with parts that this crate does not read.
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Self, DecodeError> {
        proto::decode_model(bytes.into())
    }
}

impl Tensor {
    /// The tensor as the bytes of a `.pb` file, as the data of ONNX's own tests are kept.
    ///
    /// # Errors
    /// When its values contradict its shape.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        proto::encode_tensor(self)
    }

    /// Reads the bytes of a `.pb` file with one tensor, as the data of ONNX's own tests are kept. It shares `bytes`.
    ///
    /// # Errors
    /// When the bytes are no tensor, or one that this crate does not read.
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Self, DecodeError> {
        proto::decode_tensor(bytes.into())
    }

    /// Reads the bytes of a `.pb` file with a sequence of tensors, as the data of ONNX's own tests are kept. They share `bytes`.
    ///
    /// # Errors
    /// When the bytes are no sequence, or one with parts that this crate does not read.
    pub fn decode_sequence(bytes: impl Into<Bytes>) -> Result<Vec<Self>, DecodeError> {
        proto::decode_sequence(bytes.into())
    }

    /// Reads the bytes of a `.pb` file with an optional tensor or sequence of tensors, as the data of ONNX's own tests are kept;
    /// `None` if there is none. They share `bytes`.
    ///
    /// # Errors
    /// When the bytes are no optional value, or one with parts that this crate does not read.
    pub fn decode_optional(bytes: impl Into<Bytes>) -> Result<Option<Vec<Self>>, DecodeError> {
        proto::decode_optional(bytes.into())
    }
}
