//! A picture of one digit, brought into the form of the MNIST images.
//!
//! The MNIST images show light digits on black, scaled with their proportions kept to fit 20x20 pixels, and placed so that
//! their centre of mass is the centre of 28x28 pixels (LeCun, Cortes and Burges).

use std::path::{Path, PathBuf};

use image::GrayImage;
use models::digits::{IMAGE_SIZE, PIXELS};
use models::picture::{ImageError, decode_file_upright};

/// The height and width that a digit is scaled to fit.
const DIGIT_SIZE: usize = 20;

/// A pixel this much lighter than the background, of 255, belongs to the digit: paper and cameras make noise.
const INK: u8 = 48;

/// Why a picture shows no digit.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be read, or is no picture.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// All pixels are alike.
    #[error("{} shows nothing: its pixels hardly differ", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// The 784 pixels of the digit in a picture file, 0 for the background. A photograph is turned as its camera says.
///
/// # Errors
/// When the file is no picture of reasonable size, or shows nothing.
pub fn digit_from_file(path: &Path) -> Result<Vec<u8>, PictureError> {
    let (picture, _) = decode_file_upright(path)?;
    // The weights of ITU-R BT.709.
    let grey = |[red, green, blue]: [u8; 3]| {
        let sum = 2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue);
        u8::try_from(sum / 10_000).unwrap_or(u8::MAX)
    };
    let pixels = picture.pixels.iter().copied().map(grey).collect();
    let empty = || PictureError::Empty { path: path.to_owned() };
    let sides = u32::try_from(picture.width).ok().zip(u32::try_from(picture.height).ok());
    let picture = sides.and_then(|(width, height)| GrayImage::from_raw(width, height, pixels));
    digit(&picture.ok_or_else(empty)?).ok_or_else(empty)
}

/// The 784 pixels of the digit in a picture; `None` if it shows nothing.
///
/// A picture of 28x28 pixels on black is taken as it is.
fn digit(picture: &GrayImage) -> Option<Vec<u8>> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut pixels = picture.as_raw().clone();
    if background(&pixels, width, height)? > 127 {
        pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
    }
    let darkest = background(&pixels, width, height)?;
    if [width, height] == [IMAGE_SIZE; 2] && darkest == 0 {
        return pixels.iter().any(|&pixel| pixel > INK).then_some(pixels);
    }
    pixels.iter_mut().for_each(|pixel| *pixel = pixel.saturating_sub(darkest));
    let ink = Bounds::of(&pixels, width)?;
    Some(centred(&scaled(&pixels, width, ink)))
}

/// The median of the pixels on the border.
fn background(pixels: &[u8], width: usize, height: usize) -> Option<u8> {
    let on_border = |index: usize| {
        let (x, y) = (index % width, index / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let mut border: Vec<u8> =
        pixels.iter().enumerate().filter(|(index, _)| on_border(*index)).map(|(_, &pixel)| pixel).collect();
    border.sort_unstable();
    border.get(border.len() / 2).copied()
}

/// The rectangle that holds the digit; the ends are beyond the last pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

impl Bounds {
    fn of(pixels: &[u8], width: usize) -> Option<Self> {
        let mut bounds: Option<Self> = None;
        for (index, _) in pixels.iter().enumerate().filter(|(_, pixel)| **pixel > INK) {
            let (x, y) = (index % width, index / width);
            let Self { left, right, top, bottom } = bounds.unwrap_or(Self { left: x, right: x, top: y, bottom: y });
            bounds =
                Some(Self { left: left.min(x), right: right.max(x + 1), top: top.min(y), bottom: bottom.max(y + 1) });
        }
        bounds
    }
}

/// A grey picture in rows.
struct Grey {
    width: usize,
    values: Vec<f64>,
}

/// The digit with its longer side at 20 pixels, each pixel the mean of the area that it covers.
fn scaled(pixels: &[u8], width: usize, bounds: Bounds) -> Grey {
    let (from_width, from_height) = (bounds.right - bounds.left, bounds.bottom - bounds.top);
    let factor = from_width.max(from_height) as f64 / DIGIT_SIZE as f64;
    let size = |from: usize| ((from as f64 / factor).round() as usize).clamp(1, DIGIT_SIZE);
    let (to_width, to_height) = (size(from_width), size(from_height));
    let columns: Vec<_> = (0..to_width).map(|x| cover(x, to_width, from_width)).collect();
    let rows: Vec<_> = (0..to_height).map(|y| cover(y, to_height, from_height)).collect();
    let mut values = Vec::with_capacity(to_width * to_height);
    for row in &rows {
        for column in &columns {
            let (mut sum, mut area) = (0.0, 0.0);
            for &(y, tall) in row {
                for &(x, wide) in column {
                    let pixel = pixels.get((bounds.top + y) * width + bounds.left + x).copied().unwrap_or(0);
                    sum += f64::from(pixel) * tall * wide;
                    area += tall * wide;
                }
            }
            values.push(if area > 0.0 { sum / area } else { 0.0 });
        }
    }
    Grey { width: to_width, values }
}

/// Which of `from` pixels the pixel `index` of `to` covers, and how much of each.
fn cover(index: usize, to: usize, from: usize) -> Vec<(usize, f64)> {
    let edge = |index: usize| index as f64 * from as f64 / to as f64;
    let (start, end) = (edge(index), edge(index + 1));
    (start as usize..(end.ceil() as usize).min(from))
        .map(|pixel| (pixel, (end.min(pixel as f64 + 1.0) - start.max(pixel as f64)).max(0.0)))
        .collect()
}

/// The picture on 28x28 pixels, its centre of mass in the middle as far as it fits.
fn centred(grey: &Grey) -> Vec<u8> {
    let height = grey.values.len() / grey.width.max(1);
    let (mut mass, mut x_moment, mut y_moment) = (0.0, 0.0, 0.0);
    for (index, value) in grey.values.iter().enumerate() {
        mass += value;
        x_moment += value * ((index % grey.width) as f64 + 0.5);
        y_moment += value * ((index / grey.width) as f64 + 0.5);
    }
    let place = |moment: f64, size: usize| {
        let start = (IMAGE_SIZE as f64 / 2.0 - moment / mass.max(1e-9)).round();
        (start.max(0.0) as usize).min(IMAGE_SIZE - size)
    };
    let (left, top) = (place(x_moment, grey.width), place(y_moment, height));
    let mut pixels = vec![0; PIXELS];
    for (index, value) in grey.values.iter().enumerate() {
        let (x, y) = (left + index % grey.width, top + index / grey.width);
        if let Some(pixel) = pixels.get_mut(y * IMAGE_SIZE + x) {
            *pixel = value.round() as u8;
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, paper: u8, ink: u8, inked: impl Fn(u32, u32) -> bool) -> GrayImage {
        GrayImage::from_fn(width, height, |x, y| image::Luma([if inked(x, y) { ink } else { paper }]))
    }

    /// A bar of 10x40 pixels off the middle: scaled to 5x20 and centred, in columns 12 to 16 and rows 4 to 23 by hand
    /// (the centre of mass, 2.5, falls on 14 when the bar starts at 11.5, which rounds to 12).
    #[test]
    fn a_dark_bar_on_paper_becomes_a_light_one_in_the_middle() {
        let bar = |x, y| (70..80).contains(&x) && (5..45).contains(&y);
        let pixels = digit(&picture(100, 60, 230, 20, bar)).unwrap();
        let lit: Vec<usize> = (0..PIXELS).filter(|&index| pixels[index] > 0).collect();
        assert_eq!(lit.len(), 5 * 20);
        assert_eq!((lit[0] % 28, lit[0] / 28), (12, 4));
        assert_eq!((lit[99] % 28, lit[99] / 28), (16, 23));
        assert!(pixels.iter().all(|&pixel| pixel == 0 || pixel == 210));
    }

    #[test]
    fn an_image_in_the_form_of_mnist_stays_as_it_is() {
        let original = picture(28, 28, 0, 200, |x, y| x == 3 && y > 8 && y < 20);
        assert_eq!(digit(&original).unwrap(), original.as_raw().as_slice());
        let inverted = picture(28, 28, 255, 55, |x, y| x == 3 && y > 8 && y < 20);
        assert_eq!(digit(&inverted).unwrap(), original.as_raw().as_slice());
    }

    #[test]
    fn nothing_is_not_a_digit() {
        for (width, height) in [(28, 28), (1, 1), (300, 2)] {
            assert_eq!(digit(&picture(width, height, 90, 100, |x, _| x % 3 == 0)), None);
        }
    }

    #[test]
    fn small_pictures_are_enlarged_without_gaps() {
        let pixels = digit(&picture(5, 5, 0, 255, |x, y| (1..4).contains(&x) && (1..4).contains(&y))).unwrap();
        assert_eq!(pixels.iter().filter(|&&pixel| pixel == 255).count(), 400);
        assert_eq!(pixels.iter().filter(|&&pixel| pixel > 0).count(), 400);
    }

    #[test]
    fn files_that_are_no_pictures_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digit.png");
        let error = digit_from_file(&path).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot read {}", path.display())), "{error}");
        std::fs::write(&path, b"not a picture").unwrap();
        let error = digit_from_file(&path).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        picture(40, 40, 0, 255, |x, _| x == 20).save(&path).unwrap();
        assert!(digit_from_file(&path).is_ok());
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(digit_from_file(&path), Err(PictureError::Image(_))));
    }
}
