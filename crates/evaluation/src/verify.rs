//! Does an engine compute the same function as the framework that the network comes from?
//!
//! Two correct programs differ in float32, since they add in different orders. How much is lawful is not guessed: the
//! network is also run in float64, whose own error is a billionth of float32's. How far the framework's float32 strays
//! from it is the measure, and an engine passes if it strays at most a few times as far, or [`FLOOR_ULP`] units in the last
//! place of the largest value, where the framework happens to be nearly exact. Every output is measured by
//! itself, since the outputs of a network may be of different magnitudes.
//!
//! Where a network has no float64, or the user names a share, a share of the largest value is the limit: see [`Rule`].

mod rule;
mod verdict;

use half::f16;

pub use rule::Rule;
pub use verdict::{Case, OutputError, Verification};

use crate::compare::{cosine, spacing};
use engines::engine::{Engine, EngineError};
use engines::tensor::{ElementType, NamedTensor, Tensor};

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

/// A limit of a larger share of the largest value of its output proves nothing: half of the values could be gone.
pub const PROVING: f64 = 0.1;

/// What the framework makes of a set of cases: what engines are judged by.
pub struct Expected {
    rule: Rule,
    framework: String,
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
    /// Its element type.
    element: ElementType,
    /// How far the framework's float32 strays; zero for whole numbers and truth values.
    native_error: f64,
    /// The largest value.
    largest: f64,
    /// The share of the largest value that is the limit, where float64 says nothing of this output.
    share: Option<f64>,
    limit: f64,
}

impl ExpectedOutput {
    /// The same with the limit of a rule. Whole numbers and truth values are the same or they are not.
    fn limited(self, rule: Rule) -> Self {
        let limit = match (rule, self.share) {
            _ if !is_float(self.element) => 0.0,
            (Rule::Share(share) | Rule::Apart(share), _) | (Rule::Float32(_), Some(share)) => share * self.largest,
            (Rule::Float32(multiple), None) => {
                (multiple * self.native_error).max(FLOOR_ULP * unit(self.element, self.largest))
            }
        };
        Self { limit, ..self }
    }
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
                let found = case.native(native.name(), &exact.name)?;
                let element = found.elements().element_type();
                let native_error = if is_float(element) { distance(found, &exact.tensor) } else { 0.0 };
                let largest = magnitude(&exact.tensor.to_f64());
                match outputs.iter_mut().find(|output| output.name == exact.name) {
                    Some(output) => {
                        output.native_error = output.native_error.max(native_error);
                        output.largest = output.largest.max(largest);
                    }
                    None => {
                        let name = exact.name.clone();
                        outputs.push(ExpectedOutput { name, element, native_error, largest, share: None, limit: 0.0 });
                    }
                }
            }
        }
        Ok(Self { rule, framework: native.name().to_owned(), cases: results, outputs }.limited(rule))
    }

    /// The same under another name of the framework.
    #[must_use]
    pub fn called(self, framework: &str) -> Self {
        Self { framework: framework.to_owned(), ..self }
    }

    /// Judges by `share` of the largest value what float64 says nothing of: an output in which float32 is infinite or of another
    /// shape where float64 is not, which is then compared with float32; and one that is float64 in the network itself, where the
    /// share is as much smaller as its units are. Gives the names of the former.
    pub fn fall_back(mut self, share: f64) -> (Self, Vec<String>) {
        let mut names = Vec::new();
        for output in &mut self.outputs {
            if !output.native_error.is_finite() {
                names.push(output.name.clone());
                (output.native_error, output.largest, output.share) = (0.0, 0.0, Some(share));
                for case in &mut self.cases {
                    let native = case.native.iter().flatten().find(|native| native.name == output.name).cloned();
                    let exact = case.exact.iter_mut().find(|exact| exact.name == output.name);
                    if let (Some(native), Some(exact)) = (native, exact) {
                        output.largest = output.largest.max(magnitude(&native.tensor.to_f64()));
                        *exact = native;
                    }
                }
            } else if output.element == ElementType::Double && output.native_error == 0.0 {
                output.share = Some(share * f64::EPSILON / f64::from(f32::EPSILON));
            }
        }
        let rule = self.rule;
        (self.limited(rule), names)
    }

    /// What keeps an agreement from proving anything, in sentences: outputs of which every value is zero or no number in every
    /// case, or that are empty, and limits above [`PROVING`] of the largest value, unless the user set the limit.
    pub fn unproven(&self, limit_is_asked_for: bool) -> Vec<String> {
        let mut told = Vec::new();
        for ExpectedOutput { name, largest, limit, .. } in &self.outputs {
            let values = self.cases.iter().flat_map(|case| &case.exact).filter(|output| output.name == *name);
            let values: Vec<f64> = values.flat_map(|output| output.tensor.to_f64()).collect();
            let is_all = |of: fn(&f64) -> bool| values.iter().all(of);
            let wide = limit / largest;
            if values.is_empty() {
                told.push(format!("`{name}` is empty in every case"));
            } else if is_all(|value| *value == 0.0) {
                told.push(format!("every value of `{name}` is zero in every case"));
            } else if is_all(|value| !value.is_finite()) {
                told.push(format!("no value of `{name}` is a finite number in any case"));
            } else if wide > PROVING && !limit_is_asked_for {
                told.push(format!(
                    "the limit of `{name}` is {:.0} % of its largest value, and above {:.0} % it lets wrong results pass \
                     (--tolerance sets a limit of your own)",
                    100.0 * wide,
                    100.0 * PROVING
                ));
            }
        }
        told
    }

    /// Lets no limit that comes of a multiple exceed `share` of the largest value, nor fall below `least` times the error that
    /// was measured.
    #[must_use]
    pub fn capped(mut self, share: f64, least: f64) -> Self {
        for output in self.outputs.iter_mut().filter(|output| is_float(output.element)) {
            output.limit = output.limit.min((share * output.largest).max(least * output.native_error));
        }
        self
    }

    /// The output with the widest limit, and that as a share of its largest value.
    pub fn widest(&self) -> Option<(&str, f64)> {
        let shares = self.outputs.iter().filter(|output| output.largest > 0.0);
        let shares = shares.map(|output| (output.name.as_str(), output.limit / output.largest));
        shares.max_by(|(_, a), (_, b)| a.total_cmp(b))
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

    /// The same with the limits of a rule.
    fn limited(self, rule: Rule) -> Self {
        let outputs = self.outputs.into_iter().map(|output| output.limited(rule)).collect();
        Self { rule, outputs, ..self }
    }

    /// What an output may stray, as a share of its largest value; zero if all of that are zero.
    pub fn share_of(&self, output: &str) -> f64 {
        let found = self.outputs.iter().find(|found| found.name == output && found.largest > 0.0);
        found.map_or(0.0, |found| found.limit / found.largest)
    }

    /// How far the framework's float32 strays from float64 at most; infinite if it gives what is no number, or of another
    /// shape.
    fn native_error(&self) -> f64 {
        self.outputs.iter().fold(0.0, |most, output| most.max(output.native_error))
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
            native_error: self.native_error(),
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

fn is_float(element: ElementType) -> bool {
    matches!(element, ElementType::Float | ElementType::Double | ElementType::Float16)
}

/// The distance from a magnitude to the next larger one of an element type; for whole numbers that of float32.
fn unit(element: ElementType, magnitude: f64) -> f64 {
    match element {
        ElementType::Double => magnitude.next_up() - magnitude,
        ElementType::Float16 => spacing(magnitude) * f64::from(f16::EPSILON) / f64::from(f32::EPSILON),
        _ => spacing(magnitude),
    }
}

/// How far an output strays from the exact one, and how far the framework's float32 does.
fn strays(found: &Tensor, native: &Tensor, exact: &NamedTensor, limit: f64) -> OutputError {
    let exact_values = exact.tensor.to_f64();
    let (values, largest) = (found.to_f64(), magnitude(&exact_values));
    let element = native.elements().element_type();
    let absolute = match is_float(element) {
        true => distance(found, &exact.tensor),
        false => unlike(found, native, &exact.tensor),
    };
    let form = |tensor: &Tensor| format!("{} {:?}", tensor.elements().element_type(), tensor.shape());
    OutputError {
        output: exact.name.clone(),
        absolute,
        limit,
        relative: match absolute {
            0.0 => 0.0,
            absolute => absolute / largest,
        },
        ulp: absolute / unit(element, largest),
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

/// The largest difference of whole numbers from the exact ones, where they are not those of float32 either: a choice between
/// two values that are nearly the same may fall either way. Infinite if shapes or types differ.
fn unlike(found: &Tensor, native: &Tensor, exact: &Tensor) -> f64 {
    let whole = [found, native, exact].map(|tensor| tensor.to_i64().filter(|_| tensor.shape() == found.shape()));
    let [Some(found), Some(native), Some(exact)] = whole else { return f64::INFINITY };
    let differences = found.iter().zip(native.iter().zip(&exact)).filter(|(found, (a, b))| found != a && found != b);
    differences.fold(0.0, |most, (found, (_, exact))| most.max(found.abs_diff(*exact) as f64))
}

/// The largest finite value, without its sign.
fn magnitude(values: &[f64]) -> f64 {
    values.iter().filter(|value| value.is_finite()).fold(0.0, |most, value| most.max(value.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::engine::{Placement, Signature};
    use engines::tensor::{Elements, Tensor};

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

    /// Whole numbers are float32's or float64's: a choice between two that are nearly the same may fall either way.
    #[test]
    fn whole_numbers_are_those_of_either_precision() {
        let judge = |class: i64| {
            let (native, exact) = (vec![7_i64, 1 << 60], vec![9_i64, 1 << 60]);
            let mut found = giving("tract", &[("class", vec![class, 1 << 60].into())]);
            let (mut native, mut exact) =
                (giving("a", &[("class", native.into())]), giving("b", &[("class", exact.into())]));
            verify(&mut found, &mut native, &mut exact, &cases()).unwrap()
        };
        assert!(judge(7).passed && judge(9).passed);
        assert_eq!((judge(8).passed, judge(8).cases[0].outputs[0].absolute), (false, 1.0));
        // float64 cannot tell these apart.
        let mut found = giving("tract", &[("class", vec![(1_i64 << 60) + 1].into())]);
        let right = || giving("a", &[("class", vec![1_i64 << 60].into())]);
        assert!(!verify(&mut found, &mut right(), &mut right(), &cases()).unwrap().passed);
    }

    #[test]
    fn an_output_of_which_float64_says_nothing_has_a_limit_of_its_own() {
        let native =
            [("big", vec![f32::INFINITY, 2.0].into()), ("wide", vec![1.0_f64].into()), ("y", vec![1.5_f32].into())];
        let exact = [("big", vec![1e40_f64, 2.0].into()), ("wide", vec![1.0_f64].into()), ("y", vec![1.0_f64].into())];
        let expected = Expected::of(&mut giving("a", &native), &mut giving("b", &exact), cases(), |_| ()).unwrap();
        let (expected, other) = expected.fall_back(0.25);
        assert_eq!(other, ["big"]);
        assert_eq!((expected.share_of("big"), expected.share_of("y")), (0.25, 2.0));
        // The units of float64 are 2^29 times as fine.
        assert_eq!(expected.share_of("wide"), 0.25 / 2.0_f64.powi(29));
        assert_eq!(expected.widest(), Some(("y", 2.0)));
        assert!(expected.judge(&mut giving("a", &native)).unwrap().passed);
        assert!(expected.unproven(false).iter().all(|told| !told.contains("zero") && !told.contains("empty")));
        // A share of the user's own holds for all.
        let expected = expected.share(0.5);
        assert_eq!(["big", "wide", "y"].map(|output| expected.share_of(output)), [0.5; 3]);
        let zero = [("y", vec![0.0_f32].into()), ("none", Vec::<f32>::new().into())];
        let expected = Expected::apart(0.1, &mut giving("a", &zero), cases(), |_| ()).unwrap();
        assert_eq!(
            expected.unproven(false),
            ["every value of `y` is zero in every case", "`none` is empty in every case"]
        );
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

    /// A limit larger than the output lets it be anything, its negation too.
    #[test]
    fn a_limit_beyond_the_output_proves_nothing_unless_it_is_asked_for() {
        let expected = || {
            let (native, exact) = ([("y", vec![0.875_f32].into())], [("y", vec![1.0_f64].into())]);
            Expected::of(&mut giving("native", &native), &mut giving("exact", &exact), cases(), |_| ()).unwrap()
        };
        let told = expected().multiple(16.0).unproven(false);
        assert!(told.len() == 1 && told[0].starts_with("the limit of `y` is 200 % of its largest value"), "{told:?}");
        assert!(expected().multiple(16.0).unproven(true).is_empty());
        assert!(expected().multiple(16.0).capped(0.05, 0.0).unproven(false).is_empty());
        // What the reference itself strays is lawful.
        assert_eq!(expected().multiple(16.0).capped(0.05, 1.0).share_of("y"), 0.125);
    }
}
