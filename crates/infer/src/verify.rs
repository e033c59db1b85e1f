//! Does an engine compute the same function as the framework that the network comes from?
//!
//! Two correct programs differ in float32, since they add in different orders. How much is lawful is not guessed: the
//! network is also run in float64, whose own error is a billionth of float32's. How far the framework's float32 strays
//! from it is the measure, and an engine passes if it strays at most [`FACTOR`] times as far, or [`FLOOR_ULP`] units in
//! the last place of the largest output, where the framework happens to be nearly exact.

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineError};
use crate::tensor::NamedTensor;

/// How many times as far as the framework's float32 an engine may stray from the exact result.
///
/// Rounding errors of sums of different order are samples from the same distribution, and the largest of some hundred
/// samples varies by less than 2 from draw to draw; a wrong weight or operation is off by thousands.
pub const FACTOR: f64 = 4.0;

/// What every engine may stray, in units in the last place of the largest output.
pub const FLOOR_ULP: f64 = 4.0;

/// How an engine did on all cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The engine.
    pub engine: String,
    /// Whether every output of every case is within the limit.
    pub passed: bool,
    /// What an engine may stray from the exact result: `max(FACTOR * native_error, FLOOR_ULP * ulp)`.
    pub limit: f64,
    /// How far the framework's float32 strays at most over all cases.
    pub native_error: f64,
    /// The cases in order.
    pub cases: Vec<Case>,
}

/// One set of inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What the inputs are: `batch 7`.
    pub label: String,
    /// How far the engine strays at most; infinite where it gives something that is no number, or of another shape.
    pub error: f64,
    /// How far the framework's float32 strays at most.
    pub native_error: f64,
    /// The largest difference between the engine and the framework's float32.
    pub difference: f64,
}

impl Verification {
    /// The case that strays most, if one strays too far.
    pub fn failure(&self) -> Option<&Case> {
        let worst = self.cases.iter().max_by(|a, b| a.error.total_cmp(&b.error));
        worst.filter(|_| !self.passed)
    }
}

/// Compares `engine` on every case with the framework in float32, `native`, and in float64, `exact`.
///
/// # Errors
/// When one of them cannot run a case, or the engine lacks an output.
pub fn verify(
    engine: &mut dyn Engine,
    native: &mut dyn Engine,
    exact: &mut dyn Engine,
    cases: &[(String, Vec<NamedTensor>)],
) -> Result<Verification, EngineError> {
    let mut results = Vec::new();
    let mut largest = 0.0_f64;
    for (label, inputs) in cases {
        let reference = exact.run(inputs)?;
        let (native_outputs, outputs) = (native.run(inputs)?, engine.run(inputs)?);
        let mut case = Case { label: label.clone(), error: 0.0, native_error: 0.0, difference: 0.0 };
        for expected in &reference {
            let found = output(engine.name(), &outputs, &expected.name)?;
            let native_found = output(native.name(), &native_outputs, &expected.name)?;
            case.error = case.error.max(distance(found, expected));
            case.native_error = case.native_error.max(distance(native_found, expected));
            case.difference = case.difference.max(distance(found, native_found));
            largest = expected.tensor.to_f64().iter().fold(largest, |most, value| most.max(value.abs()));
        }
        results.push(case);
    }
    let native_error = results.iter().fold(0.0, |most: f64, case| most.max(case.native_error));
    let ulp = f64::from((largest as f32).next_up()) - f64::from(largest as f32);
    let limit = (FACTOR * native_error).max(FLOOR_ULP * ulp);
    Ok(Verification {
        engine: engine.name().to_owned(),
        passed: limit.is_finite() && results.iter().all(|case| case.error <= limit),
        limit,
        native_error,
        cases: results,
    })
}

fn output<'a>(engine: &str, outputs: &'a [NamedTensor], name: &str) -> Result<&'a NamedTensor, EngineError> {
    outputs.iter().find(|output| output.name == name).ok_or_else(|| EngineError::Output {
        engine: engine.to_owned(),
        name: name.to_owned(),
        found: "missing".to_owned(),
    })
}

/// The largest difference between two tensors; infinite if one of them has another shape or holds what is no number.
fn distance(a: &NamedTensor, b: &NamedTensor) -> f64 {
    match a.tensor.shape() == b.tensor.shape() {
        true => crate::compare::max_error(&a.tensor.to_f64(), &b.tensor.to_f64()),
        false => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Placement, Signature};
    use crate::tensor::Tensor;

    /// Adds something to what it is given.
    struct Adding(&'static str, f32, Vec<usize>);

    impl Engine for Adding {
        fn name(&self) -> &str {
            self.0
        }

        fn signature(&self) -> &Signature {
            unreachable!("nobody asks")
        }

        fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
            let values = inputs[0].tensor.as_f32().unwrap().iter().map(|x| x + self.1).collect::<Vec<_>>();
            Ok(vec![NamedTensor::new("y", Tensor::new(self.2.clone(), values).unwrap())])
        }

        fn placement(&mut self, _: &[NamedTensor]) -> Result<Placement, EngineError> {
            unreachable!("nobody asks")
        }
    }

    fn verified(candidate: f32, native: f32, shape: &[usize]) -> Verification {
        let input = NamedTensor::new("x", Tensor::new([2], vec![1.0_f32, 2.0]).unwrap());
        let engine = |name, error, shape: &[usize]| Adding(name, error, shape.to_vec());
        verify(
            &mut engine("candidate", candidate, shape),
            &mut engine("native", native, &[2]),
            &mut engine("exact", 0.0, &[2]),
            &[("batch 2".to_owned(), vec![input])],
        )
        .unwrap()
    }

    #[test]
    fn an_engine_may_stray_four_times_as_far_as_the_framework() {
        let within = verified(0.375, 0.125, &[2]);
        assert!(within.passed);
        assert_eq!((within.native_error, within.limit), (0.125, 0.5));
        assert_eq!((within.cases[0].error, within.cases[0].difference), (0.375, 0.25));
        assert!(!verified(0.625, 0.125, &[2]).passed);
    }

    #[test]
    fn an_exact_framework_leaves_four_units_in_the_last_place() {
        // The largest output is 2, where neighbours are 2^-22 apart.
        let ulp = 2.0_f32.powi(-22);
        assert!(verified(4.0 * ulp, 0.0, &[2]).passed);
        assert!(!verified(5.0 * ulp, 0.0, &[2]).passed);
    }

    #[test]
    fn no_numbers_and_other_shapes_fail() {
        assert!(!verified(f32::NAN, 0.125, &[2]).passed);
        assert!(!verified(0.0, 0.125, &[1, 2]).passed);
        // A framework that gives no numbers itself proves nothing.
        assert!(!verified(0.0, f32::NAN, &[2]).passed);
    }
}
