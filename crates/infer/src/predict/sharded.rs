//! Predictions of many items in parts, by one engine, and all parts in one file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::{Digest, FileError, Hasher, Outputs, sha256_bytes, sha256_file};
use cli::predict::PredictArgs;
use evaluation::compare::largest;
use models::digits::Split;
use models::encoder::EncoderTokenizer;
use networks::digits::{DigitTask, batch, log_probabilities};
use networks::pictures::predict::{Guess, guesses};
use networks::questions::answer::AnswerError;
use networks::texts::answer::Text;
use serde::Serialize;
use shards::{Footer, Shard, merge};
use terminal::failure::sentence;
use terminal::program::print_line;
use terminal::table::grouped;

use super::engines::{Opened, wanted};
use super::pictures::TOP;
use super::questions::{BYTE_ORDER_MARK, Found, Question, ask, parse};
use super::{Known, asked};
use crate::parts::{Part, single};
use crate::picture_file::PictureFile;
use crate::task::pictures;

/// Digits or pictures that run at once. A part has whole batches, so that its results are those of a single run.
const BATCH: u64 = 16;

/// How much of both ends of a file of questions tells it from others: all of it need not be read.
const ENDS: u64 = 1 << 20;

/// What the name of an output ends in where none is given.
const MERGED: &str = "predictions.jsonl";

/// The options for a part: one engine that runs the file, and one thread unless more are asked for, since the number of threads decides
/// in which order numbers are added.
///
/// # Errors
/// When more than one engine is asked for, or one that does not run the ONNX file.
pub fn options(arguments: &PredictArgs) -> Result<PredictArgs> {
    let mut options = arguments.clone();
    if options.engines.names.is_empty() {
        options.engines.names.push("ort:cpu".to_owned());
    }
    options.engines.threads.get_or_insert(1);
    single(&wanted(&options.engines)?)?;
    Ok(options)
}

/// Puts the parts in a folder together.
pub fn put_together(folder: &Path, arguments: &PredictArgs) -> Result<ExitCode> {
    let out = arguments.out.clone().unwrap_or_else(|| folder.join(MERGED));
    let inside = std::fs::read_dir(folder).map_err(FileError::new("read", folder))?.flatten().map(|entry| entry.path());
    Outputs::of_inputs(inside.filter(|path| *path != out)).named(&out)?;
    let merged = merge(folder, &out)?;
    let Footer { items, failed, .. } = merged.footer;
    match arguments.json {
        true => print_line(serde_json::to_string(&merged.footer)?)?,
        false => print_line(format_args!(
            "{} items of {} parts, {} without an answer: {}",
            grouped(&items.to_string()),
            merged.parts,
            grouped(&failed.to_string()),
            out.display()
        ))?,
    }
    match failed {
        0 => Ok(ExitCode::SUCCESS),
        _ => bail!("{failed} of {items} items got no answer; their lines have an `error`"),
    }
}

#[derive(Serialize)]
struct Digit<'a> {
    image: u64,
    digit: &'a str,
    probability: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
}

#[derive(Serialize)]
struct Picture<'a> {
    image: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    guesses: Vec<Guess>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Answered<'a> {
    /// Where the line begins in the file of questions.
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'a str>,
    #[serde(flatten)]
    found: Found,
}

/// Reads the test digits of a part.
pub fn digits(arguments: &PredictArgs, known: &Known, shard: Shard) -> Result<ExitCode> {
    let images = known.images()?;
    let folder = arguments.task.data();
    let task = DigitTask::read(&folder, Split::Test, images.clone())
        .with_context(|| format!("--data {}", folder.display()))?;
    let mut opened = known.open(arguments)?;
    let inputs = networks::digits::files(&folder, Split::Test);
    let part = part(arguments, shard, &opened, known.model(arguments), &inputs)?;
    let (digits, names) = (task.digits(), task.names());
    let total = digits.len() as u64;
    part.fill(shard.items(total, BATCH), total, |range, lines| {
        let engine = opened.engines.first_mut().context("there is no engine")?;
        for first in range.clone().step_by(BATCH as usize) {
            let block = first..(first + BATCH).min(range.end);
            let pixels = block.clone().filter_map(|index| digits.image(index as usize));
            let rows = log_probabilities(&images, engine.as_mut(), &batch(&images, pixels)?)?;
            for (index, row) in block.clone().zip(rows.chunks_exact(images.classes)) {
                let class = largest(row).context("the engine gave no probabilities")?;
                let probability = row.get(class).map_or(0.0, |log| f64::from(*log).exp());
                let called = |class: usize| names.get(class).map(String::as_str);
                let label = digits.label(index as usize).and_then(|label| called(label.into()));
                let digit = called(class).unwrap_or_default();
                lines.put(&Digit { image: index, digit, probability, label }, true)?;
            }
            lines.reached(&range, block.end);
        }
        Ok(())
    })
}

/// Labels the pictures of a part.
pub fn label(
    arguments: &PredictArgs,
    file: &PictureFile,
    model: &Path,
    open: impl FnOnce() -> Result<Opened>,
    shard: Shard,
) -> Result<ExitCode> {
    let paths = listed(arguments)?;
    let mut opened = open()?;
    let labels = arguments.task.labels();
    let inputs: Vec<PathBuf> =
        Some(labels).filter(|path| file.labels.is_some() && path.is_file()).into_iter().collect();
    let mut list = Hasher::new();
    paths.iter().for_each(|path| list.update((path.display().to_string() + "\n").as_bytes()));
    let part = part(arguments, shard, &opened, model.to_owned(), &inputs)?
        .option("list of pictures", Some(list.finish()))
        .option("preprocessing", Some(format!("{:?}", file.preprocessing)));
    let (total, top) = (paths.len() as u64, arguments.top.unwrap_or(TOP));
    part.fill(shard.items(total, BATCH), total, |range, lines| {
        let engine = opened.engines.first_mut().context("there is no engine")?;
        let mine = paths.get(range.start as usize..range.end as usize).unwrap_or_default();
        for (index, block) in mine.chunks(BATCH as usize).enumerate() {
            let mut read = Vec::new();
            let mut pixels = Vec::new();
            for image in block {
                let made = file.preprocessing.apply_to_file(image);
                let error = made.as_ref().err().map(|error| sentence(error));
                pixels.extend(made.into_iter().flatten());
                read.push(Picture { image, sha256: sha256_file(image).ok(), guesses: Vec::new(), error });
            }
            let mut found = match pixels.is_empty() {
                true => Vec::new(),
                false => guesses(&file.images, engine.as_mut(), pixels, file.labels.as_ref(), top)?,
            }
            .into_iter();
            for mut picture in read {
                if picture.error.is_none() {
                    picture.guesses = found.next().context("the engine gave fewer answers than it had pictures")?;
                }
                let is_answered = picture.error.is_none();
                lines.put(&picture, is_answered)?;
            }
            lines.reached(&range, range.start + (index as u64 + 1) * BATCH);
        }
        Ok(())
    })
}

/// Answers the questions of a part.
pub fn answer(arguments: &PredictArgs, known: &Known, shard: Shard) -> Result<ExitCode> {
    let path = arguments.jsonl.as_deref().context("--shard takes questions from --jsonl")?;
    let file = LineFile::open(path, shard)?;
    let task = asked(arguments, &known.weights).questions(known.card)?;
    let reader = task.reader();
    let mut opened = known.open(arguments)?;
    let inputs: Vec<PathBuf> = task.files().filter(|path| path.is_file()).collect();
    let part = part(arguments, shard, &opened, known.model(arguments), &inputs)?.option("questions", Some(&file.about));
    let (range, total) = (file.range.clone(), file.total);
    part.fill(range, total, |range, lines| {
        let engine = opened.engines.first_mut().context("there is no engine")?;
        file.each(|offset, text| {
            // Lines are told by where they begin: their numbers would take all that lies before.
            match parse(0, text) {
                Err(unreadable) => {
                    let found = Found::Error(unreadable.reason);
                    lines.put(&Answered { offset, question: None, found }, false)?;
                }
                Ok(question) => {
                    let found = match ask(&reader, engine.as_mut(), &question, arguments, |_| {}) {
                        Ok(found) => found,
                        Err(error @ (AnswerError::Engine(_) | AnswerError::Logits { .. })) => {
                            return Err(error.into());
                        }
                        Err(error) => Found::Error(sentence(&error)),
                    };
                    let is_answered = !matches!(found, Found::Error(_));
                    let Question { question, .. } = &question;
                    lines.put(&Answered { offset, question: Some(question), found }, is_answered)?;
                }
            }
            lines.reached(&range, offset);
            Ok(())
        })
    })
}

/// Tells what an encoder makes of the texts of a part.
pub fn texts(arguments: &PredictArgs, known: &Known, shard: Shard) -> Result<ExitCode> {
    let (path, is_json) = match (&arguments.lines, &arguments.jsonl) {
        (Some(path), None) => (path, false),
        (None, Some(path)) => (path, true),
        _ => bail!("--shard takes texts from --lines or from --jsonl"),
    };
    let file = LineFile::open(path, shard)?;
    let (reader, folder) = super::texts::text_reader(arguments, known)?;
    let mut opened = known.open(arguments)?;
    let tokenizer = EncoderTokenizer::files(&folder).into_iter().chain([folder.join("config.json")]);
    let inputs: Vec<PathBuf> = tokenizer.filter(|path| path.is_file()).collect();
    let part = part(arguments, shard, &opened, known.model(arguments), &inputs)?.option("texts", Some(&file.about));
    let (range, total) = (file.range.clone(), file.total);
    part.fill(range, total, |range, lines| {
        let engine = opened.engines.first_mut().context("there is no engine")?;
        file.each(|offset, line| {
            let text = match std::str::from_utf8(line) {
                Err(_) => Err("it is not UTF-8 text".to_owned()),
                Ok(line) if is_json => super::texts::parse(line),
                Ok(line) => Ok(Text { text: line.to_owned(), pair: None }),
            };
            let (text, found) = match text {
                Err(reason) => (None, Err(reason)),
                Ok(text) => {
                    let found = reader.answer_all(engine.as_mut(), std::slice::from_ref(&text), &mut |_| ())?;
                    let found = found.into_iter().next().context("the engine gave no answer")?;
                    (Some(text), found.map_err(|error| sentence(&error)))
                }
            };
            let is_answered = found.is_ok();
            lines.put(&super::texts::row(Some(offset), text.as_ref(), found)?, is_answered)?;
            lines.reached(&range, offset);
            Ok(())
        })
    })
}

/// The lines of a file that begin in a share of its bytes. The file is not read whole.
struct LineFile<'a> {
    path: &'a Path,
    file: File,
    range: Range<u64>,
    total: u64,
    /// What tells the file from others.
    about: String,
}

impl<'a> LineFile<'a> {
    fn open(path: &'a Path, shard: Shard) -> Result<Self> {
        let mut file = File::open(path).map_err(FileError::new("open", path))?;
        let read = |file: &mut File| Ok((shard.lines(file)?, file.metadata()?.len(), ends(file)?));
        let (range, total, ends) = read(&mut file).map_err(FileError::new("read", path))?;
        Ok(Self { path, file, range, total, about: format!("{total} bytes that begin and end as {ends}") })
    }

    /// Hands on each line that is not empty, with the place where it begins.
    fn each(mut self, mut line: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let failed = || FileError::new("read", self.path);
        self.file.seek(SeekFrom::Start(self.range.start)).map_err(failed())?;
        let mut rest = BufReader::new(self.file.take(self.range.end - self.range.start));
        let (mut offset, mut bytes) = (self.range.start, Vec::new());
        loop {
            bytes.clear();
            let read = rest.read_until(b'\n', &mut bytes).map_err(failed())?;
            if read == 0 {
                return Ok(());
            }
            let text = if offset == 0 { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes) } else { &bytes };
            if !text.trim_ascii().is_empty() {
                line(offset, text.trim_ascii_end())?;
            }
            offset += read as u64;
        }
    }
}

/// A part of the run that the options tell of.
fn part<'a>(
    arguments: &'a PredictArgs,
    shard: Shard,
    opened: &Opened,
    model: PathBuf,
    inputs: &[PathBuf],
) -> Result<Part<'a>> {
    Ok(Part::of(shard, arguments.out.as_deref(), opened, model, inputs)?
        .option("threads", arguments.engines.threads)
        .option("--top", arguments.top)
        .option("--max-answer-tokens", arguments.task.max_answer_tokens)
        .option("--as-article", arguments.as_article.then_some("set"))
        .option("--truncate", arguments.truncate.then_some("set"))
        .told(arguments.json))
}

/// The pictures that are named, or listed in a file.
fn listed(arguments: &PredictArgs) -> Result<Vec<PathBuf>> {
    let mut named = arguments.task.images.clone();
    if let Some(path) = &arguments.list {
        let text = std::fs::read_to_string(path).map_err(FileError::new("read", path)).context("--list")?;
        named.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(PathBuf::from));
    }
    let paths = pictures(&named)?;
    if paths.is_empty() {
        bail!("name pictures or folders of pictures with --image, or a file with a path in each line with --list");
    }
    Ok(paths)
}

/// A digest of both ends of a file.
fn ends(file: &mut File) -> std::io::Result<Digest> {
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    for place in [0, size.saturating_sub(ENDS)] {
        file.seek(SeekFrom::Start(place))?;
        Read::by_ref(file).take(ENDS).read_to_end(&mut bytes)?;
    }
    Ok(sha256_bytes(&bytes))
}
