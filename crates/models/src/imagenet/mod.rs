//! Pictures in, ImageNet labels out: what is done before and after pretrained classifiers.
//!
//! [`Preprocessing`] is a classifier's own way from a picture, as [`decode`] gives it, to numbers;
//! [`Preprocessing::TORCHVISION`] that of torchvision's. [`Labels`] and [`top`] name the classes of the logits.

mod bicubic;
mod labels;
mod preprocessing;
mod resample;

pub use crate::picture::{ImageError, MAX_PIXELS, RgbImage, decode, decode_file};
pub use labels::{Labels, LabelsError, Prediction, best, top};
pub use preprocessing::{Crop, Preprocessing};
pub use resample::{CROP, RESIZE, resize_and_crop};

/// The classes of ImageNet.
pub const CLASSES: usize = 1000;

/// The mean of each channel (red, green, blue) over ImageNet, for pixels in 0 to 1.
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// The standard deviation of each channel over ImageNet.
pub const STANDARD_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// torchvision's `ToTensor` and `Normalize`: interleaved RGB bytes to planes `[3, height, width]` of float32.
pub fn normalize(pixels: &[[u8; 3]]) -> Vec<f32> {
    Preprocessing::TORCHVISION.normalize(pixels)
}

/// A picture file as torchvision's networks take it: `[3, 224, 224]`, normalised.
///
/// # Errors
/// When the file cannot be read, is no picture, or is too large.
pub fn preprocess_file(path: &std::path::Path) -> Result<Vec<f32>, ImageError> {
    Preprocessing::TORCHVISION.apply_to_file(path)
}
