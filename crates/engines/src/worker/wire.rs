//! Messages between processes: JSON, and the elements of tensors as they are.
//!
//! A message is its length in bytes (32 bits, little-endian), that much JSON, and then the elements of each tensor that
//! the JSON declares, little-endian and in order. Of a text come its length in bytes (64 bits) and its UTF-8.

use std::io::{self, Read, Write};

use half::{bf16, f16};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::tensor::{ElementType, Elements, NamedTensor, Tensor, count};

/// More than any message without its tensors has.
const MAX_MESSAGE: u32 = 256 << 20;

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    message: T,
    tensors: Vec<Declared>,
}

#[derive(Serialize, Deserialize)]
struct Declared {
    name: String,
    element: ElementType,
    shape: Vec<usize>,
}

/// Writes a message with its tensors.
///
/// # Errors
/// When the other side is gone.
pub fn send(mut out: impl Write, message: &impl Serialize, tensors: &[NamedTensor]) -> io::Result<()> {
    let declared = tensors.iter().map(|named| Declared {
        name: named.name.clone(),
        element: named.tensor.elements().element_type(),
        shape: named.tensor.shape().to_vec(),
    });
    let json = serde_json::to_vec(&Envelope { message, tensors: declared.collect() })?;
    let length = u32::try_from(json.len()).ok().filter(|&length| length <= MAX_MESSAGE);
    let length = length.ok_or_else(|| invalid("the message is too long"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&json)?;
    for named in tensors {
        out.write_all(&to_bytes(named.tensor.elements()))?;
    }
    out.flush()
}

/// Reads a message with its tensors; `None` when the other side has closed.
///
/// # Errors
/// When the other side is gone in the middle, or sends something else.
pub fn receive<T: DeserializeOwned>(mut input: impl Read) -> io::Result<Option<(T, Vec<NamedTensor>)>> {
    let mut length = [0; 4];
    let first = loop {
        match input.read(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    input.read_exact(length.get_mut(first..).unwrap_or_default())?;
    let length = u32::from_le_bytes(length);
    if length > MAX_MESSAGE {
        return Err(invalid("this is no message"));
    }
    let json = exactly(&mut input, length as usize)?;
    let envelope: Envelope<T> = serde_json::from_slice(&json)?;
    let tensors = envelope.tensors.into_iter().map(|declared| {
        let elements = count(&declared.shape).ok_or_else(|| invalid("a tensor is too large"))?;
        let elements = from_bytes(declared.element, elements, &mut input)?;
        let tensor = Tensor::new(declared.shape, elements).map_err(|error| invalid(&error.to_string()))?;
        Ok(NamedTensor::new(declared.name, tensor))
    });
    let tensors = tensors.collect::<io::Result<_>>()?;
    Ok(Some((envelope.message, tensors)))
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Memory grows with what arrives, not with what was promised.
fn exactly(input: impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

/// The elements one after the other, little-endian.
pub fn to_bytes(elements: &Elements) -> Vec<u8> {
    match elements {
        Elements::F32(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::F64(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::F16(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::BF16(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::I64(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::I32(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::I16(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::I8(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::U64(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::U32(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::U16(elements) => elements.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Elements::U8(elements) => elements.clone(),
        Elements::Bool(elements) => elements.iter().map(|&x| u8::from(x)).collect(),
        Elements::Text(elements) => {
            elements.iter().flat_map(|x| [&(x.len() as u64).to_le_bytes(), x.as_bytes()].concat()).collect()
        }
    }
}

fn from_bytes(element: ElementType, count: usize, input: impl Read) -> io::Result<Elements> {
    fn read<const N: usize, T>(input: impl Read, count: usize, element: impl Fn([u8; N]) -> T) -> io::Result<Vec<T>> {
        let length = count.checked_mul(N).ok_or_else(|| invalid("a tensor is too large"))?;
        let bytes = exactly(input, length)?;
        Ok(bytes.as_chunks::<N>().0.iter().map(|bytes| element(*bytes)).collect())
    }
    Ok(match element {
        ElementType::Float => read(input, count, f32::from_le_bytes)?.into(),
        ElementType::Double => read(input, count, f64::from_le_bytes)?.into(),
        ElementType::Float16 => read(input, count, f16::from_le_bytes)?.into(),
        ElementType::Bfloat16 => read(input, count, bf16::from_le_bytes)?.into(),
        ElementType::Int64 => read(input, count, i64::from_le_bytes)?.into(),
        ElementType::Int32 => read(input, count, i32::from_le_bytes)?.into(),
        ElementType::Int16 => read(input, count, i16::from_le_bytes)?.into(),
        ElementType::Int8 => read(input, count, i8::from_le_bytes)?.into(),
        ElementType::Uint64 => read(input, count, u64::from_le_bytes)?.into(),
        ElementType::Uint32 => read(input, count, u32::from_le_bytes)?.into(),
        ElementType::Uint16 => read(input, count, u16::from_le_bytes)?.into(),
        ElementType::Uint8 => exactly(input, count)?.into(),
        ElementType::Bool => read(input, count, |[byte]: [u8; 1]| byte != 0)?.into(),
        ElementType::String => texts(input, count)?.into(),
    })
}

fn texts(mut input: impl Read, count: usize) -> io::Result<Vec<String>> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let mut length = [0; 8];
        input.read_exact(&mut length)?;
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| invalid("a text is too large"))?;
        texts.push(String::from_utf8(exactly(&mut input, length)?).map_err(|_| invalid("a text is not UTF-8"))?);
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Vec<NamedTensor> {
        let tensor = |name: &str, elements: Elements| NamedTensor::new(name, Tensor::new([2, 1], elements).unwrap());
        vec![
            tensor("a", vec![1.5_f32, f32::NEG_INFINITY].into()),
            tensor("b", vec![1e300_f64, -0.0].into()),
            tensor("c", vec![f16::from_f32(0.1), f16::MAX].into()),
            tensor("d", vec![i64::MIN, 7].into()),
            tensor("e", vec![i32::MIN, 7].into()),
            tensor("f", vec![-128_i8, 7].into()),
            tensor("g", vec![255_u8, 7].into()),
            tensor("h", vec![true, false].into()),
            tensor("i", vec![bf16::from_f32(0.1), bf16::MIN].into()),
            tensor("j", vec![i16::MIN, 7].into()),
            tensor("k", vec![u64::MAX, 7].into()),
            tensor("l", vec![u32::MAX, 7].into()),
            tensor("m", vec![u16::MAX, 7].into()),
            tensor("n", vec![String::new(), "naïve\0".to_owned()].into()),
        ]
    }

    #[test]
    fn what_is_sent_arrives() {
        let mut bytes = Vec::new();
        send(&mut bytes, &"first", &tensors()).unwrap();
        send(&mut bytes, &"second", &[]).unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(receive::<String>(&mut input).unwrap(), Some(("first".to_owned(), tensors())));
        assert_eq!(receive::<String>(&mut input).unwrap(), Some(("second".to_owned(), Vec::new())));
        assert_eq!(receive::<String>(&mut input).unwrap(), None);
    }

    #[test]
    fn half_a_message_and_noise_are_errors() {
        let mut bytes = Vec::new();
        send(&mut bytes, &"message", &tensors()).unwrap();
        for length in 1..bytes.len() {
            assert!(receive::<String>(&bytes[..length]).is_err(), "{length}");
        }
        assert!(receive::<String>(&b"this is a text"[..]).is_err());
        let endless = br#"{"message":"","tensors":[{"name":"","element":"float","shape":[9999999999,9999999999]}]}"#;
        let mut noise = (endless.len() as u32).to_le_bytes().to_vec();
        noise.extend(endless);
        assert!(receive::<String>(noise.as_slice()).is_err());
    }
}
