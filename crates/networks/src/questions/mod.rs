//! BERT for question answering under every engine: what it takes and gives, and answers for questions.

pub mod answer;
pub mod random;
pub mod task;

use models::bert::{BertConfig, TokenBatch};

use engines::engine::{Dimension, EngineError, Signature, TensorInfo};
use engines::tensor::{ElementType, Elements, NamedTensor, Tensor};

/// The names of the network's inputs in order: token ids, 1 for a token and 0 for padding, segment ids.
pub const INPUTS: [&str; 3] = ["input_ids", "attention_mask", "token_type_ids"];

/// The names of the network's outputs in order.
pub const OUTPUTS: [&str; 2] = ["start_logits", "end_logits"];

/// What the network takes and gives: int64 and float `[batch, sequence]`.
pub fn signature() -> Signature {
    let tensor = |name: &str, element: ElementType| TensorInfo {
        name: name.to_owned(),
        element: Some(element),
        other: None,
        container: None,
        shape: ["batch", "sequence"].map(|axis| Dimension::Named(axis.to_owned())).to_vec(),
    };
    Signature {
        inputs: INPUTS.map(|name| tensor(name, ElementType::Int64)).to_vec(),
        outputs: OUTPUTS.map(|name| tensor(name, ElementType::Float)).to_vec(),
    }
}

/// Token ids as the network takes them.
///
/// # Errors
/// Never for a batch that was made by its own functions.
pub fn inputs(batch: &TokenBatch) -> Result<Vec<NamedTensor>, EngineError> {
    let lists = [batch.input_ids(), batch.attention_mask(), batch.token_type_ids()];
    let named = |(name, ids): (&str, &[i64])| {
        let tensor = Tensor::new([batch.batch(), batch.sequence()], ids.to_vec());
        tensor.map(|tensor| NamedTensor::new(name, tensor)).map_err(|error| EngineError::Input {
            engine: "BERT".to_owned(),
            name: name.to_owned(),
            reason: error.to_string(),
        })
    };
    INPUTS.into_iter().zip(lists).map(named).collect()
}

/// The token ids of the inputs, checked against the configuration; the other way round.
///
/// # Errors
/// When an input is missing or is no int64 `[batch, sequence]`, or an id is out of range; `engine` is for the message.
pub fn token_batch(engine: &str, inputs: &[NamedTensor], config: &BertConfig) -> Result<TokenBatch, EngineError> {
    let refused =
        |name: &str, reason: String| EngineError::Input { engine: engine.to_owned(), name: name.to_owned(), reason };
    let mut sequence = 0;
    let mut lists = Vec::new();
    for name in INPUTS {
        let input = inputs.iter().find(|input| input.name == name);
        let input = input.ok_or_else(|| refused(name, "it is missing".to_owned()))?;
        let (&[_, length], Elements::I64(ids)) = (input.tensor.shape(), input.tensor.elements()) else {
            let (kind, shape) = (input.tensor.elements().element_type(), input.tensor.shape());
            return Err(refused(name, format!("it is {kind} {shape:?} instead of int64 [batch, sequence]")));
        };
        sequence = length;
        lists.push(ids.clone());
    }
    let [ids, mask, types] = <[Vec<i64>; 3]>::try_from(lists).unwrap_or_default();
    TokenBatch::new(ids, mask, types, sequence, config).map_err(|error| refused(INPUTS[0], error.to_string()))
}
