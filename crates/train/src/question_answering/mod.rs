//! BERT for question answering: an encoder fine-tuned on SQuAD, by the recipe of `transformers`.

pub mod adamw;
pub mod command;
pub mod config;
pub mod data;
pub mod evaluation;
pub mod results;
pub mod training;
