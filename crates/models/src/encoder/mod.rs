//! The encoders of `transformers` from their Hugging Face folders: nine families, six tasks.
//!
//! [`EncoderConfig`] is what a folder says: which [`Family`], for which [`EncoderTask`], in which sizes. [`Encoder`] is the one
//! Burn module that all of them are, on shared parts: embeddings with a scheme of positions, attention with an optional bias by
//! distance or rotary positions, a feed-forward part, and the head of the task. [`TokenBatch`] is what goes in, checked against
//! the configuration, and [`EncoderTokenizer`] makes it of text.

mod batch;
mod config;
mod embeddings;
mod error;
mod family;
mod head;
mod layer;
mod model;
mod names;
mod raw;
mod rotary;
mod sentence;
mod task;
mod tokenizer;

pub use batch::{Side, TokenBatch};
pub use config::{AxisNames, EncoderConfig, ModernSettings, Problem};
pub use error::EncoderError;
pub use family::Family;
pub use model::{Encoder, Outputs};
pub use sentence::{Dense, DenseActivation, Pooling, SentenceModules, Step};
pub use task::EncoderTask;
pub use tokenizer::{EncoderTokenizer, TextError, Tokens};
