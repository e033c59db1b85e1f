//! Does an engine compute the same function as the framework that the network comes from?
//!
//! Two correct programs differ in float32, since they add in different orders. How much is lawful is not guessed: the
//! network is also run in float64, whose own error is a billionth of float32's. How far the framework's float32 strays
//! from it is the measure, and an engine passes if it strays at most a few times as far, or [`FLOOR_ULP`] units in the last
//! place of the largest value, where the framework happens to be nearly exact. Every output is measured by
//! itself, since the outputs of a network may be of different magnitudes.
//!
//! Where a network has no float64, or the user names a share, a share of the largest value is the limit: see [`Rule`].

use serde::{Deserialize, Serialize};

use crate::compare::{cosine, spacing};
use crate::engine::{Engine, EngineError};
use crate::tensor::{Elements, NamedTensor, Tensor};

/// How many times as far as the framework's float32 an engine may stray from the exact result.
///
/// Rounding errors of sums of different order are samples from the same distribution, and the largest of some hundred
/// samples varies by less than 2 from draw to draw; a wrong weight or operation is off by thousands.
pub const FACTOR: f64 = 4.0;

/// The same where the framework is ONNX Runtime.
///
/// It adds up in as many lanes as the processor's vectors have, 16 with AVX-512. The error of a sum grows as the root of the
/// number of terms that are added one after the other, so an engine without lanes strays 4 times as far by that alone.
pub const LANES_FACTOR: f64 = 4.0 * FACTOR;

/// What every engine may stray, in units in the last place of the largest value of the output.
pub const FLOOR_ULP: f64 = 4.0;

/// What errors are measured from, and how large they may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// From float64: the larger of this multiple of the framework's own error and [`FLOOR_ULP`].
    Float32(f64),
    /// From float64: this share of the largest value of the output.
    Share(f64),
    /// From the framework's float32, for want of a float64: this share of the largest value of the output.
    Apart(f64),
}

impl Default for Rule {
    fn default() -> Self {
        Self::Float32(FACTOR)
    }
}

impl Rule {
    /// What errors are measured from: `burn in float64`.
    pub fn exact(self, framework: &str) -> String {
        match self {
            Self::Float32(_) | Self::Share(_) => format!("{framework} in float64"),
            Self::Apart(_) => framework.to_owned(),
        }
    }

    /// What holds if all engines pass, in a sentence without its full stop.
    pub fn criterion(self, framework: &str) -> String {
        match self {
            Self::Float32(multiple) => {
                format!("No engine strays more than {multiple} times as far from float64 as {framework} in float32")
            }
            Self::Share(share) | Self::Apart(share) => {
                let exact = self.exact(framework);
                format!("No engine strays from {exact} by more than {share:.1e} of the largest value")
            }
        }
    }
}

/// How an engine did on all cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The engine.
    pub engine: String,
    /// The framework.
    pub framework: String,
    /// What it was judged by.
    pub rule: Rule,
    /// Whether every output of every case is within its limit.
    pub passed: bool,
    /// How far the framework's float32 strays at most over all cases and outputs.
    #[serde(deserialize_with = "null_is_infinite")]
    pub native_error: f64,
    /// The cases in order.
    pub cases: Vec<Case>,
}

/// One set of inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What the inputs are: `batch 7`.
    pub label: String,
    /// How far the engine strays at most; infinite where it gives something that is no number, or of another form.
    #[serde(deserialize_with = "null_is_infinite")]
    pub error: f64,
    /// How far the framework's float32 strays at most.
    #[serde(deserialize_with = "null_is_infinite")]
    pub native_error: f64,
    /// The largest difference between the engine and the framework's float32.
    #[serde(deserialize_with = "null_is_infinite")]
    pub difference: f64,
    /// Each output in the order of the network.
    pub outputs: Vec<OutputError>,
}

/// How far one output of a case strays from the exact result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputError {
    /// The output.
    pub output: String,
    /// The largest `|result - exact|`.
    #[serde(deserialize_with = "null_is_infinite")]
    pub absolute: f64,
    /// What it may be.
    #[serde(deserialize_with = "null_is_infinite")]
    pub limit: f64,
    /// It, as a share of the largest value of the output.
    #[serde(deserialize_with = "null_is_infinite")]
    pub relative: f64,
    /// It, in units in the last place of the largest value.
    #[serde(deserialize_with = "null_is_infinite")]
    pub ulp: f64,
    /// The cosine of the angle between both as vectors; `None` if one of them is zero everywhere or no number.
    pub cosine: Option<f64>,
    /// Values that are infinite or no number and not the same in the exact result.
    pub not_finite: usize,
    /// The largest error of the framework's float32.
    #[serde(deserialize_with = "null_is_infinite")]
    pub native: f64,
    /// Element type and shape, if they are not the framework's, with those: `int32 [2] and not float [2]`.
    #[serde(default)]
    pub form: Option<String>,
}

/// JSON has no infinity and writes `null`.
fn null_is_infinite<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

impl OutputError {
    /// Whether the output is of the right form and within its limit. A limit that is no number proves nothing.
    pub fn passed(&self) -> bool {
        self.form.is_none() && self.limit.is_finite() && self.absolute <= self.limit
    }

    /// The share of the limit that the error takes.
    pub fn used(&self) -> f64 {
        match self.absolute {
            0.0 if self.form.is_none() => 0.0,
            absolute if self.limit.is_finite() => absolute / self.limit,
            _ => f64::INFINITY,
        }
    }
}

impl Verification {
    /// The output that comes nearest to its limit or is farthest beyond, with its case.
    pub fn worst(&self) -> Option<(&Case, &OutputError)> {
        let outputs = self.cases.iter().flat_map(|case| case.outputs.iter().map(move |output| (case, output)));
        outputs.max_by(|(_, a), (_, b)| a.used().total_cmp(&b.used()).then(a.not_finite.cmp(&b.not_finite)))
    }

    /// The limit of the worst output; zero if there is none.
    pub fn limit(&self) -> f64 {
        self.worst().map_or(0.0, |(_, worst)| worst.limit)
    }

    /// As [`worst`](Self::worst), if an output is beyond its limit.
    pub fn failure(&self) -> Option<(&Case, &OutputError)> {
        self.worst().filter(|_| !self.passed)
    }

    /// What is wrong with the worst output, in a sentence without its full stop; `engine` is what the engine is called.
    pub fn failed(&self, engine: &str) -> Option<String> {
        let (Case { label, .. }, worst) = self.failure()?;
        let output = &worst.output;
        let exact = match self.rule {
            Rule::Float32(_) | Rule::Share(_) => "float64",
            Rule::Apart(_) => &self.framework,
        };
        Some(match worst {
            OutputError { form: Some(form), .. } => format!("{engine} gives `{output}` as {form} ({label})"),
            worst if worst.not_finite > 0 => {
                format!(
                    "{} values of `{output}` of {engine} are no numbers, unlike in {exact} ({label})",
                    worst.not_finite
                )
            }
            worst => format!(
                "{engine} strays by {:.2e} from {exact} in `{output}` ({label}), and {:.2e} is the limit",
                worst.absolute, worst.limit
            ),
        })
    }
}

/// What the framework makes of a set of cases: what engines are judged by.
pub struct Expected {
    rule: Rule,
    framework: String,
    native_error: f64,
    cases: Vec<ExpectedCase>,
    outputs: Vec<ExpectedOutput>,
}

/// Inputs and what they give.
struct ExpectedCase {
    label: String,
    inputs: Vec<NamedTensor>,
    exact: Vec<NamedTensor>,
    /// What the framework gives in float32; `None` if that is what counts as exact.
    native: Option<Vec<NamedTensor>>,
}

/// An output over all cases.
struct ExpectedOutput {
    name: String,
    /// How far the framework's float32 strays.
    native_error: f64,
    /// The largest value.
    largest: f64,
    limit: f64,
}

impl Expected {
    /// Runs every case in float32, on `native`, and in float64, on `exact`. The limit is [`FACTOR`] times the error of the
    /// former. `progress` hears the share that is done.
    ///
    /// # Errors
    /// When one of them fails, or lacks an output of the other.
    pub fn of(
        native: &mut dyn Engine,
        exact: &mut dyn Engine,
        cases: Vec<(String, Vec<NamedTensor>)>,
        progress: impl FnMut(f64),
    ) -> Result<Self, EngineError> {
        Self::by(Rule::default(), native, Some(exact), cases, progress)
    }

    /// Runs every case in float32, on `native`, which is what counts as exact: the limit is `share` of the largest value.
    ///
    /// # Errors
    /// When it fails.
    pub fn apart(
        share: f64,
        native: &mut dyn Engine,
        cases: Vec<(String, Vec<NamedTensor>)>,
        progress: impl FnMut(f64),
    ) -> Result<Self, EngineError> {
        Self::by(Rule::Apart(share), native, None, cases, progress)
    }

    fn by(
        rule: Rule,
        native: &mut dyn Engine,
        mut exact: Option<&mut dyn Engine>,
        cases: Vec<(String, Vec<NamedTensor>)>,
        mut progress: impl FnMut(f64),
    ) -> Result<Self, EngineError> {
        let total = cases.len().max(1) as f64;
        let mut results = Vec::new();
        for (label, inputs) in cases {
            let found = native.run(&inputs)?;
            let (exact, native) = match &mut exact {
                Some(exact) => (exact.run(&inputs)?, Some(found)),
                None => (found, None),
            };
            results.push(ExpectedCase { label, inputs, exact, native });
            progress(results.len() as f64 / total);
        }
        let mut outputs: Vec<ExpectedOutput> = Vec::new();
        for case in &results {
            for exact in &case.exact {
                let error = distance(case.native(native.name(), &exact.name)?, &exact.tensor);
                let largest = magnitude(&exact.tensor.to_f64());
                match outputs.iter_mut().find(|output| output.name == exact.name) {
                    Some(output) => {
                        output.native_error = output.native_error.max(error);
                        output.largest = output.largest.max(largest);
                    }
                    None => {
                        let name = exact.name.clone();
                        outputs.push(ExpectedOutput { name, native_error: error, largest, limit: 0.0 });
                    }
                }
            }
        }
        let native_error = outputs.iter().fold(0.0, |most: f64, output| most.max(output.native_error));
        let framework = native.name().to_owned();
        Ok(Self { rule, framework, native_error, cases: results, outputs }.limited(rule))
    }

    /// Judges by another multiple of what the framework's float32 strays, where there is a float64.
    #[must_use]
    pub fn multiple(self, multiple: f64) -> Self {
        match self.rule {
            Rule::Float32(_) | Rule::Share(_) => self.limited(Rule::Float32(multiple)),
            Rule::Apart(_) => self,
        }
    }

    /// Judges by a share of the largest value, whatever float32 strays.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        let rule = match self.rule {
            Rule::Float32(_) | Rule::Share(_) => Rule::Share(share),
            Rule::Apart(_) => Rule::Apart(share),
        };
        self.limited(rule)
    }

    /// The same with the limits of a rule. Whole numbers and truth values are the same or they are not.
    fn limited(mut self, rule: Rule) -> Self {
        let whole = |name: &str| {
            let native = self.cases.first().and_then(|case| case.native("", name).ok());
            native.is_some_and(|tensor| !is_float(tensor.elements()))
        };
        let limits: Vec<f64> = self
            .outputs
            .iter()
            .map(|output| match rule {
                Rule::Float32(multiple) if whole(&output.name) => multiple * output.native_error,
                Rule::Float32(multiple) => (multiple * output.native_error).max(FLOOR_ULP * spacing(output.largest)),
                Rule::Share(_) | Rule::Apart(_) if whole(&output.name) => 0.0,
                Rule::Share(share) | Rule::Apart(share) => share * output.largest,
            })
            .collect();
        self.outputs.iter_mut().zip(limits).for_each(|(output, limit)| output.limit = limit);
        self.rule = rule;
        self
    }

    /// What an output may stray, as a share of its largest value; zero if all of that are zero.
    pub fn share_of(&self, output: &str) -> f64 {
        let found = self.outputs.iter().find(|found| found.name == output && found.largest > 0.0);
        found.map_or(0.0, |found| found.limit / found.largest)
    }

    /// How far the framework's float32 strays from float64 at most; infinite if it gives what is no number, or of another
    /// shape.
    pub fn native_error(&self) -> f64 {
        self.native_error
    }

    /// The first case in which the framework itself gives a value that is no finite number, in either precision.
    pub fn not_finite(&self) -> Option<&str> {
        let finite = |outputs: &[NamedTensor]| {
            outputs.iter().all(|output| output.tensor.to_f64().iter().all(|value| value.is_finite()))
        };
        let finite = |case: &ExpectedCase| finite(&case.exact) && case.native.as_deref().is_none_or(finite);
        self.cases.iter().find(|case| !finite(case)).map(|case| case.label.as_str())
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
                let native = case.native(&self.framework, &exact.name)?;
                let limit =
                    self.outputs.iter().find(|output| output.name == exact.name).map_or(0.0, |found| found.limit);
                let output = strays(found, native, exact, limit);
                judged.error = judged.error.max(output.absolute);
                judged.native_error = judged.native_error.max(output.native);
                judged.difference = judged.difference.max(distance(found, native));
                judged.outputs.push(output);
            }
            cases.push(judged);
        }
        Ok(Verification {
            engine: engine.name().to_owned(),
            framework: self.framework.clone(),
            rule: self.rule,
            passed: cases.iter().flat_map(|case| &case.outputs).all(OutputError::passed),
            native_error: self.native_error,
            cases,
        })
    }
}

impl ExpectedCase {
    /// What the framework gives in float32 for an output.
    fn native(&self, framework: &str, name: &str) -> Result<&Tensor, EngineError> {
        output(framework, self.native.as_ref().unwrap_or(&self.exact), name)
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

fn output<'a>(engine: &str, outputs: &'a [NamedTensor], name: &str) -> Result<&'a Tensor, EngineError> {
    outputs.iter().find(|output| output.name == name).map(|output| &output.tensor).ok_or_else(|| EngineError::Output {
        engine: engine.to_owned(),
        name: name.to_owned(),
        found: "missing".to_owned(),
    })
}

fn is_float(elements: &Elements) -> bool {
    matches!(elements, Elements::F32(_) | Elements::F64(_) | Elements::F16(_))
}

/// How far an output strays from the exact one, and how far the framework's float32 does.
fn strays(found: &Tensor, native: &Tensor, exact: &NamedTensor, limit: f64) -> OutputError {
    let exact_values = exact.tensor.to_f64();
    let (values, absolute, largest) = (found.to_f64(), distance(found, &exact.tensor), magnitude(&exact_values));
    let form = |tensor: &Tensor| format!("{} {:?}", tensor.elements().element_type(), tensor.shape());
    OutputError {
        output: exact.name.clone(),
        absolute,
        limit,
        relative: match absolute {
            0.0 => 0.0,
            absolute => absolute / largest,
        },
        ulp: absolute / spacing(largest),
        cosine: cosine(&values, &exact_values),
        not_finite: values.iter().zip(&exact_values).filter(|&pair| differs(pair)).count(),
        native: distance(native, &exact.tensor),
        form: (form(found) != form(native)).then(|| format!("{} and not {}", form(found), form(native))),
    }
}

/// Whether one of two values is infinite or no number, and the other one is not the same.
fn differs((a, b): (&f64, &f64)) -> bool {
    !(a.is_finite() && b.is_finite()) && a != b && !(a.is_nan() && b.is_nan())
}

/// The largest difference between two tensors; infinite if one of them has another shape, or holds what is no finite number
/// where the other one holds another.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    let (values, others) = (a.to_f64(), b.to_f64());
    match a.shape() == b.shape() {
        true => values.iter().zip(&others).fold(0.0, |most, pair| match pair {
            pair if differs(pair) => f64::INFINITY,
            (a, b) if a.is_finite() && b.is_finite() => most.max((a - b).abs()),
            _ => most,
        }),
        false => f64::INFINITY,
    }
}

/// The largest finite value, without its sign.
fn magnitude(values: &[f64]) -> f64 {
    values.iter().filter(|value| value.is_finite()).fold(0.0, |most, value| most.max(value.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Placement, Signature};
    use crate::tensor::Tensor;

    /// Gives the same outputs whatever it is given.
    struct Giving(&'static str, Vec<NamedTensor>);

    impl Engine for Giving {
        fn name(&self) -> &str {
            self.0
        }

        fn signature(&self) -> &Signature {
            unreachable!("nobody asks")
        }

        fn run(&mut self, _: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
            Ok(self.1.clone())
        }

        fn placement(&mut self, _: &[NamedTensor]) -> Result<Placement, EngineError> {
            unreachable!("nobody asks")
        }
    }

    fn giving(name: &'static str, outputs: &[(&str, Elements)]) -> Giving {
        let output = |(name, elements): &(&str, Elements)| {
            NamedTensor::new(*name, Tensor::new([elements.len()], elements.clone()).unwrap())
        };
        Giving(name, outputs.iter().map(output).collect())
    }

    fn cases() -> Vec<(String, Vec<NamedTensor>)> {
        vec![("batch 2".to_owned(), Vec::new())]
    }

    /// The exact result is (1, 2); the others are off by something, and the candidate's output has this shape.
    fn verified(candidate: f32, native: f32, shape: &[usize]) -> Verification {
        let values = |error: f32| vec![1.0 + error, 2.0 + error];
        let output = NamedTensor::new("y", Tensor::new(shape, values(candidate)).unwrap());
        verify(
            &mut Giving("candidate", vec![output]),
            &mut giving("native", &[("y", values(native).into())]),
            &mut giving("exact", &[("y", vec![1.0_f64, 2.0].into())]),
            &cases(),
        )
        .unwrap()
    }

    #[test]
    fn an_engine_may_stray_four_times_as_far_as_the_framework() {
        let within = verified(0.375, 0.125, &[2]);
        assert!(within.passed);
        assert_eq!((within.native_error, within.cases[0].outputs[0].limit), (0.125, 0.5));
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

    #[test]
    fn every_output_is_measured_by_itself() {
        let exact = [("boxes", vec![512.0_f64].into()), ("scores", vec![0.5_f64].into())];
        let native = [("boxes", vec![512.25_f32].into()), ("scores", vec![0.5_f32 + 2.0_f32.powi(-20)].into())];
        let judge = |scores: f32| {
            let mut found = giving("candidate", &[("boxes", vec![513.0_f32].into()), ("scores", vec![scores].into())]);
            verify(&mut found, &mut giving("native", &native), &mut giving("exact", &exact), &cases()).unwrap()
        };
        assert!(judge(0.5 + 2.0_f32.powi(-18)).passed);
        let failed = judge(0.5 + 2.0_f32.powi(-17));
        let message = failed.failed("tract").unwrap();
        assert_eq!(message, "tract strays by 7.63e-6 from float64 in `scores` (batch 2), and 3.81e-6 is the limit");
        assert_eq!(failed.worst().unwrap().1.used(), 2.0);
        let expected = Expected::of(&mut giving("native", &native), &mut giving("exact", &exact), cases(), |_| ());
        let mut found = giving("candidate", &[("boxes", vec![516.0_f32].into()), ("scores", vec![0.5_f32].into())]);
        assert!(expected.unwrap().multiple(16.0).judge(&mut found).unwrap().passed);
    }

    #[test]
    fn without_float64_a_share_of_the_largest_value_is_the_limit() {
        let native = [("y", Elements::from(vec![-4.0_f32, f32::INFINITY])), ("class", vec![100_i64].into())];
        let expected = Expected::apart(0.125, &mut giving("ort:cpu", &native), cases(), |_| ()).unwrap();
        assert_eq!(
            (expected.share_of("y"), expected.share_of("class"), expected.not_finite()),
            (0.125, 0.0, Some("batch 2"))
        );
        let judge = |y: Elements, class: Elements| {
            expected.judge(&mut giving("tract", &[("y", y), ("class", class)])).unwrap().failed("tract")
        };
        let infinite = f32::INFINITY;
        assert_eq!(judge(vec![-3.5, infinite].into(), vec![100_i64].into()), None);
        let far = judge(vec![-3.0, infinite].into(), vec![100_i64].into()).unwrap();
        assert_eq!(far, "tract strays by 1.00e0 from ort:cpu in `y` (batch 2), and 5.00e-1 is the limit");
        assert!(judge(vec![-4.0_f32, 3.0].into(), vec![100_i64].into()).unwrap().contains("1 values of `y`"));
        assert!(judge(vec![-4.0, infinite].into(), vec![101_i64].into()).unwrap().contains("in `class`"));
        let form = judge(vec![-4.0, infinite].into(), vec![100_i32].into()).unwrap();
        assert_eq!(form, "tract gives `class` as int32 [1] and not int64 [1] (batch 2)");
    }

    #[test]
    fn a_share_can_take_the_place_of_what_float32_strays() {
        let native = || giving("native", &[("y", vec![1.0_f32, 2.0].into())]);
        let mut exact = giving("exact", &[("y", vec![1.0_f64, 2.0].into())]);
        let expected = Expected::of(&mut native(), &mut exact, cases(), |_| ()).unwrap();
        let mut off = giving("off", &[("y", vec![1.0_f32, 2.25].into())]);
        assert!(!expected.judge(&mut off).unwrap().passed);
        let expected = expected.share(0.125);
        assert!(expected.judge(&mut off).unwrap().passed);
        assert_eq!(
            Rule::Share(0.125).criterion("burn"),
            "No engine strays from burn in float64 by more than 1.2e-1 of the largest value"
        );
    }
}
