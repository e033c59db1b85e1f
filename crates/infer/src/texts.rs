//! From options to texts, and to the folder of an encoder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use catalogue::{Card, IN_FOLDER};
use models::encoder::{EncoderConfig, EncoderTask, EncoderTokenizer};
use networks::texts::answer::{Text, TextReader};
use networks::texts::data::{Entry, read};
use networks::texts::task::TextTask;
use terminal::failure::advised;

use crate::task::{Asked, SEQUENCE};

/// Labels and fillings that a text gets in an evaluation.
const TOP: usize = 5;

/// The ONNX file that `--model` names: itself, or that of the folder.
pub fn model(card: &Card, given: Option<&Path>) -> PathBuf {
    match given {
        Some(folder) if folder.is_dir() => folder.join(IN_FOLDER),
        Some(file) => file.to_owned(),
        None => card.model(),
    }
}

/// The folder with configuration and tokenizer that an ONNX file lies in, as `export` writes it; `None` if it lies alone.
pub fn folder(model: &Path) -> Option<PathBuf> {
    let around = model.parent()?;
    // Files of integers lie beside the float one.
    let inner = Path::new(IN_FOLDER).parent().unwrap_or(Path::new(""));
    let folders = [around.parent().filter(|_| around.ends_with(inner)), Some(around)];
    folders.into_iter().flatten().find(|folder| folder.join("config.json").is_file()).map(Path::to_owned)
}

/// Configuration and tokenizer of a folder.
pub fn reader(card: &Card, folder: &Path, top: usize) -> Result<TextReader> {
    let path = folder.join("config.json");
    let config = EncoderConfig::read(folder, None).map_err(|error| {
        anyhow!(advised(&error, &path, &format!("no usable folder with a configuration ({})", card.ways_to_weights())))
    })?;
    let tokenizer = EncoderTokenizer::open(folder, &config)?;
    Ok(TextReader { tokenizer, config, top })
}

impl Asked<'_> {
    /// The folder with configuration and tokenizer.
    fn text_folder(&self, card: &Card) -> PathBuf {
        let beside = || networks::evaluate::folder(card, self.weights).unwrap_or_else(|| self.weights.to_owned());
        self.folder.clone().unwrap_or_else(beside)
    }

    /// The texts of --data, or a few that are made up.
    pub fn texts(&self, card: &Card) -> Result<TextTask> {
        let folder = self.text_folder(card);
        let reader = reader(card, &folder, TOP)?;
        let longest = reader.config.longest();
        let sequence = match self.sequence {
            Some(given) if given > longest => {
                bail!("--sequence {given} is more than the {longest} tokens of the network")
            }
            Some(given) => given,
            None => SEQUENCE.min(longest),
        };
        let mut entries = match &self.data.data {
            Some(path) => read(path, &reader.config).context("--data")?,
            None if self.limit.is_some() => bail!("--limit is for the texts of --data"),
            None => made_up(&reader),
        };
        entries.truncate(self.limit.unwrap_or(usize::MAX));
        Ok(TextTask { reader, folder, entries, sequence })
    }
}

/// Texts for an evaluation without data.
fn made_up(reader: &TextReader) -> Vec<Entry> {
    let entry = |text: &str, pair: Option<&str>| Entry {
        text: Text { text: text.to_owned(), pair: pair.map(str::to_owned) },
        gold: None,
    };
    match reader.config.task {
        EncoderTask::SentenceEmbeddings => vec![
            entry("A man is playing the guitar.", Some("Somebody makes music.")),
            entry("A man is playing the guitar.", Some("The stock market fell again on Tuesday.")),
            entry("Jim Henson was a puppeteer.", Some("The man behind the Muppets moved puppets.")),
            entry("Where is the station?", Some("The soup is cold.")),
        ],
        EncoderTask::QuestionAnswering => vec![entry("Who was Jim Henson ?", Some("Jim Henson was a puppeteer"))],
        EncoderTask::FillMask => {
            let mask = reader.tokenizer.mask().and_then(|mask| reader.tokenizer.token(mask)).unwrap_or_default();
            vec![
                entry(&format!("Paris is the {mask} of France."), None),
                entry(&format!("Jim Henson was a {mask}."), None),
            ]
        }
        _ => vec![
            entry("Jim Henson was a puppeteer.", None),
            entry("Angela Merkel lives in Berlin and worked there for sixteen years.", None),
            entry("What a dull film, and how long it was!", None),
        ],
    }
}
