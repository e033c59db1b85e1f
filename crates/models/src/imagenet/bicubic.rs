//! The central square of a picture at another size, as TensorFlow's EfficientNets are evaluated: `decode_and_crop_jpeg` and
//! `tf.compat.v1.image.resize_bicubic`.
//!
//! The filter is Keys' with -0.75 over four pixels of each side, whatever the scale, and a corner of an output pixel lies on a
//! corner of the source. Positions are rounded to 1/1024 of a pixel. The source's bytes are Pillow's: TensorFlow decodes JPEG by
//! a faster and coarser transform unless it is told `dct_method="INTEGER_ACCURATE"`.

use crate::picture::RgbImage;

/// Steps between two pixels for which weights are computed.
const STEPS: usize = 1024;

/// `size * size` pixels in rows, each channel from 0 to 255, or somewhat beyond next to an edge.
pub(super) fn central_square(picture: &RgbImage, size: usize, padding: usize) -> Vec<[f32; 3]> {
    let share = size as f64 / (size + padding) as f64;
    let side = ((share as f32 * picture.width.min(picture.height) as f32) as usize).max(1);
    let [left, top] = [picture.width, picture.height].map(|length| (length - side).div_ceil(2));
    let table = table();
    let windows: Vec<Window> = (0..size).map(|position| Window::new(position, side, size, &table)).collect();
    let mut pixels = Vec::with_capacity(size * size);
    for row in &windows {
        let rows = row.sources.map(|y| &picture.pixels[(top + y) * picture.width + left..][..side]);
        let column = |x: usize| blend(row.weights, rows.map(|row| row[x].map(f32::from)));
        let columns: Vec<[f32; 3]> = (0..side).map(column).collect();
        pixels.extend(windows.iter().map(|window| blend(window.weights, window.sources.map(|x| columns[x]))));
    }
    pixels
}

fn blend(weights: [f32; 4], pixels: [[f32; 3]; 4]) -> [f32; 3] {
    let sum = |channel: usize| {
        let [a, b, c, d] = pixels.map(|pixel| pixel[channel]);
        let [wa, wb, wc, wd] = weights;
        a * wa + b * wb + c * wc + d * wd
    };
    [sum(0), sum(1), sum(2)]
}

/// The four source pixels of an output pixel along one side, and their weights. Beyond the border lies the border itself.
struct Window {
    sources: [usize; 4],
    weights: [f32; 4],
}

impl Window {
    fn new(position: usize, input: usize, output: usize, table: &[[f32; 2]]) -> Self {
        let place = position as f32 * (input as f32 / output as f32);
        let step = ((place - place.floor()) * STEPS as f32).round_ties_even() as usize;
        let first = place as usize;
        let bound = |offset: usize| (first + offset).saturating_sub(1).min(input - 1);
        let ([near, far], [next, last]) = (table[step], table[STEPS - step]);
        Self { sources: [0, 1, 2, 3].map(bound), weights: [far, near, next, last] }
    }
}

/// For each step of distance from 0 to 1, the weights of a pixel that far away and of the one behind it.
fn table() -> Vec<[f32; 2]> {
    const A: f32 = -0.75;
    let weights = |step: usize| {
        let near = step as f32 / STEPS as f32;
        let far = near + 1.0;
        [((A + 2.0) * near - (A + 3.0)) * near * near + 1.0, ((A * far - 5.0 * A) * far + 8.0 * A) * far - 4.0 * A]
    };
    (0..=STEPS).map(weights).collect()
}
