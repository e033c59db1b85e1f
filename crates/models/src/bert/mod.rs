//! BERT (Devlin, Chang, Lee and Toutanova, 2018) for question answering, as `transformers` defines it.
//!
//! [`BertConfig`] is a model folder's `config.json`, [`BertModel`] the encoder, [`BertForQuestionAnswering`] the encoder
//! with two logits a token. [`PackedTokens`] are what training takes, [`TokenBatch`] what goes in otherwise, checked against the configuration. The text side lives in
//! [`crate::question_answering`].

mod batch;
mod config;
mod model;
mod packed;

pub use batch::{InputError, Sequence, TokenBatch};
pub use config::{BertConfig, ConfigError, HiddenAct};
pub use model::{BertForQuestionAnswering, BertModel, state_dict_name};
pub use packed::{DropoutPlaces, PackedTokens};
