//! Pictures in, ImageNet labels out: what torchvision does before and after its pretrained classifiers.
//!
//! The way of a picture: [`decode`] as Pillow's `Image.open(path).convert("RGB")`, [`resize_and_crop`] as `Resize(256)` and
//! `CenterCrop(224)`, [`normalize`] as `ToTensor` and `Normalize`. [`Labels`] and [`top`] name the classes of the logits.

mod decode;
mod labels;
mod resample;

pub use decode::{ImageError, MAX_PIXELS, RgbImage, decode, decode_file};
pub use labels::{Labels, LabelsError, Prediction, top};
pub use resample::{CROP, RESIZE, resize_and_crop};

/// The mean of each channel (red, green, blue) over ImageNet, for pixels in 0 to 1.
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// The standard deviation of each channel over ImageNet.
pub const STANDARD_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// `ToTensor` and `Normalize`: interleaved RGB bytes to planes `[3, height, width]` of float32.
pub fn normalize(pixels: &[[u8; 3]]) -> Vec<f32> {
    let mut planes = Vec::with_capacity(3 * pixels.len());
    for (channel, (mean, deviation)) in MEAN.into_iter().zip(STANDARD_DEVIATION).enumerate() {
        // 256 divisions instead of one for each pixel, with the same roundings.
        let table: Vec<f32> = (0..=u8::MAX).map(|value| (f32::from(value) / 255.0 - mean) / deviation).collect();
        planes.extend(pixels.iter().map(|pixel| table[usize::from(pixel[channel])]));
    }
    planes
}

/// A picture file as the network takes it: `[3, 224, 224]`, normalised.
///
/// # Errors
/// When the file cannot be read, is no picture, or is too large.
pub fn preprocess_file(path: &std::path::Path) -> Result<Vec<f32>, ImageError> {
    Ok(normalize(&resize_and_crop(&decode_file(path)?)))
}
