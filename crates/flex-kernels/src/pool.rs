//! Max and average pools over channels-last images, forward and backward.

use rayon::prelude::*;

use crate::convolution::WindowShape;
use crate::simd::{Isa, Kernel, LANES, Vector};

/// What a pool makes of a window. Padding takes no part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// The largest value; no number where there is one.
    Max,
    /// The mean of the values inside the image.
    Average,
}

/// Writes the pools of `images` `[image, row, column, channel]` to `out`.
///
/// # Panics
/// When the lengths do not fit the shape, or a window sees nothing but padding.
pub fn pool(isa: Isa, shape: &WindowShape, pool: Pool, channels: usize, images: &[f32], out: &mut [f32]) {
    let ([height, width], image) = (shape.output_size(), shape.size[0] * shape.size[1] * channels);
    assert!(images.len().is_multiple_of(image) && out.len() == images.len() / image * height * width * channels);
    out.par_chunks_mut(width * channels).enumerate().for_each(|(row, out)| {
        let image = &images[row / height * image..][..image];
        for (column, out) in out.chunks_exact_mut(channels).enumerate() {
            isa.run(Window { shape, pool, image, at: [row % height, column], out });
        }
    });
}

struct Window<'a> {
    shape: &'a WindowShape,
    pool: Pool,
    image: &'a [f32],
    at: [usize; 2],
    out: &'a mut [f32],
}

impl Kernel for Window<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { shape, pool, image, at, out } = self;
        let channels = out.len();
        let corner = shape.corner(at);
        let mut seen = 0;
        for ky in 0..shape.kernel[0] {
            for kx in 0..shape.kernel[1] {
                let row = corner[0] + (ky * shape.dilation[0]) as isize;
                let column = corner[1] + (kx * shape.dilation[1]) as isize;
                if row < 0 || column < 0 || row as usize >= shape.size[0] || column as usize >= shape.size[1] {
                    continue;
                }
                let from = &image[(row as usize * shape.size[1] + column as usize) * channels..][..channels];
                seen += 1;
                if seen == 1 {
                    out.copy_from_slice(from);
                    continue;
                }
                let whole = channels / LANES * LANES;
                for (out, from) in out[..whole].chunks_exact_mut(LANES).zip(from.chunks_exact(LANES)) {
                    // SAFETY: the instructions are those of the caller, and slices of 16 values.
                    unsafe {
                        let (old, new) = (V::load(out.as_ptr()), V::load(from.as_ptr()));
                        let value = match pool {
                            Pool::Max => old.greater(old, new, new).0,
                            Pool::Average => old.add(new),
                        };
                        value.store(out.as_mut_ptr());
                    }
                }
                for (out, from) in out[whole..].iter_mut().zip(&from[whole..]) {
                    *out = match pool {
                        Pool::Max if *from > *out || from.is_nan() => *from,
                        Pool::Max => *out,
                        Pool::Average => *out + from,
                    };
                }
            }
        }
        assert!(seen > 0, "a window sees nothing but padding");
        if pool == Pool::Average {
            let factor = seen as f32;
            for out in out {
                *out /= factor;
            }
        }
    }
}

/// Writes to `gradients` those of the images, from those of the pools, `output`. The gradient of a maximum goes to the first value
/// that has it. Each image on one thread.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn backward(
    shape: &WindowShape,
    pool: Pool,
    channels: usize,
    images: &[f32],
    output: &[f32],
    gradients: &mut [f32],
) {
    let ([height, width], image) = (shape.output_size(), shape.size[0] * shape.size[1] * channels);
    assert_eq!((gradients.len(), images.len() / image * height * width * channels), (images.len(), output.len()));
    let of_image = height * width * channels;
    let images = gradients
        .par_chunks_exact_mut(image)
        .zip(images.par_chunks_exact(image))
        .zip(output.par_chunks_exact(of_image));
    images.for_each(|((gradients, image), output)| {
        gradients.fill(0.0);
        for (window, output) in output.chunks_exact(channels).enumerate() {
            let seen = seen(shape, [window / width, window % width]);
            match pool {
                Pool::Average => {
                    let share = seen.len() as f32;
                    for place in seen {
                        for (to, gradient) in gradients[place * channels..].iter_mut().zip(output) {
                            *to += gradient / share;
                        }
                    }
                }
                Pool::Max => {
                    for (channel, gradient) in output.iter().enumerate() {
                        let value = |place: usize| image[place * channels + channel];
                        let first = seen.iter().copied().reduce(|best, place| {
                            if value(place) > value(best) || value(place).is_nan() { place } else { best }
                        });
                        if let Some(place) = first {
                            gradients[place * channels + channel] += gradient;
                        }
                    }
                }
            }
        }
    });
}

/// The pixels of an image that a window sees.
fn seen(shape: &WindowShape, at: [usize; 2]) -> Vec<usize> {
    let corner = shape.corner(at);
    let axis = |axis: usize| {
        (0..shape.kernel[axis])
            .map(move |tap| corner[axis] + (tap * shape.dilation[axis]) as isize)
            .filter_map(|place| usize::try_from(place).ok())
            .filter(move |&place| place < shape.size[axis])
    };
    axis(0).flat_map(|row| axis(1).map(move |column| row * shape.size[1] + column)).collect()
}
