//! ONNX Runtime for tests, and comparison with Burn.

pub mod tract;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

use burn::tensor::{BoolStore, DType, TensorData};
use ort::ErrorCode;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, TensorElementType, TensorRef, ValueType};

/// The loaded library.
fn environment() -> Environment {
    static LOADED: OnceLock<Environment> = OnceLock::new();
    LOADED
        .get_or_init(|| {
            let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/onnxruntime");
            let library = artifact::runtime::locate(&fetched).unwrap_or_else(|error| panic!("{error}"));
            let builder = ort::init_from(&library.path).unwrap_or_else(|error| panic!("{error}"));
            builder.with_telemetry(false).build().unwrap_or_else(|error| panic!("{error}"))
        })
        .clone()
}

/// Every optimisation, one thread.
fn builder() -> ort::Result<SessionBuilder> {
    // What fails is returned; the library would say it on the console too.
    let builder = Session::builder(&environment())?.with_log_level(LogLevel::Fatal)?;
    Ok(builder.with_optimization_level(GraphOptimizationLevel::All)?.with_intra_threads(1)?)
}

/// Why a model was not loaded.
#[derive(Debug)]
pub enum RunnerError {
    /// The runtime has no kernel for an operator with these element types.
    NoKernel(String),
    /// Something else.
    Other(String),
}

impl fmt::Display for RunnerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NoKernel(text) | Self::Other(text)) = self;
        f.write_str(text)
    }
}

impl From<RunnerError> for String {
    fn from(error: RunnerError) -> Self {
        error.to_string()
    }
}

/// A model loaded by the runtime.
pub struct Runner {
    session: Session,
}

impl Runner {
    /// Loads the bytes of an `.onnx` file with every optimisation.
    pub fn new(bytes: &[u8]) -> Result<Self, RunnerError> {
        Self::made(builder().and_then(|mut builder| builder.commit_from_memory(bytes)))
    }

    /// Loads an `.onnx` file, and the weights beside it.
    pub fn open(path: &Path) -> Result<Self, RunnerError> {
        Self::made(builder().and_then(|mut builder| builder.commit_from_file(path)))
    }

    fn made(session: ort::Result<Session>) -> Result<Self, RunnerError> {
        let session = session.map_err(|error| match error.code() {
            ErrorCode::NotImplemented => RunnerError::NoKernel(error.to_string()),
            _ => RunnerError::Other(error.to_string()),
        })?;
        Ok(Self { session })
    }

    /// Runs the model.
    pub fn run(&mut self, inputs: &[(&str, &TensorData)]) -> Result<Vec<TensorData>, String> {
        let values: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = inputs
            .iter()
            .map(|(name, data)| Ok((Cow::from(*name), input(data).map_err(|error| error.to_string())?)))
            .collect::<Result<_, String>>()?;
        let outputs = self.session.run(values).map_err(|error| error.to_string())?;
        outputs.iter().map(|(_, value)| output(&value)).collect()
    }
}

/// The graph that ONNX Runtime makes of a model at its extended level, where it fuses operators.
pub fn fused(bytes: &[u8]) -> onnx_model::Model {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("fused.onnx");
    let session = Session::builder(&environment())
        .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::Level2)?))
        .and_then(|builder| Ok(builder.with_optimized_model_path(&path)?))
        .and_then(|mut builder| builder.commit_from_memory(bytes));
    session.unwrap_or_else(|error| panic!("{error}"));
    onnx_model::Model::load(&path).unwrap_or_else(|error| panic!("{error}"))
}

fn input(data: &TensorData) -> ort::Result<SessionInputValue<'_>> {
    let shape = data.shape().to_vec();
    macro_rules! view {
        ($element:ty) => {
            TensorRef::from_array_view((shape, data.as_slice::<$element>().unwrap_or_default()))?.into()
        };
    }
    Ok(match data.dtype() {
        DType::F32 => view!(f32),
        DType::F64 => view!(f64),
        DType::F16 => view!(half::f16),
        DType::BF16 => view!(half::bf16),
        DType::I64 => view!(i64),
        DType::I32 => view!(i32),
        DType::I16 => view!(i16),
        DType::I8 => view!(i8),
        DType::U64 => view!(u64),
        DType::U32 => view!(u32),
        DType::U16 => view!(u16),
        DType::U8 => view!(u8),
        DType::Bool(_) => {
            let truths: Vec<bool> = data.iter::<bool>().collect();
            ort::value::Tensor::from_array((shape, truths))?.into()
        }
        other => panic!("no input of type {other:?}"),
    })
}

fn output(value: &DynValue) -> Result<TensorData, String> {
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else { return Err("not a tensor".to_string()) };
    let shape: Vec<usize> = shape.iter().map(|size| *size as usize).collect();
    macro_rules! copied {
        ($element:ty) => {
            TensorData::new(
                value.try_extract_tensor::<$element>().map_err(|error| error.to_string())?.1.to_vec(),
                shape,
            )
        };
    }
    Ok(match ty {
        TensorElementType::Float32 => copied!(f32),
        TensorElementType::Float64 => copied!(f64),
        TensorElementType::Float16 => copied!(half::f16),
        TensorElementType::Bfloat16 => copied!(half::bf16),
        TensorElementType::Int64 => copied!(i64),
        TensorElementType::Int32 => copied!(i32),
        TensorElementType::Int16 => copied!(i16),
        TensorElementType::Int8 => copied!(i8),
        TensorElementType::Uint64 => copied!(u64),
        TensorElementType::Uint32 => copied!(u32),
        TensorElementType::Uint16 => copied!(u16),
        TensorElementType::Uint8 => copied!(u8),
        TensorElementType::Bool => {
            let truths = value.try_extract_tensor::<bool>().map_err(|error| error.to_string())?.1;
            let bytes: Vec<u8> = truths.iter().map(|truth| u8::from(*truth)).collect();
            TensorData::from_bytes_vec(bytes, shape, DType::Bool(BoolStore::U8))
        }
        other => return Err(format!("an output of type {other}")),
    })
}

/// How two tensors differ.
#[derive(Debug, PartialEq)]
pub enum Difference {
    /// In the type of their elements only.
    Type(String),
    /// In their shape or elements.
    Elements(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Type(text) | Self::Elements(text)) = self;
        f.write_str(text)
    }
}

/// Whether two tensors have the same type and shape and hold the same numbers, floats up to rounding: `None` if so.
///
/// Integers that Burn makes by itself are int64 in a file, and on the CPU backend int32. Truths that the CPU backend has
/// selected or gathered call themselves bytes.
pub fn difference(found: &TensorData, expected: &TensorData, tolerance: f64) -> Option<Difference> {
    if found.shape() != expected.shape() {
        let text = format!("shape {:?} instead of {:?}", found.shape(), expected.shape());
        return Some(Difference::Elements(text));
    }
    let (kind, wanted) = (found.dtype(), expected.dtype());
    let place = if kind.is_float() {
        let close = |(left, right): (f64, f64)| {
            let near = right.is_finite() && (left - right).abs() <= tolerance * (1.0 + right.abs());
            left == right || (left.is_nan() && right.is_nan()) || near
        };
        found.iter::<f64>().zip(expected.iter::<f64>()).position(|pair| !close(pair))
    } else if kind.is_uint() {
        found.iter::<u64>().zip(expected.iter::<u64>()).position(|(left, right)| left != right)
    } else {
        found.iter::<i64>().zip(expected.iter::<i64>()).position(|(left, right)| left != right)
    };
    let text = |data: &TensorData, place: usize| data.iter::<f64>().nth(place).map_or(String::new(), |x| x.to_string());
    if let Some(place) = place {
        let text = format!("element {place} is {} instead of {}", text(found, place), text(expected, place));
        return Some(Difference::Elements(text));
    }
    let by_default = (kind, wanted) == (DType::I64, DType::I32);
    let truths = kind.is_bool() && (wanted.is_bool() || wanted == DType::U8);
    let same = kind == wanted || truths || by_default;
    (!same).then(|| Difference::Type(format!("{kind:?} instead of {wanted:?}")))
}

/// Uniform numbers between -1 and 1.
pub fn uniform(seed: u64, shape: &[usize]) -> TensorData {
    let mut random = Random(seed);
    let count: usize = shape.iter().product();
    TensorData::new((0..count).map(|_| (random.next() * 2.0 - 1.0) as f32).collect::<Vec<f32>>(), shape.to_vec())
}

/// A small generator of uniform numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    /// Between 0 and 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
