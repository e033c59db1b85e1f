//! Whether the file computes what the module does: both are run, and judged by the module in float64.
//!
//! The rule is that of the crate `evaluation`. Two correct programs differ in float32, since they add in different orders, so
//! that each output may be off by 4 times what Burn's own float32 is off, or by 4 units in the last place of its largest
//! value if that is more.
//!
//! A `forward` that makes real numbers of its own mixes float32 with the float64 of its parameters, and Burn refuses that. Then the
//! limit is a share of the largest value of what Burn gives in float32, and the proof says so.

mod beside;
mod sizes;
mod test_data;

use std::fmt;
use std::path::{Path, PathBuf};

use artifact::FileError;
use burn::module::Module;
use engines::engine::EngineError;
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::tensor::NamedTensor;
use evaluation::onnx_file::inputs::InputsError;
use evaluation::onnx_file::standard::SHARE;
use evaluation::verify::{Expected, NotFinite, Verification};

use crate::capture::{ModelInputs, ModelOutputs};
use crate::error::ExportError;
use crate::exported::ExportedModel;
use beside::Beside;
pub use beside::in_float64;
pub use sizes::Sizes;

/// Where `cargo xtask fetch onnxruntime` keeps the library: in the repository that this crate was built from, and in no folder that
/// happens to lie above the one in which a program runs.
fn fetched() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/onnxruntime")
}

/// A file that computes what its module does: how far both are from float64, case by case.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    runtime: String,
    without_float64: Option<String>,
    verification: Verification,
}

/// Why a file is not proven to compute what its module does.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file gives something else than the module.
    #[error("{what}")]
    Differs {
        /// The worst output, with its case, and the limit.
        what: String,
        /// All errors.
        proof: Box<Proof>,
    },
    /// The module gives values that prove nothing, such as zeros alone.
    #[error("agreement would prove nothing: {}", reasons.join("; "))]
    Unproven {
        /// Why, in sentences.
        reasons: Vec<String>,
    },
    /// The module itself gives infinities or NaN.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// A size is asked for that the axis does not have, or the axis itself is not there.
    #[error("{reason}")]
    Size {
        /// What is wrong, and what is legal.
        reason: String,
    },
    /// `forward` panicked.
    #[error("forward panicked ({case}): {message} ({place})")]
    Panicked {
        /// The case.
        case: String,
        /// What it said.
        message: String,
        /// The line.
        place: String,
    },
    /// An element type that the comparison does not know.
    #[error("{name:?} has the element type {dtype}, which verification does not handle")]
    ElementType {
        /// The input or output.
        name: String,
        /// The type.
        dtype: String,
    },
    /// The file could not be written, or `forward` is not the one that was exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// No inputs could be made up.
    #[error(transparent)]
    Inputs(#[from] InputsError),
    /// ONNX Runtime was not found, or could not load or run the file.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Proof {
    /// The errors, output by output, and what they are judged by.
    pub fn verification(&self) -> &Verification {
        &self.verification
    }

    /// Why there is no float64 to measure by, if so: `forward` makes real numbers of its own, which stay float32. Then the limit
    /// is a share of the largest value of what Burn gives in float32.
    pub fn without_float64(&self) -> Option<&str> {
        self.without_float64.as_deref()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runtime = &self.runtime;
        match &self.without_float64 {
            None => writeln!(f, "Verified under {runtime} against Burn in float64")?,
            Some(reason) => writeln!(
                f,
                "Verified under {runtime} against Burn in float32 alone: float64 could not be had, since {reason}. How far Burn's float32 \
                 deviates is not known, so it stands as 0 here, and the limit is a share of the largest value of what it gives"
            )?,
        }
        f.write_str(&self.verification.table("Burn"))
    }
}

/// What Burn makes of the cases, and why there is no float64 of it, if so.
fn expected<M: Module, F>(
    native: &mut Beside<'_, M, F>,
    exact: &mut Beside<'_, M, F>,
    cases: Vec<(String, Vec<NamedTensor>)>,
) -> Result<(Expected, Option<String>), VerifyError> {
    let measured = Expected::of(native, exact, cases.clone(), |_| ());
    // What forward said is more than that the engine failed.
    if let Some(failure) = native.failure.take() {
        return Err(failure);
    }
    match exact.failure.take() {
        None => Ok((measured?, None)),
        Some(failure @ VerifyError::Panicked { .. }) => {
            let apart = Expected::apart(SHARE, native, cases, |_| ());
            match native.failure.take() {
                Some(failure) => Err(failure),
                None => Ok((apart?.called("Burn's float32"), Some(failure.to_string()))),
            }
        }
        Some(failure) => Err(failure),
    }
}

impl ExportedModel {
    /// Runs the file under ONNX Runtime, on a CPU, and `forward` on `module` in float32 and in float64, at these sizes, and
    /// compares all outputs. Give the module and the closure that were exported.
    ///
    /// Parameters and inputs are what is widened to float64. Where `forward` panics beside that and not in float32, as it does if
    /// it makes real numbers of its own (`Tensor::ones`, the first state of a recurrent layer), the limit is a thousandth of the
    /// largest value of what Burn gives in float32: see [`Proof::without_float64`].
    ///
    /// The library is the one that `ORT_DYLIB_PATH` names, else the one that `cargo xtask fetch onnxruntime` brought into the
    /// repository that this crate was built from, else the system's. It reports usage to its maker unless
    /// `ORT_DISABLE_TELEMETRY` is `1` before the program starts, and is not loaded without that.
    ///
    /// ```no_run
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_export::{Axis, OnnxExporter, Sizes};
    ///
    /// let forward = |linear: &Linear, x: Tensor<2>| linear.forward(x);
    /// let linear = LinearConfig::new(4, 8).init(&Device::flex());
    /// let model = OnnxExporter::new()
    ///     .input("x", [Axis::dynamic("batch"), Axis::fixed(4)])
    ///     .output("y")
    ///     .export(&linear, forward)?;
    /// let proof = model.verify(&linear, forward, Sizes::chosen())?;
    /// println!("{proof}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the file gives something else, when a comparison would prove nothing, or when one of them cannot be run.
    pub fn verify<M, I, O>(&self, module: &M, forward: impl Fn(&M, I) -> O, sizes: Sizes) -> Result<Proof, VerifyError>
    where
        M: Module,
        I: ModelInputs,
        O: ModelOutputs,
    {
        let cases = sizes.cases(self)?;
        let runtime = Runtime::load(&fetched()).map_err(EngineError::Library)?;
        let folder = tempfile::tempdir().map_err(FileError::new("make a folder in", std::env::temp_dir()))?;
        let path: PathBuf = folder.path().join("model.onnx");
        self.save(&path)?;
        let (expected, without_float64) = {
            let mut native = Beside::native(self, module, &forward);
            let mut exact = Beside::exact(self, module, &forward);
            expected(&mut native, &mut exact, cases)?
        };
        expected.require_finite("the module")?;
        let reasons = expected.unproven(false, 0);
        if !reasons.is_empty() {
            return Err(VerifyError::Unproven { reasons });
        }
        let mut session = Session::open(&runtime, &path, SessionOptions::default())?;
        let verification = expected.judge(&mut session)?;
        let what = verification.failed("the file");
        let proof = Proof { runtime: format!("ONNX Runtime {}", runtime.version()), without_float64, verification };
        match what {
            Some(what) => Err(VerifyError::Differs { what, proof: Box::new(proof) }),
            None => Ok(proof),
        }
    }

    /// Writes `model.onnx` into `folder`, and for each of the sizes a folder `test_data_set_0`, `test_data_set_1`, … with
    /// `input_0.pb`, … and `output_0.pb`, …: inputs, and what Burn makes of them in float32. That is the layout of ONNX's own
    /// tests, which the tools of many runtimes read.
    ///
    /// # Errors
    /// When `forward` fails, or a file cannot be written.
    pub fn save_with_tests<M, I, O>(
        &self,
        folder: impl AsRef<Path>,
        module: &M,
        forward: impl Fn(&M, I) -> O,
        sizes: Sizes,
    ) -> Result<Vec<PathBuf>, VerifyError>
    where
        M: Module,
        I: ModelInputs,
        O: ModelOutputs,
    {
        let cases = sizes.cases(self)?;
        let native = Beside::native(self, module, &forward);
        let outputs = cases.iter().map(|(_, inputs)| native.compute(inputs)).collect::<Result<Vec<_>, _>>()?;
        test_data::write(self, folder.as_ref(), &cases, &outputs)
    }
}
