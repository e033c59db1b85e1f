//! The tokenizer of a model folder.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Tokenizer};

/// The longest word that is looked up; a longer one is unknown. As in the original BERT.
const MAX_WORD_CHARACTERS: usize = 100;

/// Text to token ids and back.
#[derive(Debug, Clone)]
pub struct QaTokenizer {
    pub(super) tokenizer: Tokenizer,
}

/// Why a folder gives no tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The folder has neither form of a tokenizer.
    #[error("{} holds neither tokenizer.json nor vocab.txt", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file is not what its name promises.
    #[error("{} is not a usable tokenizer file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The part of a `tokenizer_config.json` that a vocabulary alone does not say. Defaults are those of `transformers`.
#[derive(Deserialize)]
struct TokenizerConfig {
    #[serde(default = "yes")]
    do_lower_case: bool,
    #[serde(default = "yes")]
    tokenize_chinese_chars: bool,
    #[serde(default)]
    strip_accents: Option<bool>,
    #[serde(default)]
    unk_token: Option<SpecialToken>,
    #[serde(default)]
    sep_token: Option<SpecialToken>,
    #[serde(default)]
    pad_token: Option<SpecialToken>,
    #[serde(default)]
    cls_token: Option<SpecialToken>,
    #[serde(default)]
    mask_token: Option<SpecialToken>,
}

fn yes() -> bool {
    true
}

/// Written as a string, or as an object with flags.
#[derive(Deserialize)]
#[serde(untagged)]
enum SpecialToken {
    Plain(String),
    Flagged { content: String },
}

impl SpecialToken {
    fn or(token: Option<Self>, default: &str) -> String {
        match token {
            Some(Self::Plain(content) | Self::Flagged { content }) => content,
            None => default.to_owned(),
        }
    }
}

impl QaTokenizer {
    /// The tokenizer of a model folder: `tokenizer.json`, or else `vocab.txt` with `tokenizer_config.json`, which may be
    /// absent.
    ///
    /// # Errors
    /// When there is neither, or a file cannot be read or is malformed.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let folder = folder.as_ref();
        let whole = folder.join("tokenizer.json");
        if whole.is_file() {
            return Self::from_json(&whole);
        }
        let vocabulary = folder.join("vocab.txt");
        if vocabulary.is_file() {
            return Self::from_vocabulary(&vocabulary, &folder.join("tokenizer_config.json"));
        }
        Err(TokenizerError::Missing { folder: folder.to_owned() })
    }

    fn from_json(path: &Path) -> Result<Self, TokenizerError> {
        let mut tokenizer = Tokenizer::from_bytes(read(path)?)
            .map_err(|error| TokenizerError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
        let malformed = |reason: &str| TokenizerError::Malformed { path: path.to_owned(), reason: reason.to_owned() };
        if tokenizer.get_post_processor().is_none() {
            return Err(malformed("it does not say how a question and a context are joined (post_processor)"));
        }
        // Some files carry the sizes of their training. Windows are cut, and batches filled up, elsewhere.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| malformed(&error.to_string()))?;
        Ok(Self { tokenizer })
    }

    fn from_vocabulary(path: &Path, config_path: &Path) -> Result<Self, TokenizerError> {
        let config = if config_path.is_file() { read(config_path)? } else { b"{}".to_vec() };
        let config: TokenizerConfig = serde_json::from_slice(&config)
            .map_err(|error| TokenizerError::Malformed { path: config_path.to_owned(), reason: error.to_string() })?;
        let malformed = |reason: String| TokenizerError::Malformed { path: path.to_owned(), reason };
        let vocabulary = WordPiece::read_bytes(&read(path)?).map_err(|error| malformed(error.to_string()))?;
        let unknown = SpecialToken::or(config.unk_token, "[UNK]");
        let others = [(config.sep_token, "[SEP]"), (config.pad_token, "[PAD]"), (config.cls_token, "[CLS]")];
        let [separator, padding, class] = others.map(|(token, default)| SpecialToken::or(token, default));
        let mask = SpecialToken::or(config.mask_token, "[MASK]");
        let id = |token: &str| {
            vocabulary.get(token).copied().ok_or_else(|| malformed(format!("it lacks the token {token}")))
        };
        let (separator_id, class_id) = (id(&separator)?, id(&class)?);
        id(&unknown)?;
        // The mask takes no part in answering questions.
        let special: Vec<AddedToken> = [&padding, &unknown, &class, &separator, &mask]
            .into_iter()
            .filter(|token| vocabulary.contains_key(*token))
            .map(|token| AddedToken::from(token.clone(), true))
            .collect();
        let words = WordPiece::builder()
            .vocab(vocabulary)
            .unk_token(unknown)
            .max_input_chars_per_word(MAX_WORD_CHARACTERS)
            .build()
            .map_err(|error| malformed(error.to_string()))?;
        let mut tokenizer = Tokenizer::new(words);
        let normalizer =
            BertNormalizer::new(true, config.tokenize_chinese_chars, config.strip_accents, config.do_lower_case);
        tokenizer.with_normalizer(Some(normalizer)).map_err(|error| malformed(error.to_string()))?;
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        tokenizer.with_post_processor(Some(BertProcessing::new((separator, separator_id), (class, class_id))));
        tokenizer.with_decoder(Some(WordPieceDecoder::default()));
        tokenizer.add_special_tokens(special).map_err(|error| malformed(error.to_string()))?;
        Ok(Self { tokenizer })
    }

    /// The number of tokens in the vocabulary.
    pub fn size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    std::fs::read(path).map_err(|source| TokenizerError::Io { path: path.to_owned(), source })
}
