//! What an output should be in a case, and how far it may deviate.

use super::{FLOOR_ULP, OutputError, PROVING, Rule};
use crate::compare::{cosine, spacing};
use engines::tensor::{ElementType, Tensor};
use half::{bf16, f16};

/// How many times as far as the multiple says an output of a single value may deviate.
///
/// Where few values are compared, float32 may be nearly exact in all of them by luck. The largest of n errors falls below a k-th
/// of its usual size with a probability of about k^-n, so the n-th root of this keeps that probability alike.
const LUCK: f64 = 16.0;

/// Outputs of at least so many values are not nearly exact by luck.
const MANY: usize = 4;

/// An output of a case.
pub struct ExpectedOutput {
    pub name: String,
    /// What the framework gives in float32.
    native: Tensor,
    /// What it gives in float64; `None` if the former is what counts as exact.
    exact: Option<Tensor>,
    /// The element type in float32.
    element: ElementType,
    /// How far the framework's float32 deviates; zero for whole numbers and truth values.
    pub native_error: f64,
    /// The largest value.
    largest: f64,
    /// The share of the largest value that is the limit, where float64 says nothing of this output.
    pub share: Option<f64>,
    limit: f64,
    /// What whole numbers and truth values are where the floats that decide are a little different.
    alternatives: Vec<Vec<i128>>,
}

/// What the agreement of an engine would prove.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// There are no values.
    Empty,
    /// All values are zero.
    Zero,
    /// No value is a finite number.
    NotFinite,
    /// The limit is this share of the largest value, which is above [`PROVING`].
    Wide(f64),
    /// That the output is right.
    Proving,
}

impl ExpectedOutput {
    pub fn new(name: String, native: Tensor, exact: Option<Tensor>) -> Self {
        let element = native.elements().element_type();
        let right = exact.as_ref().unwrap_or(&native);
        let native_error = if element.is_float() { distance(&native, right) } else { 0.0 };
        let largest = magnitude(&right.to_f64());
        Self { name, native, exact, element, native_error, largest, share: None, limit: 0.0, alternatives: Vec::new() }
    }

    /// What errors are measured from.
    fn right(&self) -> &Tensor {
        self.exact.as_ref().unwrap_or(&self.native)
    }

    /// Whether there is no float64.
    pub fn is_apart(&self) -> bool {
        self.exact.is_none()
    }

    /// Whether it is a whole number, a truth value or text.
    pub fn is_whole(&self) -> bool {
        !self.element.is_float()
    }

    /// Takes what a whole number or truth value may be as well.
    pub fn consider(&mut self, alternative: &Tensor) {
        let values = alternative.to_whole().filter(|_| alternative.shape() == self.native.shape());
        if let Some(values) = values.filter(|values| !self.alternatives.contains(values)) {
            self.alternatives.push(values);
        }
    }

    /// Sets the limit of a rule. Whole numbers and truth values are the same or they are not, unless the user `asked` for a limit.
    pub fn limit_by(&mut self, rule: Rule, asked: bool) {
        self.limit = match (rule, self.share) {
            _ if self.is_whole() && !asked => 0.0,
            (Rule::Share(share) | Rule::Apart(share), _) | (Rule::Float32(_), Some(share)) => share * self.largest,
            (Rule::Float32(multiple), None) => {
                let unit = unit(self.element, self.largest);
                // An output of 16 bits is rounded once, whatever went before: half a unit is not to be multiplied.
                let rounding = if self.element.size() == 2 { unit / 2.0 } else { 0.0 };
                let beyond = (self.native_error - rounding).max(0.0);
                let lucky = multiple * luck(self.native.elements().len()) * beyond;
                // Errors of more units are no luck.
                (multiple * beyond).max(lucky.min(multiple * FLOOR_ULP * unit)).max(FLOOR_ULP * unit)
            }
        };
    }

    /// Lets the limit of a float not exceed `share` of the largest value, nor fall below `least` times the error that was measured.
    pub fn cap(&mut self, share: f64, least: f64) {
        if self.element.is_float() {
            self.limit = self.limit.min((share * self.largest).max(least * self.native_error));
        }
    }

    /// Has `share` of the largest value for the limit where float64 says nothing, and returns whether float32 is then what counts
    /// as exact, since it is infinite or of another shape.
    pub fn fall_back(&mut self, share: f64) -> bool {
        if !self.native_error.is_finite() {
            self.exact = None;
            (self.native_error, self.largest, self.share) = (0.0, magnitude(&self.native.to_f64()), Some(share));
            return true;
        }
        if self.element == ElementType::Double && self.native_error == 0.0 && self.share.is_none() {
            self.share = Some(share * f64::EPSILON / f64::from(f32::EPSILON));
        }
        false
    }

    /// The limit as a share of the largest value; zero if all are zero.
    pub fn share_of_largest(&self) -> f64 {
        if self.largest > 0.0 { self.limit / self.largest } else { 0.0 }
    }

    /// Whether all values are finite in both precisions.
    pub fn is_finite(&self) -> bool {
        let finite = |tensor: &Tensor| tensor.to_f64().iter().all(|value| value.is_finite());
        finite(&self.native) && self.exact.as_ref().is_none_or(finite)
    }

    /// What agreement proves.
    pub fn state(&self) -> State {
        let values = self.right().to_f64();
        match self.share_of_largest() {
            _ if values.is_empty() => State::Empty,
            _ if values.iter().all(|value| *value == 0.0) => State::Zero,
            _ if values.iter().all(|value| !value.is_finite()) => State::NotFinite,
            share if share > PROVING => State::Wide(share),
            _ => State::Proving,
        }
    }

    /// The largest difference from what the framework gives in float32.
    pub fn difference(&self, found: &Tensor) -> f64 {
        distance(found, &self.native)
    }

    /// How far an output deviates.
    pub fn deviates(&self, found: &Tensor) -> OutputError {
        let (right, native) = (self.right(), &self.native);
        let right_values = right.to_f64();
        let values = found.to_f64();
        let absolute = match self.element.is_float() {
            true => distance(found, right),
            false => self.unlike(found),
        };
        let form = |tensor: &Tensor| format!("{} {:?}", tensor.elements().element_type(), tensor.shape());
        OutputError {
            output: self.name.clone(),
            absolute,
            limit: self.limit,
            relative: match absolute {
                0.0 => 0.0,
                absolute => absolute / self.largest,
            },
            ulp: absolute / unit(self.element, self.largest),
            cosine: cosine(&values, &right_values),
            not_finite: values.iter().zip(&right_values).filter(|&pair| differs(pair)).count(),
            native: distance(native, right),
            apart: self.exact.is_none(),
            form: (form(found) != form(native)).then(|| format!("{} and not {}", form(found), form(native))),
        }
    }
}

impl ExpectedOutput {
    /// The largest difference of whole numbers from the right ones, where they are not those of float32 either: a choice between two
    /// values that are nearly the same may fall either way. Infinite if shapes or types differ; 1 for other text.
    fn unlike(&self, found: &Tensor) -> f64 {
        if self.element == ElementType::String {
            let other = found.shape() != self.native.shape() || found.is_other_text(&self.native);
            return f64::from(u8::from(other));
        }
        let whole = [found, &self.native, self.right()]
            .map(|tensor| tensor.to_whole().filter(|_| tensor.shape() == found.shape()));
        let [Some(found), Some(native), Some(right)] = whole else { return f64::INFINITY };
        let mut most = 0.0_f64;
        for (place, (found, (native, right))) in found.iter().zip(native.iter().zip(&right)).enumerate() {
            let may_be = |value: &i128| self.alternatives.iter().any(|values| values.get(place) == Some(value));
            if found != native && found != right && !(may_be(found) && may_be(right)) {
                most = most.max(found.abs_diff(*right) as f64);
            }
        }
        most
    }
}

/// What the multiple of the error of so many values is multiplied by.
fn luck(values: usize) -> f64 {
    if (1..MANY).contains(&values) { LUCK.powf(1.0 / values as f64) } else { 1.0 }
}

/// The distance from a magnitude to the next larger one of an element type; for whole numbers that of float32.
fn unit(element: ElementType, magnitude: f64) -> f64 {
    match element {
        ElementType::Double => magnitude.next_up() - magnitude,
        ElementType::Float16 => spacing(magnitude) * f64::from(f16::EPSILON) / f64::from(f32::EPSILON),
        ElementType::Bfloat16 => spacing(magnitude) * f64::from(bf16::EPSILON) / f64::from(f32::EPSILON),
        _ => spacing(magnitude),
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
        true if a.is_other_text(b) => 1.0,
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
