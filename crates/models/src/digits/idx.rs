//! Files in IDX format, plain or packed by gzip.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use artifact::{Digest, Hasher};
use flate2::read::GzDecoder;

use super::{DigitsError, IMAGE_SIZE};

/// More elements than any MNIST file has: what a damaged header may ask for is bounded by this, 1 GiB.
const MAX_ELEMENTS: u64 = 1 << 30;

/// What a kind of IDX file must declare.
pub(super) struct Kind {
    what: &'static str,
    magic: [u8; 4],
    expected: &'static str,
    /// The dimensions after the first, which counts the items.
    item: &'static [u32],
}

/// Images of the size that the network takes.
pub(super) const IMAGES: Kind =
    Kind { what: "images", magic: [0, 0, 8, 3], expected: "[count, 28, 28]", item: &[IMAGE_SIZE as u32; 2] };

/// Labels.
pub(super) const LABELS: Kind = Kind { what: "labels", magic: [0, 0, 8, 1], expected: "[count]", item: &[] };

/// A file, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdxFile {
    pub(super) path: PathBuf,
    header: Vec<u8>,
    pub(super) elements: Vec<u8>,
}

impl IdxFile {
    /// The SHA-256 of what the file holds, unpacked.
    pub(super) fn sha256(&self) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(&self.header);
        hasher.update(&self.elements);
        hasher.finish()
    }

    /// Reads a file of this kind, which is unpacked if its name ends in `.gz`.
    pub(super) fn read(path: &Path, kind: &Kind) -> Result<Self, DigitsError> {
        let file = File::open(path).map_err(|source| DigitsError::Io { path: path.to_owned(), source })?;
        match path.extension().is_some_and(|ending| ending == "gz") {
            true => Self::read_from(GzDecoder::new(file), path, kind),
            false => Self::read_from(file, path, kind),
        }
    }

    fn read_from(mut file: impl Read, path: &Path, kind: &Kind) -> Result<Self, DigitsError> {
        let failed = |source| DigitsError::Io { path: path.to_owned(), source };
        let mut header = read_up_to(&mut file, 4).map_err(failed)?;
        if header != kind.magic {
            let (what, expected) = (kind.what, kind.magic);
            return Err(DigitsError::Magic { path: path.to_owned(), what, expected, found: header });
        }
        let length = 4 * (1 + kind.item.len()) as u64;
        let dimensions = read_up_to(&mut file, length).map_err(failed)?;
        if (dimensions.len() as u64) < length {
            let found = dimensions.len() as u64;
            return Err(DigitsError::Truncated { path: path.to_owned(), expected: length, found });
        }
        let expected = kind.elements(&dimensions, path)?;
        header.extend(dimensions);
        let mut elements = read_up_to(&mut file, expected + 1).map_err(failed)?;
        let found = elements.len() as u64;
        if found < expected {
            return Err(DigitsError::Truncated { path: path.to_owned(), expected, found });
        }
        if found > expected {
            return Err(DigitsError::Trailing { path: path.to_owned(), expected });
        }
        elements.shrink_to_fit();
        Ok(Self { path: path.to_owned(), header, elements })
    }
}

impl Kind {
    /// The elements of a file with these dimensions, as they stand in its header.
    fn elements(&self, dimensions: &[u8], path: &Path) -> Result<u64, DigitsError> {
        let dimensions: Vec<u32> = dimensions.as_chunks().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
        if let (&[count, height, width], [_, _]) = (dimensions.as_slice(), self.item)
            && count.min(height).min(width) > 0
            && [height, width] != self.item
        {
            return Err(DigitsError::Size { path: path.to_owned(), height, width });
        }
        let elements = match dimensions.split_first() {
            Some((&count, item)) if count > 0 && item == self.item => {
                let elements = item.iter().fold(u64::from(count), |product, &size| product * u64::from(size));
                Some(elements).filter(|&elements| elements <= MAX_ELEMENTS)
            }
            _ => None,
        };
        elements.ok_or_else(|| DigitsError::Dimensions {
            path: path.to_owned(),
            what: self.what,
            expected: self.expected,
            found: dimensions,
        })
    }
}

/// The next `limit` bytes, or what is left. Memory grows with what is there, not with what was promised.
fn read_up_to(file: &mut impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
