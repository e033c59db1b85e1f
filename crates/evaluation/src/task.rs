//! What a network is for: items to ask engines about, and what comes of their answers.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use engines::engine::{Engine, EngineError};
use engines::tensor::NamedTensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::line_up::LineUp;

/// Inputs under a label, on which outputs are compared.
pub type Case = (String, Vec<NamedTensor>);

/// How many items are compared with float64 at once.
const CASE: usize = 32;

/// A task with its data: which digit, what is in the picture, where is the answer.
pub trait Task {
    /// What an engine is asked about.
    type Item;
    /// What it says. Parts of an evaluation keep answers as JSON.
    type Answer: Serialize + DeserializeOwned;

    /// What an item is, in the plural: `pictures`.
    const ITEMS: &'static str;

    /// Items that an engine is asked about at once.
    const AT_ONCE: usize = 32;

    /// How many items there are.
    fn count(&self) -> usize;

    /// Some of the items.
    ///
    /// # Errors
    /// When one cannot be read.
    fn items(&self, range: Range<usize>) -> Result<Vec<Self::Item>, EngineError>;

    /// An answer for each of the items.
    ///
    /// # Errors
    /// When the engine fails, or gives what is no answer.
    fn ask(&self, engine: &mut dyn Engine, items: &[Self::Item]) -> Result<Vec<Self::Answer>, EngineError>;

    /// What a reader calls an item.
    fn name(&self, item: &Self::Item) -> String;

    /// The class that an item is of, where the outputs are classes in their order and it is known.
    fn class(&self, _item: &Self::Item) -> Option<usize> {
        None
    }

    /// An answer in words. Two answers are the same if their words are.
    fn words(&self, answer: &Self::Answer) -> String;

    /// Weaker ways in which two answers can be the same, such as the best five in any order.
    fn also_same(&self, _one: &Self::Answer, _other: &Self::Answer) -> Vec<(&'static str, bool)> {
        Vec::new()
    }

    /// How well the answers to all items do, by the measures of the field.
    fn score(&self, answers: &[Self::Answer]) -> Vec<Metric>;

    /// What is worth a look in the reference's answers to all items.
    fn figures(&self, _answers: &[Self::Answer]) -> Vec<Figure> {
        Vec::new()
    }

    /// Every answer by the identifier of its item, as the field's own scripts of judgement read them; empty for a task without such.
    fn predictions(&self, _answers: &[Self::Answer]) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Some items as inputs, on which outputs are compared with float64 beside the network's own cases: the first ones, unless the
    /// task has its own choice.
    ///
    /// # Errors
    /// When they do not suit the network.
    fn cases(&self) -> Result<Vec<Case>, EngineError> {
        let count = self.count().min(CASE);
        Ok(if count == 0 { Vec::new() } else { vec![(format!("{count} {}", Self::ITEMS), self.timed(count)?)] })
    }

    /// The inputs of a timed batch.
    ///
    /// # Errors
    /// When they do not suit the network.
    fn timed(&self, batch: usize) -> Result<Vec<NamedTensor>, EngineError>;

    /// What a reader should know of the items.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// What a bundle ships beside the model.
    ///
    /// # Errors
    /// When the example cannot be made.
    fn shipped(&self) -> Result<Shipped, EngineError>;
}

/// What a bundle ships beside the model.
#[derive(Debug, Clone)]
pub struct Shipped {
    /// The input of the example, one item.
    pub example: Vec<NamedTensor>,
    /// What the example is made of: `the test image 0`.
    pub about: String,
    /// The names of the classes.
    pub labels: Option<Vec<String>>,
    /// Further files, by their place in the bundle.
    pub files: BTreeMap<String, PathBuf>,
}

/// A measure of how well answers do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name: `correct`, `F1`.
    pub name: String,
    /// Its value: a count, or a share in per cent.
    pub value: f64,
    /// What a count is out of; `None` for a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<usize>,
}

impl Metric {
    /// So many out of all.
    pub fn count(name: &str, count: usize, of: usize) -> Self {
        Self { name: name.to_owned(), value: count as f64, of: Some(of) }
    }

    /// For a table.
    pub fn text(&self) -> String {
        match self.of {
            Some(of) => crate::report::out_of(self.value as usize, of),
            None => format!("{:.2} %", self.value),
        }
    }

    /// A share, from 0 to 100.
    pub fn percent(name: &str, value: f64) -> Self {
        Self { name: name.to_owned(), value, of: None }
    }
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Figure {
    /// Counts of what was taken for what: a row for each label, a column for each answer.
    Confusion {
        /// The names of rows and columns.
        labels: Vec<String>,
        /// `counts[label][answer]`.
        counts: Vec<Vec<usize>>,
    },
    /// Small grey pictures.
    Thumbnails {
        /// What they have in common.
        title: String,
        /// Those that are shown.
        thumbnails: Vec<Thumbnail>,
        /// How many there are, those that are not shown included.
        total: usize,
    },
    /// Sentences.
    List {
        /// What they have in common.
        title: String,
        /// Those that are shown.
        items: Vec<String>,
        /// How many there are, those that are not shown included.
        total: usize,
    },
}

impl Figure {
    /// How often an item of each class was taken for each, from pairs of what it is and what it was taken for.
    pub fn confusion(labels: &[&str], pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![vec![0; labels.len()]; labels.len()];
        for (class, answer) in pairs {
            if let Some(count) = counts.get_mut(class).and_then(|row: &mut Vec<usize>| row.get_mut(answer)) {
                *count += 1;
            }
        }
        Self::Confusion { labels: labels.iter().map(|label| (*label).to_owned()).collect(), counts }
    }
}

/// A small grey picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// What stands below it.
    pub caption: String,
    /// Pixels in a row.
    pub width: usize,
    /// The pixels, row by row, two hexadecimal digits each; 0 is black.
    pub grey: String,
}

/// An engine beside the reference, item by item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Items that both were given, such as pictures.
    pub items: usize,
    /// Items for which both say the same.
    pub same: usize,
    /// Items for which both say the same in a weaker way, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub also_same: BTreeMap<String, usize>,
    /// The items for which they differ.
    pub differing: Vec<DifferingItem>,
}

/// An item for which engine and reference differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferingItem {
    /// What was given: a file, a question.
    pub item: String,
    /// What the reference says.
    pub reference: String,
    /// What the engine says.
    pub found: String,
}

/// What came of the items.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// How well the reference does, then each candidate; nothing for one that failed.
    pub metrics: Vec<Vec<Metric>>,
    /// How each candidate compares with the reference; `None` for one that failed, and where there are no items.
    pub agreements: Vec<Option<Agreement>>,
    /// What is worth a look.
    pub figures: Vec<Figure>,
    /// The reference's answers by the identifiers of their items.
    pub predictions: BTreeMap<String, String>,
}

/// Asks the reference and every candidate about all items. A candidate that fails is out. Where the reference's process is gone,
/// the candidates go on, and are compared with nothing. `progress` hears the share that is done.
///
/// # Errors
/// When an item cannot be read, or the reference fails otherwise.
pub fn ask_all<T: Task>(line_up: &mut LineUp, task: &T, progress: impl Fn(f64)) -> Result<Asked, EngineError> {
    let total = task.count();
    let mut expected: Vec<T::Answer> = Vec::new();
    let mut answers: Vec<Vec<T::Answer>> = line_up.candidates.iter().map(|_| Vec::new()).collect();
    let mut agreements: Vec<Agreement> = line_up.candidates.iter().map(|_| Agreement::default()).collect();
    for first in (0..total).step_by(T::AT_ONCE.max(1)) {
        let items = task.items(first..(first + T::AT_ONCE).min(total))?;
        let wanted = line_up.reference.survive(|engine| task.ask(engine, &items))?.unwrap_or_default();
        for ((candidate, answers), agreement) in line_up.candidates.iter_mut().zip(&mut answers).zip(&mut agreements) {
            let Some(found) = candidate.attempt(|engine| task.ask(engine, &items)) else { continue };
            for ((item, wanted), found) in items.iter().zip(&wanted).zip(&found) {
                agreement.take(task, item, wanted, found);
            }
            answers.extend(found);
        }
        expected.extend(wanted);
        progress((first + items.len()) as f64 / total as f64);
    }
    let whole = |answers: &Vec<T::Answer>| total > 0 && answers.len() == total;
    let score = |answers: &Vec<T::Answer>| if whole(answers) { task.score(answers) } else { Vec::new() };
    Ok(Asked {
        metrics: std::iter::once(&expected).chain(&answers).map(score).collect(),
        figures: if whole(&expected) { task.figures(&expected) } else { Vec::new() },
        predictions: if whole(&expected) { task.predictions(&expected) } else { BTreeMap::new() },
        agreements: answers
            .iter()
            .zip(agreements)
            .map(|(answers, found)| (whole(answers) && whole(&expected)).then_some(found))
            .collect(),
    })
}

impl Agreement {
    fn take<T: Task>(&mut self, task: &T, item: &T::Item, expected: &T::Answer, found: &T::Answer) {
        self.items += 1;
        for (way, same) in task.also_same(expected, found) {
            *self.also_same.entry(way.to_owned()).or_default() += usize::from(same);
        }
        let (reference, found) = (task.words(expected), task.words(found));
        match reference == found {
            true => self.same += 1,
            false => self.differing.push(DifferingItem { item: task.name(item), reference, found }),
        }
    }
}
