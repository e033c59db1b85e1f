//! How far a value of one engine is from the same value of another.

use serde::{Deserialize, Serialize};

use engines::tensor::{NamedTensor, Tensor};

/// How one value compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputDifference {
    /// Its name.
    pub output: String,
    /// The largest difference.
    pub max_absolute: f64,
    /// The largest difference, relative to the largest value of the reference's output.
    pub max_relative: f64,
    /// The cosine of the angle between both as vectors; `None` if one of them is zero everywhere.
    pub cosine: Option<f64>,
    /// Values that are infinite or no number in one of them and not the same in the other.
    pub not_finite: usize,
    /// Whether element types and shapes are the same.
    pub same_form: bool,
}

impl OutputDifference {
    /// Whether the output is of the same form and differs by no more than `tolerance` of its largest value.
    pub fn within(&self, tolerance: f64) -> bool {
        self.same_form && self.not_finite == 0 && self.max_relative <= tolerance
    }
}

/// How `found` differs from `expected`; `None` is a value that is missing.
pub fn difference(expected: &NamedTensor, found: Option<&Tensor>) -> OutputDifference {
    let mut result = OutputDifference {
        output: expected.name.clone(),
        max_absolute: 0.0,
        max_relative: 0.0,
        cosine: None,
        not_finite: 0,
        same_form: false,
    };
    let reference = &expected.tensor;
    let Some(found) = found.filter(|found| {
        found.shape() == reference.shape() && found.elements().element_type() == reference.elements().element_type()
    }) else {
        return result;
    };
    result.same_form = true;
    let whole = !reference.elements().element_type().is_float();
    let (a, b) = (found.to_f64(), reference.to_f64());
    let (mut dot, mut square_a, mut square_b, mut largest) = (0.0, 0.0, 0.0, 0.0_f64);
    if found.is_other_text(reference) {
        result.max_absolute = 1.0;
    }
    for (&a, &b) in a.iter().zip(&b) {
        if !a.is_finite() || !b.is_finite() {
            result.not_finite += usize::from(a != b && !(a.is_nan() && b.is_nan()));
            continue;
        }
        result.max_absolute = result.max_absolute.max((a - b).abs());
        largest = largest.max(b.abs());
        dot += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    // Whole numbers, truth values and texts are the same or they are not.
    result.max_relative = match result.max_absolute {
        0.0 => 0.0,
        _ if whole || largest == 0.0 => f64::MAX,
        absolute => absolute / largest,
    };
    result.cosine = (square_a > 0.0 && square_b > 0.0).then(|| dot / (square_a.sqrt() * square_b.sqrt()));
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::tensor::Elements;

    fn named(elements: impl Into<Elements>) -> NamedTensor {
        let elements = elements.into();
        NamedTensor::new("y", Tensor::new([elements.len()], elements).unwrap())
    }

    #[test]
    fn differences_are_relative_to_the_largest_value() {
        let expected = named(vec![3.0_f32, -4.0]);
        let found = named(vec![3.0_f32, -3.5]);
        let result = difference(&expected, Some(&found.tensor));
        assert_eq!((result.max_absolute, result.max_relative), (0.5, 0.125));
        // (9 + 14) / (5 * sqrt(9 + 12.25))
        assert!((result.cosine.unwrap() - 23.0 / (5.0 * 21.25_f64.sqrt())).abs() < 1e-12);
        assert!(result.within(0.125) && !result.within(0.124));
    }

    #[test]
    fn other_forms_whole_numbers_and_no_numbers_do_not_pass() {
        let within = |expected: NamedTensor, found: NamedTensor| difference(&expected, Some(&found.tensor)).within(1.0);
        assert!(!within(named(vec![1.0_f32]), named(vec![1.0_f64])));
        assert!(!within(named(vec![1.0_f32]), named(vec![1.0_f32, 1.0])));
        assert!(!within(named(vec![100_i64]), named(vec![101_i64])));
        let text = |text: &str| named(vec!["a".to_owned(), text.to_owned()]);
        assert!(!within(text("b"), text("c")) && within(text("b"), text("b")));
        assert!(!within(named(vec![1.0_f32]), named(vec![f32::NAN])));
        assert!(!within(named(vec![0.0_f32]), named(vec![0.5_f32])));
        assert!(within(named(vec![f32::NAN, f32::INFINITY]), named(vec![f32::NAN, f32::INFINITY])));
        assert!(!difference(&named(vec![1.0_f32]), None).within(1.0));
    }
}
