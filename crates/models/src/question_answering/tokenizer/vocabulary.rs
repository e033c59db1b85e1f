//! The vocabulary of a model folder, and what `tokenizer.json` says beside it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{AddedToken, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

use super::contained;
use super::error::TokenizerError;
use crate::text_file;

/// What tokens are made of.
pub(super) struct Base {
    /// The file that it comes from.
    pub(super) path: PathBuf,
    /// Word pieces with their ids.
    pub(super) words: HashMap<String, u32>,
    /// The kind of model, if it is none of word pieces.
    pub(super) other_model: Option<String>,
    /// Tokens with ids beside the vocabulary.
    pub(super) added: BTreeMap<u32, AddedToken>,
    /// What is done to text first, if that is BERT's way.
    pub(super) normalizer: Option<tokenizers::normalizers::BertNormalizer>,
    /// Whether text is prepared or cut into words in another way than BERT's.
    pub(super) is_other_than_bert: bool,
    /// The whole tokenizer, of a `tokenizer.json`.
    pub(super) tokenizer: Option<Tokenizer>,
}

/// The part of a `tokenizer.json` that [`Tokenizer`] does not give back.
#[derive(Deserialize)]
struct Saved {
    model: Model,
    #[serde(default)]
    added_tokens: Vec<SavedToken>,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: Value,
}

#[derive(Deserialize)]
struct SavedToken {
    id: u32,
    #[serde(flatten)]
    token: AddedToken,
}

impl Base {
    /// From `tokenizer.json`, or else `vocab.txt`; `None` if the folder has neither.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, TokenizerError> {
        let (whole, words) = (folder.join("tokenizer.json"), folder.join("vocab.txt"));
        if whole.is_file() {
            return Self::saved(whole).map(Some);
        }
        if words.is_file() {
            return Self::plain(words).map(Some);
        }
        Ok(None)
    }

    fn plain(path: PathBuf) -> Result<Self, TokenizerError> {
        let bytes = read(&path)?;
        let words = contained(|| WordPiece::read_bytes(&bytes));
        let words = words.map_err(|reason| TokenizerError::Malformed { path: path.clone(), reason })?;
        let words = words.into_iter().collect();
        let added = BTreeMap::new();
        Ok(Self { path, words, other_model: None, added, normalizer: None, is_other_than_bert: false, tokenizer: None })
    }

    fn saved(path: PathBuf) -> Result<Self, TokenizerError> {
        let malformed = |reason: String| TokenizerError::Malformed { path: path.clone(), reason };
        let bytes = read(&path)?;
        let tokenizer = contained(|| Tokenizer::from_bytes(&bytes)).map_err(malformed)?;
        let saved: Saved = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        let other_model = saved.model.kind.filter(|kind| kind != "WordPiece");
        let words = serde_json::from_value(saved.model.vocab).unwrap_or_default();
        let (normalizer, plain) = match tokenizer.get_normalizer() {
            Some(NormalizerWrapper::BertNormalizer(normalizer)) => (Some(*normalizer), true),
            _ => (None, false),
        };
        let is_other_than_bert =
            !plain || !matches!(tokenizer.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_)));
        let added = saved.added_tokens.into_iter().map(|saved| (saved.id, saved.token)).collect();
        Ok(Self { words, other_model, added, normalizer, is_other_than_bert, tokenizer: Some(tokenizer), path })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    text_file::read(path).map_err(|source| TokenizerError::Io { path: path.to_owned(), source })
}
