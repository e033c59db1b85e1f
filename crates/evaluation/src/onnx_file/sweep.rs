//! The sizes that a model is tried at.

use crate::onnx_file::domains::Domains;
use crate::onnx_file::inputs::{InputsError, Sizes, elements, random_inputs};
use crate::onnx_file::ranges::Ranges;
use crate::task::Case;
use engines::engine::Signature;
use engines::memory::require_room;

/// The sizes that every dynamic axis is tried at, one axis at a time; of an axis with a range those of these places in it.
const SWEEP: [usize; 3] = [1, 2, 7];

/// The inputs that a model is made for.
#[derive(Debug, Clone, Default)]
pub struct MadeFor {
    /// Their sizes.
    pub ranges: Ranges,
    /// Their values.
    pub domains: Domains,
}

/// Random inputs of the sizes asked for, and for every dynamic axis of 1, 2 and 7, or of the first, second and seventh size of its range,
/// with the others as asked for. The axis of
/// `largest` is tried at that size too. Sizes that this machine cannot hold are told in the second list.
///
/// # Errors
/// When an input is of a type for which no values can be made up.
pub fn cases(
    signature: &Signature,
    base: &Sizes,
    largest: Option<(&str, usize)>,
    made_for: &MadeFor,
) -> Result<(Vec<Case>, Vec<String>), InputsError> {
    let mut all: Vec<Sizes> = vec![base.clone()];
    for axis in base.keys() {
        let largest = largest.filter(|(of, _)| of == axis).map(|(_, size)| size);
        let swept = SWEEP.map(|size| made_for.ranges.get(axis).map_or(size, |range| range.nth(size - 1)));
        for size in swept.into_iter().chain(largest) {
            let mut sizes = base.clone();
            sizes.insert(axis.clone(), size);
            if !all.contains(&sizes) {
                all.push(sizes);
            }
        }
    }
    let (mut cases, mut unfit) = (Vec::new(), Vec::new());
    for (number, sizes) in (1..).zip(all) {
        let label = label(&sizes);
        match require_room(&label, &elements(signature, &sizes)) {
            Ok(()) => cases.push((label, random_inputs(signature, &sizes, 1000 * number, &made_for.domains)?)),
            Err(error) => unfit.push(terminal::failure::sentence(&error)),
        }
    }
    Ok((cases, unfit))
}

/// What a case of these sizes is called.
pub fn label(sizes: &Sizes) -> String {
    let axes: Vec<String> = sizes.iter().map(|(axis, size)| format!("{axis}={size}")).collect();
    if axes.is_empty() { "fixed sizes".to_owned() } else { axes.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engines::engine::{Dimension, TensorInfo};
    use engines::tensor::ElementType;

    fn labels(base: &[(&str, usize)], largest: Option<(&str, usize)>) -> (Vec<String>, Vec<String>) {
        let shape = ["batch", "sequence"].map(|name| Dimension::Named(name.to_owned())).to_vec();
        let input =
            TensorInfo { name: "x".to_owned(), element: Some(ElementType::Float), other: None, container: None, shape };
        let signature = Signature { inputs: vec![input], outputs: Vec::new() };
        let base = base.iter().map(|&(axis, size)| (axis.to_owned(), size)).collect();
        let (cases, unfit) = cases(&signature, &base, largest, &MadeFor::default()).unwrap();
        (cases.into_iter().map(|(label, _)| label).collect(), unfit)
    }

    #[test]
    fn every_dynamic_axis_is_swept_and_no_case_comes_twice() {
        let (found, unfit) = labels(&[("batch", 2), ("sequence", 5)], Some(("batch", 64)));
        let axes = ["batch=1 sequence=5", "batch=7 sequence=5", "batch=64 sequence=5"];
        let others = ["batch=2 sequence=1", "batch=2 sequence=2", "batch=2 sequence=7"];
        assert_eq!(found, [&["batch=2 sequence=5"], &axes[..], &others].concat());
        assert!(unfit.is_empty());
    }

    #[test]
    fn what_does_not_fit_in_memory_leaves_the_others() {
        let (found, unfit) = labels(&[("batch", 1 << 50), ("sequence", 1)], None);
        assert_eq!(found, ["batch=1 sequence=1", "batch=2 sequence=1", "batch=7 sequence=1"]);
        assert!(unfit[0].starts_with("batch=1125899906842624 sequence=1 does not fit in memory"), "{unfit:?}");
    }
}
