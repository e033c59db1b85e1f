//! The sums of the gradients over a batch that several processes share, each in the order of a single process.

use std::collections::HashMap;
use std::ops::Range;

use burn::backend::autodiff::NodeId;
use flex_kernels::buffer::Buffer;
use flex_kernels::convolution::Parts;
use flex_kernels::linear::backward_weights;
use flex_kernels::operations::{Collected, LayerTerms, LinearTerms, Terms};
use flex_kernels::simd::Isa;

use super::Ranks;

/// The gradient of a parameter, as this process needs it to update the parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Gradient {
    /// All of it: every process updates the parameter.
    Whole(Vec<f32>),
    /// That of a linear layer's weights `[inputs, outputs]` in the rows that this rank updates ([`Ranks::rows`]).
    Rows {
        /// Of the layer.
        inputs: usize,
        /// Of the layer.
        outputs: usize,
        /// `[rows, outputs]`
        values: Vec<f32>,
    },
}

/// The gradients of parameters, by what the parameters are known by ([`flex_kernels::operations::node`]).
pub type Gradients = HashMap<NodeId, Gradient>;

impl Ranks<'_> {
    /// Sums over a batch in which rank `r` has the items `items[r]`, and has collected the terms of these. The terms of a rank
    /// without items are taken for the shapes of its layers, and not added.
    ///
    /// All ranks must have the same layers.
    pub fn reduce(&self, collected: Collected, items: &[Range<usize>]) -> Gradients {
        let (mut convolutions, mut layers) = (Vec::new(), Vec::new());
        for LayerTerms { weights, bias, terms } in collected.into_layers() {
            match terms {
                Terms::Convolution(parts) => convolutions.push(([weights, bias], parts)),
                Terms::Linear(terms) => layers.push(([weights, bias], terms)),
            }
        }
        let mut gradients = Gradients::new();
        // The last rank has the sums of the convolutions first, and hands them out when the others have nothing better to do.
        let sums = self.add_parts(&convolutions, !items[self.rank()].is_empty());
        for (nodes, terms) in &layers {
            gradients.extend(nodes.iter().copied().zip(self.sum_rows(terms, items)));
        }
        let sums: Vec<f32> = bytemuck::pod_collect_to_vec(&self.broadcast_from(self.size() - 1, sums));
        let mut sums = &sums[..];
        for (nodes, parts) in &convolutions {
            let (own, rest) = sums.split_at(parts.sums());
            let [mut weights, mut bias] = parts.sizes().map(|size| vec![0.0; size]);
            parts.finish(own, &mut weights, &mut bias);
            gradients.extend(nodes.iter().copied().zip([weights, bias].map(Gradient::Whole)));
            sums = rest;
        }
        gradients
    }

    /// The sums of all convolutions up to this rank, one after another, as bytes: those before it come from the rank before.
    fn add_parts(&self, convolutions: &[([NodeId; 2], Parts)], any: bool) -> Vec<u8> {
        let (rank, size) = (self.rank(), self.size());
        let mut sums: Vec<f32> = convolutions.iter().flat_map(|(_, parts)| parts.nothing()).collect();
        if rank > 0 {
            self.0.receive(rank - 1, bytemuck::cast_slice_mut(&mut sums));
        }
        if any {
            let mut rest = &mut sums[..];
            for (_, parts) in convolutions {
                let (own, behind) = rest.split_at_mut(parts.sums());
                parts.add_to(own);
                rest = behind;
            }
        }
        if rank + 1 < size {
            self.0.send(rank + 1, bytemuck::cast_slice(&sums));
        }
        bytemuck::pod_collect_to_vec(&sums)
    }

    /// The gradients of a linear layer's weights and bias.
    ///
    /// The gradient's rows of all ranks are needed whole. Of the input each rank needs all rows, but only the columns that meet its rows
    /// of the weights.
    fn sum_rows(&self, terms: &LinearTerms, items: &[Range<usize>]) -> [Gradient; 2] {
        let [inputs, outputs] = terms.sizes();
        let (own, all) = (items[self.rank()].clone(), items.last().map_or(0, |last| last.end));
        let mut gradient = Buffer::zeros(all * outputs);
        let gradient = &mut gradient[..all * outputs];
        gradient[own.start * outputs..own.end * outputs].copy_from_slice(&terms.gradient()[..own.len() * outputs]);
        self.gather(gradient, |rank| items[rank].start * outputs..items[rank].end * outputs);

        let columns = self.rows(self.rank(), inputs);
        let width = columns.len();
        let mut input = Buffer::zeros(all * width);
        let input = &mut input[..all * width];
        let rows = || terms.input().chunks_exact(inputs).take(own.len());
        for (to, row) in input[own.start * width..].chunks_exact_mut(width.max(1)).zip(rows()) {
            to.copy_from_slice(&row[columns.clone()]);
        }
        for (to, from) in self.rounds() {
            let columns = self.rows(to, inputs);
            let mut send = Buffer::zeros(own.len() * columns.len());
            for (to, row) in send.chunks_exact_mut(columns.len().max(1)).zip(rows()) {
                to.copy_from_slice(&row[columns.clone()]);
            }
            let receive = &mut input[items[from].start * width..items[from].end * width];
            let send = &send[..own.len() * columns.len()];
            self.0.exchange(to, bytemuck::cast_slice(send), from, bytemuck::cast_slice_mut(receive));
        }
        let (mut values, mut bias) = (vec![0.0; width * outputs], vec![0.0; outputs]);
        backward_weights(Isa::best(), all, input, gradient, &mut values, &mut bias);
        [Gradient::Rows { inputs, outputs, values }, Gradient::Whole(bias)]
    }
}
