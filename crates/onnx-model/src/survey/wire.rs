//! Protobuf, field by field, from a file of which most is skipped.

use std::io::{BufRead, Seek};

use super::SurveyError;

/// A field: its number and its value.
pub enum Field {
    /// A number.
    Number(u64),
    /// This many bytes, which come next.
    Bytes(u64),
    /// A number of fixed size, which was skipped.
    Fixed,
}

/// A file, and where in it the reader is.
pub struct Wire<R> {
    input: R,
    pub at: u64,
}

impl<R: BufRead + Seek> Wire<R> {
    pub fn new(input: R) -> Self {
        Self { input, at: 0 }
    }

    /// The next field of a message that ends at `end`.
    pub fn field(&mut self, end: u64) -> Result<Option<(u64, Field)>, SurveyError> {
        if self.at == end {
            return Ok(None);
        }
        let key = self.varint(end)?;
        let field = match key & 7 {
            0 => Field::Number(self.varint(end)?),
            1 => self.skip(8, end).map(|()| Field::Fixed)?,
            5 => self.skip(4, end).map(|()| Field::Fixed)?,
            2 => {
                let length = self.varint(end)?;
                if length > end - self.at {
                    return Err(SurveyError::Cut);
                }
                Field::Bytes(length)
            }
            _ => return Err(SurveyError::Structure("a field of a kind that protobuf does not have")),
        };
        match key >> 3 {
            1..=0x1fff_ffff => Ok(Some((key >> 3, field))),
            _ => Err(SurveyError::Structure("a field whose number protobuf does not have")),
        }
    }

    /// A number in groups of seven bits, the lowest first.
    pub fn varint(&mut self, end: u64) -> Result<u64, SurveyError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.bytes::<1>(end)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(SurveyError::Structure("a number of more than 64 bits"))
    }

    pub fn skip(&mut self, length: u64, end: u64) -> Result<(), SurveyError> {
        let length = i64::try_from(length).ok().filter(|_| length <= end - self.at).ok_or(SurveyError::Cut)?;
        self.input.seek_relative(length)?;
        self.at += length as u64;
        Ok(())
    }

    /// The next bytes, which are no more than `most`.
    pub fn content(&mut self, length: u64, most: u64) -> Result<Vec<u8>, SurveyError> {
        if length > most {
            return Err(SurveyError::Structure("a name or type that is too long"));
        }
        let mut content = vec![0; length as usize];
        self.input.read_exact(&mut content)?;
        self.at += length;
        Ok(content)
    }

    /// The next text.
    pub fn text(&mut self, length: u64) -> Result<String, SurveyError> {
        let content = self.content(length, MAX_TEXT)?;
        String::from_utf8(content).map_err(|_| SurveyError::Structure("a name that is no UTF-8 text"))
    }

    fn bytes<const N: usize>(&mut self, end: u64) -> Result<[u8; N], SurveyError> {
        let mut bytes = [0; N];
        if end - self.at < N as u64 {
            return Err(SurveyError::Cut);
        }
        self.input.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }
}

/// Names and types are no longer than this.
const MAX_TEXT: u64 = 1 << 16;
