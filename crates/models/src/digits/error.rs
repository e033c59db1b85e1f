//! Why a data set cannot be used.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::Classes;

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
    /// The images are not as large as those of MNIST.
    #[error(
        "{} holds images of {height} x {width} pixels, and the network takes 28 x 28: scale them, for instance with Pillow's \
         `Image.resize`, and write the file anew",
        path.display()
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// The height of its images, in pixels.
        height: u32,
        /// Their width.
        width: u32,
    },
    /// The names of the classes are not those of the data set.
    #[error("{} does not name the classes {classes}: {reason}", path.display())]
    Names {
        /// The file.
        path: PathBuf,
        /// The classes.
        classes: Classes,
        /// What is wrong with it.
        reason: String,
    },
    /// The dimensions in the header are none, or absurd.
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
    /// A label is not among the classes.
    #[error("{} labels image {index} as {label}, and the classes are {classes}", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// Which label, from zero.
        index: usize,
        /// Its value.
        label: u8,
        /// The classes that there are.
        classes: Classes,
    },
    /// A folder holds the files of several data sets, under several names.
    #[error("{} holds several data sets: name one, as {}", folder.display(), Choices(folder, names))]
    Several {
        /// The folder.
        folder: PathBuf,
        /// What the names of their files begin with.
        names: Vec<String>,
    },
}

/// Paths that name one data set each.
struct Choices<'a>(&'a Path, &'a [String]);

impl fmt::Display for Choices<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.1.iter().enumerate() {
            let separator = if index == 0 { "" } else { " or " };
            write!(f, "{separator}{}", self.0.join(name).display())?;
        }
        Ok(())
    }
}
