//! What engines are judged by on a file from anywhere.

use std::path::Path;

use crate::contender::Contender;
use crate::onnx_file::decisions::Decisions;
use crate::onnx_file::evaluate::Told;
use crate::onnx_file::widened::Widened;
use crate::task::Case;
use crate::verify::{Expected, FACTOR, LANES_FACTOR, PROVING, Widest};
use anyhow::{Context, Result};
use artifact::interrupt::TemporaryFolder;
use engines::engine::EngineError;
use engines::tensor::NamedTensor;
use engines::worker::remote::{Launcher, RemoteEngine};
use float64::to_float64;
use onnx_model::{DataType, Model};
use terminal::failure::sentence;
use terminal::progress::Progress;

use crate::search::ReferenceSession;

/// The share of the largest value that engines may differ by where nothing says how far float32 deviates.
pub const SHARE: f64 = 1e-3;

/// How many times as coarsely as float32 float16 rounds.
const HALF_UNITS: f64 = 8192.0;

/// The most that float16 may deviate, as a share of the largest value, unless the reference itself deviates further: 40 units in
/// its last place.
const HALF_SHARE: f64 = 0.02;

/// A limit of a larger share of the largest value says little.
const WIDE: f64 = 1e-2;

/// What engines are judged by.
pub struct Standard<'a> {
    /// Starts processes.
    pub launcher: &'a Launcher,
    /// What runs the file.
    pub plain: &'a ReferenceSession,
    /// The file that is right.
    pub file: &'a Path,
    /// The limit that the user sets, as a share of the largest value.
    pub tolerance: Option<f64>,
    /// How many of the cases, which come first, are the user's own.
    pub own: usize,
}

/// What the file means, in float32 and, where ONNX Runtime has it, in float64. A reader is told of the limits, of what should not have
/// happened, and of what keeps agreement from proving anything.
///
/// # Errors
/// When the reference fails.
pub fn expected(
    standard: &Standard<'_>,
    reference: &mut Contender,
    cases: Vec<Case>,
    told: &mut Told,
) -> Result<Expected> {
    let progress = Progress::new("exact results");
    let tolerance = standard.tolerance;
    let share = tolerance.unwrap_or(SHARE);
    let exact = standard.exact().and_then(|mut exact| {
        let mut wide = Widened(&mut exact.engine);
        let native = reference.required()?;
        let made = Expected::where_exact(share, native, &mut wide, cases.clone(), |share| progress.set(share))?;
        Ok((made, exact.halves))
    });
    let expected = match exact {
        Ok(((expected, refused), halves)) => {
            told.notes.extend(without_exact(&refused, share));
            let (expected, other) = expected.fall_back(share);
            for (output, cases) in other {
                told.notes.push(format!(
                    "float32 gives `{output}` with infinite values or in a shape that float64 does not ({}), so the limit there is \
                     {share:.1e} of the largest value",
                    cases.join("; ")
                ));
            }
            match tolerance {
                Some(share) => expected.share(share),
                None if halves => {
                    told.notes.push(format!(
                        "the file holds float16, which rounds {HALF_UNITS} times as coarsely as float32, and an engine may compute in \
                         it; --tolerance sets a limit of your own"
                    ));
                    // Where the reference itself rounds to float16, that is in the measured error, and not to be multiplied again.
                    expected.multiple(FACTOR * HALF_UNITS).capped(HALF_SHARE, LANES_FACTOR)
                }
                None => expected.multiple(LANES_FACTOR),
            }
        }
        Err(error) => {
            let apart = Expected::apart(share, reference.required()?, cases, |share| progress.set(share))?;
            let why = format!(
                "float64 does not say how far this file may deviate, so the limit is {share:.1e} of the largest value: {}",
                sentence(error.as_ref())
            );
            // That there is no float64 is in the nature of the file; that it crashes or hangs is not.
            match error.downcast_ref::<EngineError>() {
                Some(EngineError::Gone { .. }) => told.undone.push(why),
                _ => told.notes.push(why),
            }
            apart
        }
    };
    if let Some(case) = expected.not_finite() {
        told.notes.push(format!("the model itself gives values that are no finite numbers ({case})"));
    }
    let doubts = expected.unproven(tolerance.is_some(), standard.own);
    if tolerance.is_none() {
        told.notes.extend(wide(&expected, doubts.is_empty()));
    }
    told.unproven.extend(doubts);
    Ok(expected.called(&reference.row.engine))
}

/// What whole numbers and truth values are in these cases where the floats that decide about them are a little different; nothing
/// where no float that is computed decides.
///
/// # Errors
/// When there is no float64 rewrite, or an engine fails.
pub fn alternatives(
    standard: &Standard<'_>,
    cases: &[(String, Vec<NamedTensor>)],
) -> Result<Vec<(String, Vec<Vec<NamedTensor>>)>> {
    let Some(decisions) = Decisions::of(&Model::load(standard.file)?) else { return Ok(Vec::new()) };
    let folder = TemporaryFolder::new().context("no place for the model in float64")?;
    let [native, exact] = ["float32.onnx", "float64.onnx"].map(|name| folder.path().join(name));
    decisions.model.save(&native)?;
    to_float64(&decisions.model)?.save(&exact)?;
    let mut native = standard.launcher.engine(&standard.plain.fast_spec(&native))?;
    let mut exact = standard.launcher.engine(&standard.plain.fast_spec(&exact))?;
    let of = |(label, inputs): &(String, Vec<NamedTensor>)| {
        Ok((label.clone(), decisions.alternatives(&mut native, &mut Widened(&mut exact), inputs)?))
    };
    cases.iter().map(of).collect()
}

/// What is said of the cases that float64 does not run.
fn without_exact(refused: &[(String, EngineError)], share: f64) -> Option<String> {
    let (_, error) = refused.first()?;
    let labels: Vec<&str> = refused.iter().map(|(label, _)| label.as_str()).collect();
    Some(format!(
        "float64 does not run at {}, so the limit there is {share:.1e} of the largest value: {}",
        labels.join("; "),
        sentence(error)
    ))
}

/// What is said of limits that let much pass, and if something `is_proven` all the same, of those that prove nothing.
fn wide(expected: &Expected, is_proven: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for (output, cases) in expected.wide().into_iter().filter(|_| is_proven) {
        notes.push(format!(
            "the limit of `{output}` is above {:.0} % of its largest value and proves nothing at {}; other cases have limits of \
             their own",
            100.0 * PROVING,
            cases.join("; ")
        ));
    }
    if let Some(Widest { output, case, share }) = expected.widest(PROVING).filter(|widest| widest.share >= WIDE) {
        notes.push(format!(
            "what float32 deviates makes the limit of `{output}` {:.0} % of its largest value ({case}), within which much can go \
             wrong; --tolerance sets a limit of your own",
            100.0 * share
        ));
    }
    notes
}

/// The file in float64, in a process of its own.
struct Exact {
    engine: RemoteEngine,
    /// Whether the file itself has numbers of 16 bits.
    halves: bool,
    /// Where the rewritten file lies.
    _folder: TemporaryFolder,
}

impl Standard<'_> {
    /// Rewrites the file to float64 and loads it.
    fn exact(&self) -> Result<Exact> {
        let folder = TemporaryFolder::new().context("no place for the model in float64")?;
        let path = folder.path().join("float64.onnx");
        // Both models are gone before the engine takes the memory for its own.
        let halves = {
            let mut model = Model::load(self.file)?;
            model.graph.sort();
            to_float64(&model)?.save(&path)?;
            model.graph.initializers.iter().any(|tensor| matches!(tensor.dtype, DataType::F16 | DataType::BF16))
        };
        let engine = self.launcher.engine(&self.plain.fast_spec(&path))?;
        Ok(Exact { engine, halves, _folder: folder })
    }
}
