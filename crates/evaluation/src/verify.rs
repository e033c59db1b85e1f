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
#[cfg(test)]
mod tests;
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
