//! Where a text answers a question.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cli::predict::PredictArgs;
use engines::engine::Engine;
use models::question_answering::{Answer, ArticleAnswer, SpanOptions};
use networks::questions::answer::{AnswerError, Reader};
use serde::{Deserialize, Serialize};
use terminal::failure::sentence;
use terminal::plain::line;
use terminal::progress::Progress;
use terminal::table::Table;

use super::engines::{Opened, Unopened, conclude, failures, warning};
use super::{Known, asked};

/// What is asked, and where it comes from.
pub struct Question {
    /// The line of --jsonl, from 1.
    line: Option<usize>,
    /// What is asked.
    pub question: String,
    context: String,
}

/// A line of --jsonl that is no question.
pub struct Unreadable {
    line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A line of --jsonl.
#[derive(Deserialize)]
struct Line {
    question: String,
    context: String,
}

#[derive(Serialize)]
struct Report {
    /// The seed of the weights, if they are random and the answers mean nothing.
    random_init: Option<u64>,
    /// Whether all engines that answered put the same answer first.
    agree: bool,
    /// Engines that cannot be opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Unopened>,
    questions: Vec<Asked>,
}

#[derive(Default, Serialize)]
struct Asked {
    /// The line of --jsonl, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// Empty if the line is not readable.
    question: String,
    /// Why the question cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    engines: Vec<EngineAnswers>,
}

#[derive(Serialize)]
struct EngineAnswers {
    engine: String,
    #[serde(flatten)]
    found: Found,
}

/// What an engine makes of a question.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The best answers.
    Answers(Vec<Answer>),
    /// The article's way of picking.
    AsArticle(ArticleAnswer),
    /// Why the engine gave none.
    Error(String),
}

/// The article's question, and the text that answers it.
const QUESTION: &str = "Who was Jim Henson ?";
const CONTEXT: &str = "Jim Henson was a puppeteer";

/// The most characters of an answer that a table shows; --json shows all.
const LONGEST_CELL: usize = 120;

/// What some editors put before a text.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Answers and prints. A question that cannot be asked, or an engine that fails, costs its own answers only. The exit status
/// says whether every question was answered, and by all engines in the same way.
pub fn execute(arguments: &PredictArgs, known: &Known) -> Result<ExitCode> {
    let questions = questions(arguments)?;
    let task = asked(arguments, &known.weights).questions(known.card)?;
    task.tokenizer.warnings().iter().for_each(|warning| terminal::program::note(format_args!("warning: {warning}")));
    let reader = task.reader();
    let Opened { mut engines, failed, seed, .. } = known.open(arguments)?;
    let mut report = Report { random_init: seed, agree: true, failed, questions: Vec::new() };
    let progress = Progress::new("questions");
    let total = questions.len() as f64;
    for (index, question) in questions.into_iter().enumerate() {
        let set = |share: f64| progress.set((index as f64 + share) / total);
        report.questions.push(match question {
            Ok(question) => ask_all(&reader, &mut engines, question, arguments, set),
            Err(Unreadable { line, reason }) => Asked { line: Some(line), error: Some(reason), ..Asked::default() },
        });
    }
    drop(progress);
    if let [Asked { error: Some(error), line: None, .. }] = report.questions.as_slice() {
        bail!("{error}");
    }
    report.agree = report.questions.iter().all(Asked::agrees);
    match arguments.json {
        true => crate::print(serde_json::to_string_pretty(&report)? + "\n")?,
        false => crate::print(report.text(arguments.jsonl.as_deref()))?,
    }
    let unanswered: Vec<String> =
        report.questions.iter().filter_map(|asked| asked.failure(arguments.jsonl.as_deref())).collect();
    if let Some(first) = unanswered.first() {
        bail!("{} of {} questions are not answered by all engines: {first}", unanswered.len(), report.questions.len());
    }
    conclude(&report.failed, report.agree, "the engines give different answers")
}

/// Lets every engine answer. `progress` is told which share has been done.
fn ask_all(
    reader: &Reader,
    engines: &mut [Box<dyn Engine>],
    question: Question,
    arguments: &PredictArgs,
    progress: impl Fn(f64),
) -> Asked {
    let mut asked = Asked { line: question.line, question: question.question.clone(), ..Asked::default() };
    let count = engines.len() as f64;
    for (place, engine) in engines.iter_mut().enumerate() {
        let report = |share| progress((place as f64 + share) / count);
        let found = match ask(reader, engine.as_mut(), &question, arguments, report) {
            Ok(found) => found,
            Err(error @ (AnswerError::Engine(_) | AnswerError::Logits { .. })) => Found::Error(sentence(&error)),
            Err(error) => {
                asked.error = Some(sentence(&error));
                break;
            }
        };
        asked.engines.push(EngineAnswers { engine: engine.name().to_owned(), found });
    }
    asked
}

/// The answers of an engine to a question. `progress` is told which share of its windows has run.
///
/// # Errors
/// When the question cannot be asked, or the engine fails.
pub fn ask(
    reader: &Reader,
    engine: &mut dyn Engine,
    Question { question, context, .. }: &Question,
    arguments: &PredictArgs,
    progress: impl Fn(f64),
) -> Result<Found, AnswerError> {
    if arguments.as_article {
        return Ok(Found::AsArticle(reader.article(engine, question, context)?));
    }
    let max_tokens = arguments.task.max_answer_tokens.unwrap_or(SpanOptions::default().max_tokens);
    let options = SpanOptions { max_tokens, count: arguments.top.unwrap_or(1) };
    let mut report = |done: usize, windows: usize| progress(done as f64 / windows as f64);
    Ok(Found::Answers(reader.answer(engine, question, context, &options, &mut report)?))
}

/// The questions; one that is not readable is its error.
fn questions(arguments: &PredictArgs) -> Result<Vec<Result<Question, Unreadable>>> {
    if let Some(path) = &arguments.jsonl {
        let bytes = read(path)?;
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
        let lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
        let questions: Vec<_> = lines.map(|(index, line)| parse(index + 1, line)).collect();
        if questions.is_empty() {
            bail!("{} holds no questions", path.display());
        }
        return Ok(questions);
    }
    let context = match &arguments.context_file {
        Some(path) => match text(&read(path)?) {
            Ok(text) => text.to_owned(),
            Err(reason) => bail!("{} {reason}", path.display()),
        },
        None => arguments.context.clone().unwrap_or_else(|| CONTEXT.to_owned()),
    };
    let question = arguments.question.clone().unwrap_or_else(|| QUESTION.to_owned());
    Ok(vec![Ok(Question { line: None, question, context })])
}

/// The question in a line of --jsonl.
pub fn parse(line: usize, bytes: &[u8]) -> Result<Question, Unreadable> {
    let parsed = text(bytes).and_then(|text| {
        serde_json::from_str(text).map_err(|error| format!("is not {{\"question\": …, \"context\": …}}: {error}"))
    });
    match parsed {
        Ok(Line { question, context }) => Ok(Question { line: Some(line), question, context }),
        Err(reason) => Err(Unreadable { line, reason: format!("it {reason}") }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The text, or what is wrong with it, after its name.
fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 text: the bytes from {} on are no character", error.valid_up_to()))
}

impl EngineAnswers {
    /// Why the engine gave no answer, if it gave none.
    fn error(&self) -> Option<&str> {
        match &self.found {
            Found::Error(error) => Some(error),
            _ => None,
        }
    }
}

impl Asked {
    /// What kept the question, or one of the engines, from an answer; `jsonl` is where the question comes from.
    fn failure(&self, jsonl: Option<&Path>) -> Option<String> {
        let reason = self.error.as_deref().or_else(|| self.engines.iter().find_map(EngineAnswers::error))?;
        Some(match (jsonl, self.line) {
            (Some(path), Some(line)) => format!("{} line {line}: {reason}", path.display()),
            _ => reason.to_owned(),
        })
    }

    /// Whether all engines that answered find the same place.
    fn agrees(&self) -> bool {
        let answered: Vec<&Found> = self
            .engines
            .iter()
            .map(|answers| &answers.found)
            .filter(|found| !matches!(found, Found::Error(_)))
            .collect();
        let same = |a: &Found, b: &Found| match (a, b) {
            (Found::Answers(a), Found::Answers(b)) => {
                let place = |answers: &[Answer]| answers.first().map(|answer| (answer.start, answer.end));
                place(a) == place(b)
            }
            (Found::AsArticle(a), Found::AsArticle(b)) => a == b,
            _ => false,
        };
        answered.windows(2).all(|pair| matches!(pair, [a, b] if same(a, b)))
    }
}

impl Report {
    fn text(&self, jsonl: Option<&Path>) -> String {
        let mut text = self.random_init.map(warning).unwrap_or_default() + &failures(&self.failed);
        // Of random weights no answer may look as if it were one.
        let answer = if self.random_init.is_some() { "meaningless answer" } else { "answer" };
        for asked in &self.questions {
            if let (Some(_), Some(failure)) = (&asked.error, asked.failure(jsonl)) {
                text += &line(format_args!("FAILED: {failure}"));
                continue;
            }
            text += &line(&asked.question);
            let mut table = Table::new(["engine", answer, "score", "characters"]);
            let mut failed = String::new();
            for EngineAnswers { engine, found } in &asked.engines {
                match found {
                    Found::Answers(answers) => {
                        for answer in answers {
                            table.row([
                                engine.clone(),
                                one_line(&answer.text),
                                format!("{:.4}", answer.score),
                                format!("{} to {}", answer.start, answer.end),
                            ]);
                        }
                    }
                    Found::AsArticle(answer) => {
                        let tokens = format!("tokens {} to {}", answer.start_token, answer.end_token);
                        table.row([engine.clone(), one_line(&answer.text), "-".to_owned(), tokens]);
                    }
                    Found::Error(error) => failed += &line(format_args!("FAILED: {error}")),
                }
            }
            if asked.engines.iter().any(|answers| answers.error().is_none()) {
                text += &table.render();
            }
            text += &failed;
        }
        text
    }
}

/// An answer as a cell of a table: in one line, and cut where it would take several.
fn one_line(answer: &str) -> String {
    let words = answer.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST_CELL) {
        Some((end, _)) => words.get(..end).unwrap_or_default().to_owned() + "…",
        None => words,
    }
}
