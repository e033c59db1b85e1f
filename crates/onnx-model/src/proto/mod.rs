//! The protobuf messages of the ONNX format, and the way from them to the plain types and back.
//!
//! The messages are written out by hand from the public field numbers (`onnx.proto`, IR version 14), so that no
//! protobuf compiler and no build script is needed. Only fields that this crate reads or refuses are listed; protobuf
//! skips the others.

mod decode;
mod decode_error;
mod decode_tensor;
mod encode;
mod functions;
mod messages;
mod stream;

pub(crate) use decode::{decode_model, describe_value};
pub use decode_error::DecodeError;
pub(crate) use decode_tensor::{decode_optional, decode_sequence, decode_tensor, external_data};
pub use encode::EncodeError;
pub(crate) use encode::encode_tensor;
pub(crate) use stream::{Layout, MAX_PROTOBUF_BYTES};
