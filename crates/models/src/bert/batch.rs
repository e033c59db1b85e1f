//! Token ids as the network takes them.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::BertConfig;

/// Sequences of one length, row by row, checked against a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBatch {
    input_ids: Vec<i64>,
    attention_mask: Vec<i64>,
    token_type_ids: Vec<i64>,
    batch: usize,
    sequence: usize,
}

/// Why token ids do not suit a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// There is nothing to compute.
    #[error("a batch needs at least one sequence of at least one token")]
    Empty,
    /// A list has another length than the token ids.
    #[error("{name} has {found} elements where input_ids has {expected}")]
    Length {
        /// The list.
        name: &'static str,
        /// Its length.
        found: usize,
        /// The length of the token ids.
        expected: usize,
    },
    /// A sequence exceeds the position table.
    #[error("{found} tokens are more than the model's {longest} positions")]
    TooLong {
        /// Its length in tokens.
        found: usize,
        /// The model's `max_position_embeddings`.
        longest: usize,
    },
    /// An id lies outside its table.
    #[error("{name} holds {id} at sequence {row}, position {position}; valid are 0 to {largest}")]
    OutOfRange {
        /// The list.
        name: &'static str,
        /// The id.
        id: i64,
        /// The sequence in the batch, from 0.
        row: usize,
        /// The token in the sequence, from 0.
        position: usize,
        /// The largest valid id.
        largest: i64,
    },
}

/// The ids of one sequence; see [`TokenBatch::padded`].
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    /// Token ids.
    pub input_ids: &'a [i64],
    /// Segment ids, of the same length.
    pub token_type_ids: &'a [i64],
}

impl TokenBatch {
    /// Sequences of different length, padded on the right to the longest.
    ///
    /// # Errors
    /// When there is no token, a sequence is too long, lengths differ within a sequence, or an id is out of range.
    pub fn padded(sequences: &[Sequence], config: &BertConfig) -> Result<Self, InputError> {
        let longest = sequences.iter().map(|s| s.input_ids.len()).max();
        let sequence = longest.unwrap_or(0);
        let size = sequences.len() * sequence;
        let mut padded = Self {
            input_ids: Vec::with_capacity(size),
            attention_mask: Vec::with_capacity(size),
            token_type_ids: Vec::with_capacity(size),
            batch: sequences.len(),
            sequence,
        };
        for tokens in sequences {
            let length = tokens.input_ids.len();
            check_length("token_type_ids", tokens.token_type_ids.len(), length)?;
            let padding = sequence - length;
            padded.input_ids.extend(tokens.input_ids);
            padded.input_ids.extend(std::iter::repeat_n(config.pad_token_id, padding));
            padded.token_type_ids.extend(tokens.token_type_ids);
            padded.token_type_ids.extend(std::iter::repeat_n(0, padding));
            padded.attention_mask.extend(std::iter::repeat_n(1, length));
            padded.attention_mask.extend(std::iter::repeat_n(0, padding));
        }
        padded.check(config)?;
        Ok(padded)
    }

    /// A batch of `sequence` tokens a row, from its three lists as they are.
    ///
    /// # Errors
    /// As [`padded`](Self::padded); and when the number of ids is no multiple of `sequence`.
    pub fn new(
        input_ids: Vec<i64>,
        attention_mask: Vec<i64>,
        token_type_ids: Vec<i64>,
        sequence: usize,
        config: &BertConfig,
    ) -> Result<Self, InputError> {
        let batch = input_ids.len().checked_div(sequence).unwrap_or(0);
        check_length("input_ids", input_ids.len(), batch * sequence)?;
        check_length("attention_mask", attention_mask.len(), input_ids.len())?;
        check_length("token_type_ids", token_type_ids.len(), input_ids.len())?;
        let batch = Self { input_ids, attention_mask, token_type_ids, batch, sequence };
        batch.check(config)?;
        Ok(batch)
    }

    fn check(&self, config: &BertConfig) -> Result<(), InputError> {
        if self.input_ids.is_empty() {
            return Err(InputError::Empty);
        }
        if self.sequence > config.max_position_embeddings {
            return Err(InputError::TooLong { found: self.sequence, longest: config.max_position_embeddings });
        }
        let lists = [
            ("input_ids", &self.input_ids, config.vocab_size),
            ("attention_mask", &self.attention_mask, 2),
            ("token_type_ids", &self.token_type_ids, config.type_vocab_size),
        ];
        for (name, ids, count) in lists {
            let valid = 0..count as i64;
            if let Some(index) = ids.iter().position(|id| !valid.contains(id)) {
                return Err(InputError::OutOfRange {
                    name,
                    id: ids[index],
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

    /// Token ids, `[batch, sequence]` row by row.
    pub fn input_ids(&self) -> &[i64] {
        &self.input_ids
    }

    /// 1 for a token and 0 for padding, `[batch, sequence]` row by row.
    pub fn attention_mask(&self) -> &[i64] {
        &self.attention_mask
    }

    /// Segment ids, `[batch, sequence]` row by row.
    pub fn token_type_ids(&self) -> &[i64] {
        &self.token_type_ids
    }

    /// Token ids, mask and segment ids as tensors `[batch, sequence]`, in the order of the network's inputs.
    pub fn to_tensors(&self, device: &Device) -> [Tensor<2, Int>; 3] {
        [&self.input_ids, &self.attention_mask, &self.token_type_ids].map(|ids| {
            let data = TensorData::new(ids.clone(), [self.batch, self.sequence]);
            Tensor::from_data(data, device)
        })
    }
}

fn check_length(name: &'static str, found: usize, expected: usize) -> Result<(), InputError> {
    if found == expected {
        return Ok(());
    }
    Err(InputError::Length { name, found, expected })
}
