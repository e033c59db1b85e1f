//! Token ids as an encoder takes them.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::EncoderConfig;
use crate::bert::{InputError, Sequence};

/// Where a batch is filled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Behind the tokens.
    Right,
    /// Before them.
    Left,
}

/// Sequences of one length, row by row, checked against a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBatch {
    lists: [Vec<i64>; 3],
    batch: usize,
    sequence: usize,
}

/// The names of the lists.
const LISTS: [&str; 3] = ["input_ids", "attention_mask", "token_type_ids"];

impl TokenBatch {
    /// Sequences of different length, filled up to the longest.
    ///
    /// # Errors
    /// When there is no token, a sequence is too long, lengths differ within a sequence, or an id is out of range.
    pub fn padded(sequences: &[Sequence], side: Side, config: &EncoderConfig) -> Result<Self, InputError> {
        let sequence = sequences.iter().map(|tokens| tokens.input_ids.len()).max().unwrap_or(0);
        let mut lists: [Vec<i64>; 3] = Default::default();
        for tokens in sequences {
            let length = tokens.input_ids.len();
            check_length("token_type_ids", tokens.token_type_ids.len(), length)?;
            let padding = sequence - length;
            let (before, behind) = if side == Side::Left { (padding, 0) } else { (0, padding) };
            let filled = |ids: &[i64], fill: i64| -> Vec<i64> {
                let fill = |count| std::iter::repeat_n(fill, count);
                fill(before).chain(ids.iter().copied()).chain(fill(behind)).collect()
            };
            let [ids, mask, types] = &mut lists;
            ids.extend(filled(tokens.input_ids, config.pad_token_id));
            mask.extend(filled(&vec![1; length], 0));
            // Some tokenizers number segments that the network does not tell apart.
            let segments = if config.family.has_types() { tokens.token_type_ids } else { &vec![0; length] };
            types.extend(filled(segments, 0));
        }
        let padded = Self { lists, batch: sequences.len(), sequence };
        padded.check(config)?;
        Ok(padded)
    }

    /// A batch of `sequence` tokens a row, from its lists as they are; segments only for a family that has them.
    ///
    /// # Errors
    /// As [`padded`](Self::padded); and when the number of ids is no multiple of `sequence`.
    pub fn new(
        ids: Vec<i64>,
        mask: Vec<i64>,
        types: Option<Vec<i64>>,
        sequence: usize,
        config: &EncoderConfig,
    ) -> Result<Self, InputError> {
        let batch = ids.len().checked_div(sequence).unwrap_or(0);
        check_length(LISTS[0], ids.len(), batch * sequence)?;
        check_length(LISTS[1], mask.len(), ids.len())?;
        let types = types.unwrap_or_else(|| vec![0; ids.len()]);
        check_length(LISTS[2], types.len(), ids.len())?;
        let batch = Self { lists: [ids, mask, types], batch, sequence };
        batch.check(config)?;
        Ok(batch)
    }

    fn check(&self, config: &EncoderConfig) -> Result<(), InputError> {
        if self.lists[0].is_empty() {
            return Err(InputError::Empty);
        }
        if self.sequence > config.longest() {
            return Err(InputError::TooLong { found: self.sequence, longest: config.longest() });
        }
        let counts = [config.vocab_size, 2, config.type_vocab_size.max(1)];
        for ((name, ids), count) in LISTS.into_iter().zip(&self.lists).zip(counts) {
            let valid = 0..count as i64;
            if let Some((index, id)) = ids.iter().enumerate().find(|(_, id)| !valid.contains(id)) {
                return Err(InputError::OutOfRange {
                    name,
                    id: *id,
                    row: index / self.sequence,
                    position: index % self.sequence,
                    largest: valid.end - 1,
                });
            }
        }
        Ok(())
    }

    /// The number of sequences.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Tokens in each sequence, padding included.
    pub fn sequence(&self) -> usize {
        self.sequence
    }

    /// The lists that the family takes with their names, in its order, each `[batch, sequence]` row by row.
    pub fn lists(&self, config: &EncoderConfig) -> impl Iterator<Item = (&'static str, &[i64])> {
        config.inputs().iter().copied().zip(self.lists.iter().map(Vec::as_slice))
    }

    /// Token ids, mask and, where the family takes them, segments as tensors `[batch, sequence]`.
    pub fn to_tensors(
        &self,
        config: &EncoderConfig,
        device: &Device,
    ) -> (Tensor<2, Int>, Tensor<2, Int>, Option<Tensor<2, Int>>) {
        let [ids, mask, types] = self.lists.each_ref().map(|ids| {
            let data = TensorData::new(ids.clone(), [self.batch, self.sequence]);
            Tensor::from_data(data, device)
        });
        (ids, mask, config.family.has_types().then_some(types))
    }
}

fn check_length(name: &'static str, found: usize, expected: usize) -> Result<(), InputError> {
    if found == expected {
        return Ok(());
    }
    Err(InputError::Length { name, found, expected })
}
