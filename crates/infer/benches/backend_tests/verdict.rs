//! One test: the verdict of an evaluation, and whether it is right.

use std::path::{Path, PathBuf};
use std::process::Command;

use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Optimization, Session, SessionOptions};
use engines::tensor::{NamedTensor, Tensor};
use evaluation::onnx_file::given::{inputs, outputs};
use evaluation::onnx_file::narrow::Ends;
use onnx_model::Survey;

use crate::outcome::Outcome;

/// By how much of a value ONNX's test runner lets outputs differ.
const RELATIVE: f64 = 1e-3;

/// By how much it lets them differ besides.
const ABSOLUTE: f64 = 1e-7;

/// By how much of the largest value they may differ as well: eight units in the last place, for sums that come to nearly nothing.
const ROUNDING: f64 = 1e-6;

/// What evaluates tests.
pub struct Bench<'a> {
    /// Where the commands run.
    pub root: &'a Path,
    /// The program `infer`.
    pub program: PathBuf,
    /// ONNX Runtime, in this process. What has ended a worker of the evaluation is not given to it.
    pub runtime: Runtime,
}

/// What ONNX Runtime makes of a test by itself.
enum Found {
    Right,
    Wrong,
    Refuses(String),
    /// The data of the test cannot be given to it here.
    Unknown,
}

/// What an evaluation says.
enum Verdict {
    Passed,
    Failed(String),
    NotProven(String),
    Refused(String),
}

impl Bench<'_> {
    /// Evaluates a test.
    pub fn evaluate(&self, test: &Path) -> Outcome {
        let (model, data) = (test.join("model.onnx"), test.join("test_data_set_0"));
        let verdict = match self.verdict(&model, &data) {
            Ok(verdict) => verdict,
            Err(error) => Verdict::Refused(error.to_string()),
        };
        let found = match &verdict {
            Verdict::Refused(reason) if reason.contains("its process") => Found::Unknown,
            _ => self.runtime(&model, &data),
        };
        match (verdict, found) {
            (Verdict::Passed, Found::Right) => Outcome::Passed,
            (Verdict::Failed(reason), Found::Wrong) => Outcome::FailedFairly(reason),
            (Verdict::NotProven(reason), Found::Right) => Outcome::NotProven(reason),
            (Verdict::Refused(_), Found::Refuses(reason)) => Outcome::RefusedByTheRuntime(reason),
            (Verdict::Refused(reason), _) => Outcome::RefusedByKiln(reason),
            (Verdict::Failed(reason) | Verdict::NotProven(reason), _) => Outcome::WrongVerdict(reason),
            (Verdict::Passed, _) => Outcome::WrongVerdict("it passed".to_owned()),
        }
    }

    /// The verdict of `eval --onnx` on the inputs and outputs of the test.
    fn verdict(&self, model: &Path, data: &Path) -> std::io::Result<Verdict> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.root)
            .args(["eval", "--onnx"])
            .arg(model)
            .arg("--inputs")
            .arg(data)
            .arg("--expected")
            .arg(data);
        command.args(["--only-inputs", "--engines", "ort:cpu", "--seconds", "0.001", "--timeout", "120", "--out"]);
        let output = command.arg(folder.path().join("report.json")).output()?;
        let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let first = |word: &str| shown.lines().find_map(|line| line.strip_prefix(word)).map(plain);
        Ok(match (output.status.success(), first("FAILED: "), first("NOT PROVEN: ")) {
            (true, _, _) => Verdict::Passed,
            (false, Some(reason), _) => Verdict::Failed(reason),
            (false, None, Some(reason)) => Verdict::NotProven(reason),
            (false, None, None) => Verdict::Refused(plain(said.trim().trim_start_matches("error: "))),
        })
    }

    /// What the runtime gives, by ONNX's measure.
    fn runtime(&self, model: &Path, data: &Path) -> Found {
        let options = SessionOptions { optimization: Optimization::None, ..SessionOptions::default() };
        let Ok(ends) = Survey::of(model).map_err(anyhow::Error::from).and_then(|survey| Ends::of(model, &survey))
        else {
            return Found::Unknown;
        };
        let mut session = match Session::open(&self.runtime, ends.path(), options) {
            Ok(session) => session,
            Err(error) => return Found::Refuses(plain(&error.to_string())),
        };
        let signature = session.signature().clone();
        let (Ok(inputs), Ok(right)) = (inputs(data, &signature), outputs(data, &signature)) else {
            return Found::Unknown;
        };
        match session.run(&inputs) {
            Ok(found) if right.iter().all(|right| is_right(right, &found)) => Found::Right,
            Ok(_) => Found::Wrong,
            Err(error) => Found::Refuses(plain(&error.to_string())),
        }
    }
}

fn is_right(right: &NamedTensor, found: &[NamedTensor]) -> bool {
    let found = found.iter().find(|found| found.name == right.name).map(|found| &found.tensor);
    found.is_some_and(|found| {
        let form = |tensor: &Tensor| (tensor.elements().element_type(), tensor.shape().to_vec());
        let values = right.tensor.to_f64();
        let largest =
            values.iter().filter(|value| value.is_finite()).fold(0.0_f64, |most, value| most.max(value.abs()));
        let near = |(found, right): (&f64, &f64)| {
            let difference = (found - right).abs();
            found == right
                || (found.is_nan() && right.is_nan())
                || difference <= ABSOLUTE + RELATIVE * right.abs()
                || difference <= ROUNDING * largest
        };
        form(found) == form(&right.tensor)
            && !found.is_other_text(&right.tensor)
            && found.to_f64().iter().zip(&values).all(near)
    })
}

/// A sentence without what is a test's own: paths, numbers, names in backticks or quotes.
fn plain(sentence: &str) -> String {
    let mut kept = String::new();
    let mut quote = None;
    for word in sentence.split_inclusive(|letter: char| letter.is_whitespace() || "`'".contains(letter)) {
        let ends = word.chars().next_back().filter(|letter| "`'".contains(*letter));
        match (quote, ends) {
            (None, _) if word.trim_start_matches('(').starts_with('/') => kept.push_str("… "),
            (None, _) => kept.push_str(word),
            (Some(open), Some(close)) if open == close => kept.push_str(&format!("…{close}")),
            (Some(_), _) => {}
        }
        quote = match (quote, ends) {
            (None, Some(open)) => Some(open),
            (Some(open), Some(close)) if open == close => None,
            (quote, _) => quote,
        };
    }
    // The digits of a type such as `float8` stay.
    let mut plain = String::new();
    for letter in kept.chars() {
        match plain.chars().next_back() {
            Some('#') if letter.is_ascii_digit() => {}
            Some(last) if letter.is_ascii_digit() && !last.is_alphanumeric() => plain.push('#'),
            _ => plain.push(letter),
        }
    }
    plain.trim().chars().take(240).collect()
}
