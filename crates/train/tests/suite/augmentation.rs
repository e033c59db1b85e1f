//! The distortions of digits against PyTorch's `affine_grid`, `interpolate` and `grid_sample`, and how they are drawn.

use models::digits::{MEAN, STANDARD_DEVIATION};
use serde::Deserialize;
use train::mnist::augmentation::{Augmentation, Distortion, NODES};

use crate::support::{digit, json_fixture};

const BOUNDS: Augmentation =
    Augmentation { rotation: 10.0, shear: 10.0, scale: 0.1, shift: 2.0, bend: 1.0, undistorted_epochs: 0 };

#[derive(Deserialize)]
struct Distortions {
    matrices: Vec<[[f32; 2]; 2]>,
    shifts: Vec<[f32; 2]>,
    bends: Vec<[[[f32; 2]; NODES]; NODES]>,
    pixels: Vec<Vec<f32>>,
}

/// Positions are float32: an error of a few units in the last place of 28 (2e-6) times the steepest edge of 255 grey levels
/// a pixel; and the fixture is rounded to a thousandth of a level.
#[test]
fn a_distortion_is_that_of_pytorch() {
    let expected: Distortions = json_fixture("distortions.json");
    let maps = expected.matrices.into_iter().zip(expected.shifts).zip(expected.bends);
    for (index, (((matrix, shift), bends), expected)) in maps.zip(expected.pixels).enumerate() {
        let mut out = [0.0; 784];
        Distortion { matrix, shift, bends }.apply(&digit(index as u64).0, &mut out);
        for (pixel, (expected, found)) in expected.into_iter().zip(out.into_iter().step_by(3)).enumerate() {
            let found = (found * STANDARD_DEVIATION + MEAN) * 255.0;
            assert!((found - expected).abs() < 0.01, "image {index}, pixel {}: {found}, not {expected}", 3 * pixel);
        }
    }
}

#[test]
fn no_distortion_leaves_the_digit_as_it_is() {
    let nothing = Augmentation { rotation: 0.0, shear: 0.0, scale: 0.0, shift: 0.0, bend: 0.0, undistorted_epochs: 0 };
    let pixels = digit(7).0;
    let mut out = [0.0; 784];
    nothing.draw(1, 2, 3).apply(&pixels, &mut out);
    for (found, pixel) in out.into_iter().zip(pixels) {
        assert!((found - models::digits::normalize(pixel)).abs() < 1e-6);
    }
}

/// Every seed, epoch and digit has its own map, always the same, and all of the interval is used.
#[test]
fn maps_are_drawn_anew_for_each_digit_and_epoch() {
    let base = BOUNDS.draw(1, 2, 3);
    assert_eq!(BOUNDS.draw(1, 2, 3), base);
    for (seed, epoch, index) in [(2, 2, 3), (1, 3, 3), (1, 2, 4)] {
        assert_ne!(BOUNDS.draw(seed, epoch, index), base);
    }
    let shifts: Vec<f32> = (0..10_000).map(|index| BOUNDS.draw(1, 0, index).shift[0]).collect();
    assert!(shifts.iter().all(|shift| shift.abs() <= 2.0));
    let (mean, square) =
        shifts.iter().fold((0.0, 0.0), |(mean, square), shift| (mean + shift / 1e4, square + shift * shift / 1e4));
    // Of a uniform distribution: mean 0, variance 4/3; 4 standard deviations of their estimates.
    assert!(mean.abs() < 0.046 && (square - 4.0 / 3.0).abs() < 0.048, "{mean} {square}");
}

/// A map that is no number, as none that is drawn is, must not read beside the image.
#[test]
fn no_map_reads_beside_the_image() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        let mut out = [0.0; 784];
        let bends = [[[bad; 2]; NODES]; NODES];
        Distortion { matrix: [[bad, 1.0], [1.0, bad]], shift: [bad, 0.0], bends }.apply(&[255; 784], &mut out);
        // Somewhere between background and full brightness, as normalised.
        assert!(out.iter().all(|value| (-0.43..2.83).contains(value)), "{bad}");
    }
}
