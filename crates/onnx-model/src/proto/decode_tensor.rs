//! Tensors: the format has seven places for their values, this crate one.

use bytes::Bytes;
use prost::Message as _;

use super::decode_error::DecodeError;
use super::messages as proto;
use crate::{DataType, ExternalData, Tensor, TensorData};

/// Reads a tensor by itself; it shares `bytes`.
pub fn decode_tensor(bytes: Bytes) -> Result<Tensor, DecodeError> {
    tensor(proto::Tensor::decode(bytes)?)
}

/// Reads a sequence of tensors by itself; they share `bytes`.
pub fn decode_sequence(bytes: Bytes) -> Result<Vec<Tensor>, DecodeError> {
    let message = proto::Sequence::decode(bytes)?;
    let others = [&message.sparse_tensors, &message.sequences, &message.maps, &message.optionals];
    if others.iter().any(|others| !others.is_empty()) {
        return Err(DecodeError::Unsupported { place: "a sequence".to_owned(), what: "what is no tensor".to_owned() });
    }
    message.tensors.into_iter().map(decode_tensor).collect()
}

/// Reads an optional tensor or sequence of tensors by itself; `None` if there is none. They share `bytes`.
pub fn decode_optional(bytes: Bytes) -> Result<Option<Vec<Tensor>>, DecodeError> {
    let message = proto::Optional::decode(bytes)?;
    if [message.sparse_tensor, message.map, message.optional].iter().any(Option::is_some) {
        let what = "what is neither a tensor nor a sequence".to_owned();
        return Err(DecodeError::Unsupported { place: "an optional value".to_owned(), what });
    }
    match (message.tensor, message.sequence) {
        (Some(tensor), _) => Ok(Some(vec![decode_tensor(tensor)?])),
        (None, sequence) => sequence.map(decode_sequence).transpose(),
    }
}

pub fn tensor(message: proto::Tensor) -> Result<Tensor, DecodeError> {
    let place = format!("tensor {:?}", message.name);
    if message.segment.is_some() {
        return Err(DecodeError::Unsupported { place, what: "segments".to_owned() });
    }
    let dtype = data_type(message.data_type, &place)?;
    let dims = message.dims.iter().map(|size| unsigned(*size, &place)).collect::<Result<Vec<_>, _>>()?;
    let data = values(&message, dtype)?;
    let tensor = Tensor { name: message.name, dtype, dims, data, doc: message.doc_string };
    tensor.validate()?;
    Ok(tensor)
}

fn values(message: &proto::Tensor, dtype: DataType) -> Result<TensorData, DecodeError> {
    let fields: Vec<&str> = [
        ("raw_data", message.raw_data.is_some()),
        ("float_data", !message.float_data.is_empty()),
        ("int32_data", !message.int32_data.is_empty()),
        ("string_data", !message.string_data.is_empty()),
        ("int64_data", !message.int64_data.is_empty()),
        ("double_data", !message.double_data.is_empty()),
        ("uint64_data", !message.uint64_data.is_empty()),
        ("external data", message.data_location == Some(1)),
    ]
    .into_iter()
    .filter_map(|(field, used)| used.then_some(field))
    .collect();
    let storage = || DecodeError::Storage { tensor: message.name.clone(), fields: fields.join(" and "), dtype };
    use DataType as D;
    Ok(match (fields.as_slice(), dtype) {
        ([], D::String) => TensorData::Strings(Vec::new()),
        ([], _) => TensorData::Bytes(Bytes::new()),
        (["external data"], D::String) => return Err(storage()),
        (["external data"], _) => TensorData::External(external(message)?),
        (["raw_data"], D::String) => return Err(storage()),
        (["raw_data"], _) => TensorData::Bytes(message.raw_data.clone().unwrap_or_default()),
        (["string_data"], D::String) => TensorData::Strings(message.string_data.clone()),
        (["float_data"], D::F32 | D::Complex64) => little_endian(&message.float_data, |value| value.to_le_bytes()),
        (["double_data"], D::F64 | D::Complex128) => little_endian(&message.double_data, |value| value.to_le_bytes()),
        (["int64_data"], D::I64) => little_endian(&message.int64_data, |value| value.to_le_bytes()),
        (["uint64_data"], D::U64) => little_endian(&message.uint64_data, |value| value.to_le_bytes()),
        (["uint64_data"], D::U32) => narrow(&message.uint64_data, u32::to_le_bytes).ok_or_else(storage)?,
        (["int32_data"], D::I32) => little_endian(&message.int32_data, |value| value.to_le_bytes()),
        (["int32_data"], D::I16) => narrow(&message.int32_data, i16::to_le_bytes).ok_or_else(storage)?,
        (["int32_data"], D::I8) => narrow(&message.int32_data, i8::to_le_bytes).ok_or_else(storage)?,
        // Half precision stands there as its bits.
        (["int32_data"], D::U16 | D::F16 | D::BF16) => {
            narrow(&message.int32_data, u16::to_le_bytes).ok_or_else(storage)?
        }
        (["int32_data"], dtype) if dtype.bits().is_some_and(|bits| bits <= 8) => {
            narrow(&message.int32_data, u8::to_le_bytes).ok_or_else(storage)?
        }
        _ => return Err(storage()),
    })
}

pub fn data_type(number: Option<i32>, place: &str) -> Result<DataType, DecodeError> {
    let number = number.unwrap_or(0);
    DataType::from_number(number).ok_or_else(|| DecodeError::DataType { place: place.to_owned(), number })
}

pub fn unsigned(size: i64, place: &str) -> Result<u64, DecodeError> {
    u64::try_from(size).map_err(|_| DecodeError::Dimension { place: place.to_owned(), size })
}

fn little_endian<E, const N: usize>(values: &[E], bytes: impl Fn(&E) -> [u8; N]) -> TensorData {
    TensorData::Bytes(values.iter().flat_map(bytes).collect())
}

/// `None` when a value does not fit.
fn narrow<E: Copy, T: TryFrom<E>, const N: usize>(values: &[E], bytes: impl Fn(T) -> [u8; N]) -> Option<TensorData> {
    let mut narrowed = Vec::with_capacity(values.len() * N);
    for value in values {
        narrowed.extend_from_slice(&bytes(T::try_from(*value).ok()?));
    }
    Some(TensorData::Bytes(narrowed.into()))
}

/// Where the values of a tensor lie, by the bytes of its entries.
pub fn external_data(tensor: &str, entries: Vec<Bytes>) -> Option<ExternalData> {
    let entries = entries.into_iter().map(proto::Entry::decode).collect::<Result<_, _>>().ok()?;
    external(&proto::Tensor { name: tensor.to_owned(), external_data: entries, ..Default::default() }).ok()
}

fn external(message: &proto::Tensor) -> Result<ExternalData, DecodeError> {
    let named = |key: &'static str| message.external_data.iter().filter(move |entry| entry.key.as_deref() == Some(key));
    // Of two entries some readers take the first and some the last.
    if let Some(key) = ["location", "offset", "length"].into_iter().find(|key| named(key).count() > 1) {
        let place = format!("the external data of tensor {:?}", message.name);
        return Err(DecodeError::Duplicate { place, key: key.to_owned() });
    }
    let find = |key| named(key).next().and_then(|entry| entry.value.as_deref());
    let number = |key: &'static str| match find(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| DecodeError::External {
            tensor: message.name.clone(),
            key,
            value: text.to_owned(),
        }),
    };
    let location = find("location").filter(|location| !location.is_empty()).ok_or_else(|| DecodeError::Missing {
        place: format!("the external data of tensor {:?}", message.name),
        what: "location",
    })?;
    Ok(ExternalData {
        location: location.to_owned(),
        offset: number("offset")?.unwrap_or(0),
        length: number("length")?,
    })
}
