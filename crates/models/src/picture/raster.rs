//! Pictures in BMP, PNG, TIFF and WebP format, with Pillow's meaning of their samples.

use std::io::Cursor;

use image::codecs::webp::WebPDecoder;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgba};

use super::budget::{self, MAX_MEMORY};
use super::{ImageError, RgbImage};

pub(super) fn decode(name: &'static str, format: ImageFormat, data: &[u8]) -> Result<RgbImage, ImageError> {
    let damaged = |error: image::ImageError| ImageError::Damaged { format: name, reason: error.to_string() };
    if format == ImageFormat::WebP {
        let unblended = first_frame_unblended(data);
        let data = unblended.as_deref().unwrap_or(data);
        return read(name, WebPDecoder::new(Cursor::new(data)).map_err(damaged)?, Grey::Upper);
    }
    let mut reader = ImageReader::with_format(Cursor::new(data), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let grey = if format == ImageFormat::Png && !is_plain_grey(data) { Grey::Upper } else { Grey::Clipped };
    let mut picture = read(name, reader.into_decoder().map_err(damaged)?, grey)?;
    if format == ImageFormat::Bmp {
        truncate_short_channels(&mut picture, data);
    }
    Ok(picture)
}

/// An animated WebP whose first frame replaces what is below it, which is nothing: libwebp draws it so, whatever the file says,
/// and blending as the decoder does it darkens opaque pixels by one level. `None` if the file is not animated.
fn first_frame_unblended(data: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const FLAGS: usize = 15;
    const DO_NOT_BLEND: u8 = 2;
    let mut start = HEADER;
    loop {
        let (kind, rest) = data.get(start..)?.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*rest.first_chunk()?) as usize;
        start += 8;
        if kind == b"ANMF" {
            let mut changed = data.to_vec();
            *changed.get_mut(start + FLAGS)? |= DO_NOT_BLEND;
            return Some(changed);
        }
        start = start.checked_add(length.next_multiple_of(2))?;
    }
}

/// What becomes of 16-bit grey. Pillow keeps it as numbers, and its conversion to RGB cuts them off at 255. With an alpha
/// channel it reads the upper byte, as for 16-bit colour.
#[derive(Clone, Copy)]
enum Grey {
    Clipped,
    Upper,
}

/// Whether a PNG's header says grey without an alpha channel; a single transparent shade changes nothing.
fn is_plain_grey(data: &[u8]) -> bool {
    const COLOUR_TYPE: usize = 25;
    data.get(COLOUR_TYPE) == Some(&0)
}

fn read(name: &'static str, decoder: impl ImageDecoder, grey: Grey) -> Result<RgbImage, ImageError> {
    let damaged = |error: image::ImageError| ImageError::Damaged { format: name, reason: error.to_string() };
    let (width, height) = decoder.dimensions();
    let stored = decoder.color_type();
    let result = size_of::<[u8; 3]>() as u64;
    let beside = if stored == ColorType::Rgb8 { 0 } else { u64::from(stored.bytes_per_pixel()) };
    budget::check(u64::from(width), u64::from(height), result + beside)?;
    let (width, height) = (width as usize, height as usize);
    if stored == ColorType::Rgb8 {
        let mut pixels = vec![[0; 3]; width * height];
        decoder.read_image(pixels.as_flattened_mut()).map_err(damaged)?;
        return RgbImage::new(name, width, height, pixels);
    }
    let grey = |value: u16| match grey {
        Grey::Clipped => [value.min(255) as u8; 3],
        Grey::Upper => [upper(value); 3],
    };
    let pixels = match DynamicImage::from_decoder(decoder).map_err(damaged)? {
        DynamicImage::ImageLuma8(picture) => picture.pixels().map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageLumaA8(picture) => picture.pixels().map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageRgba8(picture) => picture.pixels().map(|p| [p.0[0], p.0[1], p.0[2]]).collect(),
        DynamicImage::ImageLuma16(picture) => picture.pixels().map(|p| grey(p.0[0])).collect(),
        DynamicImage::ImageLumaA16(picture) => picture.pixels().map(|p| grey(p.0[0])).collect(),
        DynamicImage::ImageRgb16(picture) => picture.pixels().map(|p| p.0.map(upper)).collect(),
        DynamicImage::ImageRgba16(picture) => {
            let rgb = |p: &Rgba<u16>| [upper(p.0[0]), upper(p.0[1]), upper(p.0[2])];
            picture.pixels().map(rgb).collect()
        }
        other => other.into_rgb8().pixels().map(|p| p.0).collect(),
    };
    RgbImage::new(name, width, height, pixels)
}

fn upper(value: u16) -> u8 {
    (value >> 8) as u8
}

/// Pixels of 16 bits have channels of five or six. The decoder rounds them to bytes, and Pillow cuts them off.
fn truncate_short_channels(picture: &mut RgbImage, data: &[u8]) {
    let Some(bits) = short_channels(data) else { return };
    let tables = bits.map(|bits| {
        let largest = (1_u32 << bits) - 1;
        let truncated = |byte: u32| ((byte * largest + 127) / 255 * 255 / largest) as u8;
        (0..=255).map(truncated).collect::<Vec<_>>()
    });
    for pixel in &mut picture.pixels {
        for (value, table) in pixel.iter_mut().zip(&tables) {
            *value = table[usize::from(*value)];
        }
    }
}

/// The bits of red, green and blue in a BMP of 16 bits a pixel.
fn short_channels(data: &[u8]) -> Option<[u32; 3]> {
    const BITS: usize = 28;
    const COMPRESSION: usize = 30;
    const MASKS: usize = 54;
    let number = |at: usize| data.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let is_short = data.get(BITS..)?.first_chunk() == Some(&16_u16.to_le_bytes());
    if !is_short {
        return None;
    }
    match number(COMPRESSION)? {
        0 => Some([5; 3]),
        3 => match [number(MASKS)?, number(MASKS + 4)?, number(MASKS + 8)?] {
            [0xf800, 0x07e0, 0x001f] => Some([5, 6, 5]),
            [0x7c00, 0x03e0, 0x001f] => Some([5; 3]),
            _ => None,
        },
        _ => None,
    }
}
