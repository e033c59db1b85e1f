//! Writing a model without a copy of its weights.
//!
//! Protobuf is a sequence of fields, so a message may be written in parts: what stands before the initialisers, each
//! initialiser with its bytes straight from memory, and what stands after. The fields come in the order of their
//! numbers, as protobuf's own writers put them, so the same model always gives the same bytes.

use std::io::{self, Write};

use bytes::Bytes;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::encode::{self, EncodeError};
use super::messages as proto;
use crate::Model;

/// The largest message that protobuf's readers accept.
pub const MAX_PROTOBUF_BYTES: u64 = i32::MAX as u64;

const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_RAW_DATA: u32 = 9;

/// A model in parts, ready to be written.
pub struct Layout {
    model_head: Vec<u8>,
    graph_head: Vec<u8>,
    tensors: Vec<TensorParts>,
    graph_tail: Vec<u8>,
    model_tail: Vec<u8>,
}

struct TensorParts {
    head: Vec<u8>,
    raw: Option<Bytes>,
    tail: Vec<u8>,
}

impl TensorParts {
    fn new(mut message: proto::Tensor) -> Self {
        let raw = message.raw_data.take();
        let tail = proto::Tensor {
            doc_string: std::mem::take(&mut message.doc_string),
            external_data: std::mem::take(&mut message.external_data),
            data_location: message.data_location.take(),
            ..Default::default()
        };
        Self { head: message.encode_to_vec(), raw, tail: tail.encode_to_vec() }
    }

    fn len(&self) -> u64 {
        let raw = self.raw.as_ref().map_or(0, |raw| field_len(TENSOR_RAW_DATA, raw.len() as u64));
        self.head.len() as u64 + raw + self.tail.len() as u64
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.head)?;
        if let Some(raw) = &self.raw {
            write_key(out, TENSOR_RAW_DATA, raw.len() as u64)?;
            out.write_all(raw)?;
        }
        out.write_all(&self.tail)
    }
}

impl Layout {
    /// Splits `model` into parts.
    ///
    /// # Errors
    /// When a tensor contradicts itself or a size does not fit.
    pub fn new(model: &Model) -> Result<Self, EncodeError> {
        let mut head = encode::model(model);
        let tail = proto::Model {
            opset_import: std::mem::take(&mut head.opset_import),
            metadata_props: std::mem::take(&mut head.metadata_props),
            ..Default::default()
        };
        let mut graph_tail = encode::graph_frame(&model.graph)?;
        let graph_head = proto::Graph {
            node: std::mem::take(&mut graph_tail.node),
            name: std::mem::take(&mut graph_tail.name),
            ..Default::default()
        };
        let tensors = model.graph.initializers.iter().map(|tensor| Ok(TensorParts::new(encode::tensor(tensor)?)));
        Ok(Self {
            model_head: head.encode_to_vec(),
            graph_head: graph_head.encode_to_vec(),
            tensors: tensors.collect::<Result<_, EncodeError>>()?,
            graph_tail: graph_tail.encode_to_vec(),
            model_tail: tail.encode_to_vec(),
        })
    }

    fn graph_len(&self) -> u64 {
        let tensors: u64 = self.tensors.iter().map(|tensor| field_len(GRAPH_INITIALIZER, tensor.len())).sum();
        self.graph_head.len() as u64 + tensors + self.graph_tail.len() as u64
    }

    /// Bytes of the whole message.
    pub fn len(&self) -> u64 {
        let graph = field_len(MODEL_GRAPH, self.graph_len());
        self.model_head.len() as u64 + graph + self.model_tail.len() as u64
    }

    /// Whether protobuf's readers accept the message.
    ///
    /// # Errors
    /// When it is too large.
    pub fn fits(&self) -> Result<(), EncodeError> {
        match self.len() {
            bytes if bytes > MAX_PROTOBUF_BYTES => Err(EncodeError::TooLarge { bytes }),
            _ => Ok(()),
        }
    }

    /// Writes the message.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.model_head)?;
        write_key(out, MODEL_GRAPH, self.graph_len())?;
        out.write_all(&self.graph_head)?;
        for tensor in &self.tensors {
            write_key(out, GRAPH_INITIALIZER, tensor.len())?;
            tensor.write(out)?;
        }
        out.write_all(&self.graph_tail)?;
        out.write_all(&self.model_tail)
    }
}

/// Bytes of a field with its key and length.
fn field_len(tag: u32, content: u64) -> u64 {
    key_len(tag) as u64 + encoded_len_varint(content) as u64 + content
}

fn write_key(out: &mut impl Write, tag: u32, content: u64) -> io::Result<()> {
    let mut key = Vec::with_capacity(16);
    encode_key(tag, WireType::LengthDelimited, &mut key);
    encode_varint(content, &mut key);
    out.write_all(&key)
}
