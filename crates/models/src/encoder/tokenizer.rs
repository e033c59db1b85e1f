//! Text to tokens, as the tokenizer of a folder does it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{AddedToken, EncodeInput, Encoding, Tokenizer};

use super::{EncoderConfig, EncoderTask, Family};
use crate::contain::contain;
use crate::question_answering::{QaTokenizer, TOKENIZER_FILES, TokenizerError};
use crate::text_file;

/// Text to token ids and back.
#[derive(Debug, Clone)]
pub struct EncoderTokenizer {
    tokenizer: Tokenizer,
    longest: usize,
    truncates: bool,
    mask: Option<u32>,
    warnings: Vec<String>,
}

/// The tokens of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Their ids.
    pub ids: Vec<i64>,
    /// Their segments.
    pub types: Vec<i64>,
    /// The characters of the text that each stands for, first and behind the last.
    pub offsets: Vec<(usize, usize)>,
    /// Whether each was added around the text.
    pub special: Vec<bool>,
    /// Which of a pair of texts each belongs to, from 0; none for those added around them.
    pub part: Vec<Option<usize>>,
    /// Whether the text was cut.
    pub truncated: bool,
}

/// Why a text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is no token in it.
    #[error("the text is empty")]
    Empty,
    /// It does not fit.
    #[error("the text has {found} tokens, and the network takes {longest}; shorten it, or cut it with --truncate")]
    TooLong {
        /// Its length in tokens.
        found: usize,
        /// The longest sequence.
        longest: usize,
    },
    /// The tokenizer failed.
    #[error("the text cannot be tokenised: {reason}")]
    Tokenizer {
        /// Its reason.
        reason: String,
    },
}

/// The files of byte-pair encoding without a `tokenizer.json`, as in older folders.
const PAIRS: [&str; 2] = ["vocab.json", "merges.txt"];

impl EncoderTokenizer {
    /// The tokenizer of a folder for the network of a configuration.
    ///
    /// # Errors
    /// When there is none, a file is malformed, or it has tokens that the network does not know.
    pub fn open(folder: &Path, config: &EncoderConfig) -> Result<Self, TokenizerError> {
        let said = settings(folder)?;
        let class = said.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default().trim_end_matches("Fast");
        let path = folder.join("tokenizer.json");
        let is_bert = matches!(class, "BertTokenizer" | "DistilBertTokenizer" | "ElectraTokenizer")
            || (class.is_empty() && matches!(config.family, Family::Bert | Family::DistilBert | Family::Electra));
        let (mut tokenizer, warnings) = if is_bert {
            QaTokenizer::open(folder)?.into_parts()
        } else if path.is_file() {
            (saved(&path)?, Vec::new())
        } else if PAIRS.iter().all(|name| folder.join(name).is_file()) {
            (pairs(folder, &said)?, Vec::new())
        } else {
            return Err(TokenizerError::Missing { folder: folder.to_owned() });
        };
        let malformed = |reason: String| TokenizerError::Malformed { path: path.clone(), reason };
        // Some files carry the sizes of their training. Batches are cut and filled up elsewhere.
        tokenizer.with_padding(None);
        contain(|| tokenizer.with_truncation(None).map(|_| ()))
            .map_err(malformed)?
            .map_err(|error| malformed(error.to_string()))?;
        if let Some((token, id)) = tokenizer.get_vocab(true).into_iter().max_by_key(|(_, id)| *id)
            && id as usize >= config.vocab_size
        {
            return Err(malformed(format!(
                "the token {token:?} has the id {id}, and the network knows {} tokens: they do not belong together",
                config.vocab_size
            )));
        }
        let mask = said.get("mask_token").and_then(content).map(str::to_owned);
        let mask = mask.into_iter().chain(["[MASK]".to_owned(), "<mask>".to_owned()]);
        let mask = mask.filter_map(|token| tokenizer.token_to_id(&token)).next();
        let limits = [
            said.get("model_max_length").and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok()),
            config.sentence.max_seq_length.filter(|_| config.task == EncoderTask::SentenceEmbeddings),
        ];
        let longest = limits.into_iter().flatten().fold(config.longest(), usize::min);
        let truncates = config.task == EncoderTask::SentenceEmbeddings;
        Ok(Self { tokenizer, longest, truncates, mask, warnings })
    }

    /// The same, cutting texts that are too long; without it only a network for sentence embeddings does, as
    /// `sentence-transformers`.
    #[must_use]
    pub fn truncating(self, truncates: bool) -> Self {
        Self { truncates: truncates || self.truncates, ..self }
    }

    /// Where the folder leaves open what `transformers` decides otherwise: each a sentence with what to do.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The longest text in tokens, those around it included.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The id of the token that stands for what is to be filled in.
    pub fn mask(&self) -> Option<i64> {
        self.mask.map(i64::from)
    }

    /// The files of `folder` that decide how text becomes tokens.
    pub fn files(folder: &Path) -> Vec<PathBuf> {
        let names =
            TOKENIZER_FILES.into_iter().chain(PAIRS).chain(["sentencepiece.bpe.model", "spiece.model", "unigram.json"]);
        names.map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
    }

    /// The content of a `tokenizer.json`, which other programs want where older folders have parts of one.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn to_json(&self) -> Result<String, TextError> {
        self.tokenizer.to_string(true).map_err(|error| TextError::Tokenizer { reason: error.to_string() })
    }

    /// The tokens of a text, or of a pair of texts, with those around them.
    ///
    /// # Errors
    /// When there is none, or more than the network takes.
    pub fn encode(&self, text: &str, pair: Option<&str>) -> Result<Tokens, TextError> {
        let input: EncodeInput = match pair {
            Some(pair) => (text, pair).into(),
            None => text.into(),
        };
        let failed = |reason: String| TextError::Tokenizer { reason };
        let encoding = contain(|| self.tokenizer.encode_char_offsets(input, true))
            .map_err(failed)?
            .map_err(|error| failed(error.to_string()))?;
        if encoding.get_special_tokens_mask().iter().all(|special| *special == 1) {
            return Err(TextError::Empty);
        }
        if encoding.len() <= self.longest {
            return Ok(tokens(&encoding, false));
        }
        if !self.truncates || pair.is_some() {
            return Err(TextError::TooLong { found: encoding.len(), longest: self.longest });
        }
        self.cut(text).map(|encoding| tokens(&encoding, true)).map_err(failed)
    }

    /// The beginning of a text that fits.
    fn cut(&self, text: &str) -> Result<Encoding, String> {
        let cut = || {
            let mut encoding = self.tokenizer.encode_char_offsets(text, false)?;
            let around = self.tokenizer.post_process(Encoding::default(), None, true)?.len();
            encoding.truncate(self.longest.saturating_sub(around), 0, tokenizers::TruncationDirection::Right);
            self.tokenizer.post_process(encoding, None, true)
        };
        contain(cut)?.map_err(|error| error.to_string())
    }

    /// The text of tokens, without those that stand around texts if `skip`.
    ///
    /// # Errors
    /// When an id is unknown to the decoder.
    pub fn decode(&self, ids: &[i64], skip: bool) -> Result<String, TextError> {
        let failed = |reason: String| TextError::Tokenizer { reason };
        let ids: Vec<u32> = ids.iter().filter_map(|id| u32::try_from(*id).ok()).collect();
        contain(|| self.tokenizer.decode(&ids, skip)).map_err(failed)?.map_err(|error| failed(error.to_string()))
    }

    /// A token as the vocabulary has it.
    pub fn token(&self, id: i64) -> Option<String> {
        self.tokenizer.id_to_token(u32::try_from(id).ok()?)
    }
}

impl Tokens {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// What a network takes.
    pub fn sequence(&self) -> crate::bert::Sequence<'_> {
        crate::bert::Sequence { input_ids: &self.ids, token_type_ids: &self.types }
    }
}

fn tokens(encoding: &Encoding, truncated: bool) -> Tokens {
    let wide = |ids: &[u32]| ids.iter().map(|id| i64::from(*id)).collect();
    Tokens {
        ids: wide(encoding.get_ids()),
        types: wide(encoding.get_type_ids()),
        offsets: encoding.get_offsets().to_vec(),
        special: encoding.get_special_tokens_mask().iter().map(|special| *special == 1).collect(),
        part: encoding.get_sequence_ids(),
        truncated,
    }
}

/// `tokenizer_config.json` with what `special_tokens_map.json` adds.
fn settings(folder: &Path) -> Result<Map<String, Value>, TokenizerError> {
    let mut said = Map::new();
    for name in ["special_tokens_map.json", "tokenizer_config.json"] {
        let path = folder.join(name);
        if path.is_file() {
            let bytes = read(&path)?;
            let more: Map<String, Value> = serde_json::from_slice(&bytes)
                .map_err(|error| TokenizerError::Malformed { path, reason: error.to_string() })?;
            said.extend(more);
        }
    }
    Ok(said)
}

fn read(path: &Path) -> Result<Vec<u8>, TokenizerError> {
    text_file::read(path).map_err(|source| TokenizerError::Io { path: path.to_owned(), source })
}

/// The content of a token that is written as a string or as an object.
fn content(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content").and_then(Value::as_str))
}

/// A `tokenizer.json` as it is.
fn saved(path: &Path) -> Result<Tokenizer, TokenizerError> {
    let malformed = |reason: String| TokenizerError::Malformed { path: path.to_owned(), reason };
    let bytes = read(path)?;
    contain(|| Tokenizer::from_bytes(&bytes)).map_err(malformed)?.map_err(|error| malformed(error.to_string()))
}

/// RoBERTa's byte-pair encoding out of the two files of older folders.
fn pairs(folder: &Path, said: &Map<String, Value>) -> Result<Tokenizer, TokenizerError> {
    let [vocabulary, merges] = PAIRS.map(|name| folder.join(name));
    let malformed = |reason: String| TokenizerError::Malformed { path: vocabulary.clone(), reason };
    let texts = [read(&vocabulary)?, read(&merges)?];
    let named = |key: &str, usual: &str| said.get(key).and_then(content).unwrap_or(usual).to_owned();
    let [begin, end] = [named("cls_token", "<s>"), named("sep_token", "</s>")];
    let special = [begin.clone(), named("pad_token", "<pad>"), end.clone(), named("unk_token", "<unk>")];
    let takes_space = said.get("mask_token").and_then(|token| token.get("lstrip")?.as_bool()).unwrap_or(false);
    let mask = AddedToken::from(named("mask_token", "<mask>"), true).lstrip(takes_space);
    let prefix = said.get("add_prefix_space").and_then(Value::as_bool).unwrap_or(false);
    let build = || -> tokenizers::Result<Tokenizer> {
        let words: Map<String, Value> = serde_json::from_slice(&texts[0])?;
        let words = words.into_iter().filter_map(|(word, id)| Some((word, u32::try_from(id.as_u64()?).ok()?)));
        let lines = String::from_utf8_lossy(&texts[1]).into_owned();
        let lines = lines.lines().filter(|line| !line.starts_with("#version"));
        let merges: Vec<(String, String)> =
            lines.filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        let words: tokenizers::models::bpe::Vocab = words.collect();
        let mut tokenizer = Tokenizer::new(BPE::builder().vocab_and_merges(words, merges).build()?);
        let bytes = ByteLevel::new(prefix, true, true);
        tokenizer.with_pre_tokenizer(Some(bytes));
        tokenizer.with_decoder(Some(bytes));
        tokenizer.add_special_tokens(special.iter().map(|token| AddedToken::from(token.clone(), true)))?;
        tokenizer.add_special_tokens([mask.clone()])?;
        let id = |token: &str| tokenizer.token_to_id(token).ok_or(format!("it lacks the token {token}"));
        let around = RobertaProcessing::new((end.clone(), id(&end)?), (begin.clone(), id(&begin)?));
        tokenizer.with_post_processor(Some(around.trim_offsets(true).add_prefix_space(prefix)));
        Ok(tokenizer)
    };
    contain(build).map_err(malformed)?.map_err(|error| malformed(error.to_string()))
}
