//! The sizes at which a file is verified, and inputs of these sizes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use burn::tensor::DType;
use engines::engine::{Dimension, Signature, TensorInfo};
use engines::tensor::{ElementType, Elements, NamedTensor, Tensor};
use evaluation::onnx_file::domains::Domains;
use evaluation::onnx_file::inputs::{self, random_inputs};
use evaluation::random::uniform;
use onnx_model::{Dim, ValueInfo};

use super::VerifyError;
use super::beside::own_integer;
use crate::axis::DynamicAxis;
use crate::elements::data_type;
use crate::exported::ExportedModel;
use crate::proof;

/// Chosen sizes at which an input would have more elements are left out.
const MOST_ELEMENTS: usize = 1 << 22;

type Point = BTreeMap<String, usize>;

/// At which sizes of its axes a file is verified, and with which inputs.
///
/// Without [`at`](Self::at), sizes are chosen: the lowest of every axis, sizes that the export never tried, along each axis alone
/// and along all of them, and the highest where that is no large input. Real numbers are spread evenly from -1 to 1, whole numbers
/// and booleans are 0 or 1, which are legal as token ids and as masks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sizes {
    given: Vec<Point>,
    within: BTreeMap<String, Range<u32>>,
    seed: u64,
}

impl Sizes {
    /// Chosen sizes.
    pub fn chosen() -> Self {
        Self::default()
    }

    /// Adds sizes of the dynamic axes; those that are not named have their lowest size.
    ///
    /// ```
    /// use burn_export::Sizes;
    ///
    /// let sizes = Sizes::default().at([("batch", 1), ("length", 128)]).at([("batch", 8), ("length", 7)]);
    /// ```
    #[must_use]
    pub fn at<N: Into<String>>(mut self, sizes: impl IntoIterator<Item = (N, usize)>) -> Self {
        self.given.push(sizes.into_iter().map(|(axis, size)| (axis.into(), size)).collect());
        self
    }

    /// Draws the whole numbers of an input from a range: `0..30_522` for the tokens of a vocabulary, `1..2` for a mask that hides
    /// nothing. Verification refuses a range that is empty, that goes beyond the input's type, or of an input of other elements.
    #[must_use]
    pub fn within(mut self, input: impl Into<String>, range: Range<u32>) -> Self {
        self.within.insert(input.into(), range);
        self
    }

    /// Other inputs; 0 by default. The same seed gives the same ones.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Labels and inputs.
    pub(super) fn cases(&self, model: &ExportedModel) -> Result<Vec<(String, Vec<NamedTensor>)>, VerifyError> {
        let signature = signature(model);
        let points = match self.given.as_slice() {
            [] => chosen(model, &signature),
            given => given.iter().map(|point| complete(model, point)).collect::<Result<_, _>>()?,
        };
        if let Some(name) = self.within.keys().find(|name| signature.inputs.iter().all(|input| input.name != **name)) {
            return Err(VerifyError::Size { reason: format!("the model has no input {name:?}") });
        }
        for (input, spec) in signature.inputs.iter().zip(&model.signature.inputs) {
            if let Some(range) = self.within.get(&input.name) {
                legal(input, spec.dtype, range).map_err(|reason| VerifyError::Size { reason })?;
            }
        }
        let domains = Domains::of(&model.model);
        let seeds = (0u64..).map(|number| self.seed.wrapping_mul(1_000_003).wrapping_add(1000 * number));
        let cases = points.iter().zip(seeds).map(|(point, seed)| {
            let mut made = random_inputs(&signature, point, seed, &domains)?;
            for (place, input) in made.iter_mut().enumerate() {
                if let Some(range) = self.within.get(&input.name) {
                    input.tensor = whole(&input.tensor, range, seed + 500 + place as u64);
                }
            }
            Ok((described(model, point), made))
        });
        cases.collect()
    }
}

/// The inputs of the file and their axes.
pub(super) fn signature(model: &ExportedModel) -> Signature {
    let info = |value: &ValueInfo| {
        let ty = value.ty.as_ref();
        let dims = ty.and_then(|ty| ty.shape.as_deref()).unwrap_or_default();
        TensorInfo {
            name: value.name.clone(),
            element: ty.and_then(|ty| ElementType::try_from(ty.dtype).ok()),
            other: None,
            container: None,
            shape: dims.iter().map(dimension).collect(),
        }
    };
    let graph = &model.model.graph;
    Signature { inputs: graph.inputs.iter().map(info).collect(), outputs: graph.outputs.iter().map(info).collect() }
}

fn dimension(dim: &Dim) -> Dimension {
    match dim {
        Dim::Known(size) => usize::try_from(*size).map_or(Dimension::Unknown, Dimension::Fixed),
        Dim::Symbol(name) => Dimension::Named(name.clone()),
        Dim::Unknown => Dimension::Unknown,
    }
}

/// The sizes that were asked for, and the lowest of the other axes.
fn complete(model: &ExportedModel, given: &Point) -> Result<Point, VerifyError> {
    let axes = &model.signature.axes;
    for (name, size) in given {
        let Some(axis) = axes.iter().find(|axis| axis.name == *name) else {
            let names: Vec<String> = axes.iter().map(|axis| axis.name.clone()).collect();
            let reason = format!("the model has no dynamic axis {name:?}; {}", inputs::listed(&names));
            return Err(VerifyError::Size { reason });
        };
        if axis.next(*size) != Some(*size) {
            let end = axis.highest().map_or_else(String::new, |highest| format!("={highest}"));
            let reason = format!(
                "{size} is no legal size of axis {name:?}: the file holds for multiples of {} in {}..{end}",
                axis.multiple_of,
                axis.nth(0)
            );
            return Err(VerifyError::Size { reason });
        }
    }
    Ok(axes
        .iter()
        .map(|axis| (axis.name.clone(), given.get(&axis.name).copied().unwrap_or_else(|| axis.nth(0))))
        .collect())
}

fn chosen(model: &ExportedModel, signature: &Signature) -> Vec<Point> {
    let axes = &model.signature.axes;
    let tried = proof::tried(&model.model.metadata);
    let all = |size: &dyn Fn(&DynamicAxis) -> usize| -> Point {
        axes.iter().map(|axis| (axis.name.clone(), size(axis))).collect()
    };
    let fresh = |axis: &DynamicAxis, from: usize| {
        let known = tried.get(&axis.name);
        let new = |size: &usize| known.is_none_or(|known| !known.contains(size));
        let sizes = (from..from + 64).map(|index| axis.nth(index));
        sizes.clone().find(new).unwrap_or_else(|| axis.nth(from))
    };
    let lowest = all(&|axis| axis.nth(0));
    let mut points = vec![lowest.clone(), all(&|axis| fresh(axis, 1)), all(&|axis| fresh(axis, 20))];
    for axis in axes.iter().filter(|_| axes.len() > 1) {
        let mut alone = lowest.clone();
        alone.insert(axis.name.clone(), fresh(axis, 10));
        points.push(alone);
    }
    if axes.iter().all(|axis| axis.highest().is_some()) {
        points.push(all(&|axis| axis.highest().unwrap_or_else(|| axis.nth(0))));
    }
    let fits = |point: &Point| inputs::elements(signature, point).iter().all(|(_, count)| *count <= MOST_ELEMENTS);
    points.retain(|point| *point == lowest || fits(point));
    let mut seen = BTreeSet::new();
    points.retain(|point| seen.insert(point.clone()));
    points
}

/// `batch = 3, length = 7`, in the order of the axes.
fn described(model: &ExportedModel, point: &Point) -> String {
    let sizes = model.signature.axes.iter().filter_map(|axis| Some((&axis.name, point.get(&axis.name)?)));
    let text: Vec<String> = sizes.map(|(axis, size)| format!("{axis} = {size}")).collect();
    if text.is_empty() { "fixed sizes".to_string() } else { text.join(", ") }
}

/// The shapes of inputs: `x [1, 3], ids [1, 7]`.
pub(super) fn label(inputs: &[NamedTensor]) -> String {
    let text = inputs.iter().map(|input| format!("{} {:?}", input.name, input.tensor.shape()));
    text.collect::<Vec<String>>().join(", ")
}

/// Whether whole numbers of an input, of the declared type or Burn's own, can be drawn from a range; or why not.
fn legal(input: &TensorInfo, declared: Option<DType>, range: &Range<u32>) -> Result<(), String> {
    let name = &input.name;
    let own = data_type(declared.unwrap_or(own_integer()), || name.clone()).ok();
    let own = own.and_then(|dtype| ElementType::try_from(dtype).ok());
    let ends = input.element.and_then(highest).and(own).and_then(|own| Some((own, highest(own)?)));
    let Some((element, end)) = ends else {
        let kind = input.element.map_or_else(|| "of another type".to_string(), |element| element.to_string());
        return Err(format!("the input {name:?} is {kind}, and only whole numbers are drawn from a range"));
    };
    match range.end.checked_sub(1).filter(|last| range.start <= *last) {
        None => Err(format!("the range of input {name:?}, {range:?}, is empty")),
        Some(last) if last > end => {
            Err(format!("the range of input {name:?} goes up to {last}, and {element} ends at {end}"))
        }
        Some(_) => Ok(()),
    }
}

/// The highest number of a range that a type of whole numbers holds.
fn highest(element: ElementType) -> Option<u32> {
    match element {
        ElementType::Int64 | ElementType::Uint64 | ElementType::Uint32 => Some(u32::MAX),
        ElementType::Int32 => Some(i32::MAX.unsigned_abs()),
        ElementType::Int16 => Some(i16::MAX.unsigned_abs().into()),
        ElementType::Int8 => Some(i8::MAX.unsigned_abs().into()),
        ElementType::Uint16 => Some(u16::MAX.into()),
        ElementType::Uint8 => Some(u8::MAX.into()),
        ElementType::Float | ElementType::Double | ElementType::Float16 | ElementType::Bfloat16 => None,
        ElementType::Bool | ElementType::String => None,
    }
}

/// Whole numbers from a range; other types stay as they are.
fn whole(tensor: &Tensor, range: &Range<u32>, seed: u64) -> Tensor {
    let count = tensor.elements().len();
    let last = range.end.saturating_sub(1).max(range.start);
    let numbers = || uniform(seed, count, range.start as f32, range.end as f32).into_iter();
    let drawn = || numbers().map(|number| (number as u32).clamp(range.start, last));
    let elements: Elements = match tensor.elements() {
        Elements::I64(_) => drawn().map(i64::from).collect::<Vec<_>>().into(),
        Elements::I32(_) => drawn().map(|number| number as i32).collect::<Vec<_>>().into(),
        Elements::I16(_) => drawn().map(|number| number as i16).collect::<Vec<_>>().into(),
        Elements::I8(_) => drawn().map(|number| number as i8).collect::<Vec<_>>().into(),
        Elements::U64(_) => drawn().map(u64::from).collect::<Vec<_>>().into(),
        Elements::U32(_) => drawn().collect::<Vec<_>>().into(),
        Elements::U16(_) => drawn().map(|number| number as u16).collect::<Vec<_>>().into(),
        Elements::U8(_) => drawn().map(|number| number as u8).collect::<Vec<_>>().into(),
        Elements::F32(_)
        | Elements::F64(_)
        | Elements::F16(_)
        | Elements::BF16(_)
        | Elements::Bool(_)
        | Elements::Text(_) => return tensor.clone(),
    };
    Tensor::new(tensor.shape(), elements).unwrap_or_else(|_| tensor.clone())
}
