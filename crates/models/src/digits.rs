//! The MNIST digits, and any data set in the same format (Fashion-MNIST, KMNIST, EMNIST): reading of the IDX files, and the
//! normalisation that the network expects.
//!
//! The IDX format (LeCun, Cortes and Burges, "The MNIST database of handwritten digits"): two zero bytes, the element type
//! (8 for unsigned bytes), the number of dimensions, each dimension as a big-endian 32-bit number, then the elements.

mod classes;
mod error;
mod files;
mod idx;
mod names;

use std::path::{Path, PathBuf};

use artifact::Digest;

pub use classes::Classes;
pub use error::DigitsError;
use files::{Files, PACKED};
use idx::{IMAGES, IdxFile, LABELS};

/// The mean of the training pixels on a scale from 0 to 1, as PyTorch's example rounds it.
pub const MEAN: f32 = 0.1307;

/// The standard deviation of the training pixels on a scale from 0 to 1, as PyTorch's example rounds it.
pub const STANDARD_DEVIATION: f32 = 0.3081;

/// The pixels of one image.
pub const PIXELS: usize = IMAGE_SIZE * IMAGE_SIZE;

/// The height and width of an image, in pixels.
pub const IMAGE_SIZE: usize = 28;

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

    /// What the files of the part are called in one data set or another.
    fn stems(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["train"],
            Self::Test => &["t10k", "test"],
        }
    }
}

/// One part of a data set as its files have it.
#[derive(Debug)]
pub struct Part {
    images: IdxFile,
    labels: IdxFile,
    names: [PathBuf; 2],
}

impl Part {
    /// Reads the two files of a part. `data` is the folder that they lie in, plain or with the ending `.gz`; where it holds
    /// several data sets, as that of EMNIST does, `data` goes on with what the names of one begin with: `gzip/emnist-letters`.
    ///
    /// # Errors
    /// When a file is missing or is not exactly what its header promises.
    pub fn read(data: impl AsRef<Path>, split: Split) -> Result<Self, DigitsError> {
        let Files { images, labels, names } = Files::find(data.as_ref(), split)?;
        let (images, labels) = (IdxFile::read(&images, &IMAGES)?, IdxFile::read(&labels, &LABELS)?);
        let count = images.elements.len() / PIXELS;
        if count != labels.elements.len() {
            let (images_path, labels_path) = (images.path, labels.path);
            return Err(DigitsError::Count { images_path, labels_path, images: count, labels: labels.elements.len() });
        }
        Ok(Self { images, labels, names })
    }

    /// The name of each file, without the ending of a packed one, and the SHA-256 of what it holds, unpacked.
    pub fn hashes(&self) -> [(String, Digest); 2] {
        [&self.images, &self.labels].map(|file| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            (name.strip_suffix(PACKED).unwrap_or(&name).to_owned(), file.sha256())
        })
    }

    /// The classes that its labels tell of.
    pub fn classes(&self) -> Classes {
        Classes::of(&self.labels.elements)
    }

    /// The classes of a network that tells so many apart: from 1 where the last label is their number, else from 0.
    pub fn classes_of(&self, count: usize) -> Classes {
        let last = self.labels.elements.iter().max().map(|label| usize::from(*label));
        Classes { first: u8::from(last == Some(count)), count }
    }

    /// What the classes are called: by `labels.txt` beside the files, with a name in each line, or by EMNIST's `mapping.txt`, where the
    /// names of both begin as those of the data set do; else by their labels.
    ///
    /// # Errors
    /// When such a file does not name each of the classes.
    pub fn names(&self, classes: Classes) -> Result<Vec<String>, DigitsError> {
        let [list, mapping] = &self.names;
        match (list.is_file(), mapping.is_file()) {
            (true, _) => names::listed(list, classes),
            (false, true) => names::mapped(mapping, classes),
            (false, false) => Ok(classes.labels().map(|label| label.to_string()).collect()),
        }
    }
}

impl Digits {
    /// Reads one part of MNIST, as [`Part::read`] does.
    ///
    /// # Errors
    /// When a file is missing or is not exactly what its header and the data set promise.
    pub fn read(data: impl AsRef<Path>, split: Split) -> Result<Self, DigitsError> {
        Self::of(Part::read(data, split)?, Classes::DIGITS)
    }

    /// The images of a part, and their labels as indices of `classes`.
    ///
    /// # Errors
    /// When a label is none of them.
    pub fn of(part: Part, classes: Classes) -> Result<Self, DigitsError> {
        let Part { images, labels, .. } = part;
        let mut indices = labels.elements;
        for (index, label) in indices.iter_mut().enumerate() {
            match classes.index(*label) {
                Some(class) => *label = class,
                None => return Err(DigitsError::Label { path: labels.path, index, label: *label, classes }),
            }
        }
        Ok(Self { images: images.elements, labels: indices })
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

    /// What an image shows: a class, from zero.
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
