//! `infer predict bert-qa`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use cli::failure::sentence;
use cli::predict::PredictBertQaArgs;
use infer::engine::Engine;
use infer::progress::Progress;
use infer::question_answering::answer::{AnswerError, Reader};
use infer::table::Table;
use models::question_answering::{Answer, ArticleAnswer, SpanOptions, WindowOptions};
use serde::{Deserialize, Serialize};

use super::engines::{threads, wanted, warning};
use crate::bert::{load, text_side};

/// What is asked, and where it comes from.
struct Question {
    /// `questions.jsonl line 3`; empty for a question of the command line.
    place: String,
    question: String,
    context: String,
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
    /// Whether all engines give the same answers.
    agree: bool,
    questions: Vec<Asked>,
}

#[derive(Default, Serialize)]
struct Asked {
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

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    Answers(Vec<Answer>),
    AsArticle(ArticleAnswer),
    /// Why the engine gave none.
    Error(String),
}

/// Answers and prints. A question that cannot be asked, or an engine that fails, costs its own answers only. The exit status
/// says whether every question was answered, and by all engines in the same way.
pub fn execute(arguments: &PredictBertQaArgs) -> Result<ExitCode> {
    let names = wanted(&arguments.engines)?;
    let questions = questions(arguments)?;
    let (tokenizer, config) = text_side(&arguments.hf_dir)?;
    let reader = Reader { tokenizer: &tokenizer, config: &config, windows: WindowOptions::default() };
    let threads = threads(&arguments.engines)?;
    let (mut engines, seed) = load(&names, &arguments.model, &arguments.hf_dir, &config, threads)?;
    let mut report = Report { random_init: seed, agree: true, questions: Vec::new() };
    let progress = Progress::new("questions");
    let total = questions.len() as f64;
    for (index, question) in questions.into_iter().enumerate() {
        let set = |share: f64| progress.set((index as f64 + share) / total);
        report.questions.push(match question {
            Ok(question) => ask_all(&reader, &mut engines, question, arguments, set),
            Err(error) => Asked { error: Some(error), ..Asked::default() },
        });
    }
    drop(progress);
    if let ([Asked { error: Some(error), .. }], None) = (report.questions.as_slice(), &arguments.jsonl) {
        bail!("{error}");
    }
    report.agree = report.questions.iter().all(Asked::agrees);
    match arguments.json {
        true => crate::print(&(serde_json::to_string_pretty(&report)? + "\n"))?,
        false => crate::print(&report.text())?,
    }
    let failures: Vec<&str> = report.questions.iter().filter_map(Asked::failure).collect();
    if let Some(first) = failures.first() {
        bail!("{} of {} questions are not answered by all engines: {first}", failures.len(), report.questions.len());
    }
    if !report.agree {
        bail!("the engines give different answers");
    }
    Ok(ExitCode::SUCCESS)
}

/// Lets every engine answer. `progress` is told which share has been done.
fn ask_all(
    reader: &Reader,
    engines: &mut [Box<dyn Engine>],
    question: Question,
    arguments: &PredictBertQaArgs,
    progress: impl Fn(f64),
) -> Asked {
    let mut asked = Asked { question: question.question.clone(), ..Asked::default() };
    let count = engines.len() as f64;
    for (place, engine) in engines.iter_mut().enumerate() {
        let report = |share| progress((place as f64 + share) / count);
        let found = match ask(reader, engine.as_mut(), &question, arguments, report) {
            Ok(found) => found,
            Err(error @ (AnswerError::Engine(_) | AnswerError::Logits { .. })) => Found::Error(sentence(&error)),
            Err(error) => {
                let place = Some(question.place).filter(|place| !place.is_empty());
                let reason = sentence(&error);
                asked.error = Some(place.map_or(reason.clone(), |place| format!("{place}: {reason}")));
                break;
            }
        };
        asked.engines.push(EngineAnswers { engine: engine.name().to_owned(), found });
    }
    asked
}

fn ask(
    reader: &Reader,
    engine: &mut dyn Engine,
    Question { question, context, .. }: &Question,
    arguments: &PredictBertQaArgs,
    progress: impl Fn(f64),
) -> Result<Found, AnswerError> {
    if arguments.as_article {
        return Ok(Found::AsArticle(reader.article(engine, question, context)?));
    }
    let options = SpanOptions { max_tokens: arguments.max_answer_tokens, count: arguments.top };
    let mut report = |done: usize, windows: usize| progress(done as f64 / windows as f64);
    Ok(Found::Answers(reader.answer(engine, question, context, &options, &mut report)?))
}

/// The questions; one that is not readable is its error.
fn questions(arguments: &PredictBertQaArgs) -> Result<Vec<Result<Question, String>>> {
    if let Some(path) = &arguments.jsonl {
        let bytes = read(path)?;
        let lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
        let questions: Vec<_> =
            lines.map(|(index, line)| parse(format!("{} line {}", path.display(), index + 1), line)).collect();
        if questions.is_empty() {
            bail!("{} holds no questions", path.display());
        }
        return Ok(questions);
    }
    let context = match &arguments.context_file {
        Some(path) => text(&path.display().to_string(), &read(path)?).map_err(Error::msg)?.to_owned(),
        None => arguments.context.clone(),
    };
    Ok(vec![Ok(Question { place: String::new(), question: arguments.question.clone(), context })])
}

fn parse(place: String, line: &[u8]) -> Result<Question, String> {
    let line: Line = serde_json::from_str(text(&place, line)?)
        .map_err(|error| format!("{place} is not {{\"question\": …, \"context\": …}}: {error}"))?;
    Ok(Question { place, question: line.question, context: line.context })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn text<'a>(place: &str, bytes: &'a [u8]) -> Result<&'a str, String> {
    std::str::from_utf8(bytes).map_err(|error| {
        format!("{place} is not UTF-8 text: the bytes from {} on are no character", error.valid_up_to())
    })
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
    /// What kept the question, or one of the engines, from an answer.
    fn failure(&self) -> Option<&str> {
        self.error.as_deref().or_else(|| self.engines.iter().find_map(EngineAnswers::error))
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
    fn text(&self) -> String {
        let mut text = self.random_init.map(warning).unwrap_or_default();
        // Of random weights no answer may look as if it were one.
        let answer = if self.random_init.is_some() { "meaningless answer" } else { "answer" };
        for asked in &self.questions {
            if let Some(error) = &asked.error {
                text += &format!("FAILED: {error}\n");
                continue;
            }
            text += &format!("{}\n", asked.question);
            let mut table = Table::new(["engine", answer, "score", "characters"]);
            let mut failed = String::new();
            for EngineAnswers { engine, found } in &asked.engines {
                match found {
                    Found::Answers(answers) => {
                        for answer in answers {
                            table.row([
                                engine.clone(),
                                answer.text.clone(),
                                format!("{:.4}", answer.score),
                                format!("{} to {}", answer.start, answer.end),
                            ]);
                        }
                    }
                    Found::AsArticle(answer) => {
                        let tokens = format!("tokens {} to {}", answer.start_token, answer.end_token);
                        table.row([engine.clone(), answer.text.clone(), "-".to_owned(), tokens]);
                    }
                    Found::Error(error) => failed += &format!("FAILED: {error}\n"),
                }
            }
            text += &table.render();
            text += &failed;
        }
        text
    }
}
