//! The loss of a classification.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Int, Tensor};

use super::recycling::Memory;
use super::values::{Row, Taped, own_tensor, plain, taped};
use crate::loss::{backward, forward};

/// The mean negative log-likelihood of `labels` `[rows]` under the softmax of `logits` `[rows, classes]`, `[1]`.
pub fn cross_entropy(logits: &Tensor<2>, labels: &Tensor<1, Int>) -> Option<Tensor<1>> {
    let [rows, classes] = logits.dims();
    let labels = Arc::new(classes_of(labels, classes)?);
    if labels.len() != rows || rows == 0 {
        return None;
    }
    if let Some(logits) = plain(logits) {
        let (loss, _) = mean(Row::of(logits), &labels, classes);
        return Some(Tensor::from_primitive::<Flex>(loss));
    }
    let logits = taped(logits)?;
    let nodes = [logits.node()];
    let (loss, probabilities) = mean(Row::of(logits.into_primitive()), &labels, classes);
    let output = match CrossEntropy.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(preparation) => preparation.finish((Arc::new(probabilities), labels), loss),
        OpsKind::UnTracked(preparation) => preparation.finish(loss),
    };
    Some(Tensor::from_primitive::<Taped>(output))
}

/// The loss and the probabilities.
fn mean(logits: Row, labels: &[usize], classes: usize) -> (FlexTensor, Vec<f32>) {
    let mut probabilities = vec![0.0; logits.values().len()];
    let loss = forward(classes, logits.values(), labels.iter().copied(), &mut probabilities);
    (own_tensor(vec![loss], [1]), probabilities)
}

/// The labels, if they are on the flex backend and every one is a class.
fn classes_of(labels: &Tensor<1, Int>, classes: usize) -> Option<Vec<usize>> {
    let plain = labels.clone().try_into_primitive::<Flex>();
    let labels = plain.or_else(|_| labels.clone().try_into_primitive::<Taped>()).ok()?;
    let labels: Option<Vec<usize>> = match labels.dtype() {
        DType::I64 => labels.as_slice::<i64>()?.iter().map(|&label| usize::try_from(label).ok()).collect(),
        DType::I32 => labels.as_slice::<i32>()?.iter().map(|&label| usize::try_from(label).ok()).collect(),
        _ => None,
    };
    labels.filter(|labels| labels.iter().all(|&label| label < classes))
}

#[derive(Debug)]
struct CrossEntropy;

impl Backward<Flex, 1> for CrossEntropy {
    /// The probabilities and the labels.
    type State = (Arc<Vec<f32>>, Arc<Vec<usize>>);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = Row::of(gradients.consume::<Flex>(&ops.node)).values().first().copied().unwrap_or(1.0);
        let (probabilities, labels) = &ops.state;
        let (rows, classes) = (labels.len(), probabilities.len() / labels.len());
        let mut d_logits = Memory::arbitrary(probabilities.len());
        d_logits.copy_from_slice(probabilities);
        backward(classes, labels.iter().copied(), gradient, &mut d_logits);
        if let [Some(node)] = &ops.parents {
            gradients.register::<Flex>(node.id, d_logits.into_tensor([rows, classes]));
        }
    }
}
