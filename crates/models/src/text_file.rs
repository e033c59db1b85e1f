//! Reading of small text files, JSON mostly, that people and their editors made.

use std::io;
use std::path::Path;

use artifact::lfs;

/// The bytes of a text file as UTF-8 without a byte-order mark; UTF-16, which has one, is converted.
///
/// # Errors
/// When the file cannot be read, or is a Git LFS pointer.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = std::fs::read(path)?;
    if lfs::is_pointer(&bytes, bytes.len() as u64) {
        return Err(io::Error::other(lfs::REASON));
    }
    Ok(without_mark(bytes))
}

fn without_mark(bytes: Vec<u8>) -> Vec<u8> {
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.as_chunks().0.iter().map(|pair| unit(*pair)).collect();
        String::from_utf16_lossy(&units).into_bytes()
    };
    match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, rest @ ..] => rest.to_vec(),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_every_encoding_are_taken_off() {
        let text = "{\"é\": 1}";
        let units: Vec<u16> = text.encode_utf16().collect();
        let little = units.iter().flat_map(|unit| unit.to_le_bytes());
        let big = units.iter().flat_map(|unit| unit.to_be_bytes());
        let marked = [
            text.as_bytes().to_vec(),
            [&[0xef, 0xbb, 0xbf], text.as_bytes()].concat(),
            [0xff, 0xfe].into_iter().chain(little).collect(),
            [0xfe, 0xff].into_iter().chain(big).collect(),
        ];
        for bytes in marked {
            assert_eq!(without_mark(bytes), text.as_bytes());
        }
    }

    #[test]
    fn a_pointer_of_git_lfs_is_called_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.json");
        std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n").unwrap();
        let text = read(&path).unwrap_err().to_string();
        assert!(text.contains("is a Git LFS pointer") && text.contains("git lfs pull"), "{text}");
    }
}
