//! What an encoder makes of texts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cli::predict::PredictArgs;
use engines::engine_name::EngineName;
use engines::provider::Provider;
use models::encoder::EncoderTask;
use networks::texts::answer::{Answer, Text, TextReader, cosine};
use serde::Serialize;
use serde_json::{Map, Value};
use terminal::failure::sentence;
use terminal::plain::line;
use terminal::progress::Progress;
use terminal::table::Table;

use super::Known;
use super::engines::{Opened, Unopened, conclude, failures, warning};
use crate::texts::reader;

/// Labels, fillings or answers that a text gets unless the user says otherwise.
const TOP: usize = 5;

/// How far two engines may be apart in a score or in the cosine of vectors.
const CLOSE: f64 = 1e-3;

/// Numbers of a vector that a table shows.
const SHOWN: usize = 6;

#[derive(Serialize)]
struct Report {
    /// The seed of the weights, if they are random and the answers mean nothing.
    random_init: Option<u64>,
    /// Whether all engines that answered say the same.
    agree: bool,
    /// Engines that cannot be opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Unopened>,
    /// The cosine of two texts, by the first engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity: Option<f64>,
    texts: Vec<Said>,
}

#[derive(Serialize)]
struct Said {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pair: Option<String>,
    /// Why the text cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    engines: Vec<EngineAnswer>,
}

#[derive(Serialize)]
struct EngineAnswer {
    engine: String,
    #[serde(flatten)]
    found: Found,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Found {
    Answer(Answer),
    /// Why the engine gave none.
    Error {
        error: String,
    },
}

/// The engines that are asked for; without the weights that the file was made from, Burn cannot be one.
pub fn names(arguments: &PredictArgs, known: &Known) -> Result<Vec<EngineName>> {
    let has_weights = arguments.weights.is_some() || known.weights.join("config.json").is_file();
    match arguments.engines.names.is_empty() && !has_weights {
        true => Ok(vec![EngineName::Ort(Provider::Cpu)]),
        false => super::engines::wanted(&arguments.engines),
    }
}

/// Answers and prints. A text that cannot be used, or an engine that fails, costs its own answers only. The exit status says whether
/// every text was answered, and by all engines in the same way.
pub fn execute(arguments: &PredictArgs, known: &Known) -> Result<ExitCode> {
    let (reader, _) = text_reader(arguments, known)?;
    let texts = texts(arguments, reader.config.task)?;
    note_cut(&reader, &texts);
    let Opened { mut engines, failed, seed, .. } = known.open(arguments)?;
    let mut report = Report { random_init: seed, agree: true, failed, similarity: None, texts: Vec::new() };
    report.texts = texts
        .iter()
        .map(|Text { text, pair }| Said { text: text.clone(), pair: pair.clone(), error: None, engines: Vec::new() })
        .collect();
    let count = engines.len() as f64;
    let progress = Progress::new("texts");
    for (place, engine) in engines.iter_mut().enumerate() {
        let mut set = |share: f64| progress.set((place as f64 + share) / count);
        let name = engine.name().to_owned();
        match reader.answer_all(engine.as_mut(), &texts, &mut set) {
            Ok(answers) => {
                for (said, answer) in report.texts.iter_mut().zip(answers) {
                    match answer {
                        Ok(answer) => {
                            said.engines.push(EngineAnswer { engine: name.clone(), found: Found::Answer(answer) });
                        }
                        Err(error) => said.error = Some(sentence(&error)),
                    }
                }
            }
            Err(error) => {
                let error = sentence(&error);
                for said in &mut report.texts {
                    let found = Found::Error { error: error.clone() };
                    said.engines.push(EngineAnswer { engine: name.clone(), found });
                }
            }
        }
    }
    drop(progress);
    if let [Said { error: Some(error), .. }] = report.texts.as_slice() {
        bail!("{error}");
    }
    report.agree = report.texts.iter().all(Said::agrees);
    report.similarity = report.similarity();
    match arguments.json {
        true if arguments.lines.is_some() || arguments.jsonl.is_some() => crate::print(report.lines()?)?,
        true => crate::print(serde_json::to_string_pretty(&report)? + "\n")?,
        false => crate::print(report.text())?,
    }
    let unanswered: Vec<&str> = report.texts.iter().filter_map(Said::failure).collect();
    if let Some(first) = unanswered.first() {
        bail!("{} of {} texts are not answered by all engines: {first}", unanswered.len(), report.texts.len());
    }
    conclude(&report.failed, report.agree, "the engines give different answers")
}

/// The tokenizer, and the folder that it comes from.
pub fn text_reader(arguments: &PredictArgs, known: &Known) -> Result<(TextReader, PathBuf)> {
    let folder = known.folder.clone().unwrap_or_else(|| known.weights.clone());
    let mut reader = reader(known.card, &folder, arguments.top.unwrap_or(TOP))?;
    reader.tokenizer = reader.tokenizer.truncating(arguments.truncate);
    reader.tokenizer.warnings().iter().for_each(|warning| terminal::program::note(format_args!("warning: {warning}")));
    Ok((reader, folder))
}

/// Says how many texts are cut, where the task cuts them as usual.
fn note_cut(reader: &TextReader, texts: &[Text]) {
    let cut = texts.iter().filter(|text| reader.tokens(text).is_ok_and(|tokens| tokens.truncated)).count();
    if cut > 0 {
        let longest = reader.tokenizer.longest();
        terminal::program::note(format_args!(
            "note: {cut} texts are cut to the {longest} tokens that the network takes"
        ));
    }
}

/// The texts that are asked about.
fn texts(arguments: &PredictArgs, task: EncoderTask) -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    if task == EncoderTask::QuestionAnswering
        && let (Some(question), Some(context)) = (&arguments.question, &arguments.context)
    {
        texts.push(Text { text: question.clone(), pair: Some(context.clone()) });
    }
    if arguments.text_pair.is_some() && arguments.text.len() != 1 {
        bail!("--text-pair goes with one --text");
    }
    texts.extend(arguments.text.iter().map(|text| Text { text: text.clone(), pair: arguments.text_pair.clone() }));
    for (path, is_json) in [(&arguments.lines, false), (&arguments.jsonl, true)] {
        let Some(path) = path else { continue };
        let content = content(path)?;
        for (number, text) in (1..).zip(content.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            texts.push(match is_json {
                true => parse(text).map_err(|reason| anyhow::anyhow!("{} line {number}: {reason}", path.display()))?,
                false => Text { text: text.to_owned(), pair: None },
            });
        }
    }
    if texts.is_empty() {
        bail!("name a text with --text, or a file of them with --lines or --jsonl");
    }
    Ok(texts)
}

fn content(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        anyhow::anyhow!("{} is not UTF-8 text: the bytes from {valid} on are no character", path.display())
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

/// A text out of a line of JSON.
pub fn parse(line: &str) -> Result<Text, String> {
    let row: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("it is not {{\"text\": …}}: {error}"))?;
    let find = |names: &[&str]| names.iter().find_map(|name| row.get(*name)).and_then(Value::as_str).map(str::to_owned);
    let text = find(&["text", "question"]).ok_or("it has no \"text\"")?;
    Ok(Text { text, pair: find(&["text_pair", "context"]) })
}

impl Said {
    fn failure(&self) -> Option<&str> {
        let of_engine = |answer: &EngineAnswer| matches!(answer.found, Found::Error { .. });
        let failed = self.engines.iter().find(|answer| of_engine(answer)).map(|answer| &answer.found);
        self.error.as_deref().or(match failed {
            Some(Found::Error { error }) => Some(error),
            _ => None,
        })
    }

    fn agrees(&self) -> bool {
        let answers: Vec<&Answer> = self
            .engines
            .iter()
            .filter_map(|answer| match &answer.found {
                Found::Answer(answer) => Some(answer),
                Found::Error { .. } => None,
            })
            .collect();
        answers.windows(2).all(|pair| matches!(pair, [a, b] if same(a, b)))
    }
}

/// A text and what came of it, as a line of JSON; `offset` is where it begins in a file.
pub fn row(offset: Option<u64>, text: Option<&Text>, found: Result<Answer, String>) -> Result<Map<String, Value>> {
    let mut row = Map::new();
    row.extend(offset.map(|offset| ("offset".to_owned(), offset.into())));
    row.extend(text.map(|text| ("text".to_owned(), text.text.clone().into())));
    row.extend(text.and_then(|text| text.pair.clone()).map(|pair| ("text_pair".to_owned(), pair.into())));
    match found {
        Err(error) => drop(row.insert("error".to_owned(), error.into())),
        Ok(answer) => {
            if let Value::Object(found) = serde_json::to_value(&answer)? {
                row.extend(found);
            }
        }
    }
    Ok(row)
}

/// Whether two engines say the same, but for the last digits.
fn same(a: &Answer, b: &Answer) -> bool {
    let close = |a: f32, b: f32| f64::from((a - b).abs()) <= CLOSE * f64::from(a.abs().max(1.0));
    match (a, b) {
        (Answer::Labels(a), Answer::Labels(b)) => match (a.first(), b.first()) {
            (Some(a), Some(b)) => a.label == b.label && close(a.score, b.score),
            _ => a == b,
        },
        (Answer::Entities(a), Answer::Entities(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| (&a.entity, a.start, a.end) == (&b.entity, b.start, b.end))
        }
        (Answer::Fillings(a), Answer::Fillings(b)) => a.iter().zip(b).all(
            |(a, b)| matches!((a.first(), b.first()), (Some(a), Some(b)) if a.id == b.id || close(a.score, b.score)),
        ),
        (Answer::Embedding(a), Answer::Embedding(b)) => cosine(a, b) >= 1.0 - CLOSE,
        (Answer::Features(a), Answer::Features(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| cosine(a, b) >= 1.0 - CLOSE)
        }
        (Answer::Spans(a), Answer::Spans(b)) => match (a.first(), b.first()) {
            (Some(a), Some(b)) => (a.start, a.end) == (b.start, b.end),
            _ => a == b,
        },
        _ => false,
    }
}

impl Report {
    /// The cosine of two texts, by the first engine.
    fn similarity(&self) -> Option<f64> {
        let [one, other] = self.texts.as_slice() else { return None };
        let vector = |said: &Said| match &said.engines.first()?.found {
            Found::Answer(Answer::Embedding(vector)) => Some(vector.clone()),
            _ => None,
        };
        Some(cosine(&vector(one)?, &vector(other)?))
    }

    /// A line of JSON for each text: of the first engine, if they agree.
    fn lines(&self) -> Result<String> {
        let mut lines = String::new();
        for said in &self.texts {
            let text = Text { text: said.text.clone(), pair: said.pair.clone() };
            let found = match (said.failure(), said.engines.first()) {
                (Some(error), _) => Err(error.to_owned()),
                (None, Some(EngineAnswer { found: Found::Answer(answer), .. })) => Ok(answer.clone()),
                (None, _) => continue,
            };
            let row = row(None, Some(&text), found)?;
            lines += &(serde_json::to_string(&row)? + "\n");
        }
        Ok(lines)
    }

    fn text(&self) -> String {
        let mut text = self.random_init.map(warning).unwrap_or_default() + &failures(&self.failed);
        for said in &self.texts {
            text += &line(&said.text);
            text.extend(said.pair.as_ref().map(line));
            if let Some(error) = said.failure() {
                text += &line(format_args!("FAILED: {error}"));
                continue;
            }
            let mut table = Table::new(["engine", "answer", "score", "characters"]);
            for EngineAnswer { engine, found } in &said.engines {
                let Found::Answer(answer) = found else { continue };
                for [answer, score, characters] in rows(answer) {
                    table.row([engine.clone(), answer, score, characters]);
                }
            }
            text += &table.render();
        }
        if let Some(cosine) = self.similarity {
            text += &line(format_args!("Cosine similarity: {cosine:.4}"));
        }
        text
    }
}

/// An answer as rows of a table: what, how likely, where.
fn rows(answer: &Answer) -> Vec<[String; 3]> {
    let none = || "-".to_owned();
    let score = |score: f32| format!("{score:.4}");
    match answer {
        Answer::Labels(labels) => labels.iter().map(|one| [one.label.clone(), score(one.score), none()]).collect(),
        Answer::Entities(entities) if entities.is_empty() => vec![["no entity".to_owned(), none(), none()]],
        Answer::Entities(entities) => entities
            .iter()
            .map(|one| {
                [format!("{}: {}", one.entity, one.word), score(one.score), format!("{} to {}", one.start, one.end)]
            })
            .collect(),
        Answer::Fillings(masks) => {
            masks.iter().flatten().map(|one| [one.token.clone(), score(one.score), none()]).collect()
        }
        Answer::Spans(spans) => spans
            .iter()
            .map(|one| [one.answer.clone(), score(one.score), format!("{} to {}", one.start, one.end)])
            .collect(),
        Answer::Embedding(vector) => {
            let first: Vec<String> = vector.iter().take(SHOWN).map(|number| format!("{number:.4}")).collect();
            vec![[format!("{} numbers: {}, …", vector.len(), first.join(", ")), none(), none()]]
        }
        Answer::Features(tokens) => {
            let width = tokens.first().map_or(0, Vec::len);
            vec![[format!("{} tokens of {width} numbers (--json shows them)", tokens.len()), none(), none()]]
        }
    }
}
