//! BERT for question answering under every engine: what it takes and gives, and answers for questions.

pub mod answer;
pub mod evaluate;
pub mod squad;

use std::path::Path;

use models::bert::TokenBatch;

use crate::engine::{Dimension, Engine, EngineError, Signature, TensorInfo};
use crate::signature::require;
use crate::tensor::{ElementType, NamedTensor, Tensor};

/// The names of the network's inputs in order: token ids, 1 for a token and 0 for padding, segment ids.
pub const INPUTS: [&str; 3] = ["input_ids", "attention_mask", "token_type_ids"];

/// The names of the network's outputs in order.
pub const OUTPUTS: [&str; 2] = ["start_logits", "end_logits"];

/// What the network takes and gives: int64 and float `[batch, sequence]`.
pub fn signature() -> Signature {
    let tensor = |name: &str, element: ElementType| TensorInfo {
        name: name.to_owned(),
        element: Some(element),
        shape: ["batch", "sequence"].map(|axis| Dimension::Named(axis.to_owned())).to_vec(),
    };
    Signature {
        inputs: INPUTS.map(|name| tensor(name, ElementType::Int64)).to_vec(),
        outputs: OUTPUTS.map(|name| tensor(name, ElementType::Float)).to_vec(),
    }
}

/// Refuses a model that does not take token ids and give start and end logits.
///
/// # Errors
/// When inputs or outputs have another name or shape; the message shows what the model has.
pub fn check_signature(engine: &dyn Engine, model: &Path) -> Result<(), EngineError> {
    require(engine, model, &signature(), "a BERT for question answering")
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
