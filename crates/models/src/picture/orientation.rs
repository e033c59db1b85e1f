//! How the camera was held: the orientation in a picture's Exif data.

use std::io::Cursor;

use image::{ImageDecoder, ImageReader};

use super::{RgbImage, avif};
use crate::contain::contain;

/// What turns the stored picture upright, by the values of Exif's orientation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orientation {
    /// 1: it is upright.
    #[default]
    Upright,
    /// 2: mirrored left to right.
    Mirrored,
    /// 3: turned by 180 degrees.
    HalfTurn,
    /// 4: mirrored top to bottom.
    Flipped,
    /// 5: mirrored at the diagonal from the upper left.
    Transposed,
    /// 6: to be turned clockwise by 90 degrees.
    QuarterTurn,
    /// 7: mirrored at the diagonal from the upper right.
    Transversed,
    /// 8: to be turned anticlockwise by 90 degrees.
    ThreeQuarterTurn,
}

impl Orientation {
    /// The orientation that a picture file states; upright if it states none, or none that can be read.
    pub fn of(data: &[u8]) -> Self {
        if avif::is_avif(data) {
            return avif::orientation(data).unwrap_or_default();
        }
        let read = || {
            let reader = ImageReader::new(Cursor::new(data)).with_guessed_format().ok()?;
            reader.into_decoder().ok()?.orientation().ok()
        };
        match contain(read).ok().flatten().map(image::metadata::Orientation::to_exif) {
            Some(2) => Self::Mirrored,
            Some(3) => Self::HalfTurn,
            Some(4) => Self::Flipped,
            Some(5) => Self::Transposed,
            Some(6) => Self::QuarterTurn,
            Some(7) => Self::Transversed,
            Some(8) => Self::ThreeQuarterTurn,
            _ => Self::Upright,
        }
    }

    /// Whether width and height change places.
    pub fn swaps_sides(self) -> bool {
        matches!(self, Self::Transposed | Self::QuarterTurn | Self::Transversed | Self::ThreeQuarterTurn)
    }
}

impl RgbImage {
    /// The picture as it was meant, by [`Orientation::of`] its file; what Pillow's `ImageOps.exif_transpose` gives.
    pub fn upright(self, orientation: Orientation) -> Self {
        if orientation == Orientation::Upright {
            return self;
        }
        let (right, bottom) = (self.width - 1, self.height - 1);
        let (width, height) =
            if orientation.swaps_sides() { (self.height, self.width) } else { (self.width, self.height) };
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..height {
            pixels.extend((0..width).map(|x| {
                let (x, y) = match orientation {
                    Orientation::Upright => (x, y),
                    Orientation::Mirrored => (right - x, y),
                    Orientation::HalfTurn => (right - x, bottom - y),
                    Orientation::Flipped => (x, bottom - y),
                    Orientation::Transposed => (y, x),
                    Orientation::QuarterTurn => (y, bottom - x),
                    Orientation::Transversed => (right - y, bottom - x),
                    Orientation::ThreeQuarterTurn => (right - y, x),
                };
                self.pixels[y * self.width + x]
            }));
        }
        Self { width, height, pixels }
    }
}
