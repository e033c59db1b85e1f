//! Constants that `forward` makes on the host: kept as they are, or turned into a formula where they follow an axis.

use burn::backend::ir::ScalarIr;
use burn::tensor::{DType, TensorData};

use crate::error::{ExportError, FailedOperation};
use crate::symbolic::{Dim, Solver, axis_names, shape_text};

/// A constant of the program.
#[derive(Clone, Debug)]
pub(crate) enum Constant {
    /// The same values at every size.
    Fixed(TensorData),
    /// Every element is this number, however large the tensor is.
    Fill(Element),
    /// `offset + sum(step * index)` over the axes of the tensor.
    Affine {
        /// The first element.
        offset: AffineTerm,
        /// The difference between neighbours, axis by axis.
        steps: Vec<AffineTerm>,
        dtype: DType,
    },
    /// Whole numbers that follow the axes, in row-major order; the shape is fixed.
    Sizes(Vec<Dim>, DType),
    /// Boolean, over the last two axes: true where `column - row >= diagonal`, or where it is less.
    Triangle { diagonal: i64, upper: bool },
}

/// One number of a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Element {
    pub(crate) value: f64,
    pub(crate) whole: i64,
    pub(crate) dtype: DType,
}

/// A coefficient of an affine constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AffineTerm {
    Whole(Dim),
    Real(f64),
}

/// A scalar that follows an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(Dim),
    /// `1 / size`.
    Reciprocal(Dim),
    /// `sqrt(size)`.
    Root(Dim),
    /// `1 / sqrt(size)`.
    ReciprocalRoot(Dim),
}

/// Finds the rule behind the values of one constant over the traces.
pub(super) fn explain(
    samples: &[&TensorData],
    shape: &[Dim],
    solver: &mut Solver,
    axes: &[String],
    user: impl FnOnce() -> Box<FailedOperation>,
) -> Result<Constant, ExportError> {
    let Some((first, rest)) = samples.split_first() else {
        return Err(ExportError::Internal { message: "a constant without values".to_string() });
    };
    if rest.iter().all(|sample| sample.shape() == first.shape() && sample.as_bytes() == first.as_bytes()) {
        return Ok(Constant::Fixed((*first).clone()));
    }
    let dtype = first.dtype();
    if let Some(element) = fill(samples, dtype) {
        return Ok(Constant::Fill(element));
    }
    if dtype.is_int() || dtype.is_uint() {
        if shape.iter().all(|dim| dim.as_fixed().is_some())
            && let Some(sizes) = sizes(samples, solver)
        {
            return Ok(Constant::Sizes(sizes, dtype));
        }
        if let Some((offset, steps)) = whole_affine(samples, solver) {
            return Ok(Constant::Affine { offset, steps, dtype });
        }
    }
    if dtype.is_float()
        && let Some((offset, steps)) = real_affine(samples, shape.len())
    {
        return Ok(Constant::Affine { offset, steps, dtype });
    }
    if dtype.is_bool()
        && let Some(triangle) = triangle(samples)
    {
        return Ok(triangle);
    }
    let (operation, shape_text) = (user(), shape_text(shape, axes));
    if axes.is_empty() {
        return Err(ExportError::UnrepeatableConstant { operation, shape: shape_text });
    }
    let kind = |sample: &&TensorData| {
        samples.iter().position(|other| other.shape() == sample.shape() && other.as_bytes() == sample.as_bytes())
    };
    let kinds: Vec<i64> = samples.iter().map(|sample| kind(sample).unwrap_or_default() as i64).collect();
    let responsible = solver.responsible_axes(&kinds);
    let axes = axis_names(&responsible, axes);
    Err(ExportError::UnexplainedConstant { operation, shape: shape_text, axes })
}

fn whole(data: &TensorData) -> Vec<i64> {
    data.iter::<i64>().collect()
}

fn real(data: &TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}

fn fill(samples: &[&TensorData], dtype: DType) -> Option<Element> {
    let width = dtype.size();
    let first = samples.iter().find(|sample| !sample.as_bytes().is_empty())?;
    let element = first.as_bytes().get(..width)?;
    let uniform = samples.iter().all(|sample| sample.as_bytes().chunks_exact(width).all(|other| other == element));
    let value = *real(first).first()?;
    let whole = if dtype.is_float() { 0 } else { *whole(first).first()? };
    uniform.then_some(Element { value, whole, dtype })
}

fn sizes(samples: &[&TensorData], solver: &mut Solver) -> Option<Vec<Dim>> {
    const MOST: usize = 64;
    let columns: Vec<Vec<i64>> = samples.iter().map(|sample| whole(sample)).collect();
    let count = columns.first()?.len();
    if count > MOST {
        return None;
    }
    (0..count)
        .map(|index| {
            let values: Vec<i64> = columns.iter().filter_map(|column| column.get(index).copied()).collect();
            solver.explain(&values, &[], &[])
        })
        .collect()
}

/// The distance in memory between neighbours along each axis.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

fn index_at(position: usize, shape: &[usize], strides: &[usize]) -> Vec<usize> {
    shape.iter().zip(strides).map(|(size, stride)| position / stride % (*size).max(1)).collect()
}

fn whole_affine(samples: &[&TensorData], solver: &mut Solver) -> Option<(AffineTerm, Vec<AffineTerm>)> {
    let rank = samples.first()?.shape().to_vec().len();
    let mut offsets = Vec::new();
    let mut slopes: Vec<Vec<Option<i64>>> = vec![Vec::new(); rank];
    for sample in samples {
        let (values, shape) = (whole(sample), sample.shape().to_vec());
        let strides = strides(&shape);
        let offset = *values.first()?;
        let slope: Vec<Option<i64>> =
            (0..rank).map(|axis| (shape[axis] > 1).then(|| values[strides[axis]] - offset)).collect();
        for (position, value) in values.iter().enumerate() {
            let expected: i64 = index_at(position, &shape, &strides)
                .iter()
                .zip(&slope)
                .map(|(index, slope)| *index as i64 * slope.unwrap_or(0))
                .sum();
            if offset + expected != *value {
                return None;
            }
        }
        offsets.push(offset);
        for (all, slope) in slopes.iter_mut().zip(slope) {
            all.push(slope);
        }
    }
    let offset = AffineTerm::Whole(solver.explain(&offsets, &[], &[])?);
    let steps = slopes
        .iter()
        .map(|slopes| {
            // A trace of size one shows no slope there: it takes that of the others, which have to agree.
            let known: Vec<i64> = slopes.iter().flatten().copied().collect();
            match known.split_first() {
                None => Some(AffineTerm::Whole(Dim::fixed(0))),
                Some((first, rest)) if rest.iter().all(|slope| slope == first) => {
                    Some(AffineTerm::Whole(Dim::fixed(*first)))
                }
                Some(_) if known.len() == slopes.len() => solver.explain(&known, &[], &[]).map(AffineTerm::Whole),
                Some(_) => None,
            }
        })
        .collect::<Option<Vec<_>>>()?;
    Some((offset, steps))
}

/// Floats must be exactly affine with small whole steps, so that computing them at run time gives the same bits.
fn real_affine(samples: &[&TensorData], rank: usize) -> Option<(AffineTerm, Vec<AffineTerm>)> {
    let largest = samples.iter().max_by_key(|sample| sample.as_bytes().len())?;
    let (values, shape) = (real(largest), largest.shape().to_vec());
    let steps_at = strides(&shape);
    let offset = *values.first()?;
    let slope: Vec<f64> =
        (0..rank).map(|axis| if shape[axis] > 1 { values[steps_at[axis]] - offset } else { 0.0 }).collect();
    let is_whole = |value: f64| value.fract() == 0.0 && value.abs() < 4096.0;
    if !is_whole(offset) || !slope.iter().copied().all(is_whole) {
        return None;
    }
    for sample in samples {
        let shape = sample.shape().to_vec();
        let strides = strides(&shape);
        for (position, value) in real(sample).iter().enumerate() {
            let index = index_at(position, &shape, &strides);
            let expected: f64 = index.iter().zip(&slope).map(|(index, slope)| *index as f64 * slope).sum();
            if offset + expected != *value {
                return None;
            }
        }
    }
    Some((AffineTerm::Real(offset), slope.into_iter().map(AffineTerm::Real).collect()))
}

fn triangle(samples: &[&TensorData]) -> Option<Constant> {
    let fits = |diagonal: i64, upper: bool| {
        samples.iter().all(|sample| {
            let shape = sample.shape().to_vec();
            let strides = strides(&shape);
            let rank = shape.len();
            rank >= 2
                && whole(sample).iter().enumerate().all(|(position, value)| {
                    let index = index_at(position, &shape, &strides);
                    let distance = index[rank - 1] as i64 - index[rank - 2] as i64;
                    ((distance >= diagonal) == upper) == (*value != 0)
                })
        })
    };
    (-8..=8)
        .flat_map(|diagonal| [(diagonal, true), (diagonal, false)])
        .find(|(diagonal, upper)| fits(*diagonal, *upper))
        .map(|(diagonal, upper)| Constant::Triangle { diagonal, upper })
}

/// Equality down to the bits, so that NaN equals itself and the zeros differ.
pub(super) fn same_scalar(left: &ScalarIr, right: &ScalarIr) -> bool {
    match (left, right) {
        (ScalarIr::Float(left), ScalarIr::Float(right)) => left.to_bits() == right.to_bits(),
        _ => left == right,
    }
}

/// A scalar as a size, its square root, or one over either.
pub(super) fn explain_scalar(samples: &[ScalarIr], solver: &mut Solver) -> Option<Number> {
    let whole: Option<Vec<i64>> = samples
        .iter()
        .map(|sample| match sample {
            ScalarIr::Int(value) => Some(*value),
            ScalarIr::UInt(value) => i64::try_from(*value).ok(),
            _ => None,
        })
        .collect();
    if let Some(whole) = whole {
        return solver.explain(&whole, &[], &[]).map(Number::Whole);
    }
    let real: Vec<f64> = samples
        .iter()
        .map(|sample| match sample {
            ScalarIr::Float(value) => Some(*value),
            _ => None,
        })
        .collect::<Option<_>>()?;
    type Form = (fn(f64) -> f64, fn(Dim) -> Number);
    let forms: [Form; 4] = [
        (|value| value, Number::Whole),
        (|value| 1.0 / value, Number::Reciprocal),
        (|value| value * value, Number::Root),
        (|value| 1.0 / (value * value), Number::ReciprocalRoot),
    ];
    forms.into_iter().find_map(|(invert, number)| {
        let sizes: Vec<i64> = real
            .iter()
            .map(|value| {
                let size = invert(*value);
                // Scalars may have been rounded to float32 on their way.
                let near = (size - size.round()).abs() <= 4e-7 * size.abs().max(1.0);
                (near && size.abs() < 1e9).then(|| size.round() as i64)
            })
            .collect::<Option<_>>()?;
        solver.explain(&sizes, &[], &[]).map(number)
    })
}
