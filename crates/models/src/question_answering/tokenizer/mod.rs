//! The tokenizer of a model folder.
//!
//! What a folder says is spread over several files, and `transformers` 5 decides between them in its own way, which is followed
//! here: a BERT's tokenizer takes the vocabulary from `tokenizer.json` or else `vocab.txt`, and everything else from
//! `tokenizer_config.json` and, in older folders, `special_tokens_map.json` and `added_tokens.json`. Only where a setting is
//! absent does `tokenizer.json` decide, and a warning tells where `transformers` would do otherwise.

mod error;
mod settings;
mod vocabulary;

use std::path::{Path, PathBuf};

use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Encoding, Tokenizer};

pub use error::TokenizerError;
use settings::{Class, Settings};
use vocabulary::Base;

use crate::contain::contain;

/// The files of a model folder that decide how text becomes tokens. A folder has some of them, and whoever ships one ships all
/// that it has.
pub const TOKENIZER_FILES: [&str; 5] =
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt"];

/// The longest word that is looked up; a longer one is unknown. As in the original BERT.
const MAX_WORD_CHARACTERS: usize = 100;

/// Text to token ids and back.
#[derive(Debug, Clone)]
pub struct QaTokenizer {
    tokenizer: Tokenizer,
    warnings: Vec<String>,
}

impl QaTokenizer {
    /// The tokenizer of a model folder.
    ///
    /// # Errors
    /// When there is neither `tokenizer.json` nor `vocab.txt`, a file cannot be read or is malformed, or one asks for what is
    /// not followed.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let folder = folder.as_ref();
        let settings = Settings::read(folder)?;
        let Some(base) = Base::read(folder)? else {
            return Err(TokenizerError::Missing { folder: folder.to_owned() });
        };
        let path = base.path.clone();
        let malformed = |reason: String| TokenizerError::Malformed { path: path.clone(), reason };
        let mut warnings = Vec::new();
        let mut tokenizer = match (&settings.class, base.tokenizer.clone()) {
            (Class::AsSaved, Some(tokenizer)) => tokenizer,
            _ => rebuilt(&base, &settings, &mut warnings)?,
        };
        if tokenizer.get_post_processor().is_none() {
            return Err(malformed(
                "it does not say how a question and a context are joined (post_processor)".to_owned(),
            ));
        }
        let added = settings.tokens_to_add(&base, &tokenizer);
        let added = contain(|| {
            for token in added {
                if token.special {
                    tokenizer.add_special_tokens([token])?
                } else {
                    tokenizer.add_tokens([token])?
                };
            }
            // Some files carry the sizes of their training. Windows are cut, and batches filled up, elsewhere.
            tokenizer.with_padding(None);
            tokenizer.with_truncation(None)?;
            tokenizer.set_encode_special_tokens(settings.split_special_tokens);
            Ok::<_, tokenizers::Error>(tokenizer)
        });
        let tokenizer = added.map_err(malformed)?.map_err(|error| malformed(error.to_string()))?;
        Ok(Self { tokenizer, warnings })
    }

    /// Where the folder leaves open what `transformers` decides otherwise: each a sentence with what to do.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The files of `folder` that decide how text becomes tokens: those of [`TOKENIZER_FILES`] that it has.
    pub fn files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
        let paths = TOKENIZER_FILES.iter().map(|name| folder.as_ref().join(name));
        paths.filter(|path| path.is_file()).collect()
    }

    /// The number of tokens in the vocabulary.
    pub fn size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The tokenizer itself, with [`warnings`](Self::warnings).
    pub(crate) fn into_parts(self) -> (Tokenizer, Vec<String>) {
        (self.tokenizer, self.warnings)
    }

    pub(super) fn encode(&self, text: &str) -> Result<Encoding, String> {
        contained(|| self.tokenizer.encode(text, false))
    }

    pub(super) fn join(&self, question: Encoding, context: Encoding) -> Result<Encoding, String> {
        contained(|| self.tokenizer.post_process(question, Some(context), true))
    }

    pub(super) fn decode(&self, ids: &[u32]) -> Result<String, String> {
        contained(|| self.tokenizer.decode(ids, false))
    }
}

fn contained<T>(work: impl FnOnce() -> Result<T, tokenizers::Error>) -> Result<T, String> {
    contain(work)?.map_err(|error| error.to_string())
}

/// A BERT's tokenizer over the vocabulary of `base`, as `transformers` builds it.
fn rebuilt(base: &Base, settings: &Settings, warnings: &mut Vec<String>) -> Result<Tokenizer, TokenizerError> {
    if let Some(found) = &base.other_model {
        return Err(TokenizerError::Unsupported {
            path: base.path.clone(),
            setting: "model.type",
            found: found.clone(),
            supported: "WordPiece, or any with tokenizer_class = PreTrainedTokenizerFast in tokenizer_config.json",
        });
    }
    let malformed = |reason: String| TokenizerError::Malformed { path: base.path.clone(), reason };
    let id = |token: &str| {
        let id = base
            .words
            .get(token)
            .or_else(|| base.added.iter().find(|(_, added)| added.content == token).map(|(id, _)| id));
        id.copied().ok_or_else(|| malformed(format!("it lacks the token {token}")))
    };
    let [unknown, separator, class] = ["unk_token", "sep_token", "cls_token"].map(|name| settings.named(name));
    id(&unknown)?;
    let (separator_id, class_id) = (id(&separator)?, id(&class)?);
    let build = || {
        let mut words = WordPiece::read_bytes(b"")?;
        words.extend(base.words.iter().map(|(word, id)| (word.clone(), *id)));
        let words = WordPiece::builder()
            .vocab(words)
            .unk_token(unknown)
            .max_input_chars_per_word(MAX_WORD_CHARACTERS)
            .build()?;
        let mut tokenizer = Tokenizer::new(words);
        tokenizer.with_normalizer(Some(normalizer(base, settings, warnings)))?;
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        tokenizer.with_post_processor(Some(BertProcessing::new((separator, separator_id), (class, class_id))));
        tokenizer.with_decoder(Some(WordPieceDecoder::default()));
        Ok(tokenizer)
    };
    contained(build).map_err(malformed)
}

/// What is done to text before it is cut into words: by `tokenizer_config.json`; where that is silent, by `tokenizer.json`.
fn normalizer(base: &Base, settings: &Settings, warnings: &mut Vec<String>) -> BertNormalizer {
    let standard = BertNormalizer::new(true, true, None, true);
    let saved = base.normalizer.as_ref();
    let mut choose = |key: &str, stated: Option<Option<bool>>, saved: Option<Option<bool>>, standard: Option<bool>| {
        let chosen = stated.or(saved).unwrap_or(standard);
        if stated.is_none() && chosen != standard {
            let word = |value: Option<bool>| value.map_or("null".to_owned(), |value| value.to_string());
            warnings.push(format!(
                "{} says {key} = {}, and tokenizer_config.json does not: transformers 5 takes {} then; state it there",
                base.path.display(),
                word(chosen),
                word(standard)
            ));
        }
        chosen
    };
    let lowercase =
        choose("do_lower_case", settings.do_lower_case.map(Some), saved.map(|saved| Some(saved.lowercase)), Some(true));
    let chinese = choose(
        "tokenize_chinese_chars",
        settings.tokenize_chinese_chars.map(Some),
        saved.map(|saved| Some(saved.handle_chinese_chars)),
        Some(true),
    );
    let accents = choose("strip_accents", settings.strip_accents, saved.map(|saved| saved.strip_accents), None);
    if base.is_other_than_bert {
        warnings.push(format!(
            "{} prepares text in a way that is not BERT's; as transformers 5 does, BERT's is taken, unless \
             tokenizer_config.json says tokenizer_class = PreTrainedTokenizerFast",
            base.path.display()
        ));
    }
    BertNormalizer::new(standard.clean_text, chinese.unwrap_or(true), accents, lowercase.unwrap_or(true))
}

impl Settings {
    /// The tokens that go beside the vocabulary, in the order of `transformers`: those with an id, the named ones, the rest.
    fn tokens_to_add(&self, base: &Base, tokenizer: &Tokenizer) -> Vec<AddedToken> {
        let mut tokens: Vec<AddedToken> = Vec::new();
        let mut with_ids = self.added.clone();
        if !self.states_added {
            with_ids.extend(base.added.clone());
        }
        tokens.extend(with_ids.into_values());
        let known = |tokens: &[AddedToken], content: &str| tokens.iter().any(|token| token.content == content);
        for token in self.stated.iter().map(|(_, token)| token).chain(&self.extra) {
            if !known(&tokens, &token.content) {
                tokens.push(AddedToken { special: true, ..token.clone() });
            }
        }
        // Those of BERT that the vocabulary holds, though no file names them.
        for (_, content) in settings::NAMED {
            if tokenizer.token_to_id(content).is_some() && !known(&tokens, content) && !self.renames(content) {
                tokens.push(AddedToken::from(content, true));
            }
        }
        tokens
    }
}
