//! `tokenizer_config.json`, and the older files beside it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::AddedToken;

use super::error::TokenizerError;
use crate::text_file;

const CONFIG: &str = "tokenizer_config.json";

/// The tokens that BERT names, and how it calls them unless a file says otherwise.
pub(super) const NAMED: [(&str, &str); 5] = [
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

/// In which order `transformers` gives named tokens their ids; others follow.
const ORDER: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Whose rules a tokenizer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// BERT's, over a vocabulary.
    Bert,
    /// Those of `tokenizer.json`, whole.
    AsSaved,
}

/// What the files beside the vocabulary say.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) class: Class,
    pub(super) do_lower_case: Option<bool>,
    pub(super) tokenize_chinese_chars: Option<bool>,
    /// `null` says that lowercasing decides.
    pub(super) strip_accents: Option<Option<bool>>,
    pub(super) split_special_tokens: bool,
    /// Whether tokens with ids are stated in full, so that other files have no say in them.
    pub(super) states_added: bool,
    /// Tokens with ids.
    pub(super) added: BTreeMap<u32, AddedToken>,
    /// Tokens by the name of their part, such as `sep_token`.
    pub(super) stated: Vec<(String, AddedToken)>,
    /// Further special tokens.
    pub(super) extra: Vec<AddedToken>,
}

impl Settings {
    pub(super) fn read(folder: &Path) -> Result<Self, TokenizerError> {
        let path = folder.join(CONFIG);
        let mut config = object(&path)?.unwrap_or_default();
        let states_added = config.contains_key("added_tokens_decoder");
        if !states_added && let Some(map) = object(&folder.join("special_tokens_map.json"))? {
            config.extend(map);
        }
        let malformed = |reason: String| TokenizerError::Malformed { path: path.clone(), reason };
        let flag = |key: &str| match config.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(malformed(format!("{key} is {other}, not true or false"))),
        };
        let mut settings = Self {
            class: class(&path, &config)?,
            do_lower_case: flag("do_lower_case")?,
            tokenize_chinese_chars: flag("tokenize_chinese_chars")?,
            strip_accents: match config.get("strip_accents") {
                Some(Value::Null) => Some(None),
                _ => flag("strip_accents")?.map(Some),
            },
            split_special_tokens: flag("split_special_tokens")?.unwrap_or(false),
            states_added,
            added: BTreeMap::new(),
            stated: Vec::new(),
            extra: Vec::new(),
        };
        refuse_sides(&path, &config)?;
        for (key, value) in config.iter().filter(|(key, _)| key.ends_with("_token")) {
            if let Some(token) = token(value, true).map_err(malformed)? {
                settings.stated.push((key.clone(), token));
            }
        }
        settings.stated.sort_by_key(|(key, _)| ORDER.iter().position(|part| part == key).unwrap_or(ORDER.len()));
        let extra = ["extra_special_tokens", "additional_special_tokens"].iter().find_map(|key| config.get(*key));
        settings.extra = tokens(extra).map_err(malformed)?;
        if let Some(Value::Object(added)) = config.get("added_tokens_decoder") {
            for (id, value) in added {
                let id = id.parse().map_err(|_| malformed(format!("{id:?} in added_tokens_decoder is no token id")))?;
                settings.added.extend(token(value, false).map_err(malformed)?.map(|token| (id, token)));
            }
        } else {
            settings.read_added(&folder.join("added_tokens.json"))?;
        }
        Ok(settings)
    }

    /// The token that plays the part `name`.
    pub(super) fn named(&self, name: &str) -> String {
        let standard = NAMED.iter().find(|(part, _)| *part == name).map_or("", |(_, token)| token);
        let stated = self.stated.iter().find(|(part, _)| part == name);
        stated.map_or_else(|| standard.to_owned(), |(_, token)| token.content.clone())
    }

    /// Whether another token plays the part of BERT's `content`.
    pub(super) fn renames(&self, content: &str) -> bool {
        NAMED.iter().any(|(part, token)| *token == content && self.named(part) != content)
    }

    /// `added_tokens.json`: tokens with their ids. They are special if they are named elsewhere.
    fn read_added(&mut self, path: &Path) -> Result<(), TokenizerError> {
        for (content, id) in object(path)?.unwrap_or_default() {
            let Some(id) = id.as_u64().and_then(|id| u32::try_from(id).ok()) else {
                let reason = format!("the id of {content:?} is {id}");
                return Err(TokenizerError::Malformed { path: path.to_owned(), reason });
            };
            let special =
                self.stated.iter().map(|(_, token)| token).chain(&self.extra).any(|token| token.content == content);
            self.added.insert(id, AddedToken::from(content, special));
        }
        Ok(())
    }
}

/// The object in a JSON file, if the file is there.
fn object(path: &Path) -> Result<Option<Map<String, Value>>, TokenizerError> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = text_file::read(path).map_err(|source| TokenizerError::Io { path: path.to_owned(), source })?;
    let map = serde_json::from_slice(&bytes);
    map.map(Some).map_err(|error| TokenizerError::Malformed { path: path.to_owned(), reason: error.to_string() })
}

fn class(path: &Path, config: &Map<String, Value>) -> Result<Class, TokenizerError> {
    let name = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or("BertTokenizer");
    match name.trim_end_matches("Fast") {
        // They differ from BERT's in their names alone.
        "BertTokenizer" | "DistilBertTokenizer" | "ElectraTokenizer" | "MobileBertTokenizer" => Ok(Class::Bert),
        "PreTrainedTokenizer" | "TokenizersBackend" => Ok(Class::AsSaved),
        _ => Err(TokenizerError::Unsupported {
            path: path.to_owned(),
            setting: "tokenizer_class",
            found: name.to_owned(),
            supported: "BertTokenizer, and PreTrainedTokenizerFast with a tokenizer.json",
        }),
    }
}

/// On the left, `transformers` pads, cuts and joins otherwise.
fn refuse_sides(path: &Path, config: &Map<String, Value>) -> Result<(), TokenizerError> {
    for setting in ["padding_side", "truncation_side"] {
        match config.get(setting).and_then(Value::as_str) {
            None | Some("right") => {}
            Some(other) => {
                let found = other.to_owned();
                return Err(TokenizerError::Unsupported { path: path.to_owned(), setting, found, supported: "right" });
            }
        }
    }
    Ok(())
}

/// A token, written as a string or as an object with flags; `None` for `null`.
fn token(value: &Value, special: bool) -> Result<Option<AddedToken>, String> {
    match value {
        Value::Null | Value::Bool(_) => Ok(None),
        Value::String(content) => Ok(Some(AddedToken::from(content.clone(), special))),
        Value::Object(fields) => {
            let flag = |name: &str| fields.get(name).and_then(Value::as_bool);
            let content = fields.get("content").and_then(Value::as_str).ok_or("a token has no content")?;
            let special = special || flag("special").unwrap_or(false);
            Ok(Some(AddedToken {
                content: content.to_owned(),
                single_word: flag("single_word").unwrap_or(false),
                lstrip: flag("lstrip").unwrap_or(false),
                rstrip: flag("rstrip").unwrap_or(false),
                normalized: flag("normalized").unwrap_or(!special),
                special,
            }))
        }
        other => Err(format!("{other} stands where a token belongs")),
    }
}

/// Tokens in a list, or in an object by names.
fn tokens(value: Option<&Value>) -> Result<Vec<AddedToken>, String> {
    let values: Vec<&Value> = match value {
        Some(Value::Array(values)) => values.iter().collect(),
        Some(Value::Object(values)) => values.values().collect(),
        _ => Vec::new(),
    };
    values.into_iter().filter_map(|value| token(value, true).transpose()).collect()
}
