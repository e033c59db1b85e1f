//! From a picture to what a classifier takes.

use super::bicubic::central_square;
use super::resample::resize_then_crop;
use crate::picture::{ImageError, RgbImage, decode_file};

/// What is done to a picture before a classifier sees it: a square of it at the network's size, and numbers of its bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preprocessing {
    /// How the square comes about.
    pub crop: Crop,
    /// The height and width that the network takes, in pixels.
    pub size: usize,
    /// What a byte is divided by before mean and deviation: 255 where these are of pixels in 0 to 1, else 1.
    pub scale: f32,
    /// The mean of each channel: red, green, blue.
    pub mean: [f32; 3],
    /// The standard deviation of each channel.
    pub standard_deviation: [f32; 3],
}

/// How a square of the network's size comes out of a picture of any size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crop {
    /// torchvision's `Resize(shorter)` and `CenterCrop(size)`: Pillow's antialiased bilinear filter, rounded to bytes.
    ResizeThenCrop {
        /// The length of the shorter side after resizing, in pixels; not below the network's size.
        shorter: usize,
    },
    /// TensorFlow's evaluation of EfficientNets: the central `size / (size + padding)` of the shorter side, then its bicubic
    /// filter without antialiasing, not rounded.
    CentralSquare {
        /// Pixels that the network's size leaves out of the picture's.
        padding: usize,
    },
}

impl Preprocessing {
    /// What torchvision does before its pretrained classifiers: the shorter side to 256 pixels, the middle 224x224.
    pub const TORCHVISION: Self = Self {
        crop: Crop::ResizeThenCrop { shorter: super::RESIZE },
        size: super::CROP,
        scale: 255.0,
        mean: super::MEAN,
        standard_deviation: super::STANDARD_DEVIATION,
    };

    /// A picture as planes `[3, size, size]`: `(byte / scale - mean) / standard_deviation`.
    pub fn apply(&self, picture: &RgbImage) -> Vec<f32> {
        match self.crop {
            Crop::ResizeThenCrop { shorter } => self.normalize(&resize_then_crop(picture, shorter, self.size)),
            Crop::CentralSquare { padding } => {
                let pixels = central_square(picture, self.size, padding);
                self.planes(&pixels, |value, channel| self.number(value, channel))
            }
        }
    }

    /// A picture file as planes `[3, size, size]`.
    ///
    /// # Errors
    /// When the file cannot be read, is no picture, or is too large.
    pub fn apply_to_file(&self, path: &std::path::Path) -> Result<Vec<f32>, ImageError> {
        Ok(self.apply(&decode_file(path)?))
    }

    /// Interleaved RGB bytes to planes `[3, height, width]`.
    pub fn normalize(&self, pixels: &[[u8; 3]]) -> Vec<f32> {
        // 256 divisions instead of one for each pixel, with the same roundings.
        let tables: [Vec<f32>; 3] =
            std::array::from_fn(|channel| (0..=u8::MAX).map(|byte| self.number(f32::from(byte), channel)).collect());
        self.planes(pixels, |byte, channel| tables[channel][usize::from(byte)])
    }

    fn number(&self, value: f32, channel: usize) -> f32 {
        (value / self.scale - self.mean[channel]) / self.standard_deviation[channel]
    }

    fn planes<T: Copy>(&self, pixels: &[[T; 3]], number: impl Fn(T, usize) -> f32) -> Vec<f32> {
        (0..3)
            .flat_map(|channel| pixels.iter().map(move |pixel| (pixel[channel], channel)))
            .map(|(v, c)| number(v, c))
            .collect()
    }
}
