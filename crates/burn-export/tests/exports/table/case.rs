//! A row with element types and axes of its own, its file at each opset, and its inputs.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};

use burn::tensor::{BoolStore, DType, Device, TensorData};
use burn_export::{Axis, ExportError, ExportedModel, OnnxExporter, Opset};

use super::{Row, Values};
use crate::support::Random;

/// The opsets that change the forms of many operators.
pub const OPSETS: [i64; 5] = [11, 13, 17, 21, 28];

/// Sizes of the dynamic axes, in the order of their first appearance: one, and sizes that no trace uses.
pub const SIZES: [[usize; 4]; 4] = [[1, 1, 1, 1], [2, 3, 5, 4], [5, 2, 8, 7], [13, 11, 6, 9]];

/// What the elements of an input are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Floats.
    Float,
    /// Whole numbers.
    Int,
    /// Truths.
    Bool,
}

impl Values {
    /// What they are.
    pub fn kind(self) -> Kind {
        match self {
            Self::Real | Self::Positive | Self::Unit | Self::Edge | Self::Nan => Kind::Float,
            Self::Whole | Self::Count | Self::Below(_) => Kind::Int,
            Self::Truth => Kind::Bool,
        }
    }
}

/// Why there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoFile {
    /// The operation panics in Burn itself, on the capture device.
    BurnPanics(String),
    /// The exporter refuses it at this opset.
    OpsetTooLow(String),
    /// The exporter refuses it for another reason.
    Refused(String),
}

/// The bytes of a file.
pub type Bytes = Arc<Vec<u8>>;

/// A row as it is run.
pub struct Case<'a> {
    /// The row.
    pub row: &'a Row,
    /// The element type of its float inputs.
    pub float: DType,
    /// The element type of its integer inputs.
    pub int: DType,
    /// The axes of each input: sizes, and names.
    pub axes: Vec<Vec<&'static str>>,
}

impl<'a> Case<'a> {
    /// As the row says.
    pub fn new(row: &'a Row) -> Self {
        let axes = row.arguments.iter().map(|argument| argument.axes.split(',').collect()).collect();
        Self { row, float: DType::F32, int: DType::I64, axes }
    }

    /// Whether the row has an input of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.row.arguments.iter().any(|argument| argument.values.kind() == kind)
    }

    /// The names of the dynamic axes, in the order of their first appearance.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for axis in self.axes.iter().flatten() {
            if axis.parse::<usize>().is_err() && !names.contains(axis) {
                names.push(*axis);
            }
        }
        names
    }

    fn dtype(&self, values: Values) -> DType {
        match values.kind() {
            Kind::Float => self.float,
            Kind::Int => self.int,
            Kind::Bool => DType::Bool(BoolStore::U8),
        }
    }

    /// The exporter with the inputs and outputs declared.
    fn exporter(&self, opset: Opset) -> OnnxExporter {
        let arguments = self.row.arguments.iter().zip(&self.axes);
        let exporter = arguments.fold(OnnxExporter::new().opset(opset), |exporter, (argument, axes)| {
            let axes = axes.iter().map(|axis| match axis.parse::<usize>() {
                Ok(size) => Axis::fixed(size),
                Err(_) => Axis::dynamic(*axis),
            });
            exporter.typed_input(argument.name, self.dtype(argument.values), axes)
        });
        (0..self.row.outputs).fold(exporter, |exporter, index| exporter.output(format!("output{index}")))
    }

    /// Exports it.
    pub fn export(&self, opset: Opset) -> Result<ExportedModel, ExportError> {
        (self.row.export)(self.exporter(opset))
    }

    /// Its file. Several tests ask for the same ones, so that each is made once.
    pub fn file(&self, opset: i64) -> Result<Bytes, NoFile> {
        type Made = Arc<OnceLock<Result<Bytes, NoFile>>>;
        static FILES: Mutex<BTreeMap<String, Made>> = Mutex::new(BTreeMap::new());
        let key = format!("{} {:?} {:?} {:?} {opset}", self.row.name, self.float, self.int, self.axes);
        let made = FILES.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).entry(key).or_default().clone();
        made.get_or_init(|| self.make(opset)).clone()
    }

    fn make(&self, opset: i64) -> Result<Bytes, NoFile> {
        let opset = Opset::try_from(opset).map_err(|error| NoFile::Refused(error.to_string()))?;
        let bytes = self.export(opset).and_then(|exported| exported.to_bytes()).map_err(|error| match error {
            ExportError::ForwardPanicked { message, .. } => NoFile::BurnPanics(message),
            ExportError::OpsetTooLow { .. } => NoFile::OpsetTooLow(error.to_string()),
            other => NoFile::Refused(other.to_string()),
        })?;
        Ok(Arc::new(bytes))
    }

    /// What Burn makes of these inputs on the CPU, or its panic.
    pub fn native(&self, data: &[TensorData]) -> Result<Vec<TensorData>, String> {
        let run = AssertUnwindSafe(|| (self.row.native)(data.to_vec(), &Device::flex()));
        catch_unwind(run).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string())).unwrap_or_default()
        })
    }

    /// Its inputs with each dynamic axis at its size.
    pub fn inputs(&self, sizes: &[usize], seed: u64) -> Vec<TensorData> {
        let mut random = Random(seed * 1_000_003 + self.row.name.len() as u64);
        self.filled(sizes, |values, count| elements(values, count, &mut random))
    }

    /// Inputs of these elements, converted to the types of the case.
    pub fn filled(&self, sizes: &[usize], mut of: impl FnMut(Values, usize) -> Elements) -> Vec<TensorData> {
        let names = self.names();
        let size = |axis: &&str| {
            axis.parse().unwrap_or_else(|_| names.iter().position(|name| name == axis).map_or(1, |at| sizes[at]))
        };
        let arguments = self.row.arguments.iter().zip(&self.axes);
        let tensors = arguments.map(|(argument, axes)| {
            let shape: Vec<usize> = axes.iter().map(size).collect();
            let dtype = self.dtype(argument.values);
            match of(argument.values, shape.iter().product()) {
                Elements::Floats(floats) => TensorData::new(floats, shape).convert_dtype(dtype),
                Elements::Whole(whole) => {
                    // Unsigned types have no other half.
                    let whole: Vec<i64> = if dtype.is_uint() { whole.iter().map(|x| x.abs()).collect() } else { whole };
                    TensorData::new(whole, shape).convert_dtype(dtype)
                }
                Elements::Truths(truths) => TensorData::from_bytes_vec(truths, shape, dtype),
            }
        });
        tensors.collect()
    }
}

/// The elements of an input before they get its type.
pub enum Elements {
    /// Floats.
    Floats(Vec<f32>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Zeros and ones.
    Truths(Vec<u8>),
}

/// Elements chosen as the row says.
pub fn elements(values: Values, count: usize, random: &mut Random) -> Elements {
    const EDGES: [f32; 8] = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -3.0e38];
    let mut pick = |low: f64, high: f64| low + (high - low) * random.next();
    let floats = |of: &mut dyn FnMut(usize) -> f32| Elements::Floats((0..count).map(of).collect());
    let whole = |of: &mut dyn FnMut() -> f64| Elements::Whole((0..count).map(|_| of() as i64).collect());
    match values {
        // Every fourth number is whole, for what happens at ties and steps.
        Values::Real => floats(&mut |index| {
            let value = pick(-2.0, 2.0);
            if index % 4 == 3 { (value * 2.0).round() as f32 / 2.0 } else { value as f32 }
        }),
        Values::Positive => floats(&mut |_| pick(0.1, 3.0) as f32),
        Values::Unit => floats(&mut |_| pick(-0.9, 0.9) as f32),
        Values::Edge => floats(&mut |index| if index % 3 == 0 { EDGES[index / 3 % 8] } else { pick(-2.0, 2.0) as f32 }),
        Values::Nan => floats(&mut |index| match index % 4 {
            0 => EDGES[index / 4 % 8],
            1 => f32::NAN,
            _ => pick(-2.0, 2.0) as f32,
        }),
        Values::Whole => whole(&mut || pick(-9.49, 9.49).round()),
        Values::Count => whole(&mut || pick(0.51, 6.49).round()),
        Values::Below(limit) => whole(&mut || pick(0.0, limit as f64 - 0.01)),
        Values::Truth => Elements::Truths((0..count).map(|_| u8::from(pick(0.0, 1.0) < 0.6)).collect()),
    }
}
