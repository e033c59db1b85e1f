//! Files in the layouts that SQuAD comes in.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::error::Category;

use super::{Labelled, Rules, SquadError, SquadQuestion};
use crate::text_file;

/// An object at the root: of the original, `data` are articles; of a flat file, questions. Hugging Face's server of data sets
/// calls them `rows`.
#[derive(Deserialize)]
struct Root {
    #[serde(default)]
    version: Option<serde_json::Value>,
    #[serde(default)]
    data: Option<Vec<Item>>,
    #[serde(default)]
    rows: Option<Vec<Row>>,
}

#[derive(Deserialize)]
struct Row {
    row: Item,
}

/// An article, or a question with its context.
#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    paragraphs: Option<Vec<Paragraph>>,
    #[serde(default)]
    context: Option<String>,
    #[serde(flatten)]
    entry: Option<Entry>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: Identifier,
    question: String,
    answers: Answers,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Identifier {
    Text(String),
    Number(serde_json::Number),
}

/// A list of answers, or, as Hugging Face's data sets have them, a list for each of their fields.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answers {
    List(Vec<GivenAnswer>),
    Columns {
        text: Vec<String>,
        #[serde(default)]
        answer_start: Vec<usize>,
    },
}

#[derive(Deserialize)]
struct GivenAnswer {
    text: String,
    #[serde(default)]
    answer_start: Option<usize>,
}

/// Reads a file such as `dev-v1.1.json` or `dev-v2.0.json`, or the same questions flat: a list, `data`, `rows`, or one a line.
/// The questions come in order. The rules are version 2's where the file says so, or a question has no answer.
///
/// # Errors
/// When it cannot be read, is not in the format, or holds no question.
pub fn read(path: &Path) -> Result<Vec<SquadQuestion>, SquadError> {
    Ok(read_labelled(path)?.into_iter().map(|labelled| labelled.question).collect())
}

/// The same with what training needs: articles, and where the first answer starts.
///
/// # Errors
/// As [`read`].
pub fn read_labelled(path: &Path) -> Result<Vec<Labelled>, SquadError> {
    let bytes = text_file::read(path).map_err(|source| SquadError::Io { path: path.to_owned(), source })?;
    let malformed = |reason: String| SquadError::Malformed { path: path.to_owned(), reason };
    let (version, items) = parse(&bytes).map_err(malformed)?;
    let mut questions: Vec<Labelled> = Vec::new();
    // Articles are counted, flat questions by their titles; without titles every context is an article.
    let (mut article, mut title) = (0, None);
    for (index, item) in items.into_iter().enumerate() {
        match (item.paragraphs, item.context, item.entry) {
            (Some(paragraphs), ..) => {
                article += usize::from(index > 0);
                for paragraph in paragraphs {
                    let context: Arc<str> = paragraph.context.into();
                    questions.extend(paragraph.qas.into_iter().map(|entry| entry.about(&context, article)));
                }
            }
            (None, Some(context), Some(entry)) => {
                let last = questions.last().map(|last| &last.question.context);
                let known = last.filter(|last| ***last == *context).cloned();
                let same = if item.title.is_some() { item.title == title } else { known.is_some() };
                article += usize::from(index > 0 && !same);
                title = item.title;
                let context = known.unwrap_or_else(|| context.into());
                questions.push(entry.about(&context, article));
            }
            _ => {
                let fields = "context, id, question and answers";
                return Err(malformed(format!("an entry has neither paragraphs nor {fields}")));
            }
        }
    }
    if questions.is_empty() {
        return Err(SquadError::Empty { path: path.to_owned() });
    }
    let says_two = version.is_some_and(|version| version.to_string().trim_start_matches(['"', 'v']).starts_with('2'));
    if says_two || questions.iter().any(|labelled| labelled.question.answers.is_empty()) {
        questions.iter_mut().for_each(|labelled| labelled.question.rules = Rules::Version2);
    }
    Ok(questions)
}

/// The version that the file states, and its articles or questions.
fn parse(bytes: &[u8]) -> Result<(Option<serde_json::Value>, Vec<Item>), String> {
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Ok((None, serde_json::from_slice(bytes).map_err(|error| error.to_string())?));
    }
    match serde_json::from_slice::<Root>(bytes) {
        Ok(Root { version, data: Some(data), .. }) => return Ok((version, data)),
        Ok(Root { version, rows: Some(rows), .. }) => {
            return Ok((version, rows.into_iter().map(|row| row.row).collect()));
        }
        // One question a line: more follows the first.
        Err(error) if error.classify() != Category::Syntax => return Err(error.to_string()),
        Ok(_) | Err(_) => {}
    }
    let lines = serde_json::Deserializer::from_slice(bytes).into_iter::<Item>();
    let items = lines.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    if items.len() == 1 && items[0].entry.is_none() {
        return Err("missing field `data`".to_owned());
    }
    Ok((None, items))
}

impl Entry {
    fn about(self, context: &Arc<str>, article: usize) -> Labelled {
        let id = match self.id {
            Identifier::Text(text) => text,
            Identifier::Number(number) => number.to_string(),
        };
        let (start, answers) = match self.answers {
            Answers::List(answers) => (
                answers.first().and_then(|answer| answer.answer_start),
                answers.into_iter().map(|answer| answer.text).collect(),
            ),
            Answers::Columns { text, answer_start } => (answer_start.first().copied(), text),
        };
        let context = Arc::clone(context);
        let question = SquadQuestion { id, question: self.question, context, answers, rules: Rules::Version1 };
        Labelled { question, article, start }
    }
}
