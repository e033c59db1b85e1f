//! Random distortions of the training digits: in every epoch each digit is turned, scaled, sheared, moved and bent anew.
//! The last epochs may go without.
//!
//! What is drawn is a function of (seed, epoch, index of the digit), so it depends neither on threads nor on interruptions.

use models::digits::{MEAN, PIXELS, STANDARD_DEVIATION};
use models::mnist_cnn::IMAGE_SIZE;
use serde::{Deserialize, Serialize};

use crate::random::{Generator, Purpose};

/// How far a digit is distorted at most. Each number is drawn uniformly between plus and minus its bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// The angle of rotation, in degrees.
    pub rotation: f32,
    /// The angle by which upright strokes are slanted, in degrees.
    pub shear: f32,
    /// The change of width, and independently that of height: 0.1 for 90 % to 110 %.
    pub scale: f32,
    /// The move to the side, and independently that up or down, in pixels.
    pub shift: f32,
    /// The moves of single places, in pixels: the digit bends. (Elastic distortion: Simard, Steinkraus and Platt, "Best
    /// Practices for Convolutional Neural Networks", 2003; here the moves are drawn on a coarse grid in place of a filter.)
    pub bend: f32,
    /// The last epochs of a run, which show the digits as they are: like those that the network is for, they are neither
    /// moved nor blurred by interpolation.
    pub undistorted_epochs: usize,
}

impl Augmentation {
    /// Whether digits are distorted in an epoch, counted from zero, of a run of `epochs`.
    pub fn distorts(&self, epoch: usize, epochs: usize) -> bool {
        epoch + self.undistorted_epochs < epochs
    }

    /// What becomes of digit `index` in an epoch.
    pub fn draw(&self, seed: u64, epoch: usize, index: usize) -> Distortion {
        let mut generator = Generator::new(seed, Purpose::Augmentation, epoch, index);
        let mut within = |bound: f32| (2.0 * generator.uniform() - 1.0) * bound;
        let (sine, cosine) = within(self.rotation).to_radians().sin_cos();
        let slant = within(self.shear).to_radians().tan();
        let (width, height) = (1.0 + within(self.scale), 1.0 + within(self.scale));
        let shift = [within(self.shift), within(self.shift)];
        // Rotation x shear x scale; the scale is inverted because the map leads from the new digit to the old one.
        let (x, y) = (1.0 / width, 1.0 / height);
        let matrix = [[cosine * x, (cosine * slant - sine) * y], [sine * x, (sine * slant + cosine) * y]];
        let bends = std::array::from_fn(|_| std::array::from_fn(|_| [within(self.bend), within(self.bend)]));
        Distortion { matrix, shift, bends }
    }
}

/// The nodes in a row of the grid of bends. Its corners are the corners of the image, and the next nodes 6.75 pixels away.
pub const NODES: usize = 5;

/// Where in the old image a pixel of the new one comes from: an affine map around the centre, plus a bend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distortion {
    /// `[[x from x, x from y], [y from x, y from y]]`; x points right, y down.
    pub matrix: [[f32; 2]; 2],
    /// Added to the position in the old image, in pixels: x, then y.
    pub shift: [f32; 2],
    /// Added as well, in each node of the grid, row by row; linear between the nodes.
    pub bends: [[[f32; 2]; NODES]; NODES],
}

impl Distortion {
    /// Writes the distorted and normalised image of 784 `pixels` to `out`, which takes as many values.
    ///
    /// Between pixels it interpolates bilinearly; outside the image is background. PyTorch's `affine_grid`, `interpolate` (for
    /// the bends, with `align_corners=True`) and `grid_sample` with `align_corners=False` do the same.
    pub fn apply(&self, pixels: &[u8], out: &mut [f32]) {
        const CENTRE: f32 = (IMAGE_SIZE as f32 - 1.0) / 2.0;
        const SCALE: f32 = 1.0 / (255.0 * STANDARD_DEVIATION);
        const BACKGROUND: f32 = -MEAN / STANDARD_DEVIATION;
        let framed = framed(pixels);
        let [[xx, xy], [yx, yy]] = self.matrix;
        for (row, out) in out.chunks_exact_mut(IMAGE_SIZE).enumerate() {
            let y = row as f32 - CENTRE;
            let (start_x, start_y) = (xy * y + self.shift[0] + CENTRE, yy * y + self.shift[1] + CENTRE);
            let (above, down) = node(row);
            let bends: [[f32; 2]; NODES] =
                std::array::from_fn(|column| between(self.bends[above][column], self.bends[above + 1][column], down));
            for (column, out) in out.iter_mut().enumerate() {
                let x = column as f32 - CENTRE;
                let (left, right) = node(column);
                let [bend_x, bend_y] = between(bends[left], bends[left + 1], right);
                *out = bilinear(&framed, xx * x + start_x + bend_x, yx * x + start_y + bend_y) * SCALE + BACKGROUND;
            }
        }
    }
}

/// The last node at or before a row or column of pixels, except the last of all, and how far on to the next it is.
fn node(pixel: usize) -> (usize, f32) {
    let place = pixel * (NODES - 1);
    let node = (place / (IMAGE_SIZE - 1)).min(NODES - 2);
    (node, (place - node * (IMAGE_SIZE - 1)) as f32 / (IMAGE_SIZE - 1) as f32)
}

fn between(first: [f32; 2], second: [f32; 2], share: f32) -> [f32; 2] {
    std::array::from_fn(|axis| first[axis] * (1.0 - share) + second[axis] * share)
}

/// The width of an image with a frame of one background pixel on the left and above, and two on the right and below.
const FRAMED: usize = IMAGE_SIZE + 3;

/// The image in its frame, so that interpolation needs no case for the border.
fn framed(pixels: &[u8]) -> [f32; FRAMED * FRAMED] {
    let mut framed = [0.0; FRAMED * FRAMED];
    for (row, line) in pixels[..PIXELS].chunks_exact(IMAGE_SIZE).enumerate() {
        let start = (row + 1) * FRAMED + 1;
        for (slot, &pixel) in framed[start..start + IMAGE_SIZE].iter_mut().zip(line) {
            *slot = f32::from(pixel);
        }
    }
    framed
}

/// The brightness at a point of the image, from 0 to 255.
fn bilinear(framed: &[f32; FRAMED * FRAMED], x: f32, y: f32) -> f32 {
    // Beyond the frame everything is background, as it is on its edge. A point that is no number becomes one there.
    let inside = |value: f32| (value + 1.0).max(0.0).min(IMAGE_SIZE as f32 + 1.0);
    let (x, y) = (inside(x), inside(y));
    let (column, row) = (x as usize, y as usize);
    let (right, down) = (x - column as f32, y - row as f32);
    let at = row * FRAMED + column;
    let above = framed[at] * (1.0 - right) + framed[at + 1] * right;
    let below = framed[at + FRAMED] * (1.0 - right) + framed[at + FRAMED + 1] * right;
    above * (1.0 - down) + below * down
}
