//! JPEG by a decoder that repeats libjpeg-turbo's arithmetic, which is Pillow's: others round otherwise and are off by up to 3.

mod planes;
mod upsample;

use libjpeg_turbo_rs::{Decoder, FrameHeader, JpegError, PixelFormat};

use super::{ImageError, RgbImage, budget};

/// Decodes to RGB. Files of four inks, and those whose first component is not the largest, are put together here from their
/// components, because the decoder does it only for what is usual.
pub(super) fn decode(data: &[u8]) -> Result<RgbImage, ImageError> {
    let mut decoder = Decoder::new(data).map_err(damaged)?;
    let header = decoder.header();
    let (width, height) = (header.width(), header.height());
    budget::check(width as u64, height as u64, per_pixel(header))?;
    require_end(data)?;
    if !is_usual(header) {
        return planes::decode(decoder);
    }
    decoder.set_output_format(PixelFormat::Rgb);
    let mut pixels = vec![[0; 3]; width * height];
    decoder.decode_image_into(pixels.as_flattened_mut()).map_err(damaged)?;
    RgbImage::new("JPEG", width, height, pixels)
}

fn damaged(error: JpegError) -> ImageError {
    ImageError::Damaged { format: "JPEG", reason: error.to_string() }
}

/// Bytes at the peak for each pixel: the result, the components as they are and at full size, and, for a progressive file,
/// the coefficients, two bytes each.
fn per_pixel(header: &FrameHeader) -> u64 {
    let components = header.components.len() as u64;
    let coefficients = if header.is_progressive { 2 * components } else { 0 };
    3 + 2 * components + coefficients
}

/// One component, or three of which the first is the largest and the others are alike.
fn is_usual(header: &FrameHeader) -> bool {
    let sampling = |index: usize| {
        header.components.get(index).map(|component| (component.horizontal_sampling, component.vertical_sampling))
    };
    match (header.components.len(), sampling(0), sampling(1), sampling(2)) {
        (1, ..) => true,
        (3, Some(first), Some(second), Some(third)) => second == third && first.0 >= second.0 && first.1 >= second.1,
        _ => false,
    }
}

/// Refuses a file that is cut off: the decoder fills up what is missing of some kinds. The marker of the end cannot occur in
/// the coded data; that of a thumbnail lies before them.
fn require_end(data: &[u8]) -> Result<(), ImageError> {
    const MARKER: u8 = 0xff;
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let mut rest = data.get(2..).unwrap_or_default();
    // Segments are a marker, a length that counts itself, and as many bytes.
    let scan = loop {
        match rest {
            [MARKER, MARKER, ..] => rest = &rest[1..],
            [MARKER, SCAN, ..] => break rest,
            [MARKER, _, high, low, ..] => {
                rest = rest.get(2 + usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
            }
            [_, tail @ ..] => rest = tail,
            [] => break rest,
        }
    };
    if scan.windows(2).any(|pair| pair == [MARKER, END]) {
        return Ok(());
    }
    Err(ImageError::Damaged { format: "JPEG", reason: "it is cut off before its end".to_owned() })
}
