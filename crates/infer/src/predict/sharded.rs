//! Predictions of many items in parts, by one engine, and all parts in one file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::{Digest, FileError, Hasher, Outputs, sha256_bytes, sha256_file};
use cli::predict::PredictArgs;
use engines::engine_name::EngineName;
use evaluation::compare::largest;
use models::digits::Split;
use networks::digits::{DigitTask, batch, log_probabilities};
use networks::pictures::predict::{Guess, guesses};
use networks::questions::answer::AnswerError;
use onnx_model::Survey;
use serde::Serialize;
use shards::{Footer, Header, Shard, State, merge, state};
use terminal::failure::sentence;
use terminal::program::{note, print_line};
use terminal::progress::Progress;
use terminal::table::grouped;

use super::engines::{Opened, wanted, warning};
use super::pictures::TOP;
use super::questions::{BYTE_ORDER_MARK, Found, Question, ask, parse};
use super::{Known, asked};
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
    match wanted(&options.engines)?.as_slice() {
        [EngineName::Ort(_) | EngineName::Tract] => Ok(options),
        _ => bail!("--shard takes one --engine that runs the ONNX file: ort:… or tract"),
    }
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

/// A part that is to be written.
struct Part<'a> {
    shard: Shard,
    folder: &'a Path,
    /// What makes this run another one than others.
    run: BTreeMap<String, String>,
    json: bool,
}

/// Takes the lines of a part.
struct Lines<'a> {
    put: &'a mut dyn FnMut(&[u8]) -> Result<(), FileError>,
    failed: u64,
    progress: Progress,
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
    let part = Part::of(arguments, shard, &opened, known.model(arguments), &inputs)?;
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
    let mut part = Part::of(arguments, shard, &opened, model.to_owned(), &inputs)?;
    let mut list = Hasher::new();
    paths.iter().for_each(|path| list.update((path.display().to_string() + "\n").as_bytes()));
    part.run.insert("list of pictures".to_owned(), list.finish().to_string());
    part.run.insert("preprocessing".to_owned(), format!("{:?}", file.preprocessing));
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
    let mut file = File::open(path).map_err(FileError::new("open", path))?;
    let task = asked(arguments, &known.weights).questions(known.card)?;
    let reader = task.reader();
    let mut opened = known.open(arguments)?;
    let inputs: Vec<PathBuf> = task.files().filter(|path| path.is_file()).collect();
    let mut part = Part::of(arguments, shard, &opened, known.model(arguments), &inputs)?;
    let failed = FileError::new("read", path);
    let (range, total, ends) =
        (|| Ok((shard.lines(&mut file)?, file.metadata()?.len(), ends(&mut file)?)))().map_err(failed)?;
    part.run.insert("questions".to_owned(), format!("{total} bytes that begin and end as {ends}"));
    part.fill(range, total, |range, lines| {
        let engine = opened.engines.first_mut().context("there is no engine")?;
        file.seek(SeekFrom::Start(range.start)).map_err(FileError::new("read", path))?;
        let mut rest = BufReader::new(file.take(range.end - range.start));
        let (mut offset, mut line) = (range.start, Vec::new());
        loop {
            line.clear();
            let read = rest.read_until(b'\n', &mut line).map_err(FileError::new("read", path))?;
            if read == 0 {
                return Ok(());
            }
            let text = if offset == 0 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line) } else { &line };
            if !text.trim_ascii().is_empty() {
                // Lines are told by where they begin: their numbers would take all that lies before.
                match parse(0, text.trim_ascii_end()) {
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
            }
            offset += read as u64;
            lines.reached(&range, offset);
        }
    })
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

impl<'a> Part<'a> {
    /// The part of a run of this engine over these files.
    fn of(
        arguments: &'a PredictArgs,
        shard: Shard,
        opened: &Opened,
        model: PathBuf,
        inputs: &[PathBuf],
    ) -> Result<Self> {
        let folder = arguments.out.as_deref().context("--shard writes to the folder of --out")?;
        let survey = Survey::of(&model).with_context(|| model.display().to_string())?;
        let data: Vec<PathBuf> = survey.data_files.into_iter().map(|file| file.path).collect();
        let program = std::env::current_exe().context("the program does not know where it lies")?;
        let engine = opened.engines.first().map_or("", |engine| engine.name());
        let library =
            opened.library.as_ref().map(|found| format!("{} {}, SHA-256 {}", found.name, found.version, found.sha256));
        let mut run = BTreeMap::from([
            ("model".to_owned(), digest(std::iter::once(&model).chain(&data))?),
            ("inputs".to_owned(), digest(inputs)?),
            ("program".to_owned(), sha256_file(program)?.to_string()),
            ("engine".to_owned(), engine.to_owned()),
            ("library".to_owned(), library.unwrap_or_default()),
        ]);
        if let Some(seed) = opened.seed {
            note(warning(seed).trim_end());
            run.insert("weights".to_owned(), format!("random (seed {seed}): the answers mean nothing"));
        }
        run.extend(arguments.engines.threads.map(|threads| ("threads".to_owned(), threads.to_string())));
        run.extend(arguments.top.map(|top| ("--top".to_owned(), top.to_string())));
        run.extend(arguments.task.max_answer_tokens.map(|most| ("--max-answer-tokens".to_owned(), most.to_string())));
        run.extend(arguments.as_article.then(|| ("--as-article".to_owned(), "set".to_owned())));
        Ok(Self { shard, folder, run, json: arguments.json })
    }

    /// Writes the part with the lines that `answer` gives, unless it is there, whole.
    fn fill(
        self,
        range: Range<u64>,
        total: u64,
        answer: impl FnOnce(Range<u64>, &mut Lines<'_>) -> Result<()>,
    ) -> Result<ExitCode> {
        let Self { shard, folder, run, json } = self;
        let path = folder.join(shard.file_name());
        let header = Header::new(run, shard, range.clone(), total);
        let (footer, what) = match state(&path, &header)? {
            State::Whole(footer) => (footer, "is there and whole"),
            there => {
                if there == State::Damaged {
                    note(format_args!("{} is cut or was changed; it is made anew", path.display()));
                }
                let footer = shards::write::<anyhow::Error>(&path, &header, |put| {
                    let mut lines = Lines { put, failed: 0, progress: Progress::new("items") };
                    answer(range, &mut lines)?;
                    Ok(lines.failed)
                })?;
                (footer, "is written")
            }
        };
        match json {
            true => print_line(serde_json::to_string(&footer)?)?,
            false => print_line(format_args!(
                "{} {what}: {} items, {} without an answer",
                path.display(),
                grouped(&footer.items.to_string()),
                grouped(&footer.failed.to_string())
            ))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Lines<'_> {
    /// Writes a line.
    fn put(&mut self, line: &impl Serialize, is_answered: bool) -> Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.failed += u64::from(!is_answered);
        Ok((self.put)(&bytes)?)
    }

    /// Tells how much is done.
    fn reached(&self, range: &Range<u64>, place: u64) {
        let length = (range.end - range.start).max(1);
        self.progress.set(((place.min(range.end) - range.start) as f64 / length as f64).min(1.0));
    }
}

/// One digest of the contents of several files, in their order.
fn digest<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<String> {
    let mut all = Hasher::new();
    for file in files {
        all.update(sha256_file(file)?.as_bytes());
    }
    Ok(all.finish().to_string())
}
