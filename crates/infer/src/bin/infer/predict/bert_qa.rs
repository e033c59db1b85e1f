//! `infer predict bert-qa`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cli::predict::PredictBertQaArgs;
use infer::engine::Engine;
use infer::progress::Progress;
use infer::question_answering::answer::Reader;
use infer::table::Table;
use models::question_answering::{Answer, ArticleAnswer, SpanOptions, WindowOptions};
use serde::{Deserialize, Serialize};

use super::engines::{threads, wanted, warning};
use crate::bert::{load, text_side};

/// A line of --jsonl.
#[derive(Deserialize)]
struct Question {
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

#[derive(Serialize)]
struct Asked {
    question: String,
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
}

/// Answers and prints. The exit status says whether all engines give the same answers.
pub fn execute(arguments: &PredictBertQaArgs) -> Result<ExitCode> {
    let names = wanted(&arguments.engines)?;
    let questions = questions(arguments)?;
    let (tokenizer, config) = text_side(&arguments.hf_dir)?;
    let reader = Reader { tokenizer: &tokenizer, config: &config, windows: WindowOptions::default() };
    let threads = threads(&arguments.engines)?;
    let (mut engines, seed) = load(&names, &arguments.model, &arguments.hf_dir, &config, threads)?;
    let mut report = Report { random_init: seed, agree: true, questions: Vec::new() };
    let progress = Progress::new("questions");
    let steps = (questions.len() * engines.len()) as f64;
    for (index, question) in questions.iter().enumerate() {
        let mut asked = Asked { question: question.question.clone(), engines: Vec::new() };
        for (place, engine) in engines.iter_mut().enumerate() {
            let before = (index * names.len() + place) as f64;
            let found =
                ask(&reader, engine.as_mut(), question, arguments, |share| progress.set((before + share) / steps))
                    .with_context(|| format!("question {}", index + 1))?;
            asked.engines.push(EngineAnswers { engine: engine.name().to_owned(), found });
        }
        report.questions.push(asked);
    }
    drop(progress);
    report.agree = report.questions.iter().all(Asked::agrees);
    match arguments.json {
        true => crate::print(&(serde_json::to_string_pretty(&report)? + "\n"))?,
        false => crate::print(&report.text())?,
    }
    if !report.agree {
        bail!("the engines give different answers");
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(
    reader: &Reader,
    engine: &mut dyn Engine,
    Question { question, context }: &Question,
    arguments: &PredictBertQaArgs,
    progress: impl Fn(f64),
) -> Result<Found> {
    if arguments.as_article {
        return Ok(Found::AsArticle(reader.article(engine, question, context)?));
    }
    let options = SpanOptions { max_tokens: arguments.max_answer_tokens, count: arguments.top };
    let mut report = |done: usize, windows: usize| progress(done as f64 / windows as f64);
    Ok(Found::Answers(reader.answer(engine, question, context, &options, &mut report)?))
}

fn questions(arguments: &PredictBertQaArgs) -> Result<Vec<Question>> {
    if let Some(path) = &arguments.jsonl {
        let parse = |(index, line): (usize, &str)| {
            serde_json::from_str(line).with_context(|| {
                format!("{} line {} is not {{\"question\": …, \"context\": …}}", path.display(), index + 1)
            })
        };
        let text = read_text(path)?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let questions = lines.map(parse).collect::<Result<Vec<_>>>()?;
        if questions.is_empty() {
            bail!("{} holds no questions", path.display());
        }
        return Ok(questions);
    }
    let context = match &arguments.context_file {
        Some(path) => read_text(path)?,
        None => arguments.context.clone(),
    };
    Ok(vec![Question { question: arguments.question.clone(), context }])
}

fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        anyhow::anyhow!("{} is not UTF-8 text: the bytes from {place} on are no character", path.display())
    })
}

impl Asked {
    /// Whether all engines find the same place.
    fn agrees(&self) -> bool {
        let same = |a: &EngineAnswers, b: &EngineAnswers| match (&a.found, &b.found) {
            (Found::Answers(a), Found::Answers(b)) => {
                let place = |answers: &[Answer]| answers.first().map(|answer| (answer.start, answer.end));
                place(a) == place(b)
            }
            (Found::AsArticle(a), Found::AsArticle(b)) => a == b,
            _ => false,
        };
        self.engines.windows(2).all(|pair| matches!(pair, [a, b] if same(a, b)))
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = self.random_init.map(warning).unwrap_or_default();
        for asked in &self.questions {
            text += &format!("{}\n", asked.question);
            let mut table = Table::new(["engine", "answer", "score", "characters"]);
            for found in &asked.engines {
                match &found.found {
                    Found::Answers(answers) => {
                        for answer in answers {
                            table.row([
                                found.engine.clone(),
                                answer.text.clone(),
                                format!("{:.4}", answer.score),
                                format!("{} to {}", answer.start, answer.end),
                            ]);
                        }
                    }
                    Found::AsArticle(answer) => {
                        let tokens = format!("tokens {} to {}", answer.start_token, answer.end_token);
                        table.row([found.engine.clone(), answer.text.clone(), "-".to_owned(), tokens]);
                    }
                }
            }
            text += &table.render();
        }
        text
    }
}
