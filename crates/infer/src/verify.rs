//! Does an engine compute the same function as the framework that the network comes from?
//!
//! Two correct programs differ in float32, since they add in different orders. How much is lawful is not guessed: the
//! network is also run in float64, whose own error is a billionth of float32's. How far the framework's float32 strays
//! from it is the measure, and an engine passes if it strays at most [`FACTOR`] times as far, or [`FLOOR_ULP`] units in
//! the last place of the largest output, where the framework happens to be nearly exact.

use serde::{Deserialize, Serialize};

use crate::compare::{cosine, spacing};
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
    #[serde(deserialize_with = "null_is_infinite")]
    pub error: f64,
    /// How far the framework's float32 strays at most.
    #[serde(deserialize_with = "null_is_infinite")]
    pub native_error: f64,
    /// The largest difference between the engine and the framework's float32.
    #[serde(deserialize_with = "null_is_infinite")]
    pub difference: f64,
    /// Each output in the order of the network.
    #[serde(default)]
    pub outputs: Vec<OutputError>,
}

/// How far one output of a case strays from float64.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputError {
    /// The output.
    pub output: String,
    /// The largest `|result - exact|`.
    #[serde(deserialize_with = "null_is_infinite")]
    pub absolute: f64,
    /// It, as a share of the largest value of the output.
    #[serde(deserialize_with = "null_is_infinite")]
    pub relative: f64,
    /// It, in units in the last place of the largest value.
    #[serde(deserialize_with = "null_is_infinite")]
    pub ulp: f64,
    /// The cosine of the angle between both as vectors; `None` if one of them is zero everywhere or no number.
    pub cosine: Option<f64>,
    /// Values that are infinite or no number and not the same in float64.
    pub not_finite: usize,
    /// The largest error of the framework's float32.
    #[serde(deserialize_with = "null_is_infinite")]
    pub native: f64,
}

/// JSON has no infinity and writes `null`.
fn null_is_infinite<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

impl Verification {
    /// The case that strays most, if one strays too far.
    pub fn failure(&self) -> Option<&Case> {
        let worst = self.cases.iter().max_by(|a, b| a.error.total_cmp(&b.error));
        worst.filter(|_| !self.passed)
    }
}

/// What the framework makes of a set of cases: what engines are judged by.
pub struct Expected {
    cases: Vec<ExpectedCase>,
    native: String,
    native_error: f64,
    /// The largest value of an output.
    largest: f64,
    limit: f64,
}

/// Inputs and what they give.
struct ExpectedCase {
    label: String,
    inputs: Vec<NamedTensor>,
    exact: Vec<NamedTensor>,
    native: Vec<NamedTensor>,
}

impl Expected {
    /// Runs every case in float32, on `native`, and in float64, on `exact`. `progress` hears the share that is done.
    ///
    /// # Errors
    /// When one of them fails, or lacks an output of the other.
    pub fn of(
        native: &mut dyn Engine,
        exact: &mut dyn Engine,
        cases: Vec<(String, Vec<NamedTensor>)>,
        mut progress: impl FnMut(f64),
    ) -> Result<Self, EngineError> {
        let total = cases.len().max(1) as f64;
        let mut results = Vec::new();
        let (mut native_error, mut largest) = (0.0_f64, 0.0_f64);
        for (label, inputs) in cases {
            let case = ExpectedCase { exact: exact.run(&inputs)?, native: native.run(&inputs)?, label, inputs };
            for expected in &case.exact {
                let found = output(native.name(), &case.native, &expected.name)?;
                native_error = native_error.max(distance(found, expected));
                largest = largest.max(magnitude(&expected.tensor.to_f64()));
            }
            results.push(case);
            progress(results.len() as f64 / total);
        }
        let limit = (FACTOR * native_error).max(FLOOR_ULP * spacing(largest));
        Ok(Self { cases: results, native: native.name().to_owned(), native_error, largest, limit })
    }

    /// What an engine may stray, as a share of the largest value of an output; zero if all of them are zero.
    pub fn share(&self) -> f64 {
        if self.largest > 0.0 { self.limit / self.largest } else { 0.0 }
    }

    /// The first case in which the framework itself gives a value that is no finite number, in either precision.
    pub fn not_finite(&self) -> Option<&str> {
        let finite = |outputs: &[NamedTensor]| {
            outputs.iter().all(|output| output.tensor.to_f64().iter().all(|value| value.is_finite()))
        };
        let case = self.cases.iter().find(|case| !finite(&case.exact) || !finite(&case.native));
        case.map(|case| case.label.as_str())
    }

    /// The inputs of a case.
    pub fn inputs(&self, label: &str) -> Option<&[NamedTensor]> {
        self.cases.iter().find(|case| case.label == label).map(|case| case.inputs.as_slice())
    }

    /// Runs every case on `engine` and judges its outputs.
    ///
    /// # Errors
    /// When it fails, or lacks an output.
    pub fn judge(&self, engine: &mut dyn Engine) -> Result<Verification, EngineError> {
        let mut cases = Vec::new();
        for case in &self.cases {
            let found = engine.run(&case.inputs)?;
            let mut judged =
                Case { label: case.label.clone(), error: 0.0, native_error: 0.0, difference: 0.0, outputs: Vec::new() };
            for exact in &case.exact {
                let found = output(engine.name(), &found, &exact.name)?;
                let native = output(&self.native, &case.native, &exact.name)?;
                let output = strays(found, native, exact);
                judged.error = judged.error.max(output.absolute);
                judged.native_error = judged.native_error.max(output.native);
                judged.difference = judged.difference.max(distance(found, native));
                judged.outputs.push(output);
            }
            cases.push(judged);
        }
        Ok(Verification {
            engine: engine.name().to_owned(),
            passed: self.limit.is_finite() && cases.iter().all(|case| case.error <= self.limit),
            limit: self.limit,
            native_error: self.native_error,
            cases,
        })
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
    Expected::of(native, exact, cases.to_vec(), |_| ())?.judge(engine)
}

fn output<'a>(engine: &str, outputs: &'a [NamedTensor], name: &str) -> Result<&'a NamedTensor, EngineError> {
    outputs.iter().find(|output| output.name == name).ok_or_else(|| EngineError::Output {
        engine: engine.to_owned(),
        name: name.to_owned(),
        found: "missing".to_owned(),
    })
}

/// How far an output strays from the exact one, and how far the framework's float32 does.
fn strays(found: &NamedTensor, native: &NamedTensor, exact: &NamedTensor) -> OutputError {
    let (values, exact_values) = (found.tensor.to_f64(), exact.tensor.to_f64());
    let (absolute, largest) = (distance(found, exact), magnitude(&exact_values));
    let differs = |(a, b): (&f64, &f64)| !(a.is_finite() && b.is_finite()) && a != b && !(a.is_nan() && b.is_nan());
    OutputError {
        output: exact.name.clone(),
        absolute,
        relative: match absolute {
            0.0 => 0.0,
            absolute => absolute / largest,
        },
        ulp: absolute / spacing(largest),
        cosine: cosine(&values, &exact_values),
        not_finite: values.iter().zip(&exact_values).filter(|&pair| differs(pair)).count(),
        native: distance(native, exact),
    }
}

/// The largest difference between two tensors; infinite if one of them has another shape or holds what is no number.
fn distance(a: &NamedTensor, b: &NamedTensor) -> f64 {
    match a.tensor.shape() == b.tensor.shape() {
        true => crate::compare::max_error(&a.tensor.to_f64(), &b.tensor.to_f64()),
        false => f64::INFINITY,
    }
}

fn magnitude(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
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
        // By hand: 0.375 of 2, and in units of 2^-22; (1.375, 2.375) against (1, 2).
        let output = &within.cases[0].outputs[0];
        assert_eq!((output.absolute, output.relative, output.ulp), (0.375, 0.1875, 0.375 * 2.0_f64.powi(22)));
        let cosine = (1.375 + 4.75) / (5.0_f64 * (1.375 * 1.375 + 2.375 * 2.375)).sqrt();
        assert!((output.cosine.unwrap() - cosine).abs() < 1e-15);
        assert_eq!((output.not_finite, output.native), (0, 0.125));
    }

    #[test]
    fn a_failure_survives_its_report() {
        let failed = verified(f32::NAN, 0.125, &[2]);
        assert_eq!(failed.cases[0].outputs[0].not_finite, 2);
        let json = serde_json::to_string(&failed).unwrap();
        assert_eq!(serde_json::from_str::<Verification>(&json).unwrap(), failed);
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
