//! Protobuf by hand, for files that no writer makes.

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 128 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field of bytes: a message or a text.
pub fn field(tag: u32, content: &[u8]) -> Vec<u8> {
    [varint(u64::from(tag) << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// A field of text; none where it is empty, as protobuf's writers leave it out, but in a list.
pub fn text(tag: u32, content: &str) -> Vec<u8> {
    field(tag, content.as_bytes())
}

/// A field of a number.
pub fn number(tag: u32, value: u64) -> Vec<u8> {
    [varint(u64::from(tag) << 3), varint(value)].concat()
}
