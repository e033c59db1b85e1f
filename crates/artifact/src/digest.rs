//! SHA-256 of bytes and of files, streamed.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::FileError;

/// How much of a file is hashed at a time.
const CHUNK: usize = 256 * 1024;

/// A SHA-256. Prints and parses as 64 lower-case hexadecimal digits; so does serde.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not the hexadecimal form of a SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a SHA-256: 64 hexadecimal digits are expected")]
pub struct ParseDigestError {
    /// The text that was given.
    pub text: String,
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseDigestError { text: text.to_owned() };
        if text.len() != 64 {
            return Err(refused());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = pair.iter().map(|&digit| char::from(digit).to_digit(16));
            let value = digits.collect::<Option<Vec<u32>>>().ok_or_else(refused)?;
            *byte = value.iter().fold(0, |sum, &digit| sum * 16 + digit as u8);
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Hashes what is written to it.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything that was taken in.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hashes and counts what passes through on its way to another writer: a file's digest without reading it again.
///
/// ```
/// use std::io::Write;
///
/// let mut writer = artifact::HashingWriter::new(Vec::new());
/// writer.write_all(b"abc")?;
/// let (bytes, length, digest) = writer.finish();
/// assert_eq!((bytes.as_slice(), length, digest), (b"abc".as_slice(), 3, artifact::sha256_bytes(b"abc")));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct HashingWriter<W> {
    writer: W,
    hasher: Hasher,
    length: u64,
}

impl<W: Write> HashingWriter<W> {
    /// Passes everything on to `writer`.
    pub fn new(writer: W) -> Self {
        Self { writer, hasher: Hasher::new(), length: 0 }
    }

    /// The writer, the number of bytes that it took, and their digest.
    pub fn finish(self) -> (W, u64, Digest) {
        (self.writer, self.length, self.hasher.finish())
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // In pieces that stay in the cache between the two.
        let written = self.writer.write(bytes.get(..CHUNK).unwrap_or(bytes))?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The SHA-256 of bytes in memory.
pub fn sha256_bytes(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// The SHA-256 of a file, read in pieces of 256 KiB.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn sha256_file(path: impl AsRef<Path>) -> Result<Digest, FileError> {
    let path = path.as_ref();
    let mut file = File::open(path).map_err(FileError::new("open", path))?;
    let mut hasher = Hasher::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(n) => hasher.update(chunk.get(..n).unwrap_or(&chunk)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(FileError::new("read", path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2, appendix B: "abc", and the million repetitions of "a".
    #[test]
    fn agrees_with_the_published_examples() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_bytes(b"abc").to_string(), abc);
        let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("million");
        std::fs::write(&path, vec![b'a'; 1_000_000]).unwrap();
        assert_eq!(sha256_file(&path).unwrap().to_string(), million);
    }

    #[test]
    fn only_what_was_written_is_hashed() {
        /// Takes seven bytes at a time.
        struct Slow(Vec<u8>);
        impl Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.write(bytes.get(..7).unwrap_or(bytes))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bytes: Vec<u8> = (0..2 * CHUNK + 5).map(|index| (index % 251) as u8).collect();
        let mut writer = HashingWriter::new(Slow(Vec::new()));
        writer.write_all(&bytes).unwrap();
        let (slow, length, digest) = writer.finish();
        assert_eq!((slow.0.len(), length, digest), (bytes.len(), bytes.len() as u64, sha256_bytes(&bytes)));
    }

    #[test]
    fn only_64_hexadecimal_digits_parse() {
        let digest = sha256_bytes(b"abc");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(63), &"0".repeat(65)] {
            assert_eq!(text.parse::<Digest>(), Err(ParseDigestError { text: text.to_owned() }));
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = sha256_file("no/such/file").unwrap_err().to_string();
        assert!(error.starts_with("cannot open no/such/file: "), "{error}");
    }
}
