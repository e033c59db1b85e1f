//! A part of many items: of which run it is, and the file that it becomes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::{FileError, Hasher, sha256_file};
use engines::engine_name::EngineName;
use onnx_model::Survey;
use serde::Serialize;
use shards::{Header, Shard, State, state};
use terminal::program::{note, print_line};
use terminal::progress::Progress;
use terminal::table::grouped;

use crate::predict::engines::{Opened, warning};

/// The one engine of a part, which runs the ONNX file.
///
/// # Errors
/// When there are others.
pub fn single(engines: &[EngineName]) -> Result<()> {
    match engines {
        [EngineName::Ort(_) | EngineName::Tract] => Ok(()),
        _ => bail!("--shard takes one --engine that runs the ONNX file: ort:… or tract"),
    }
}

/// A part that is to be written.
pub struct Part<'a> {
    shard: Shard,
    folder: &'a Path,
    /// What makes this run another one than others.
    run: BTreeMap<String, String>,
    /// Whether it is told as JSON.
    json: bool,
}

/// Takes the lines of a part.
pub struct Lines<'a> {
    put: &'a mut dyn FnMut(&[u8]) -> Result<(), FileError>,
    failed: u64,
    progress: Progress,
}

impl<'a> Part<'a> {
    /// The part of a run of this engine over these files, in the folder of --out.
    pub fn of(
        shard: Shard,
        folder: Option<&'a Path>,
        opened: &Opened,
        model: PathBuf,
        inputs: &[PathBuf],
    ) -> Result<Self> {
        let folder = folder.context("--shard writes to the folder of --out")?;
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
        Ok(Self { shard, folder, run, json: false })
    }

    /// The same with an option that changes what comes out, if it was given.
    pub fn option(mut self, name: &str, value: Option<impl ToString>) -> Self {
        self.run.extend(value.map(|value| (name.to_owned(), value.to_string())));
        self
    }

    /// The same, told as JSON or in words.
    pub fn told(self, json: bool) -> Self {
        Self { json, ..self }
    }

    /// Writes the part with the lines that `answer` gives, unless it is there, whole.
    pub fn fill(
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
    pub fn put(&mut self, line: &impl Serialize, is_answered: bool) -> Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.failed += u64::from(!is_answered);
        Ok((self.put)(&bytes)?)
    }

    /// Tells how much is done.
    pub fn reached(&self, range: &Range<u64>, place: u64) {
        let length = (range.end - range.start).max(1);
        self.progress.set(((place.min(range.end) - range.start) as f64 / length as f64).min(1.0));
    }
}

/// One digest of the contents of several files, in their order.
pub fn digest<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<String> {
    let mut all = Hasher::new();
    for file in files {
        all.update(sha256_file(file)?.as_bytes());
    }
    Ok(all.finish().to_string())
}
