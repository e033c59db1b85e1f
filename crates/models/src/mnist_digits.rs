//! The MNIST digits: reading of the IDX files, and the normalisation that the network expects.
//!
//! The IDX format (LeCun, Cortes and Burges, "The MNIST database of handwritten digits"): two zero bytes, the element type
//! (8 for unsigned bytes), the number of dimensions, each dimension as a big-endian 32-bit number, then the elements.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::mnist_cnn::{CLASSES, IMAGE_SIZE};

/// The mean of the training pixels on a scale from 0 to 1, as PyTorch's example rounds it.
pub const MEAN: f32 = 0.1307;

/// The standard deviation of the training pixels on a scale from 0 to 1, as PyTorch's example rounds it.
pub const STANDARD_DEVIATION: f32 = 0.3081;

/// The pixels of one image.
pub const PIXELS: usize = IMAGE_SIZE * IMAGE_SIZE;

/// More elements than any MNIST file has: what a damaged header may ask for is bounded by this, 1 GiB.
const MAX_ELEMENTS: u64 = 1 << 30;

/// Images and labels in memory, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digits {
    images: Vec<u8>,
    labels: Vec<u8>,
}

/// One of the two parts of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The 60,000 images to learn from.
    Train,
    /// The 10,000 images to judge by.
    Test,
}

impl Split {
    /// The name of the file with the images.
    pub fn images_file(self) -> &'static str {
        match self {
            Self::Train => "train-images-idx3-ubyte",
            Self::Test => "t10k-images-idx3-ubyte",
        }
    }

    /// The name of the file with the labels.
    pub fn labels_file(self) -> &'static str {
        match self {
            Self::Train => "train-labels-idx1-ubyte",
            Self::Test => "t10k-labels-idx1-ubyte",
        }
    }
}

/// Why digits could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DigitsError {
    /// A file could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A file does not begin as an IDX file of this kind does.
    #[error("{} begins with {found:02x?}, but {what} in IDX format begin with {expected:02x?}", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// Images or labels.
        what: &'static str,
        /// The first four bytes that such a file has.
        expected: [u8; 4],
        /// The first bytes of this one; fewer than four if it ends there.
        found: Vec<u8>,
    },
    /// The dimensions in the header are not those of 28x28 images, or none, or absurd.
    #[error("{} declares the dimensions {found:?}; {what} have {expected}", path.display())]
    Dimensions {
        /// The file.
        path: PathBuf,
        /// Images or labels.
        what: &'static str,
        /// The dimensions, in words.
        expected: &'static str,
        /// The dimensions of this file.
        found: Vec<u32>,
    },
    /// The file ends before the last element.
    #[error("{} is truncated: its header promises {expected} bytes and {found} follow it", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that the header promises after itself.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The file goes on after the last element.
    #[error("{} goes on after the {expected} bytes that its header promises", path.display())]
    Trailing {
        /// The file.
        path: PathBuf,
        /// Bytes that the header promises after itself.
        expected: u64,
    },
    /// There are not as many labels as images.
    #[error("{} holds {images} images, but {} holds {labels} labels", images_path.display(), labels_path.display())]
    Count {
        /// The file with the images.
        images_path: PathBuf,
        /// The file with the labels.
        labels_path: PathBuf,
        /// How many images there are.
        images: usize,
        /// How many labels there are.
        labels: usize,
    },
    /// A label is no digit.
    #[error("{} labels image {index} as {label}, which is no digit", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// Which label, from zero.
        index: usize,
        /// Its value.
        label: u8,
    },
}

impl Digits {
    /// Reads one part of the data set from the folder that holds the four IDX files.
    ///
    /// # Errors
    /// When a file is missing or is not exactly what its header and the data set promise.
    pub fn read(folder: impl AsRef<Path>, split: Split) -> Result<Self, DigitsError> {
        let folder = folder.as_ref();
        let images_path = folder.join(split.images_file());
        let labels_path = folder.join(split.labels_file());
        let images = read_idx(&images_path, &IMAGES)?;
        let labels = read_idx(&labels_path, &LABELS)?;
        let count = images.len() / PIXELS;
        if count != labels.len() {
            return Err(DigitsError::Count { images_path, labels_path, images: count, labels: labels.len() });
        }
        if let Some((index, &label)) = labels.iter().enumerate().find(|(_, label)| usize::from(**label) >= CLASSES) {
            return Err(DigitsError::Label { path: labels_path, index, label });
        }
        Ok(Self { images, labels })
    }

    /// How many there are. Never zero after [`read`](Self::read).
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The 784 pixels of an image, row by row, 0 for the background.
    pub fn image(&self, index: usize) -> Option<&[u8]> {
        self.images.chunks_exact(PIXELS).nth(index)
    }

    /// What an image shows.
    pub fn label(&self, index: usize) -> Option<u8> {
        self.labels.get(index).copied()
    }

    /// Every label in order.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// Pixels and label of every digit in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u8)> {
        self.images.chunks_exact(PIXELS).zip(self.labels.iter().copied())
    }

    /// Keeps the first `count`; all if there are not more.
    pub fn truncate(&mut self, count: usize) {
        self.labels.truncate(count);
        self.images.truncate(count.saturating_mul(PIXELS));
    }

    /// Takes the digits from `index` on out; none if there are not more.
    pub fn split_off(&mut self, index: usize) -> Self {
        let index = index.min(self.len());
        Self { images: self.images.split_off(index * PIXELS), labels: self.labels.split_off(index) }
    }
}

/// The network's input for one pixel: `(pixel / 255 - 0.1307) / 0.3081`, in float32 as torchvision computes it.
pub fn normalize(pixel: u8) -> f32 {
    (f32::from(pixel) / 255.0 - MEAN) / STANDARD_DEVIATION
}

/// [`normalize`] of every value that a pixel can have.
pub fn normalization_table() -> [f32; 256] {
    std::array::from_fn(|pixel| normalize(pixel as u8))
}

/// What a kind of IDX file must declare.
struct Kind {
    what: &'static str,
    magic: [u8; 4],
    expected: &'static str,
    /// The dimensions after the first, which counts the items.
    item: &'static [u32],
}

const IMAGES: Kind =
    Kind { what: "images", magic: [0, 0, 8, 3], expected: "[count, 28, 28]", item: &[IMAGE_SIZE as u32; 2] };
const LABELS: Kind = Kind { what: "labels", magic: [0, 0, 8, 1], expected: "[count]", item: &[] };

fn read_idx(path: &Path, kind: &Kind) -> Result<Vec<u8>, DigitsError> {
    let failed = |source| DigitsError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let magic = read_up_to(&mut file, 4).map_err(failed)?;
    if magic != kind.magic {
        return Err(DigitsError::Magic { path: path.to_owned(), what: kind.what, expected: kind.magic, found: magic });
    }
    let header = 4 * (1 + kind.item.len()) as u64;
    let dimensions = read_up_to(&mut file, header).map_err(failed)?;
    if (dimensions.len() as u64) < header {
        let found = dimensions.len() as u64;
        return Err(DigitsError::Truncated { path: path.to_owned(), expected: header, found });
    }
    let dimensions: Vec<u32> = dimensions.as_chunks().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
    let expected = match dimensions.split_first() {
        Some((&count, item)) if count > 0 && item == kind.item => {
            let elements = item.iter().fold(u64::from(count), |product, &size| product * u64::from(size));
            Some(elements).filter(|&elements| elements <= MAX_ELEMENTS)
        }
        _ => None,
    };
    let Some(expected) = expected else {
        return Err(DigitsError::Dimensions {
            path: path.to_owned(),
            what: kind.what,
            expected: kind.expected,
            found: dimensions,
        });
    };
    let mut elements = read_up_to(&mut file, expected + 1).map_err(failed)?;
    let found = elements.len() as u64;
    if found < expected {
        return Err(DigitsError::Truncated { path: path.to_owned(), expected, found });
    }
    if found > expected {
        return Err(DigitsError::Trailing { path: path.to_owned(), expected });
    }
    elements.shrink_to_fit();
    Ok(elements)
}

/// The next `limit` bytes, or what is left. Memory grows with what is there, not with what was promised.
fn read_up_to(file: &mut File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idx(magic: [u8; 4], dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
        let dimensions = dimensions.iter().flat_map(|size| size.to_be_bytes());
        magic.into_iter().chain(dimensions).chain(elements.iter().copied()).collect()
    }

    fn images(count: u32) -> Vec<u8> {
        let elements: Vec<u8> = (0..count as usize * PIXELS).map(|index| (index % 251) as u8).collect();
        idx([0, 0, 8, 3], &[count, 28, 28], &elements)
    }

    fn labels(labels: &[u8]) -> Vec<u8> {
        idx([0, 0, 8, 1], &[labels.len() as u32], labels)
    }

    fn read(images: &[u8], labels: &[u8]) -> Result<Digits, DigitsError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t10k-images-idx3-ubyte"), images).unwrap();
        std::fs::write(folder.path().join("t10k-labels-idx1-ubyte"), labels).unwrap();
        Digits::read(folder.path(), Split::Test)
    }

    #[test]
    fn reads_what_the_format_says() {
        let digits = read(&images(3), &labels(&[7, 2, 9])).unwrap();
        assert_eq!(digits.len(), 3);
        assert_eq!(digits.labels(), [7, 2, 9]);
        assert_eq!(digits.image(1).unwrap()[0], (784 % 251) as u8);
        assert_eq!(digits.label(2), Some(9));
        assert_eq!((digits.image(3), digits.label(3)), (None, None));
    }

    #[test]
    fn limits_and_splits() {
        let mut digits = read(&images(5), &labels(&[0, 1, 2, 3, 4])).unwrap();
        let all = digits.clone();
        digits.truncate(9);
        assert_eq!(digits, all);
        let held_out = digits.split_off(3);
        assert_eq!(held_out.iter().collect::<Vec<_>>(), all.iter().skip(3).collect::<Vec<_>>());
        digits.truncate(2);
        assert_eq!(digits.iter().collect::<Vec<_>>(), all.iter().take(2).collect::<Vec<_>>());
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        let good = (images(2), labels(&[1, 2]));
        let reason = |images: &[u8], labels: &[u8]| read(images, labels).unwrap_err().to_string();

        let swapped = reason(&good.1, &good.0);
        assert!(swapped.contains("begins with [00, 00, 08, 01], but images"), "{swapped}");
        let empty = reason(&[], &good.1);
        assert!(empty.contains("begins with [], but images"), "{empty}");
        let header = reason(&good.0[..10], &good.1);
        assert!(header.contains("truncated: its header promises 12 bytes and 6 follow it"), "{header}");
        let short = reason(&good.0[..good.0.len() - 1], &good.1);
        assert!(short.contains("truncated: its header promises 1568 bytes and 1567 follow"), "{short}");
        let long = reason(&[good.0.as_slice(), &[0]].concat(), &good.1);
        assert!(long.contains("goes on after the 1568 bytes"), "{long}");
        let wide = reason(&idx([0, 0, 8, 3], &[2, 28, 29], &[]), &good.1);
        assert!(wide.contains("declares the dimensions [2, 28, 29]; images have [count, 28, 28]"), "{wide}");
        let none = reason(&idx([0, 0, 8, 3], &[0, 28, 28], &[]), &good.1);
        assert!(none.contains("declares the dimensions [0, 28, 28]"), "{none}");
        let huge = reason(&idx([0, 0, 8, 3], &[u32::MAX, 28, 28], &[]), &good.1);
        assert!(huge.contains("declares the dimensions [4294967295, 28, 28]"), "{huge}");
        let fewer = reason(&good.0, &labels(&[1]));
        assert!(fewer.contains("holds 2 images, but"), "{fewer}");
        let eleven = reason(&good.0, &labels(&[1, 10]));
        assert!(eleven.contains("labels image 1 as 10, which is no digit"), "{eleven}");
        let missing = Digits::read("no/such/folder", Split::Train).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read no/such/folder/train-images-idx3-ubyte: "), "{missing}");
    }

    /// Expected values from torchvision 0.29: `Normalize((0.1307,), (0.3081,))(ToTensor()(image))`.
    #[test]
    fn normalizes_as_torchvision_does() {
        let expected = [(0, -0.424_212_96), (1, -0.411_484_72), (127, 1.192_272_7), (255, 2.821_486_7)];
        for (pixel, value) in expected {
            assert_eq!(normalize(pixel), value, "{pixel}");
            assert_eq!(normalization_table()[usize::from(pixel)], value);
        }
    }
}
