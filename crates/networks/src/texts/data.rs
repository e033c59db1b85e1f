//! Texts with what is known of them, as JSON lines or CSV.

use std::path::Path;

use models::encoder::{EncoderConfig, EncoderTask};
use serde_json::{Map, Value};

use super::answer::Text;

/// A text with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The text, or the pair.
    pub text: Text,
    /// What is right.
    pub gold: Option<Gold>,
}

/// What is right.
#[derive(Debug, Clone, PartialEq)]
pub enum Gold {
    /// The number of the label.
    Label(usize),
    /// A number: of a regression, or how alike two texts are.
    Number(f64),
    /// The tag of each word, and the characters of the words.
    Tags(Vec<String>, Vec<(usize, usize)>),
    /// What stands in the place of the mask.
    Word(String),
}

/// A file that holds no usable texts.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] artifact::FileError),
    /// It is not text.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: std::path::PathBuf,
    },
    /// A line is not what it should be.
    #[error("{} line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: std::path::PathBuf,
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// There are none.
    #[error("{} holds no texts", path.display())]
    Empty {
        /// The file.
        path: std::path::PathBuf,
    },
}

/// The names of a first text, in files of different origin.
const TEXTS: [&str; 6] = ["text", "sentence", "text1", "sentence1", "premise", "question"];

/// The names of a second text.
const PAIRS: [&str; 5] = ["text_pair", "text2", "sentence2", "hypothesis", "context"];

/// The texts of a file: JSON lines, or CSV with a line of names where it ends in `.csv`. The names are `text` (or `sentence`) and
/// `label`; for two texts also `text_pair` (or `sentence1`, `sentence2`); `score` for numbers; `tokens` and `tags` for words; `answer` for
/// what was masked.
///
/// # Errors
/// When the file cannot be read, or a line is not usable.
pub fn read(path: &Path, config: &EncoderConfig) -> Result<Vec<Entry>, DataError> {
    let bytes = std::fs::read(path).map_err(artifact::FileError::new("read", path))?;
    let text = String::from_utf8(bytes).map_err(|_| DataError::NotText { path: path.to_owned() })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let is_table = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    let rows = if is_table { table(text) } else { lines(text) };
    let in_line = |line: usize, reason: String| DataError::Line { path: path.to_owned(), line, reason };
    let mut entries = Vec::new();
    for (line, row) in rows {
        let row = row.map_err(|reason| in_line(line, reason))?;
        entries.push(entry(&row, config).map_err(|reason| in_line(line, reason))?);
    }
    if entries.is_empty() { Err(DataError::Empty { path: path.to_owned() }) } else { Ok(entries) }
}

type Rows = Vec<(usize, Result<Map<String, Value>, String>)>;

fn lines(text: &str) -> Rows {
    let full = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    full.map(|(index, line)| {
        let row = serde_json::from_str(line).map_err(|error| format!("it is no JSON object: {error}"));
        (index + 1, row)
    })
    .collect()
}

/// The rows of CSV (RFC 4180): fields between commas, in quotes where they hold commas, quotes or line ends.
fn table(text: &str) -> Rows {
    let mut rows: Vec<(usize, Vec<String>)> = vec![(1, vec![String::new()])];
    let (mut quoted, mut line) = (false, 1);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        line += usize::from(character == '\n');
        let Some((_, fields)) = rows.last_mut() else { break };
        let count = fields.len();
        let Some(field) = fields.last_mut() else { break };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => match count == 1 && field.is_empty() {
                // An empty line.
                true => rows.last_mut().into_iter().for_each(|row| row.0 = line),
                false => rows.push((line, vec![String::new()])),
            },
            other => field.push(other),
        }
    }
    rows.retain(|(_, fields)| fields.len() > 1 || fields.iter().any(|field| !field.is_empty()));
    let mut rows = rows.into_iter();
    let Some((_, names)) = rows.next() else { return Vec::new() };
    rows.map(|(line, fields)| match fields.len() == names.len() {
        true => (line, Ok(names.iter().cloned().zip(fields.into_iter().map(Value::String)).collect())),
        false => (line, Err(format!("it has {} fields, and there are {} names", fields.len(), names.len()))),
    })
    .collect()
}

fn entry(row: &Map<String, Value>, config: &EncoderConfig) -> Result<Entry, String> {
    if config.task == EncoderTask::TokenClassification && row.contains_key("tokens") {
        return tagged(row, config);
    }
    let find = |names: &[&str]| names.iter().find_map(|name| row.get(*name)).and_then(Value::as_str).map(str::to_owned);
    let text = find(&TEXTS).ok_or_else(|| format!("it has no text (one of {})", TEXTS.join(", ")))?;
    let pair = find(&PAIRS);
    let known = ["label", "score", "answer"].iter().find_map(|name| row.get(*name)).filter(|value| !value.is_null());
    let gold = known.map(|value| gold(value, config)).transpose()?;
    Ok(Entry { text: Text { text, pair }, gold })
}

fn gold(value: &Value, config: &EncoderConfig) -> Result<Gold, String> {
    use models::encoder::Problem;
    let number = || value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    match config.task {
        EncoderTask::TextClassification if config.problem != Problem::Regression => {
            let by_name = value.as_str().and_then(|name| config.labels.iter().position(|label| label == name));
            let by_number =
                number().filter(|number| number.fract() == 0.0 && *number >= 0.0).map(|number| number as usize);
            let found = by_name.or(by_number).filter(|label| *label < config.labels.len());
            found.map(Gold::Label).ok_or_else(|| format!("{value} is none of the labels {}", config.labels.join(", ")))
        }
        EncoderTask::FillMask => {
            value.as_str().map(|word| Gold::Word(word.to_owned())).ok_or_else(|| format!("{value} is no word"))
        }
        _ => number().map(Gold::Number).ok_or_else(|| format!("{value} is no number")),
    }
}

/// Words with their tags, joined by spaces.
fn tagged(row: &Map<String, Value>, config: &EncoderConfig) -> Result<Entry, String> {
    let list = |names: &[&str]| names.iter().find_map(|name| row.get(*name)).and_then(Value::as_array);
    let words = list(&["tokens"]).ok_or("tokens is no list")?;
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    let name = |value: &Value| match value {
        Value::String(tag) => Some(tag.clone()),
        _ => config.labels.get(usize::try_from(value.as_u64()?).ok()?).cloned(),
    };
    let tags = list(&["tags", "ner_tags", "labels"]).ok_or("it has no tags")?;
    let tags: Option<Vec<String>> = tags.iter().map(name).collect();
    let tags = tags.ok_or("a tag is neither a name nor the number of a label")?;
    if tags.len() != words.len() {
        return Err(format!("it has {} tokens and {} tags", words.len(), tags.len()));
    }
    let mut places = Vec::new();
    let mut at = 0;
    for word in &words {
        let length = word.chars().count();
        places.push((at, at + length));
        at += length + 1;
    }
    Ok(Entry { text: Text { text: words.join(" "), pair: None }, gold: Some(Gold::Tags(tags, places)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_may_have_commas_quotes_and_line_ends_in_quotes() {
        let rows = table("text,label\r\n\"a, \"\"b\"\"\",1\r\n\n\"two\nlines\",0\nlast,2");
        let found: Vec<(usize, String)> =
            rows.into_iter().map(|(line, row)| (line, row.unwrap()["text"].as_str().unwrap().to_owned())).collect();
        assert_eq!(found, [(2, "a, \"b\"".to_owned()), (4, "two\nlines".to_owned()), (6, "last".to_owned())]);
        assert!(table("a,b\n1\n")[0].1.is_err());
    }

    #[test]
    fn labels_go_by_name_or_number() {
        let config = EncoderConfig {
            labels: vec!["no".to_owned(), "yes".to_owned()],
            ..EncoderConfig::published(models::encoder::Family::Bert, EncoderTask::TextClassification)
        };
        assert_eq!(gold(&"yes".into(), &config), Ok(Gold::Label(1)));
        assert_eq!(gold(&"1".into(), &config), Ok(Gold::Label(1)));
        assert_eq!(gold(&0.into(), &config), Ok(Gold::Label(0)));
        assert_eq!(gold(&"maybe".into(), &config), Err("\"maybe\" is none of the labels no, yes".to_owned()));
    }
}
