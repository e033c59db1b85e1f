//! The weights of products as steps, by what the products saw.

use std::cell::RefCell;
use std::collections::BTreeMap;

use onnx_model::Node;

use crate::arithmetic::{Weight, WeightBits};
use crate::moments::{Lens, Moments};
use crate::rounding::Weighing;

/// What the products of a model saw, by the value that each takes and how it sees it.
#[derive(Debug, Default)]
pub struct Products {
    seen: BTreeMap<(String, Lens), Moments>,
    /// Weights that were rounded before, by the names of the nodes' outputs. The search for nodes that stay in float writes a model many
    /// times.
    known: RefCell<BTreeMap<String, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    scales: Vec<f32>,
    corrected: bool,
    steps: Vec<i8>,
    shift: Vec<f32>,
}

/// The weight of a product.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// Its shape.
    pub dims: &'a [u64],
    /// Its values.
    pub values: &'a [f32],
    /// How they lie.
    pub layout: Layout,
}

/// How the weight of a product lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// How many outputs there are.
    pub outputs: usize,
    /// Whether all weights of an output lie together; otherwise the outputs alternate.
    pub together: bool,
}

impl Products {
    /// From what was seen.
    pub fn new(seen: BTreeMap<(String, Lens), Moments>) -> Self {
        Self { seen, known: RefCell::default() }
    }

    /// Rounds the weight of a node anew, so that its product changes least. With `corrected` the product may shift by what is returned,
    /// which its bias is to take back: an amount for each output. Nothing is changed where the samples say nothing of it.
    pub fn round(
        &self,
        node: &Node,
        Matrix { dims, values, layout }: Matrix<'_>,
        bits: WeightBits,
        corrected: bool,
        weight: &mut Weight,
    ) -> Option<Vec<f32>> {
        let id = crate::graph::id(node);
        if let Some(known) = self.known.borrow().get(id)
            && known.scales == weight.scales
            && known.corrected == corrected
        {
            weight.steps.clone_from(&known.steps);
            return corrected.then(|| known.shift.clone());
        }
        let lens = Lens::of(node, dims)?;
        let groups = match &lens {
            Lens::Rows => 1,
            Lens::Windows { groups, .. } => *groups,
        };
        let moments = self.seen.get(&(node.inputs.first()?.clone(), lens))?;
        let width = moments.width();
        if width == 0 || width * layout.outputs != values.len() {
            return None;
        }
        let mut shift = vec![0.0_f32; layout.outputs];
        let place = |output: usize, element: usize| match layout.together {
            true => output * width + element,
            false => element * layout.outputs + output,
        };
        for group in 0..groups {
            let weighing = moments.together(group, corrected).and_then(|together| Weighing::of(&together, width));
            let mean = moments.mean(group)?;
            let outputs = layout.outputs * group / groups..layout.outputs * (group + 1) / groups;
            for output in outputs {
                let row: Vec<f32> =
                    (0..width).filter_map(|element| values.get(place(output, element)).copied()).collect();
                let scale = weight.scales.get(output).or(weight.scales.first()).copied()?;
                if let Some(weighing) = &weighing {
                    for (element, step) in weighing.steps(&row, scale, bits.most()).into_iter().enumerate() {
                        *weight.steps.get_mut(place(output, element))? = step;
                    }
                }
                let off = |element: usize| {
                    let step = weight.steps.get(place(output, element)).copied().unwrap_or(0);
                    f64::from(f32::from(step) * scale) - f64::from(row.get(element).copied().unwrap_or(0.0))
                };
                let by_mean = mean.iter().enumerate().map(|(element, mean)| off(element) * mean);
                *shift.get_mut(output)? = by_mean.sum::<f64>() as f32;
            }
        }
        let known =
            Known { scales: weight.scales.clone(), corrected, steps: weight.steps.clone(), shift: shift.clone() };
        self.known.borrow_mut().insert(id.to_owned(), known);
        corrected.then_some(shift)
    }
}

#[cfg(test)]
mod tests {
    use engines::tensor::Tensor;

    use super::*;
    use crate::arithmetic;

    /// Every row is near (1, 1), so that the sum of the weights counts, and what is left of it is the same for all rows.
    #[test]
    fn a_product_keeps_its_sums_and_its_bias_takes_the_rest() {
        let rows: Vec<f32> = (0..64).flat_map(|index| [1.0, 1.0 + (index % 5) as f32 / 100.0]).collect();
        let mut moments = Moments::default();
        moments.add(&Lens::Rows, &Tensor::new([64, 2], rows.clone()).unwrap(), &rows, 64);
        let products = Products::new([(("x".to_owned(), Lens::Rows), moments)].into());
        let node = Node::new("MatMul").inputs(["x", "w"]).output("y");
        // Two outputs that alternate, with a scale of 1 each.
        let values = [127.0_f32, 127.0, 0.4, 0.3];
        let matrix = Matrix { dims: &[2, 2], values: &values, layout: Layout { outputs: 2, together: false } };
        let rounded = |corrected: bool| {
            let mut weight = arithmetic::weight(&values, 2, 1, true, WeightBits::Eight, &[]);
            assert_eq!(weight.steps, [127, 127, 0, 0]);
            let shift = products.round(&node, matrix, WeightBits::Eight, corrected, &mut weight);
            (weight.steps, shift)
        };
        // The bias can take all: each weight is at its nearest step.
        let (steps, shift) = rounded(true);
        assert_eq!(steps, [127, 127, 0, 0]);
        let shift = shift.unwrap();
        assert!((shift[0] + 0.4 * 1.02).abs() < 0.01 && (shift[1] + 0.3 * 1.02).abs() < 0.01, "{shift:?}");
        assert_eq!(rounded(true), (steps, Some(shift)));
        assert_eq!(rounded(false).1, None);
        let other = Node::new("MatMul").inputs(["z", "w"]).output("v");
        let mut weight = arithmetic::weight(&values, 2, 1, true, WeightBits::Eight, &[]);
        assert_eq!(products.round(&other, matrix, WeightBits::Eight, true, &mut weight), None);
    }
}
