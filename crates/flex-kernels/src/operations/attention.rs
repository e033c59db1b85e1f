//! Multi-head attention within sequences that lie one after another.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::recycling::Memory;
use super::values::{Row, Taped, plain, taped};
use crate::attention::{AttentionGradients, AttentionShape, Operands, backward, forward};
use crate::dropout::Dropout;
use crate::simd::Isa;

/// `dropout(softmax(query key^T / sqrt(head width))) value` of each head in each sequence; all are `[tokens, width]`.
pub fn packed_attention(
    operands: [&Tensor<2>; 3],
    lengths: &[usize],
    heads: usize,
    dropout: Option<Dropout>,
) -> Option<Tensor<2>> {
    let [tokens, width] = operands[0].dims();
    let alike = operands.iter().all(|operand| operand.dims() == [tokens, width]);
    if !alike || heads == 0 || !width.is_multiple_of(heads) || tokens * width == 0 {
        return None;
    }
    let new = |operands: [FlexTensor; 3]| Attention {
        lengths: lengths.into(),
        heads,
        width,
        dropout,
        operands: operands.map(Row::of),
    };
    if let [Some(query), Some(key), Some(value)] = operands.map(plain) {
        let (out, _) = new([query, key, value]).forward(false);
        return Some(Tensor::from_primitive::<Flex>(out));
    }
    let [query, key, value] = operands.map(taped);
    let (query, key, value) = (query?, key?, value?);
    let nodes = [query.node(), key.node(), value.node()];
    let attention = new([query, key, value].map(|operand| operand.into_primitive()));
    let output = match PackedAttention.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(preparation) => {
            let (out, logarithms) = attention.forward(true);
            preparation.finish((attention, logarithms, Row::of(out.clone())), out)
        }
        OpsKind::UnTracked(preparation) => preparation.finish(attention.forward(false).0),
    };
    Some(Tensor::from_primitive::<Taped>(output))
}

/// `softmax(query key^T / sqrt(head width) + bias) value` of each head, without gradient; `[batch, sequence, width]`, and `bias`
/// `[batch, 1, 1, sequence]`.
pub fn attention(operands: [&Tensor<3>; 3], heads: usize, bias: Option<&Tensor<4>>) -> Option<Tensor<3>> {
    let [batch, sequence, width] = operands[0].dims();
    let alike = operands.iter().all(|operand| operand.dims() == [batch, sequence, width]);
    let fits = bias.is_none_or(|bias| bias.dims() == [batch, 1, 1, sequence]);
    if !alike || !fits || heads == 0 || !width.is_multiple_of(heads) || batch * sequence * width == 0 {
        return None;
    }
    let [query, key, value] = operands.map(plain);
    let [query, key, value] = [query?, key?, value?].map(Row::of);
    let bias = match bias {
        Some(bias) => Some(Row::of(plain(bias)?)),
        None => None,
    };
    let lengths = vec![sequence; batch];
    let shape = AttentionShape { lengths: &lengths, heads, width };
    let operands = Operands { query: query.values(), key: key.values(), value: value.values() };
    let mut out = Memory::arbitrary(batch * sequence * width);
    forward(Isa::best(), shape, operands, bias.as_ref().map(Row::values), None, None, &mut out);
    Some(Tensor::from_primitive::<Flex>(out.into_tensor([batch, sequence, width])))
}

/// What both passes read.
#[derive(Debug, Clone)]
struct Attention {
    lengths: Arc<[usize]>,
    heads: usize,
    width: usize,
    dropout: Option<Dropout>,
    operands: [Row; 3],
}

impl Attention {
    fn shape(&self) -> AttentionShape<'_> {
        AttentionShape { lengths: &self.lengths, heads: self.heads, width: self.width }
    }

    fn operands(&self) -> Operands<'_> {
        let [query, key, value] = &self.operands;
        Operands { query: query.values(), key: key.values(), value: value.values() }
    }

    /// The output, and the logarithms of the sums of exponentials where a backward pass will want them.
    fn forward(&self, recorded: bool) -> (FlexTensor, Arc<Vec<f32>>) {
        let shape = self.shape();
        let mut logarithms = vec![0.0; if recorded { self.heads * shape.tokens() } else { 0 }];
        let mut out = Memory::arbitrary(shape.tokens() * self.width);
        let to = recorded.then_some(&mut logarithms[..]);
        forward(Isa::best(), shape, self.operands(), None, self.dropout, to, &mut out);
        (out.into_tensor([shape.tokens(), self.width]), Arc::new(logarithms))
    }
}

#[derive(Debug)]
struct PackedAttention;

impl Backward<Flex, 3> for PackedAttention {
    /// The operands, the logarithms of the sums of exponentials, and the output.
    type State = (Attention, Arc<Vec<f32>>, Row);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Row::of(gradients.consume::<Flex>(&ops.node));
        let (attention, logarithms, out) = &ops.state;
        let (shape, length) = (attention.shape(), out.values().len());
        let [mut query, mut key, mut value] = [(); 3].map(|()| Memory::arbitrary(length));
        let to = AttentionGradients { query: &mut query, key: &mut key, value: &mut value };
        let operands = attention.operands();
        backward(Isa::best(), shape, operands, attention.dropout, logarithms, out.values(), gradient.values(), to);
        for (node, values) in ops.parents.iter().zip([query, key, value]) {
            if let Some(node) = node {
                gradients.register::<Flex>(node.id, values.into_tensor([shape.tokens(), attention.width]));
            }
        }
    }
}
