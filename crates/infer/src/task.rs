//! From options to what a network is asked about.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use catalogue::{Card, NetworkId, TaskKind};
use cli::task::TaskArgs;
use engines::engine::Signature;
use models::bert::BertConfig;
use models::digits::{Split, normalize};
use models::imagenet::Labels;
use models::question_answering::squad::{self, Rules, SquadQuestion};
use models::question_answering::{QaTokenizer, SpanOptions};
use networks::digits::DigitTask;
use networks::images::{Images, range};
use networks::pictures::PictureTask;
use networks::questions::task::QuestionTask;
use terminal::failure::advised;

use crate::picture_file::PictureFile;

/// The endings of the pictures that are taken out of a folder.
const ENDINGS: [&str; 8] = ["bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// Tokens in each sequence that is timed, unless the user says otherwise.
pub const SEQUENCE: usize = 128;

/// The article's question, and the same one with more around it, so that a batch of both has padding.
const QUESTIONS: [(&str, &str); 2] = [
    ("Who was Jim Henson ?", "Jim Henson was a puppeteer"),
    (
        "Who was Jim Henson ?",
        "The Muppets were made for television. Jim Henson was a puppeteer, and he gave a voice to Kermit the Frog until 1990.",
    ),
];

/// What the user wants a network to be asked about.
pub struct Asked<'a> {
    /// The data.
    pub data: &'a TaskArgs,
    /// The weights, beside which a configuration and a tokenizer lie.
    pub weights: &'a Path,
    /// The folder with configuration and tokenizer, where it is another.
    pub folder: Option<PathBuf>,
    /// Only so many items.
    pub limit: Option<usize>,
    /// SQuAD's questions.
    pub squad: Option<&'a Path>,
    /// Tokens in each sequence that is timed.
    pub sequence: Option<usize>,
    /// Digits: those of the training, and not those of the test.
    pub learnt: bool,
    /// A question, with the text that answers it.
    pub question: Option<(&'a str, &'a str)>,
}

/// Evaluates an expression for the task of a network, whatever its type.
macro_rules! with_task {
    ($network:ident, $id:expr, $asked:expr, $task:ident => $result:expr) => {
        match $id.task() {
            catalogue::TaskKind::Digits => {
                let $task = $asked.digits($id, &$crate::task::shape::<$network>($id, $asked)?)?;
                $result
            }
            catalogue::TaskKind::Pictures => {
                let $task = $asked.pictures::<$network>($id, &$crate::task::shape::<$network>($id, $asked)?)?;
                $result
            }
            catalogue::TaskKind::Questions => {
                let $task = $asked.questions($id.card())?;
                $result
            }
            catalogue::TaskKind::Texts => {
                let $task = $asked.texts($id.card())?;
                $result
            }
        }
    };
}
pub(crate) use with_task;

/// What the network takes and gives.
pub fn shape<N: networks::network::Network>(id: NetworkId, asked: &Asked<'_>) -> Result<Signature> {
    let folder = asked.folder.clone().or_else(|| networks::evaluate::folder(id.card(), asked.weights));
    Ok(N::signature(&N::config(folder.as_deref(), Some(asked.weights).filter(|path| path.exists()))?))
}

impl Asked<'_> {
    /// The files that are read, besides the model and its weights.
    pub fn files(&self, id: NetworkId) -> Result<Vec<PathBuf>> {
        Ok(match id.task() {
            TaskKind::Digits => networks::digits::files(&self.data.data(), self.split()).into(),
            TaskKind::Pictures => picture_files(self.data)?,
            TaskKind::Questions => {
                self.squad.map(Path::to_owned).into_iter().chain(model_files(self.weights)).collect()
            }
            TaskKind::Texts => self.data.data.iter().cloned().chain(model_files(self.weights)).collect(),
        })
    }

    /// The digits that are meant.
    fn split(&self) -> Split {
        if self.learnt { Split::Train } else { Split::Test }
    }

    /// The digits.
    pub fn digits(&self, id: NetworkId, signature: &Signature) -> Result<DigitTask> {
        let folder = self.data.data();
        let images = Images::of(signature, (normalize(0), normalize(u8::MAX)))?;
        let task = DigitTask::read(&folder, self.split(), images).with_context(|| {
            let folder = folder.display();
            format!("no usable {} in {folder} (`cargo xtask fetch {id}` gets some)", id.task())
        })?;
        match self.limit {
            None => Ok(task),
            Some(limit) => task
                .limited(limit)
                .map_err(|there| anyhow!("--limit {limit} asks for more than the {there} test images that there are")),
        }
    }

    /// The pictures.
    pub fn pictures<N: networks::network::Network>(&self, id: NetworkId, signature: &Signature) -> Result<PictureTask> {
        if self.limit.is_some() {
            bail!("--limit is for digits and questions, and {id} is for {}", id.task());
        }
        let images = Images::of(signature, range(&N::PREPROCESSING))?;
        // Classes go by their numbers where their names are not there.
        let path = self.data.labels();
        let labels = match path.is_file() || self.data.labels.is_some() {
            true => Some(Labels::read(&path, images.classes).context("--labels")?),
            false => None,
        };
        PictureFile { images, preprocessing: N::PREPROCESSING, labels }.task(self.data)
    }

    /// The questions.
    pub fn questions(&self, card: &Card) -> Result<QuestionTask> {
        let folder = networks::evaluate::folder(card, self.weights).unwrap_or_else(|| self.weights.to_owned());
        let (tokenizer, config) = text_side(card, &folder)?;
        let longest = config.max_position_embeddings;
        let sequence = match self.sequence {
            Some(given) if given > longest => {
                bail!("--sequence {given} is more than the {longest} tokens of the network")
            }
            Some(given) => given,
            None => SEQUENCE.min(longest),
        };
        if self.limit.is_some() && self.squad.is_none() {
            bail!("--limit is for the questions of --squad");
        }
        let made_up = |(question, context): (&str, &str)| SquadQuestion {
            id: question.to_owned(),
            question: question.to_owned(),
            context: context.into(),
            answers: Vec::new(),
            rules: Rules::Version1,
        };
        let mut questions = match (self.squad, self.question) {
            (Some(path), _) => squad::read(path)?,
            (None, Some(question)) => vec![made_up(question)],
            (None, None) => QUESTIONS.map(made_up).into(),
        };
        questions.truncate(self.limit.unwrap_or(usize::MAX));
        let usual = SpanOptions::default();
        let options = SpanOptions { max_tokens: self.data.max_answer_tokens.unwrap_or(usual.max_tokens), ..usual };
        Ok(QuestionTask { tokenizer, config, folder, questions, options, sequence })
    }
}

/// The files that a task of pictures reads.
pub fn picture_files(data: &TaskArgs) -> Result<Vec<PathBuf>> {
    let labelled = data.data.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let labelled = labelled.filter_map(|class| pictures_in(&class.path()).ok()).flatten();
    Ok(pictures(&data.images)?.into_iter().chain(labelled).chain([data.labels()]).collect())
}

/// Tokenizer and configuration of a Hugging Face folder.
pub fn text_side(card: &Card, folder: &Path) -> Result<(QaTokenizer, BertConfig)> {
    let path = folder.join("config.json");
    let config = BertConfig::read(&path).map_err(|error| {
        anyhow!(advised(&error, &path, &format!("no usable folder with a configuration ({})", card.ways_to_weights())))
    })?;
    Ok((QaTokenizer::open(folder)?, config))
}

/// The files of a Hugging Face folder that are there and that a model is made of, by their usual names.
fn model_files(folder: &Path) -> Vec<PathBuf> {
    let known = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let weights = ["safetensors", "bin", "index.json"].iter().any(|ending| name.ends_with(ending));
        weights || name.contains("token") || ["config.json", "vocab.txt"].contains(&&*name)
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(known).collect()
}

/// The pictures that the paths name; those of a folder by name.
pub fn pictures(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut files = pictures_in(path)?;
        if files.is_empty() {
            bail!("{} holds no pictures (files ending in {})", path.display(), ENDINGS.join(", "));
        }
        found.append(&mut files);
    }
    Ok(found)
}

/// The pictures in a folder, by name.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let file = entry.with_context(failed)?.path();
        let ending = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if ENDINGS.contains(&ending.as_str()) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
