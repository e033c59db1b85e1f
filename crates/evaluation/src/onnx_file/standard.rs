//! What engines are judged by on a file from anywhere.

use std::path::Path;

use crate::contender::Contender;
use crate::onnx_file::widened::Widened;
use crate::task::Case;
use crate::verify::{Expected, FACTOR, LANES_FACTOR, PROVING};
use anyhow::{Context, Result};
use engines::engine::EngineError;
use engines::worker::remote::{Launcher, RemoteEngine};
use float64::to_float64;
use onnx_model::{DataType, Model};
use tempfile::TempDir;
use terminal::failure::sentence;
use terminal::progress::Progress;

use crate::search::Plain;

/// The share of the largest value that engines may differ by where nothing says how far float32 strays.
const SHARE: f64 = 1e-3;

/// How many times as coarsely as float32 float16 rounds.
const HALF_UNITS: f64 = 8192.0;

/// The most that float16 may stray, as a share of the largest value, unless the reference itself strays further: 40 units in
/// its last place.
const HALF_SHARE: f64 = 0.02;

/// A limit of a larger share of the largest value says little.
const WIDE: f64 = 1e-2;

/// What engines are judged by.
pub struct Standard<'a> {
    /// Starts processes.
    pub launcher: &'a Launcher,
    /// What runs the file.
    pub plain: &'a Plain,
    /// The file that is right.
    pub file: &'a Path,
    /// The limit that the user sets, as a share of the largest value.
    pub tolerance: Option<f64>,
}

/// What the file means, in float32 and, where ONNX Runtime has it, in float64. What a reader should know of the limits goes to
/// `notes`, what should not have happened to `undone`, and what keeps agreement from proving anything to `unproven`.
///
/// # Errors
/// When the reference fails.
pub fn expected(
    standard: &Standard<'_>,
    reference: &mut Contender,
    cases: Vec<Case>,
    notes: &mut Vec<String>,
    undone: &mut Vec<String>,
    unproven: &mut Vec<String>,
) -> Result<Expected> {
    let progress = Progress::new("exact results");
    let tolerance = standard.tolerance;
    let share = tolerance.unwrap_or(SHARE);
    let exact = standard.exact().and_then(|mut exact| {
        let mut wide = Widened(&mut exact.engine);
        let expected = Expected::of(reference.required()?, &mut wide, cases.clone(), |share| progress.set(share))?;
        Ok((expected, exact.halves))
    });
    let expected = match exact {
        Ok((expected, halves)) => {
            let (expected, other) = expected.fall_back(share);
            for output in other {
                notes.push(format!(
                    "float32 gives `{output}` with infinite values or in a shape that float64 does not, so the limit there is \
                     {share:.1e} of the largest value"
                ));
            }
            match tolerance {
                Some(share) => expected.share(share),
                None if halves => {
                    notes.push(format!(
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
            let told = format!(
                "float64 does not say how far this file may stray, so the limit is {share:.1e} of the largest value: {}",
                sentence(error.as_ref())
            );
            // That there is no float64 is in the nature of the file; that it crashes or hangs is not.
            match error.downcast_ref::<EngineError>() {
                Some(EngineError::Gone { .. }) => undone.push(told),
                _ => notes.push(told),
            }
            apart
        }
    };
    if let Some(case) = expected.not_finite() {
        notes.push(format!("the model itself gives values that are no finite numbers ({case})"));
    }
    unproven.extend(expected.unproven(tolerance.is_some()));
    if let Some((output, wide)) =
        expected.widest().filter(|(_, wide)| (WIDE..=PROVING).contains(wide) && tolerance.is_none())
    {
        notes.push(format!(
            "what float32 strays makes the limit of `{output}` {:.0} % of its largest value, within which much can go wrong; \
             --tolerance sets a limit of your own",
            100.0 * wide
        ));
    }
    Ok(expected.called(&reference.row.engine))
}

/// The file in float64, in a process of its own.
struct Exact {
    engine: RemoteEngine,
    /// Whether the file itself has numbers of 16 bits.
    halves: bool,
    /// Where the rewritten file lies.
    _folder: TempDir,
}

impl Standard<'_> {
    /// Rewrites the file to float64 and loads it.
    fn exact(&self) -> Result<Exact> {
        let folder = tempfile::tempdir().context("no place for the model in float64")?;
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
