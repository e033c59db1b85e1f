//! The first frame of a GIF on its canvas, as Pillow shows it.

use gif::{ColorOutput, DecodeOptions, DecodingError};

use super::{ImageError, RgbImage, budget};

/// Bytes at the peak for each pixel: its number in the palette, and the result.
const PER_PIXEL: u64 = 1 + 3;

/// The canvas grows with a frame that reaches past it. What the frame leaves uncovered has the transparent colour if there is
/// one, else the first. Numbers beyond the palette are black; where the palette is none but a ramp, shades of grey.
pub(super) fn decode(data: &[u8]) -> Result<RgbImage, ImageError> {
    let damaged = |error: DecodingError| ImageError::Damaged { format: "GIF", reason: error.to_string() };
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    let mut decoder = options.read_info(data).map_err(damaged)?;
    let screen = [decoder.width(), decoder.height()].map(usize::from);
    let Some(frame) = decoder.next_frame_info().map_err(damaged)? else {
        return Err(ImageError::Damaged { format: "GIF", reason: "it holds no picture".to_owned() });
    };
    let [left, top, frame_width, frame_height] = [frame.left, frame.top, frame.width, frame.height].map(usize::from);
    let transparent = frame.transparent;
    let (width, height) = (screen[0].max(left + frame_width), screen[1].max(top + frame_height));
    budget::check(width as u64, height as u64, PER_PIXEL)?;

    let palette = decoder.palette().unwrap_or_default().to_vec();
    let (colours, _) = palette.as_chunks::<3>();
    let ramp = (0..=u8::MAX).zip(colours).all(|(number, colour)| *colour == [number; 3]);
    let colour = |number: u8| match colours.get(usize::from(number)) {
        Some(colour) => *colour,
        None => [if ramp { number } else { 0 }; 3],
    };
    let mut pixels = vec![colour(transparent.unwrap_or(0)); width * height];
    let mut numbers = vec![0; frame_width * frame_height];
    decoder.read_into_buffer(&mut numbers).map_err(damaged)?;
    if !numbers.is_empty() {
        let rows = pixels.chunks_exact_mut(width).skip(top);
        for (row, numbers) in rows.zip(numbers.chunks_exact(frame_width)) {
            for (pixel, number) in row[left..].iter_mut().zip(numbers) {
                *pixel = colour(*number);
            }
        }
    }
    RgbImage::new("GIF", width, height, pixels)
}
