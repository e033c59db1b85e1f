//! Why a file gives no picture.

use std::path::PathBuf;

use super::{MAX_FILE, MAX_MEMORY, MAX_PIXELS};

/// Why a file gave no picture.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file is larger than any picture in use.
    #[error("{bytes} bytes are more than a picture file may have ({MAX_FILE})")]
    FileTooLarge {
        /// Its size.
        bytes: u64,
    },
    /// The content is in no picture format that is known here.
    #[error("not a picture in AVIF, BMP, GIF, JPEG, PNG, TIFF or WebP format")]
    NotAnImage,
    /// The file is a pointer that Git Large File Storage left in place of the picture.
    #[error("{}", artifact::lfs::REASON)]
    GitLfsPointer,
    /// The picture has more pixels than are decoded.
    #[error("a picture of {width}x{height} pixels exceeds the limit of {MAX_PIXELS} pixels; scale it down")]
    TooManyPixels {
        /// Pixels in a row.
        width: u64,
        /// Rows.
        height: u64,
    },
    /// The picture would take more memory than it may.
    #[error(
        "decoding a picture of {width}x{height} pixels of this kind takes {bytes} bytes, more than the {MAX_MEMORY} that it \
         may; scale it down"
    )]
    TooMuchMemory {
        /// Pixels in a row.
        width: u64,
        /// Rows.
        height: u64,
        /// What decoder and result hold together.
        bytes: u64,
    },
    /// The picture is damaged, or of a kind that the decoder does not know.
    #[error("the {format} data cannot be decoded: {reason}")]
    Damaged {
        /// The picture's format.
        format: &'static str,
        /// The decoder's reason.
        reason: String,
    },
    /// An error in a named file.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ImageError>,
    },
}
