//! The recordings of one export: at which sizes, and when there are enough.
//!
//! A recording computes nothing, and its inputs have no elements, so that a size costs nothing by itself. What costs is
//! what `forward` does: a loop over an axis is recorded step by step, and a table made on the host has all its elements. How
//! both grow is seen at small sizes, before `forward` is run at large ones.

use std::collections::BTreeSet;

use burn::backend::ir::{IrVisitorMut, OperationIr, ScalarIr, TensorIr};
use burn::tensor::Slice;

use super::points::{Point, around, points};
use super::trace::Trace;
use crate::axis::describe_sizes;
use crate::error::ExportError;
use crate::signature::Signature;

/// What a recording takes.
#[derive(Clone, Copy, Debug)]
struct Cost {
    operations: u64,
    /// Of the constants that `forward` makes.
    bytes: u64,
}

/// The most that a recording may take where the proof stands on it.
const MOST: Cost = Cost { operations: 1 << 20, bytes: 1 << 30 };

/// The most that any other recording far out may take, where it takes more than those at small sizes.
const MOST_FAR_OUT: Cost = Cost { operations: 1 << 12, bytes: 1 << 26 };

/// Records `forward` by `record` at all sizes that prove the formulas of its sizes; the base sizes come first.
///
/// # Errors
/// Those of `record`, and when `forward` would be too much to record at the end of a range.
pub(crate) fn survey(
    signature: &Signature,
    axes: &[String],
    record: &mut dyn FnMut(Vec<i64>) -> Result<Trace, ExportError>,
) -> Result<Vec<Trace>, ExportError> {
    let points = points(signature)?;
    let mut traces = points.near.into_iter().map(&mut *record).collect::<Result<Vec<Trace>, _>>()?;
    let Some(base) = traces.first().map(|trace| trace.sizes.clone()) else { return Ok(traces) };
    let mut follow = |points: Vec<Point>, traces: &mut Vec<Trace>| -> Result<(), ExportError> {
        for point in points {
            if traces.iter().any(|trace| trace.sizes == point.sizes) {
                continue;
            }
            let expected = expected(traces, &point.sizes);
            if !point.required {
                let known = traces.first().map_or(MOST_FAR_OUT, Cost::of);
                let fits = expected.operations <= known.operations.max(MOST_FAR_OUT.operations)
                    && expected.bytes <= known.bytes.max(MOST_FAR_OUT.bytes);
                if !fits {
                    continue;
                }
            } else if let Some((what, count, most)) = expected.excess() {
                let sizes = describe_sizes(axes, &point.sizes);
                return Err(ExportError::RecordingTooLarge { sizes, what, count, most });
            }
            traces.push(record(point.sizes)?);
        }
        Ok(())
    };
    follow(points.far, &mut traces)?;
    if !base.is_empty() {
        follow(around(signature, &base, &numbers(&traces)), &mut traces)?;
    }
    Ok(traces)
}

impl Cost {
    fn of(trace: &Trace) -> Self {
        let bytes = trace.values.values().map(|value| value.as_bytes().len() as u64).sum();
        Self { operations: trace.operations.len() as u64, bytes }
    }

    /// What is more than a recording may take.
    fn excess(self) -> Option<(&'static str, u64, u64)> {
        if self.operations > MOST.operations {
            return Some(("operations", self.operations, MOST.operations));
        }
        (self.bytes > MOST.bytes).then_some(("bytes of constants", self.bytes, MOST.bytes))
    }
}

/// What a recording at these sizes will take: each axis changes the costs of the base as it does where it moves alone.
fn expected(traces: &[Trace], sizes: &[i64]) -> Cost {
    let Some(base) = traces.first() else { return Cost { operations: 0, bytes: 0 } };
    let whole = Cost::of(base);
    let (mut operations, mut bytes) = (whole.operations as f64, whole.bytes as f64);
    for (axis, size) in sizes.iter().enumerate() {
        let alone = |trace: &&Trace| {
            trace.sizes.iter().zip(&base.sizes).enumerate().all(|(other, (size, base))| other == axis || size == base)
        };
        let mut seen: Vec<(i64, Cost)> =
            traces.iter().filter(alone).map(|trace| (trace.sizes[axis], Cost::of(trace))).collect();
        seen.sort_by_key(|(size, _)| *size);
        seen.dedup_by_key(|(size, _)| *size);
        let grown = |cost: fn(&Cost) -> u64| {
            let points: Vec<(f64, f64)> = seen.iter().map(|(size, seen)| (*size as f64, cost(seen) as f64)).collect();
            extrapolated(&points, *size as f64) / (cost(&whole) as f64).max(1.0)
        };
        operations *= grown(|cost| cost.operations);
        bytes = bytes.max(1.0) * grown(|cost| cost.bytes).max(f64::MIN_POSITIVE);
    }
    Cost { operations: operations as u64, bytes: bytes as u64 }
}

/// The value at `x`: of the points around it the larger one, or beyond them all that of the parabola through the last three,
/// or of what fewer points allow, but no less than the last one.
fn extrapolated(points: &[(f64, f64)], x: f64) -> f64 {
    let beyond = points.iter().position(|(own, _)| *own >= x);
    if let Some(after) = beyond {
        let around = &points[after.saturating_sub(usize::from(points[after].0 > x))..=after];
        return around.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    }
    let last = &points[points.len().saturating_sub(3)..];
    let mut sum = 0.0;
    for (index, (own, value)) in last.iter().enumerate() {
        let others = last.iter().enumerate().filter(|(other, _)| *other != index);
        sum += others.fold(*value, |product, (_, (other, _))| product * (x - other) / (own - other));
    }
    sum.max(points.last().map_or(0.0, |(_, value)| *value))
}

/// The whole numbers above those tried anyway that the recordings hold at more than one size: sizes that no axis changes,
/// and scalars.
fn numbers(traces: &[Trace]) -> BTreeSet<i64> {
    const LOWEST: i64 = 11;
    const MOST: usize = 24;
    let held = |trace: &Trace| -> BTreeSet<i64> {
        let operations = trace.operations.iter().filter(|operation| !matches!(operation, OperationIr::Drop(_)));
        operations.flat_map(numbers_of).filter(|number| (LOWEST..1 << 31).contains(number)).collect()
    };
    // The base and the last of the near traces differ in every axis.
    let (Some(base), Some(last)) = (traces.first(), traces.iter().rev().find(|trace| differs(trace, traces))) else {
        return BTreeSet::new();
    };
    let common: BTreeSet<i64> = held(base).intersection(&held(last)).copied().collect();
    common.into_iter().rev().take(MOST).collect()
}

/// Whether no axis has its size of the base.
fn differs(trace: &Trace, traces: &[Trace]) -> bool {
    traces.first().is_some_and(|base| trace.sizes.iter().zip(&base.sizes).all(|(size, base)| size != base))
}

fn numbers_of(operation: &OperationIr) -> Vec<i64> {
    let mut numbers = Numbers(Vec::new());
    operation.clone().visit_mut(&mut numbers);
    numbers.0
}

struct Numbers(Vec<i64>);

impl IrVisitorMut for Numbers {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        self.0.extend(tensor.shape.iter().map(|size| *size as i64));
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        self.0.extend(match scalar {
            ScalarIr::Int(value) => Some(*value),
            ScalarIr::UInt(value) => i64::try_from(*value).ok(),
            ScalarIr::Float(value) => (value.fract() == 0.0 && value.abs() < 1e9).then_some(*value as i64),
            ScalarIr::Bool(_) => None,
        });
    }

    fn visit_range_mut(&mut self, range: &mut Slice) {
        self.0.extend([Some(range.start), range.end].into_iter().flatten().map(|bound| bound as i64));
    }
}

#[cfg(test)]
mod tests {
    use super::extrapolated;

    #[test]
    fn costs_beyond_what_was_seen_grow_as_they_did() {
        let square: Vec<(f64, f64)> = [1.0, 3.0, 4.0, 10.0].map(|size| (size, 2.0 * size * size + 5.0)).to_vec();
        assert!((extrapolated(&square, 1000.0) - 2_000_005.0).abs() < 1e-3);
        assert_eq!(extrapolated(&[(1.0, 7.0)], 1000.0), 7.0);
        // One more operation at the end says nothing of small sizes, and a dip does not go on.
        let ends = [(1.0, 5.0), (99_998.0, 5.0), (99_999.0, 5.0), (100_000.0, 6.0)];
        assert_eq!([3.0, 1.0, 99_999.5].map(|size| extrapolated(&ends, size)), [5.0, 5.0, 6.0]);
        assert_eq!(extrapolated(&[(1.0, 5.0), (2.0, 9.0), (3.0, 4.0)], 50.0), 4.0);
    }
}
