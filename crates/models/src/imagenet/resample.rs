//! Pillow's antialiased bilinear resampling, and the crop that follows it in torchvision.
//!
//! Pillow resamples in two passes, columns first, and rounds to bytes after each. A pixel is a weighted sum over a window
//! of the source, with a triangle as the weight function, widened by the scale when the picture shrinks. The weights are
//! fixed-point numbers with 22 fractional bits. Repeating exactly that arithmetic gives exactly Pillow's pixels.

use std::ops::Range;

use crate::picture::RgbImage;

/// The length of the picture's shorter side after resizing, in pixels.
pub const RESIZE: usize = 256;

/// The height and width of the crop from its centre, in pixels.
pub const CROP: usize = 224;

/// Fractional bits of a weight: 32, less 8 for a byte and 2 for the sum's headroom.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// `Resize(256)` and `CenterCrop(224)`: 224x224 pixels in rows.
///
/// Only the pixels inside the crop are computed, so a picture of 1x20000 costs no more than any other.
pub fn resize_and_crop(image: &RgbImage) -> Vec<[u8; 3]> {
    resize_then_crop(image, RESIZE, CROP)
}

/// `Resize(shorter)` and `CenterCrop(size)`: `size * size` pixels in rows. A `shorter` below `size` counts as `size`.
pub(super) fn resize_then_crop(image: &RgbImage, shorter: usize, size: usize) -> Vec<[u8; 3]> {
    let (width, height) = resized(image.width, image.height, shorter.max(size));
    let columns = windows(image.width, width, centred(width, size));
    let rows = windows(image.height, height, centred(height, size));
    // The source rows that any row of the crop reads.
    let first = rows.first().map_or(0, |window| window.start);
    let last = rows.last().map_or(0, Window::end);
    let narrowed: Vec<[u8; 3]> = image
        .pixels
        .chunks_exact(image.width)
        .take(last)
        .skip(first)
        .flat_map(|row| columns.iter().map(|window| window.sum(row, 0, 1)))
        .collect();
    rows.iter()
        .flat_map(|window| {
            let narrowed = &narrowed;
            (0..size).map(move |x| window.sum(&narrowed[x..], first, size))
        })
        .collect()
}

/// The size that brings the shorter side to `shorter`; the longer one is cut to a whole pixel, as torchvision does.
fn resized(width: usize, height: usize, shorter: usize) -> (usize, usize) {
    let longer = |long: usize, short: usize| ((shorter * long) as f64 / short as f64) as usize;
    if width <= height { (shorter, longer(height, width)) } else { (longer(width, height), shorter) }
}

/// The middle `size` pixels of `length`. Python's `round` decides: a half goes to the even number.
fn centred(length: usize, size: usize) -> Range<usize> {
    let start = ((length - size) as f64 / 2.0).round_ties_even() as usize;
    start..start + size
}

/// The source pixels that make one output pixel, and their weights.
struct Window {
    start: usize,
    weights: Vec<i32>,
}

impl Window {
    fn end(&self) -> usize {
        self.start + self.weights.len()
    }

    /// The weighted sum of pixels `stride` apart, of which the first in `pixels` has the source index `origin`.
    fn sum(&self, pixels: &[[u8; 3]], origin: usize, stride: usize) -> [u8; 3] {
        let mut sums = [1 << (PRECISION_BITS - 1); 3];
        let from = (self.start - origin) * stride;
        let source = pixels[from..].iter().step_by(stride);
        for (pixel, weight) in source.zip(&self.weights) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += i32::from(*value) * weight;
            }
        }
        sums.map(|sum| (sum >> PRECISION_BITS).clamp(0, 255) as u8)
    }
}

/// The windows of the output pixels in `range` when `input` pixels become `output`.
fn windows(input: usize, output: usize, range: Range<usize>) -> Vec<Window> {
    let scale = input as f64 / output as f64;
    let support = scale.max(1.0);
    let inverse = 1.0 / support;
    range
        .map(|position| {
            let centre = (position as f64 + 0.5) * scale;
            // A negative bound becomes zero in the conversion.
            let start = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(input);
            let weights: Vec<f64> =
                (start..end).map(|source| triangle((source as f64 - centre + 0.5) * inverse)).collect();
            let total: f64 = weights.iter().sum();
            let fixed = |weight: &f64| {
                let weight = weight / total * f64::from(1 << PRECISION_BITS);
                (weight + 0.5) as i32
            };
            Window { start, weights: weights.iter().map(fixed).collect() }
        })
        .collect()
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}
