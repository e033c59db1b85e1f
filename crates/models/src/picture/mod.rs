//! Picture files to RGB, with the meaning of Pillow's `Image.open(path).convert("RGB")`.
//!
//! Formats are AVIF, BMP, GIF, JPEG, PNG, TIFF and WebP; of an animation, the first frame. A picture's size is checked before it is
//! decoded, and a decoder that panics costs an error.

mod avif;
mod budget;
mod error;
mod gif;
mod jpeg;
mod orientation;
mod raster;

use std::path::Path;

use image::ImageFormat;

use crate::contain::contain;
use artifact::lfs;

use budget::MAX_FILE;
pub use budget::{MAX_MEMORY, MAX_PIXELS};
pub use error::ImageError;
pub use orientation::Orientation;

/// A picture in memory, three bytes a pixel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels in a row; at least 1.
    pub width: usize,
    /// Rows; at least 1.
    pub height: usize,
    /// `width * height` pixels: red, green, blue.
    pub pixels: Vec<[u8; 3]>,
}

/// Reads and decodes a picture file. The camera's orientation is not applied, as torchvision's loaders leave it.
///
/// # Errors
/// As [`decode`], naming the file; and when it cannot be read.
pub fn decode_file(path: &Path) -> Result<RgbImage, ImageError> {
    in_file(path, decode(&read(path)?))
}

/// Reads and decodes a picture file, and turns it by its Exif orientation, which is given as well.
///
/// # Errors
/// As [`decode_file`].
pub fn decode_file_upright(path: &Path) -> Result<(RgbImage, Orientation), ImageError> {
    let data = read(path)?;
    let orientation = Orientation::of(&data);
    Ok((in_file(path, decode(&data))?.upright(orientation), orientation))
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    if bytes > MAX_FILE {
        return in_file(path, Err(ImageError::FileTooLarge { bytes }));
    }
    std::fs::read(path).map_err(io)
}

fn in_file<T>(path: &Path, result: Result<T, ImageError>) -> Result<T, ImageError> {
    result.map_err(|source| ImageError::InFile { path: path.to_owned(), source: Box::new(source) })
}

/// Decodes a picture to RGB: transparency is dropped, a palette looked up, grey repeated. The camera's orientation is
/// not applied, nor are colour profiles.
///
/// # Errors
/// When the data is no picture, damaged, or larger than [`MAX_PIXELS`] or [`MAX_MEMORY`], which is checked before decoding.
pub fn decode(data: &[u8]) -> Result<RgbImage, ImageError> {
    if avif::is_avif(data) {
        return contained("AVIF", || avif::decode(data));
    }
    let (name, format) = match image::guess_format(data) {
        Ok(format @ ImageFormat::Bmp) => ("BMP", format),
        Ok(format @ ImageFormat::Gif) => ("GIF", format),
        Ok(format @ ImageFormat::Jpeg) => ("JPEG", format),
        Ok(format @ ImageFormat::Png) => ("PNG", format),
        Ok(format @ ImageFormat::Tiff) => ("TIFF", format),
        Ok(format @ ImageFormat::WebP) => ("WebP", format),
        _ if lfs::is_pointer(data, data.len() as u64) => return Err(ImageError::GitLfsPointer),
        _ => return Err(ImageError::NotAnImage),
    };
    contained(name, || match format {
        ImageFormat::Gif => gif::decode(data),
        ImageFormat::Jpeg => jpeg::decode(data),
        _ => raster::decode(name, format, data),
    })
}

fn contained(
    format: &'static str,
    decode: impl FnOnce() -> Result<RgbImage, ImageError>,
) -> Result<RgbImage, ImageError> {
    contain(decode).unwrap_or_else(|reason| Err(ImageError::Damaged { format, reason }))
}

impl RgbImage {
    fn new(format: &'static str, width: usize, height: usize, pixels: Vec<[u8; 3]>) -> Result<Self, ImageError> {
        if width == 0 || height == 0 || pixels.len() != width * height {
            return Err(ImageError::Damaged {
                format,
                reason: format!("{} pixels for {width}x{height}", pixels.len()),
            });
        }
        Ok(Self { width, height, pixels })
    }
}
