//! How far an engine's outputs are from the reference's, case by case.

use serde::{Deserialize, Serialize};

use crate::any_model::inputs::{InputsError, Sizes, random_inputs};
use crate::engine::{Engine, EngineError, Signature};
use crate::subject::Subject;
use crate::tensor::{Elements, NamedTensor, Tensor};

/// The sizes that every dynamic axis is tried at, one axis at a time.
const SWEEP: [usize; 3] = [1, 2, 7];

/// The inputs of one comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The sizes of the dynamic axes: `batch=7`.
    pub label: String,
    /// The inputs.
    pub inputs: Vec<NamedTensor>,
}

/// How one output of one case compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputDifference {
    /// The case.
    pub case: String,
    /// The output.
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

/// The sizes asked for, and for every dynamic axis 1, 2 and 7 with the others as asked for.
///
/// # Errors
/// When no inputs can be made up.
pub fn cases(signature: &Signature, base: &Sizes) -> Result<Vec<Case>, InputsError> {
    let mut all: Vec<Sizes> = vec![base.clone()];
    for axis in base.keys() {
        for size in SWEEP {
            let mut sizes = base.clone();
            sizes.insert(axis.clone(), size);
            if !all.contains(&sizes) {
                all.push(sizes);
            }
        }
    }
    let case = |(number, sizes): (u64, Sizes)| {
        let inputs = random_inputs(signature, &sizes, 1000 * number)?;
        let axes: Vec<String> = sizes.iter().map(|(axis, size)| format!("{axis}={size}")).collect();
        let label = if axes.is_empty() { "fixed sizes".to_owned() } else { axes.join(" ") };
        Ok(Case { label, inputs })
    };
    (1..).zip(all).map(case).collect()
}

/// Runs the cases through the reference and a candidate. A case that the reference itself refuses is left out, but for the
/// first one, and told of in the second list.
///
/// # Errors
/// When the reference fails at the first case.
pub fn differences(
    reference: &mut dyn Engine,
    candidate: &mut Subject,
    cases: &[Case],
) -> Result<(Vec<OutputDifference>, Vec<String>), EngineError> {
    let (mut differences, mut refused) = (Vec::new(), Vec::new());
    for (index, case) in cases.iter().enumerate() {
        let expected = match reference.run(&case.inputs) {
            Ok(expected) => expected,
            Err(error) if index == 0 => return Err(error),
            Err(error) => {
                refused.push(format!("{}: {}", case.label, cli::failure::sentence(&error)));
                continue;
            }
        };
        let Some(found) = candidate.attempt(|engine| engine.run(&case.inputs)) else { break };
        for expected in &expected {
            let other = found.iter().find(|found| found.name == expected.name).map(|found| &found.tensor);
            differences.push(difference(&case.label, expected, other));
        }
    }
    Ok((differences, refused))
}

/// How `found` differs from `expected`; `None` is an output that is missing.
pub fn difference(case: &str, expected: &NamedTensor, found: Option<&Tensor>) -> OutputDifference {
    let mut result = OutputDifference {
        case: case.to_owned(),
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
    let whole = !matches!(reference.elements(), Elements::F32(_) | Elements::F64(_) | Elements::F16(_));
    let (a, b) = (found.to_f64(), reference.to_f64());
    let (mut dot, mut square_a, mut square_b, mut largest) = (0.0, 0.0, 0.0, 0.0_f64);
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
    // Whole numbers and truth values are the same or they are not.
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
    use crate::engine::{Dimension, TensorInfo};
    use crate::tensor::ElementType;

    fn named(elements: impl Into<Elements>) -> NamedTensor {
        let elements = elements.into();
        NamedTensor::new("y", Tensor::new([elements.len()], elements).unwrap())
    }

    #[test]
    fn differences_are_relative_to_the_largest_value() {
        let expected = named(vec![3.0_f32, -4.0]);
        let found = named(vec![3.0_f32, -3.5]);
        let result = difference("c", &expected, Some(&found.tensor));
        assert_eq!((result.max_absolute, result.max_relative), (0.5, 0.125));
        // (9 + 14) / (5 * sqrt(9 + 12.25))
        assert!((result.cosine.unwrap() - 23.0 / (5.0 * 21.25_f64.sqrt())).abs() < 1e-12);
        assert!(result.within(0.125) && !result.within(0.124));
    }

    #[test]
    fn other_forms_whole_numbers_and_no_numbers_do_not_pass() {
        let within =
            |expected: NamedTensor, found: NamedTensor| difference("c", &expected, Some(&found.tensor)).within(1.0);
        assert!(!within(named(vec![1.0_f32]), named(vec![1.0_f64])));
        assert!(!within(named(vec![1.0_f32]), named(vec![1.0_f32, 1.0])));
        assert!(!within(named(vec![100_i64]), named(vec![101_i64])));
        assert!(!within(named(vec![1.0_f32]), named(vec![f32::NAN])));
        assert!(!within(named(vec![0.0_f32]), named(vec![0.5_f32])));
        assert!(within(named(vec![f32::NAN, f32::INFINITY]), named(vec![f32::NAN, f32::INFINITY])));
        assert!(!difference("c", &named(vec![1.0_f32]), None).within(1.0));
    }

    #[test]
    fn every_dynamic_axis_is_swept_and_no_case_comes_twice() {
        let shape = ["batch", "sequence"].map(|name| Dimension::Named(name.to_owned())).to_vec();
        let input = TensorInfo { name: "x".to_owned(), element: Some(ElementType::Float), shape };
        let signature = Signature { inputs: vec![input], outputs: Vec::new() };
        let base = [("batch".to_owned(), 2), ("sequence".to_owned(), 5)].into();
        let labels: Vec<String> = cases(&signature, &base).unwrap().into_iter().map(|case| case.label).collect();
        assert_eq!(labels.len(), 6);
        assert_eq!(labels[0], "batch=2 sequence=5");
        assert!(labels.contains(&"batch=7 sequence=5".to_owned()) && labels.contains(&"batch=2 sequence=7".to_owned()));
    }
}
