//! The sizes at which `forward` is recorded.

use crate::axis::{Spread, TraceSizes, describe_sizes};
use crate::error::ExportError;
use crate::signature::{InputSpec, Signature, SpecAxis};
use crate::symbolic::AxisId;

/// The most elements of an input with dynamic axes: 1 GiB of float32.
///
/// Burn copies them once for each recording.
pub(crate) const MOST_ELEMENTS: u64 = 1 << 28;

/// The most elements of such an input at sizes far out, which are lowered for it: 64 MiB of float32.
const MOST_FAR_OUT: u64 = 1 << 24;

/// The base sizes, each axis alone at several sizes, all axes together at the lowest, far out, and at three fresh ones,
/// and every combination of the sizes of axes that have few.
///
/// # Errors
/// When an input has more than [`MOST_ELEMENTS`] even at sizes close to the lowest.
pub(crate) fn trace_points(signature: &Signature) -> Result<Vec<Vec<i64>>, ExportError> {
    if signature.axes.is_empty() {
        // A second run shows whether constants depend on the values of the inputs.
        return Ok(vec![Vec::new(); 2]);
    }
    plan(signature, Spread::Wide).or_else(|_| plan(signature, Spread::Narrow))
}

fn plan(signature: &Signature, spread: Spread) -> Result<Vec<Vec<i64>>, ExportError> {
    let axes = signature.axes.iter().enumerate();
    let sizes: Vec<TraceSizes> = axes.map(|(position, axis)| axis.trace_sizes(position, spread)).collect();
    let base: Vec<i64> = sizes.iter().map(|size| size.base as i64).collect();
    let mut points = vec![base.clone()];
    for (axis, size) in sizes.iter().enumerate() {
        let at = |size: usize| {
            let mut point = base.clone();
            point[axis] = size as i64;
            point
        };
        let far = size.far.iter().filter_map(|size| {
            let fits = |size: &usize| too_large(signature, &at(*size), MOST_FAR_OUT).is_none();
            largest_below(signature.axes[axis].at_most(*size)?, fits, |size| signature.axes[axis].at_most(size))
        });
        let mut alone: Vec<usize> = size.near.iter().copied().chain(far).filter(|other| *other != size.base).collect();
        alone.sort_unstable();
        alone.dedup();
        points.extend(alone.into_iter().map(at));
    }
    if sizes.len() > 1 {
        points.push(sizes.iter().map(|size| size.lowest as i64).collect());
        // A branch may ask for several axes to be long.
        let mut far = (0..2).map(|turn| sizes.iter().map(|size| size.far_together[turn] as i64).collect());
        points.extend(far.find(|point: &Vec<i64>| too_large(signature, point, MOST_FAR_OUT).is_none()));
    }
    for point in combinations(signature, &base) {
        if !points.contains(&point) {
            points.push(point);
        }
    }
    points.extend((0..3).map(|turn| sizes.iter().map(|size| size.together[turn] as i64).collect()));
    match points.iter().find_map(|point| too_large(signature, point, MOST_ELEMENTS)) {
        Some(error) => Err(error),
        None => Ok(points),
    }
}

/// Every combination of the sizes of axes that have few, while the others keep their base.
///
/// Over short ranges the sizes that are tried together are the base or the ends again, which cannot tell a product from a
/// sum.
fn combinations(signature: &Signature, base: &[i64]) -> Vec<Vec<i64>> {
    const FEW: usize = 8;
    const MOST: usize = 64;
    let mut points = vec![base.to_vec()];
    for (position, axis) in signature.axes.iter().enumerate() {
        let Some(sizes) = axis.few_sizes(FEW.min(MOST / points.len())) else { continue };
        let at = |point: &Vec<i64>, size: usize| {
            let mut point = point.clone();
            point[position] = size as i64;
            point
        };
        points = points.iter().flat_map(|point| sizes.iter().map(|size| at(point, *size))).collect();
    }
    points
}

/// The largest legal size up to `size` that fits, where all that are smaller than a fitting one fit too.
fn largest_below(size: usize, fits: impl Fn(&usize) -> bool, legal: impl Fn(usize) -> Option<usize>) -> Option<usize> {
    if fits(&size) {
        return Some(size);
    }
    let (mut low, mut high) = (0, size);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(&middle) { low = middle } else { high = middle }
    }
    legal(low)
}

/// The error for the first input that has more elements at these sizes.
fn too_large(signature: &Signature, sizes: &[i64], most: u64) -> Option<ExportError> {
    signature.inputs.iter().find_map(|input| {
        let is_dynamic = input.axes.iter().any(|axis| matches!(axis, SpecAxis::Dynamic(_)));
        let elements = input.shape_at(sizes).into_iter().fold(1u64, |count, size| count.saturating_mul(size as u64));
        (is_dynamic && elements > most).then(|| {
            let names: Vec<String> = signature.axes.iter().map(|axis| axis.name.clone()).collect();
            ExportError::InputTooLarge {
                input: input.name.clone(),
                axes: describe_axes(input, &names),
                sizes: describe_sizes(&names, sizes),
                elements,
                most,
            }
        })
    })
}

/// `[batch, 3, n, n]`.
fn describe_axes(input: &InputSpec, names: &[String]) -> String {
    let axes: Vec<String> = input
        .axes
        .iter()
        .map(|axis| match axis {
            SpecAxis::Fixed(size) => size.to_string(),
            SpecAxis::Dynamic(AxisId(axis)) => names.get(*axis).cloned().unwrap_or_default(),
        })
        .collect();
    format!("[{}]", axes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axis::Axis;
    use crate::signature::DeclaredInput;

    /// Of one input.
    fn points(axes: impl IntoIterator<Item = Axis>) -> Result<Vec<Vec<i64>>, String> {
        let input = DeclaredInput { name: "x".to_string(), axes: axes.into_iter().collect(), dtype: None };
        let signature = Signature::resolve(&[input], &[]).map_err(|error| error.to_string())?;
        trace_points(&signature).map_err(|error| error.to_string())
    }

    fn alone(axis: Axis) -> Vec<i64> {
        let points = points([axis]).unwrap_or_else(|error| panic!("{error}"));
        points[..points.len() - 3].iter().map(|point| point[0]).collect()
    }

    #[test]
    fn the_limits_of_a_range_are_traced() {
        let sizes = alone(Axis::dynamic("sequence").range(1..=512));
        assert!(sizes.contains(&1) && sizes.contains(&512));
    }

    #[test]
    fn only_legal_sizes_are_traced() {
        assert_eq!(alone(Axis::dynamic("height").range(60..=100).multiple_of(32)), [96, 64]);
        assert_eq!(alone(Axis::dynamic("batch")), [3, 1, 4, 5, 6, 7, 8, 9, 10, 43, 526, 4102]);
    }

    /// 526 to the power of four is 76 billion.
    #[test]
    fn large_inputs_are_traced_at_smaller_sizes() {
        let cube = vec![Axis::dynamic("n"); 4];
        let sizes: Vec<i64> = points(cube).unwrap_or_default().into_iter().flatten().collect();
        assert_eq!(sizes, [3, 1, 4, 5, 6, 7, 8, 9, 10, 43, 64, 14, 12, 18]);
        let many = (0..12).map(|axis| Axis::dynamic(format!("n{axis}")));
        let points = points(many).unwrap_or_default();
        assert!(points.len() > 12 * 4, "{points:?}");
        let largest = points.iter().map(|point| point.iter().product::<i64>()).max();
        assert!(largest.is_some_and(|largest| largest as u64 <= MOST_ELEMENTS), "{largest:?}");
    }

    #[test]
    fn what_is_too_large_at_any_size_is_refused() {
        let large = [Axis::dynamic("n").range(1 << 20..), Axis::dynamic("n").range(1 << 20..)];
        let error = points(large).map_or_else(|error| error, |points| format!("{points:?}"));
        insta::assert_snapshot!(error, @r#"input "x" of shape [n, n] has 1099513724929 elements at n = 1048577, where forward would be recorded, and 268435456 is the most; lower the sizes of its axes, with `Axis::range` for a dynamic one, or fix some of them"#);
    }
}
