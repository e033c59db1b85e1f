//! How far two results are apart.

use serde::{Deserialize, Serialize};

/// The differences between the elements of a result and those of its reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Elements compared.
    pub elements: usize,
    /// The largest `|result - reference|`.
    pub max_absolute: f64,
    /// The mean of `|result - reference|`.
    pub mean_absolute: f64,
    /// The largest `|result - reference| / m`, where `m` is the largest magnitude in the same row of the reference. A
    /// row is what belongs to one image, so that a value near zero among large ones does not count for more than they.
    pub max_relative: f64,
    /// The largest `|result - reference| / u`, where `u` is the distance between neighbouring float32 values at `m`.
    pub max_ulp: f64,
    /// Elements that are infinite or no number in one of them and not the same in the other.
    pub not_finite: usize,
}

impl Difference {
    /// Nothing compared yet.
    pub fn none() -> Self {
        Self { elements: 0, max_absolute: 0.0, mean_absolute: 0.0, max_relative: 0.0, max_ulp: 0.0, not_finite: 0 }
    }

    /// Compares rows of `width` elements; the two slices are of the same length.
    pub fn between(result: &[f32], reference: &[f32], width: usize) -> Self {
        let mut difference = Self::none();
        let mut total = 0.0;
        let width = width.max(1);
        for (result, reference) in result.chunks(width).zip(reference.chunks(width)) {
            let finite = reference.iter().map(|x| f64::from(x.abs())).filter(|x| x.is_finite());
            let magnitude = finite.fold(0.0, f64::max);
            for (&a, &b) in result.iter().zip(reference) {
                difference.elements += 1;
                if !a.is_finite() || !b.is_finite() {
                    let same = a == b || (a.is_nan() && b.is_nan());
                    difference.not_finite += usize::from(!same);
                    continue;
                }
                let absolute = (f64::from(a) - f64::from(b)).abs();
                total += absolute;
                difference.max_absolute = difference.max_absolute.max(absolute);
                if magnitude > 0.0 {
                    difference.max_relative = difference.max_relative.max(absolute / magnitude);
                } else if absolute > 0.0 {
                    difference.max_relative = f64::INFINITY;
                }
                difference.max_ulp = difference.max_ulp.max(absolute / spacing(magnitude));
            }
        }
        if difference.elements > 0 {
            difference.mean_absolute = total / difference.elements as f64;
        }
        difference
    }

    /// Takes the comparison of further elements in.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let elements = self.elements + other.elements;
        let total = self.mean_absolute * self.elements as f64 + other.mean_absolute * other.elements as f64;
        Self {
            elements,
            max_absolute: self.max_absolute.max(other.max_absolute),
            mean_absolute: if elements > 0 { total / elements as f64 } else { 0.0 },
            max_relative: self.max_relative.max(other.max_relative),
            max_ulp: self.max_ulp.max(other.max_ulp),
            not_finite: self.not_finite + other.not_finite,
        }
    }
}

/// The cosine of the angle between two vectors; `None` if one of them is zero everywhere or holds what is no number.
pub fn cosine(a: &[f64], b: &[f64]) -> Option<f64> {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = (product(a, a) * product(b, b)).sqrt();
    (a.len() == b.len() && scale.is_finite() && scale > 0.0).then(|| product(a, b) / scale)
}

/// The distance from a float32 magnitude to the next larger one.
pub fn spacing(magnitude: f64) -> f64 {
    let magnitude = magnitude as f32;
    f64::from(magnitude.next_up()) - f64::from(magnitude)
}

/// The index of the largest value, the first of equals; `None` if there are none.
pub fn largest(row: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (index, &value) in row.iter().enumerate() {
        if best.is_none_or(|(_, most)| value > most) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_judged_by_their_own_magnitude() {
        let reference = [1.0, -4.0, 0.0, 100.0, 0.0, 0.0];
        let result = [1.5, -4.0, 0.25, 101.0, 0.0, -0.0];
        let difference = Difference::between(&result, &reference, 3);
        assert_eq!(difference.elements, 6);
        assert_eq!(difference.max_absolute, 1.0);
        assert_eq!(difference.max_relative, 0.5 / 4.0);
        assert_eq!(difference.mean_absolute, 1.75 / 6.0);
        assert_eq!(difference.not_finite, 0);
    }

    #[test]
    fn values_that_are_no_numbers_are_counted_where_they_differ() {
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        let difference = Difference::between(&[nan, infinity, infinity, 1.0], &[nan, infinity, -infinity, nan], 4);
        assert_eq!(difference.not_finite, 2);
    }

    #[test]
    fn a_unit_in_the_last_place_is_that_of_the_largest_value_in_the_row() {
        let ulp = f32::EPSILON;
        let difference = Difference::between(&[1.5 + 3.0 * ulp, ulp], &[1.5, 0.0], 2);
        assert_eq!(difference.max_ulp, 3.0);
        // 64 has a spacing of 2^-17, which is 64 times that of 1.
        assert_eq!(Difference::between(&[64.0, 128.0 * ulp], &[64.0, 0.0], 2).max_ulp, 2.0);
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 2.5, 2.0, 4.0]);
        let whole = Difference::between(&a, &b, 2);
        let parts = Difference::between(&a[..2], &b[..2], 2).and(Difference::between(&a[2..], &b[2..], 2));
        assert_eq!(parts, whole);
        assert_eq!(Difference::none().and(whole.clone()), whole);
    }

    #[test]
    fn the_first_of_equals_is_the_largest() {
        assert_eq!(largest(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(largest(&[f32::NEG_INFINITY]), Some(0));
        assert_eq!(largest(&[]), None);
    }
}
