//! The sizes at which `forward` is recorded.

use std::collections::BTreeSet;

use crate::axis::{Spread, TraceSizes, describe_sizes};
use crate::error::ExportError;
use crate::signature::{InputSpec, Signature, SpecAxis};
use crate::symbolic::AxisId;

/// The most elements of an input with dynamic axes. A recording keeps none of them, but counts them.
pub(crate) const MOST_ELEMENTS: u64 = 1 << 40;

/// A place at which `forward` is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) sizes: Vec<i64>,
    /// Whether the proof stands on it: an end of a range. Others may be left out where a recording would be too large.
    pub(crate) required: bool,
}

/// The sizes at which `forward` is recorded, in the order in which it is.
pub(crate) struct Points {
    /// The base sizes; each axis alone close to its base and at its lowest; all axes together at the lowest, and at three
    /// fresh sizes; every combination of the sizes of axes that have few.
    pub(crate) near: Vec<Vec<i64>>,
    /// Each axis alone far out, ever further, and at the end of its range; all of them together far out, and at the ends.
    pub(crate) far: Vec<Point>,
}

/// # Errors
/// When an input has more than [`MOST_ELEMENTS`] even at sizes close to the lowest, or at the end of a range.
pub(crate) fn points(signature: &Signature) -> Result<Points, ExportError> {
    if signature.axes.is_empty() {
        // A second run shows whether constants are the same in every run.
        return Ok(Points { near: vec![Vec::new(); 2], far: Vec::new() });
    }
    plan(signature, Spread::Wide).or_else(|_| plan(signature, Spread::Narrow))
}

fn plan(signature: &Signature, spread: Spread) -> Result<Points, ExportError> {
    let axes = signature.axes.iter().enumerate();
    let sizes: Vec<TraceSizes> = axes.map(|(position, axis)| axis.trace_sizes(position, spread)).collect();
    let base: Vec<i64> = sizes.iter().map(|size| size.base as i64).collect();
    let near = near(signature, &sizes, &base);
    if let Some(error) = near.iter().find_map(|point| too_large(signature, point)) {
        return Err(error);
    }
    let mut far = Vec::new();
    for (axis, size) in sizes.iter().enumerate() {
        let at = |size: usize| with(&base, axis, size);
        let fits = |size: &usize| too_large(signature, &at(*size)).is_none();
        let legal = |size| signature.axes[axis].at_most(size);
        let mut alone: Vec<usize> =
            size.far.iter().filter_map(|size| largest_below(legal(*size)?, fits, legal)).collect();
        alone.sort_unstable();
        alone.dedup();
        alone.retain(|size| Some(*size) != sizes[axis].highest);
        far.extend(alone.into_iter().map(|size| Point { sizes: at(size), required: false }));
        far.extend(size.highest.map(|size| Point { sizes: at(size), required: true }));
    }
    if sizes.len() > 1 {
        // A branch may ask for several axes to be long.
        let mut together = (0..3).map(|turn| sizes.iter().map(|size| size.far_together[turn] as i64).collect());
        far.extend(
            together
                .find(|point: &Vec<i64>| too_large(signature, point).is_none())
                .map(|sizes| Point { sizes, required: false }),
        );
        let ends: Option<Vec<i64>> = sizes.iter().map(|size| Some(size.highest? as i64)).collect();
        let ends = ends.filter(|point| too_large(signature, point).is_none());
        far.extend(ends.map(|sizes| Point { sizes, required: false }));
    }
    far.retain(|point| !near.contains(&point.sizes));
    match far.iter().filter(|point| point.required).find_map(|point| too_large(signature, &point.sizes)) {
        Some(error) => Err(error),
        None => Ok(Points { near, far }),
    }
}

fn near(signature: &Signature, sizes: &[TraceSizes], base: &[i64]) -> Vec<Vec<i64>> {
    let mut points = vec![base.to_vec()];
    for (axis, size) in sizes.iter().enumerate() {
        let mut alone: Vec<usize> = size.near.iter().copied().filter(|other| *other != size.base).collect();
        alone.sort_unstable();
        alone.dedup();
        points.extend(alone.into_iter().map(|size| with(base, axis, size)));
    }
    if sizes.len() > 1 {
        points.push(sizes.iter().map(|size| size.lowest as i64).collect());
    }
    for point in combinations(signature, base) {
        if !points.contains(&point) {
            points.push(point);
        }
    }
    points.extend((0..3).map(|turn| sizes.iter().map(|size| size.together[turn] as i64).collect::<Vec<i64>>()));
    points
}

/// One axis moved away from the base.
fn with(base: &[i64], axis: usize, size: usize) -> Vec<i64> {
    let mut point = base.to_vec();
    point[axis] = size as i64;
    point
}

/// The sizes at and above every number that a recording holds, axis by axis, or for all axes at once where that would be
/// too many.
pub(crate) fn around(signature: &Signature, base: &[i64], numbers: &BTreeSet<i64>) -> Vec<Point> {
    const MOST: usize = 48;
    let sizes: BTreeSet<usize> =
        numbers.iter().filter_map(|number| usize::try_from(*number).ok()).flat_map(|size| [size, size + 1]).collect();
    let legal = |axis: usize, size: usize| signature.axes[axis].next(size);
    let points: BTreeSet<Vec<i64>> = if sizes.len() * base.len() <= MOST {
        let axes = 0..base.len();
        axes.flat_map(|axis| sizes.iter().filter_map(move |size| Some(with(base, axis, legal(axis, *size)?)))).collect()
    } else {
        let clamped = |axis: usize, size: usize| legal(axis, size).map_or(base[axis], |size| size as i64);
        sizes.iter().map(|size| (0..base.len()).map(|axis| clamped(axis, *size)).collect()).collect()
    };
    let fits = points.into_iter().filter(|point| too_large(signature, point).is_none());
    fits.map(|sizes| Point { sizes, required: false }).collect()
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
fn too_large(signature: &Signature, sizes: &[i64]) -> Option<ExportError> {
    signature.inputs.iter().find_map(|input| {
        let is_dynamic = input.axes.iter().any(|axis| matches!(axis, SpecAxis::Dynamic(_)));
        let elements = input.shape_at(sizes).into_iter().fold(1u64, |count, size| count.saturating_mul(size as u64));
        (is_dynamic && elements > MOST_ELEMENTS).then(|| {
            let names: Vec<String> = signature.axes.iter().map(|axis| axis.name.clone()).collect();
            ExportError::InputTooLarge {
                input: input.name.clone(),
                axes: describe_axes(input, &names),
                sizes: describe_sizes(&names, sizes),
                elements,
                most: MOST_ELEMENTS,
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

    fn signature(axes: impl IntoIterator<Item = Axis>) -> Signature {
        let input = DeclaredInput { name: "x".to_string(), axes: axes.into_iter().collect(), dtype: None };
        Signature::resolve(&[input], &[]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Of one input.
    fn of(axes: impl IntoIterator<Item = Axis>) -> Result<Points, String> {
        points(&signature(axes)).map_err(|error| error.to_string())
    }

    fn alone(axis: Axis) -> (Vec<i64>, Vec<i64>) {
        let points = of([axis]).unwrap_or_else(|error| panic!("{error}"));
        let near = points.near[..points.near.len() - 3].iter().map(|point| point[0]).collect();
        (near, points.far.iter().map(|point| point.sizes[0]).collect())
    }

    #[test]
    fn the_limits_of_a_range_are_traced_whatever_their_size() {
        let (near, far) = alone(Axis::dynamic("sequence").range(1..=512));
        assert!(near.contains(&1) && far.contains(&512));
        let (near, far) = alone(Axis::dynamic("samples").range(400..=160_000));
        assert!(near.contains(&400) && far.contains(&160_000), "{far:?}");
        assert!(far.contains(&131_101) && far.iter().all(|size| *size <= 160_000), "{far:?}");
    }

    #[test]
    fn only_legal_sizes_are_traced() {
        assert_eq!(alone(Axis::dynamic("height").range(60..=100).multiple_of(32)), (vec![96, 64], vec![]));
        let (near, far) = alone(Axis::dynamic("batch"));
        assert_eq!(near, [3, 1, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(far, [16, 32, 43, 64, 100, 128, 256, 512, 526, 1000, 1024, 4102, 16_411, 131_101, 1_048_583]);
    }

    #[test]
    fn numbers_of_a_recording_are_tried_from_both_sides() {
        let signature = signature([Axis::dynamic("n").range(1..=5001).multiple_of(3), Axis::dynamic("m")]);
        let points = around(&signature, &[3, 7], &BTreeSet::from([5000, 20]));
        let sizes: Vec<Vec<i64>> = points.into_iter().map(|point| point.sizes).collect();
        assert_eq!(sizes, [[3, 20], [3, 21], [3, 5000], [3, 5001], [21, 7], [5001, 7]].map(Vec::from));
    }

    /// 526 to the power of five is 4e13.
    #[test]
    fn large_inputs_are_traced_at_smaller_sizes() {
        let far = of(vec![Axis::dynamic("n"); 5]).map(|points| points.far).unwrap_or_default();
        assert!(far.iter().all(|point| point.sizes[0] <= 256), "{far:?}");
        let many = of((0..12).map(|axis| Axis::dynamic(format!("n{axis}"))));
        let near = many.map(|points| points.near).unwrap_or_default();
        assert!(near.len() > 12 * 4, "{near:?}");
    }

    #[test]
    fn what_is_too_large_at_any_size_is_refused() {
        let large = [Axis::dynamic("n").range(1 << 21..), Axis::dynamic("n").range(1 << 21..)];
        let error = of(large).map_or_else(|error| error, |points| format!("{:?}", points.near));
        insta::assert_snapshot!(error, @r#"input "x" of shape [n, n] has 4398050705409 elements at n = 2097153, where forward would be recorded, and 1099511627776 is the most; lower the sizes of its axes, with `Axis::range` for a dynamic one, or fix some of them"#);
        let error = of([Axis::dynamic("n").range(1..=1 << 41)])
            .map_or_else(|error| error, |points| format!("{:?}", points.far));
        insta::assert_snapshot!(error, @r#"input "x" of shape [n] has 2199023255552 elements at n = 2199023255552, where forward would be recorded, and 1099511627776 is the most; lower the sizes of its axes, with `Axis::range` for a dynamic one, or fix some of them"#);
    }
}
