//! BERT (Devlin, Chang, Lee and Toutanova, 2018) for question answering, as `transformers` defines it.
//!
//! [`BertConfig`] is a model folder's `config.json`, [`BertModel`] the encoder, [`BertForQuestionAnswering`] the encoder
//! with two logits a token. [`TokenBatch`] is what goes in, checked against the configuration. The text side lives in
//! [`crate::question_answering`].

mod batch;
mod config;
mod model;

pub use batch::{InputError, Sequence, TokenBatch};
pub use config::{BertConfig, ConfigError, HiddenAct};
pub use model::{BertForQuestionAnswering, BertModel, state_dict_name};
