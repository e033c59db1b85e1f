//! What a file is, from its first bytes; endings of names count only where those do not decide.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use artifact::{FileError, lfs};
use terminal::failure::sentence;

/// What a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An ONNX model.
    Onnx,
    /// Weights: a file, an index of files, or a folder with one.
    Weights,
    /// A folder of `bundle`.
    Bundle,
}

/// The first bytes that are looked at.
const HEAD: u64 = 512;

/// Endings of files that only hold weights.
const WEIGHTS: [&str; 5] = ["pth", "pt", "bin", "ckpt", "safetensors"];

impl Kind {
    /// What a path leads to.
    ///
    /// # Errors
    /// A sentence, where it is nothing that can be looked into.
    pub fn of(path: &Path) -> Result<Self, String> {
        let open = |error| sentence(&FileError::new("open", path)(error));
        let about = std::fs::metadata(path).map_err(open)?;
        if about.is_dir() {
            return match path.join(bundle::MANIFEST).is_file() {
                true => Ok(Self::Bundle),
                false => Ok(Self::Weights),
            };
        }
        if !about.is_file() {
            return Err("it is no plain file".to_owned());
        }
        let mut head = Vec::new();
        File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)).map_err(open)?;
        match head.as_slice() {
            [] => Err("it is empty".to_owned()),
            head if lfs::is_pointer(head, about.len()) => Err(open(io::Error::other(lfs::REASON))),
            head => Ok(Self::guess(path, head)),
        }
    }

    fn guess(path: &Path, head: &[u8]) -> Self {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match head {
            _ if ending == "onnx" => Self::Onnx,
            _ if WEIGHTS.contains(&ending.as_str()) => Self::Weights,
            // Zip; a pickle of PyTorch's; safetensors; an index; HDF5, GGUF and NumPy; a web page.
            [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] | [_, _, _, _, _, _, _, _, b'{', ..] => Self::Weights,
            [b'{' | b'<', ..] | [0xef, 0xbb, 0xbf, ..] | [0x89, b'H', ..] | [b'G', b'G', ..] | [0x93, b'N', ..] => {
                Self::Weights
            }
            // A tar archive, as PyTorch wrote once.
            head if head.get(257..262) == Some(b"ustar") => Self::Weights,
            _ => Self::Onnx,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_where_the_ending_does_not() {
        let guess = |name: &str, head: &[u8]| Kind::guess(Path::new(name), head);
        // `ModelProto` begins with its first field, the version of the format.
        assert_eq!(guess("model", &[8, 10, 18, 4, b'k', b'i', b'l', b'n', 58]), Kind::Onnx);
        assert_eq!(guess("model", b"PK\x03\x04"), Kind::Weights);
        assert_eq!(guess("model", b"\x80\x02\x8a\x0a"), Kind::Weights);
        assert_eq!(guess("model", b"\x40\0\0\0\0\0\0\0{\"a\""), Kind::Weights);
        assert_eq!(guess("model.onnx", b"PK\x03\x04"), Kind::Onnx);
        assert_eq!(guess("model.PTH", &[8, 10]), Kind::Weights);
    }
}
