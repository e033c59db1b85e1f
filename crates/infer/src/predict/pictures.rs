//! What pictures show.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use cli::predict::PredictArgs;
use engines::engine::Engine;
use networks::pictures::predict::{Guess, guesses};
use serde::Serialize;
use terminal::failure::sentence;
use terminal::plain::line;
use terminal::progress::Progress;
use terminal::table::Table;

use super::engines::{Opened, Unopened, conclude, failures, warning};
use crate::picture_file::PictureFile;
use crate::task::pictures;

/// Pictures that run at once.
const BATCH: usize = 16;

/// Labels that are shown for a picture, unless the user says otherwise.
pub const TOP: usize = 5;

#[derive(Serialize)]
struct Report {
    /// The seed of the weights, if they are random and the labels mean nothing.
    random_init: Option<u64>,
    /// Whether all engines that gave labels put the same one first.
    agree: bool,
    /// Engines that cannot be opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Unopened>,
    pictures: Vec<Picture>,
}

#[derive(Serialize)]
struct Picture {
    image: PathBuf,
    /// Why the file gives no picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    engines: Vec<EngineGuesses>,
}

#[derive(Serialize)]
struct EngineGuesses {
    engine: String,
    #[serde(flatten)]
    found: Found,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    Guesses(Vec<Guess>),
    /// Why the engine gave none.
    Error(String),
}

/// Labels every picture and prints. A file that is no picture, or an engine that fails, costs its own labels only. The exit
/// status says whether every picture got its labels, and the same ones from all engines.
pub fn execute(arguments: &PredictArgs, file: &PictureFile, open: impl FnOnce() -> Result<Opened>) -> Result<ExitCode> {
    let paths = pictures(&arguments.task.images)?;
    if paths.is_empty() {
        bail!("name a picture or a folder of pictures with --image");
    }
    let Opened { mut engines, failed, seed, .. } = open()?;
    let mut report = Report { random_init: seed, agree: true, failed, pictures: Vec::new() };
    let progress = Progress::new("pictures");
    for chunk in paths.chunks(BATCH) {
        let mut batch = Vec::new();
        let mut pixels = Vec::new();
        for image in chunk {
            let read = file.preprocessing.apply_to_file(image);
            let error = read.as_ref().err().map(|error| sentence(error));
            batch.push(Picture { image: image.clone(), error, engines: Vec::new() });
            pixels.extend(read.into_iter().flatten());
        }
        let top = arguments.top.unwrap_or(TOP);
        label(file, &mut batch, &pixels, &mut engines, top);
        report.pictures.append(&mut batch);
        progress.set(report.pictures.len() as f64 / paths.len() as f64);
    }
    drop(progress);
    if let [Picture { error: Some(error), .. }] = report.pictures.as_slice() {
        bail!("{error}");
    }
    report.agree = report.pictures.iter().all(Picture::agrees);
    match arguments.json {
        true => crate::print(serde_json::to_string_pretty(&report)? + "\n")?,
        false => crate::print(report.text())?,
    }
    let unlabelled: Vec<&str> = report.pictures.iter().filter_map(Picture::failure).collect();
    if let Some(first) = unlabelled.first() {
        bail!("{} of {} pictures are not labelled by all engines: {first}", unlabelled.len(), report.pictures.len());
    }
    conclude(&report.failed, report.agree, "the engines see different things")
}

/// Lets every engine label those of the pictures that could be read; `pixels` are theirs, one after the other.
fn label(file: &PictureFile, batch: &mut [Picture], pixels: &[f32], engines: &mut [Box<dyn Engine>], top: usize) {
    let mut readable: Vec<&mut Picture> = batch.iter_mut().filter(|picture| picture.error.is_none()).collect();
    if readable.is_empty() {
        return;
    }
    for engine in engines {
        let found: Vec<Found> = match guesses(&file.images, engine.as_mut(), pixels.to_vec(), file.labels.as_ref(), top)
        {
            Ok(guesses) => guesses.into_iter().map(Found::Guesses).collect(),
            Err(error) => readable.iter().map(|_| Found::Error(sentence(&error))).collect(),
        };
        for (picture, found) in readable.iter_mut().zip(found) {
            picture.engines.push(EngineGuesses { engine: engine.name().to_owned(), found });
        }
    }
}

impl EngineGuesses {
    /// The labels, if there are any.
    fn guesses(&self) -> Option<&[Guess]> {
        match &self.found {
            Found::Guesses(guesses) => Some(guesses),
            Found::Error(_) => None,
        }
    }

    /// Why there are none.
    fn error(&self) -> Option<&str> {
        match &self.found {
            Found::Guesses(_) => None,
            Found::Error(error) => Some(error),
        }
    }
}

impl Picture {
    /// What kept the picture, or one of the engines, from labels.
    fn failure(&self) -> Option<&str> {
        self.error.as_deref().or_else(|| self.engines.iter().find_map(EngineGuesses::error))
    }

    /// Whether all engines that gave labels put the same class first.
    fn agrees(&self) -> bool {
        let first: Vec<Option<usize>> = self
            .engines
            .iter()
            .filter_map(EngineGuesses::guesses)
            .map(|guesses| guesses.first().map(|guess| guess.class))
            .collect();
        first.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = self.random_init.map(warning).unwrap_or_default() + &failures(&self.failed);
        // Of random weights no label may look as if it were one.
        let label = if self.random_init.is_some() { "meaningless label" } else { "label" };
        for picture in &self.pictures {
            if let Some(error) = &picture.error {
                text += &line(format_args!("FAILED: {error}"));
                continue;
            }
            text += &line(picture.image.display());
            let columns: Vec<(&str, &[Guess])> =
                picture.engines.iter().filter_map(|found| Some((found.engine.as_str(), found.guesses()?))).collect();
            let mut table = Table::new([label, "class"].into_iter().chain(columns.iter().map(|(engine, _)| *engine)));
            // Rows are the first engine's; others may hold some of the classes less likely than all that they show.
            for guess in columns.first().map(|(_, guesses)| *guesses).unwrap_or_default() {
                let mut row = vec![guess.label.clone(), guess.class.to_string()];
                for (_, guesses) in &columns {
                    let same = guesses.iter().find(|other| other.class == guess.class);
                    row.push(same.map_or_else(|| "-".to_owned(), |same| format!("{:.2} %", 100.0 * same.probability)));
                }
                table.row(row);
            }
            if !columns.is_empty() {
                text += &table.render();
            }
            for error in picture.engines.iter().filter_map(EngineGuesses::error) {
                text += &line(format_args!("FAILED: {error}"));
            }
        }
        text
    }
}
