//! Random tokens.

use evaluation::random::uniform;
use models::bert::{BertConfig, InputError, Sequence, TokenBatch};

/// Random tokens; with `padding`, each sequence is a fifth shorter than the one before it, down to a single token.
///
/// # Errors
/// When a sequence is longer than the network allows.
pub fn random(config: &BertConfig, batch: usize, length: usize, padding: bool) -> Result<TokenBatch, InputError> {
    let ids = |seed: u64, below: usize| -> Vec<i64> {
        uniform(seed, batch * length, 0.0, below as f32).into_iter().map(|id| id as i64).collect()
    };
    let (tokens, types) = (ids(1, config.vocab_size), ids(2, config.type_vocab_size));
    let sequences: Vec<Sequence> = tokens
        .chunks(length)
        .zip(types.chunks(length))
        .enumerate()
        .map(|(row, (tokens, types))| {
            let kept = if padding { (length - (row * length / 5).min(length)).max(1) } else { length };
            let cut = |ids| <[i64]>::get(ids, ..kept).unwrap_or_default();
            Sequence { input_ids: cut(tokens), token_type_ids: cut(types) }
        })
        .collect();
    TokenBatch::padded(&sequences, config)
}
