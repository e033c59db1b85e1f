//! Picture files to RGB, with the meaning of Pillow's `Image.open(path).convert("RGB")`.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader};
use libjpeg_turbo_rs::{ColorSpace, Decoder, JpegError, PixelFormat};

/// The largest picture that is decoded, in pixels: the number above which Pillow suspects a decompression bomb.
pub const MAX_PIXELS: u64 = 2 * 89_478_485;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 30;

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
    #[error("not a picture in BMP, GIF, JPEG, PNG or WebP format")]
    NotAnImage,
    /// The picture has more pixels than are decoded.
    #[error("a picture of {width}x{height} pixels exceeds the limit of {MAX_PIXELS} pixels; scale it down")]
    TooManyPixels {
        /// Pixels in a row.
        width: u64,
        /// Rows.
        height: u64,
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

/// Reads and decodes a picture file.
///
/// # Errors
/// As [`decode`], naming the file; and when it cannot be read.
pub fn decode_file(path: &Path) -> Result<RgbImage, ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    let in_file = |source| ImageError::InFile { path: path.to_owned(), source: Box::new(source) };
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    if bytes > MAX_FILE {
        return Err(in_file(ImageError::FileTooLarge { bytes }));
    }
    let data = std::fs::read(path).map_err(io)?;
    decode(&data).map_err(in_file)
}

/// Decodes a picture to RGB: transparency is dropped, a palette looked up, grey repeated. The camera's orientation is
/// not applied, nor are colour profiles.
///
/// # Errors
/// When the data is no picture, damaged, or larger than [`MAX_PIXELS`], which is checked before decoding.
pub fn decode(data: &[u8]) -> Result<RgbImage, ImageError> {
    let reader = ImageReader::new(Cursor::new(data));
    // Reading from memory does not fail; a short file only leaves the format unknown.
    let reader = reader.with_guessed_format().map_err(|_| ImageError::NotAnImage)?;
    let format = reader.format().ok_or(ImageError::NotAnImage)?;
    match format {
        ImageFormat::Jpeg => decode_jpeg(data),
        ImageFormat::Bmp => decode_with("BMP", reader),
        ImageFormat::Gif => decode_with("GIF", reader),
        ImageFormat::Png => decode_with("PNG", reader),
        ImageFormat::WebP => decode_with("WebP", reader),
        _ => Err(ImageError::NotAnImage),
    }
}

fn check_size(width: u64, height: u64) -> Result<(), ImageError> {
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(ImageError::TooManyPixels { width, height });
    }
    Ok(())
}

fn decode_with(format: &'static str, reader: ImageReader<Cursor<&[u8]>>) -> Result<RgbImage, ImageError> {
    let damaged = |error: image::ImageError| ImageError::Damaged { format, reason: error.to_string() };
    let mut reader = reader;
    // The number of pixels is the bound; the default one on memory would refuse large 16-bit pictures.
    reader.no_limits();
    let decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(u64::from(width), u64::from(height))?;
    let stored = decoder.original_color_type();
    let picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let pixels = match picture {
        DynamicImage::ImageLuma8(picture) => picture.pixels().map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageLumaA8(picture) => picture.pixels().map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageRgb8(picture) => picture.pixels().map(|p| p.0).collect(),
        DynamicImage::ImageRgba8(picture) => {
            let rgb = |p: &image::Rgba<u8>| [p.0[0], p.0[1], p.0[2]];
            picture.pixels().map(rgb).collect()
        }
        // Pillow keeps 16-bit grey as numbers, and its conversion to RGB cuts them off at 255. With an alpha channel it
        // reads the upper byte, as for 16-bit colour.
        DynamicImage::ImageLuma16(picture) => {
            let clipped = |p: &image::Luma<u16>| [p.0[0].min(255) as u8; 3];
            picture.pixels().map(clipped).collect()
        }
        DynamicImage::ImageLumaA16(picture) => {
            let grey = |p: &image::LumaA<u16>| match stored {
                ExtendedColorType::L16 => [p.0[0].min(255) as u8; 3],
                _ => [upper(p.0[0]); 3],
            };
            picture.pixels().map(grey).collect()
        }
        DynamicImage::ImageRgb16(picture) => picture.pixels().map(|p| p.0.map(upper)).collect(),
        DynamicImage::ImageRgba16(picture) => {
            let rgb = |p: &image::Rgba<u16>| [upper(p.0[0]), upper(p.0[1]), upper(p.0[2])];
            picture.pixels().map(rgb).collect()
        }
        other => other.into_rgb8().pixels().map(|p| p.0).collect(),
    };
    RgbImage::new(format, width as usize, height as usize, pixels)
}

fn upper(value: u16) -> u8 {
    (value >> 8) as u8
}

/// By a decoder that repeats libjpeg-turbo's arithmetic, which is Pillow's: others round otherwise and are off by up to 3.
fn decode_jpeg(data: &[u8]) -> Result<RgbImage, ImageError> {
    let damaged = |error: JpegError| ImageError::Damaged { format: "JPEG", reason: error.to_string() };
    let mut decoder = Decoder::new(data).map_err(damaged)?;
    let (width, height) = (decoder.header().width(), decoder.header().height());
    check_size(width as u64, height as u64)?;
    let four_inks = matches!(decoder.jpeg_color_space(), ColorSpace::Cmyk | ColorSpace::Ycck);
    // The decoder's own way from four inks to RGB rounds otherwise than Pillow's.
    decoder.set_output_format(if four_inks { PixelFormat::Cmyk } else { PixelFormat::Rgb });
    let bytes = decoder.decode_image().map_err(damaged)?.into_vec();
    let pixels = match four_inks {
        true => bytes.as_chunks().0.iter().map(inks_to_rgb).collect(),
        false => bytes.as_chunks().0.to_vec(),
    };
    RgbImage::new("JPEG", width, height, pixels)
}

/// Four inks as JPEG files hold them, inverted (255 is no ink), by Pillow's formula.
fn inks_to_rgb(&[cyan, magenta, yellow, black]: &[u8; 4]) -> [u8; 3] {
    let light = i32::from(black);
    [cyan, magenta, yellow].map(|ink| {
        let product = (255 - i32::from(ink)) * light + 128;
        (light - (((product >> 8) + product) >> 8)) as u8
    })
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
