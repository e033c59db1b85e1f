//! Does an engine compute the same function as the framework that the network comes from?
//!
//! Two correct programs differ in float32, since they add in different orders. How much is lawful is not guessed: the
//! network is also run in float64, whose own error is a billionth of float32's. How far the framework's float32 deviates
//! from it is the measure, and an engine passes if it deviates at most a few times as far, or [`FLOOR_ULP`] units in the last
//! place of the largest value, where the framework happens to be nearly exact. Every output is measured by
//! itself in every case, since the outputs of a network may be of different magnitudes, and no case may widen the limit of another.
//!
//! Where a network has no float64, or the user names a share, a share of the largest value is the limit: see [`Rule`].

mod output;
mod rule;
#[cfg(test)]
mod tests;
mod verdict;

pub use rule::Rule;
pub use verdict::{Case, OutputError, Verification};

use engines::engine::{Engine, EngineError};
use engines::tensor::{NamedTensor, Tensor};
use output::{ExpectedOutput, State};

/// How many times as far as the framework's float32 an engine may deviate from the exact result.
///
/// Rounding errors of sums of different order are samples from the same distribution, and the largest of some hundred
/// samples varies by less than 2 from draw to draw; a wrong weight or operation is off by thousands.
pub const FACTOR: f64 = 4.0;

/// The same where the framework is ONNX Runtime.
///
/// It adds up in as many lanes as the processor's vectors have, 16 with AVX-512. The error of a sum grows as the root of the
/// number of terms that are added one after the other, so an engine without lanes deviates 4 times as far by that alone.
pub const LANES_FACTOR: f64 = 4.0 * FACTOR;

/// What every engine may deviate, in units in the last place of the largest value of the output.
pub const FLOOR_ULP: f64 = 4.0;

/// A limit of a larger share of the largest value of its output proves nothing: half of the values could be gone.
pub const PROVING: f64 = 0.1;

/// What the framework makes of a set of cases: what engines are judged by.
pub struct Expected {
    rule: Rule,
    framework: String,
    /// Whether the limit is a share that the user set, which holds for whole numbers, too.
    asked: bool,
    cases: Vec<ExpectedCase>,
}

/// Inputs and what they give.
struct ExpectedCase {
    label: String,
    inputs: Vec<NamedTensor>,
    outputs: Vec<ExpectedOutput>,
}

/// A network gives infinities or NaN by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} itself gives values that are no finite numbers ({case}): its weights hold NaN or infinity, or it overflows"
)]
pub struct NotFinite {
    /// The network, in a word with its article.
    pub what: &'static str,
    /// The first such case.
    pub case: String,
}

/// Outputs of which something is to be said, with the labels of the cases that it is said of.
pub type Told = Vec<(String, Vec<String>)>;

/// The widest of all limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Widest<'a> {
    /// The output.
    pub output: &'a str,
    /// The case.
    pub case: &'a str,
    /// The limit, as a share of the largest value of the output in that case.
    pub share: f64,
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
        let exact = |inputs: &[NamedTensor]| exact.run(inputs).map(Some);
        Self::by(Rule::default(), native, exact, cases, progress)
    }

    /// As [`of`](Self::of). A case that `exact` refuses has none: there `share` of the largest value of what `native` gives is
    /// the limit. Gives the labels of those, with why.
    ///
    /// # Errors
    /// When `native` fails, one of them lacks an output of the other, `exact` crashes or hangs, or it refuses all.
    pub fn where_exact(
        share: f64,
        native: &mut dyn Engine,
        exact: &mut dyn Engine,
        cases: Vec<(String, Vec<NamedTensor>)>,
        progress: impl FnMut(f64),
    ) -> Result<(Self, Vec<(String, EngineError)>), EngineError> {
        let labels: Vec<String> = cases.iter().map(|(label, _)| label.clone()).collect();
        let mut refused = Vec::new();
        let mut index = 0;
        let exact = |inputs: &[NamedTensor]| {
            index += 1;
            match exact.run(inputs) {
                Ok(outputs) => Ok(Some(outputs)),
                Err(error) if matches!(error, EngineError::Gone { .. }) || refused.len() + 1 == labels.len() => {
                    Err(error)
                }
                Err(error) => {
                    refused.extend(labels.get(index - 1).cloned().map(|label| (label, error)));
                    Ok(None)
                }
            }
        };
        let mut expected = Self::by(Rule::default(), native, exact, cases, progress)?;
        for output in expected.cases.iter_mut().flat_map(|case| &mut case.outputs).filter(|output| output.is_apart()) {
            output.share = Some(share);
        }
        let rule = expected.rule;
        Ok((expected.limited(rule), refused))
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
        Self::by(Rule::Apart(share), native, |_| Ok(None), cases, progress)
    }

    /// Judges by outputs that `source` says are right: `share` of the largest value is the limit.
    pub fn given(source: &str, share: f64, cases: Vec<(String, Vec<NamedTensor>, Vec<NamedTensor>)>) -> Self {
        let output = |right: NamedTensor| ExpectedOutput::new(right.name, right.tensor, None);
        let case = |(label, inputs, outputs): (_, _, Vec<NamedTensor>)| ExpectedCase {
            label,
            inputs,
            outputs: outputs.into_iter().map(output).collect(),
        };
        let rule = Rule::Apart(share);
        let cases = cases.into_iter().map(case).collect();
        Self { rule, framework: source.to_owned(), asked: false, cases }.limited(rule)
    }

    fn by(
        rule: Rule,
        native: &mut dyn Engine,
        mut exact: impl FnMut(&[NamedTensor]) -> Result<Option<Vec<NamedTensor>>, EngineError>,
        cases: Vec<(String, Vec<NamedTensor>)>,
        mut progress: impl FnMut(f64),
    ) -> Result<Self, EngineError> {
        let total = cases.len().max(1) as f64;
        let mut results = Vec::new();
        for (label, inputs) in cases {
            let found = native.run(&inputs)?;
            let outputs = match exact(&inputs)? {
                Some(exact) => exact
                    .into_iter()
                    .map(|exact| {
                        let native = output(native.name(), &found, &exact.name)?.clone();
                        Ok(ExpectedOutput::new(exact.name, native, Some(exact.tensor)))
                    })
                    .collect::<Result<_, EngineError>>()?,
                None => found.into_iter().map(|native| ExpectedOutput::new(native.name, native.tensor, None)).collect(),
            };
            results.push(ExpectedCase { label, inputs, outputs });
            progress(results.len() as f64 / total);
        }
        Ok(Self { rule, framework: native.name().to_owned(), asked: false, cases: results }.limited(rule))
    }

    /// The same under another name of the framework.
    #[must_use]
    pub fn called(self, framework: &str) -> Self {
        Self { framework: framework.to_owned(), ..self }
    }

    /// Judges by `share` of the largest value what float64 says nothing of: an output in which float32 is infinite or of another
    /// shape where float64 is not, which is then compared with float32; and one that is float64 in the network itself, where the
    /// share is as much smaller as its units are. Gives the names of the former.
    pub fn fall_back(mut self, share: f64) -> (Self, Told) {
        let mut told = Told::new();
        for case in &mut self.cases {
            for output in &mut case.outputs {
                if !output.fall_back(share) {
                    continue;
                }
                match told.iter_mut().find(|(name, _)| *name == output.name) {
                    Some((_, labels)) => labels.push(case.label.clone()),
                    None => told.push((output.name.clone(), vec![case.label.clone()])),
                }
            }
        }
        let rule = self.rule;
        (self.limited(rule), told)
    }

    /// What keeps an agreement from proving anything, in sentences: outputs of which every value is zero or no number in every
    /// case, or that are empty, and such as have no case with a limit of at most [`PROVING`] of the largest value, unless the user
    /// set the limit. Each of the first `own` cases, of all if there are fewer, must prove something by itself.
    pub fn unproven(&self, limit_is_asked_for: bool, own: usize) -> Vec<String> {
        let told = self.names().filter_map(|name| {
            let state = |(case, output): (_, &ExpectedOutput)| match output.state() {
                State::Wide(_) if limit_is_asked_for => (case, State::Proving),
                state => (case, state),
            };
            doubt(name, &self.of_output(name).map(state).collect::<Vec<_>>(), own)
        });
        told.collect()
    }

    /// The cases whose limit of an output is above [`PROVING`] of its largest value, by the outputs.
    pub fn wide(&self) -> Told {
        let wide = |name: &str| -> Vec<String> {
            let wide = self.of_output(name).filter(|(_, output)| matches!(output.state(), State::Wide(_)));
            wide.map(|(case, _)| case.to_owned()).collect()
        };
        let told = self.names().map(|name| (name.to_owned(), wide(name)));
        told.filter(|(_, cases)| !cases.is_empty()).collect()
    }

    /// The names of the outputs.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.cases.first().into_iter().flat_map(|case| &case.outputs).map(|output| output.name.as_str())
    }

    /// An output in every case, with the label of the case.
    fn of_output<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a ExpectedOutput)> {
        let outputs =
            self.cases.iter().flat_map(|case| case.outputs.iter().map(|output| (case.label.as_str(), output)));
        outputs.filter(move |(_, output)| output.name == name)
    }

    fn outputs(&self) -> impl Iterator<Item = (&ExpectedCase, &ExpectedOutput)> {
        self.cases.iter().flat_map(|case| case.outputs.iter().map(move |output| (case, output)))
    }

    /// Lets no limit that comes of a multiple exceed `share` of the largest value, nor fall below `least` times the error that
    /// was measured.
    #[must_use]
    pub fn capped(mut self, share: f64, least: f64) -> Self {
        self.cases.iter_mut().flat_map(|case| &mut case.outputs).for_each(|output| output.cap(share, least));
        self
    }

    /// The widest limit of at most `most` of the largest value.
    pub fn widest(&self, most: f64) -> Option<Widest<'_>> {
        let shares = self.outputs().map(|(case, output)| Widest {
            output: &output.name,
            case: &case.label,
            share: output.share_of_largest(),
        });
        shares.filter(|widest| widest.share <= most).max_by(|a, b| a.share.total_cmp(&b.share))
    }

    /// Judges by another multiple of what the framework's float32 deviates, where there is a float64.
    #[must_use]
    pub fn multiple(self, multiple: f64) -> Self {
        match self.rule {
            Rule::Float32(_) | Rule::Share(_) => self.limited(Rule::Float32(multiple)),
            Rule::Apart(_) => self,
        }
    }

    /// Judges by a share of the largest value that the user set, whatever float32 deviates, whole numbers as well.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        let rule = match self.rule {
            Rule::Float32(_) | Rule::Share(_) => Rule::Share(share),
            Rule::Apart(_) => Rule::Apart(share),
        };
        Self { asked: true, ..self }.limited(rule)
    }

    /// The same with the limits of a rule.
    fn limited(mut self, rule: Rule) -> Self {
        let asked = self.asked;
        self.cases.iter_mut().flat_map(|case| &mut case.outputs).for_each(|output| output.limit_by(rule, asked));
        Self { rule, ..self }
    }

    /// What an output may deviate in a case, as a share of its largest value there; zero if all of that are zero.
    pub fn share_of(&self, case: &str, output: &str) -> f64 {
        let found = self.outputs().find(|(of, found)| of.label == case && found.name == output);
        found.map_or(0.0, |(_, found)| found.share_of_largest())
    }

    /// How far the framework's float32 deviates from float64 at most; infinite if it gives what is no number, or of another
    /// shape.
    fn native_error(&self) -> f64 {
        self.outputs().fold(0.0, |most, (_, output)| most.max(output.native_error))
    }

    /// Whether the network, which `what` names (`the network`), gives finite numbers by itself.
    ///
    /// # Errors
    /// When it does not: nothing can be compared with them.
    pub fn require_finite(&self, what: &'static str) -> Result<(), NotFinite> {
        self.not_finite().map_or(Ok(()), |case| Err(NotFinite { what, case: case.to_owned() }))
    }

    /// The first case in which the framework itself gives a value that is no finite number, in either precision.
    pub fn not_finite(&self) -> Option<&str> {
        self.outputs().find(|(_, output)| !output.is_finite()).map(|(case, _)| case.label.as_str())
    }

    /// The cases in which an engine gives another whole number or truth value.
    pub fn undecided(&self, found: &[Option<Verification>]) -> Vec<String> {
        let differs = |case: &ExpectedCase, output: &ExpectedOutput| {
            let cases = found.iter().flatten().flat_map(|found| &found.cases).filter(|found| found.label == case.label);
            let mut outputs = cases.flat_map(|found| &found.outputs);
            outputs.any(|found| found.output == output.name && found.form.is_none() && !found.passed())
        };
        let mut labels: Vec<String> = Vec::new();
        for (case, _) in self.outputs().filter(|(case, output)| output.is_whole() && differs(case, output)) {
            if !labels.contains(&case.label) {
                labels.push(case.label.clone());
            }
        }
        labels
    }

    /// Takes whole numbers and truth values of a case that are lawful as well.
    pub fn consider(&mut self, label: &str, alternatives: &[Vec<NamedTensor>]) {
        let outputs = self.cases.iter_mut().filter(|case| case.label == label).flat_map(|case| &mut case.outputs);
        for output in outputs.filter(|output| output.is_whole()) {
            for found in alternatives.iter().flatten() {
                if found.name == output.name {
                    output.consider(&found.tensor);
                }
            }
        }
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
            for expected in &case.outputs {
                let found = output(engine.name(), &found, &expected.name)?;
                let output = expected.deviates(found);
                judged.error = judged.error.max(output.absolute);
                judged.native_error = judged.native_error.max(output.native);
                judged.difference = judged.difference.max(expected.difference(found));
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

/// Why agreement in an output proves nothing, given what it would prove in each case, the first `own` of which are the user's own.
fn doubt(name: &str, states: &[(&str, State)], own: usize) -> Option<String> {
    let wide = |states: &[(&str, State)]| {
        states.iter().find_map(|(case, state)| match state {
            State::Wide(share) => Some(format!(
                "the limit of `{name}` is {:.0} % of its largest value ({case}), and above {:.0} % it lets wrong results pass \
                 (--tolerance sets a limit of your own)",
                100.0 * share,
                100.0 * PROVING
            )),
            _ => None,
        })
    };
    let all = |of: &[State]| states.iter().all(|(_, state)| of.contains(state));
    if let Some(told) = wide(states.get(..own).unwrap_or(states)) {
        return Some(told);
    }
    if states.iter().any(|(_, state)| *state == State::Proving) {
        return None;
    }
    wide(states).or_else(|| {
        Some(match () {
            () if all(&[State::Empty]) => format!("`{name}` is empty in every case"),
            () if all(&[State::Empty, State::Zero]) => format!("every value of `{name}` is zero in every case"),
            () if all(&[State::Empty, State::NotFinite]) => {
                format!("no value of `{name}` is a finite number in any case")
            }
            () => format!("no case gives a value of `{name}` that is a finite number other than zero"),
        })
    })
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
