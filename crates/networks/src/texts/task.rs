//! Texts as a task: what is asked, and how well the answers do.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use engines::engine::{Engine, EngineError};
use engines::tensor::NamedTensor;
use evaluation::task::{Case, Figure, Metric, Shipped, Task};
use models::bert::Sequence;
use models::encoder::{EncoderTask, EncoderTokenizer, Problem, Side, TokenBatch};
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Text, TextReader, cosine};
use super::data::{Entry, Gold};
use super::entities::spans;
use super::{inputs, random, unsuitable};

/// Texts that cannot be used and are shown.
const SHOWN: usize = 20;

/// Texts that are compared with float64.
const COMPARED: usize = 4;

/// Texts to ask about.
pub struct TextTask {
    /// The tokenizer and the sizes of the network.
    pub reader: TextReader,
    /// The folder that both come from.
    pub folder: PathBuf,
    /// The texts, with what is right where that is known.
    pub entries: Vec<Entry>,
    /// Tokens in each text that is timed.
    pub sequence: usize,
}

/// What came of a text: the answer, of two texts in sentence embeddings the cosine, or why it cannot be used.
pub type Told = Result<Said, String>;

/// What an engine said of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Of a text.
    One(Answer),
    /// How alike two texts are.
    Alike(f64),
}

impl TextTask {
    fn compares(&self) -> bool {
        self.reader.config.task == EncoderTask::SentenceEmbeddings
    }

    /// The tags of the words, by the first token of each.
    fn tags(&self, answer: &Answer, words: &[(usize, usize)]) -> Vec<String> {
        let Answer::Entities(entities) = answer else { return vec!["O".to_owned(); words.len()] };
        words
            .iter()
            .map(|(start, _)| {
                let inside = entities.iter().find(|entity| (entity.start..entity.end).contains(start));
                inside.map_or_else(
                    || "O".to_owned(),
                    |entity| format!("{}-{}", if entity.start == *start { "B" } else { "I" }, entity.entity),
                )
            })
            .collect()
    }

    fn classified(&self, answers: &[Told]) -> Vec<Metric> {
        let labels = &self.reader.config.labels;
        let mut counts = vec![[0_usize; 3]; labels.len()];
        let (mut right, mut known) = (0, 0);
        for (entry, answer) in self.entries.iter().zip(answers) {
            let Some(Gold::Label(gold)) = entry.gold else { continue };
            known += 1;
            let best = match answer {
                Ok(Said::One(Answer::Labels(found))) => found.first().map(|label| label.label.as_str()),
                _ => None,
            };
            let best = best.and_then(|best| labels.iter().position(|label| label == best));
            right += usize::from(best == Some(gold));
            let mut count = |label: usize, which: usize| {
                counts.get_mut(label).and_then(|row| row.get_mut(which)).into_iter().for_each(|count| *count += 1);
            };
            match best {
                Some(best) if best == gold => count(gold, 0),
                best => {
                    count(gold, 2);
                    best.into_iter().for_each(|best| count(best, 1));
                }
            }
        }
        if known == 0 {
            return Vec::new();
        }
        // As scikit-learn: the mean over the labels that stand in either column.
        let present = counts.iter().filter(|[hit, extra, missed]| hit + extra + missed > 0);
        let scores: Vec<f64> = present.map(|[hit, extra, missed]| f1(*hit, *extra, *missed)).collect();
        let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
        vec![Metric::count("accuracy", right, known), Metric::percent("macro F1", 100.0 * mean)]
    }

    fn tagged(&self, answers: &[Told]) -> Vec<Metric> {
        let [mut hit, mut extra, mut missed] = [0; 3];
        for (entry, answer) in self.entries.iter().zip(answers) {
            let Some(Gold::Tags(tags, words)) = &entry.gold else { continue };
            let gold = spans(tags);
            let found = match answer {
                Ok(Said::One(answer)) => spans(&self.tags(answer, words)),
                _ => Vec::new(),
            };
            let right = found.iter().filter(|span| gold.contains(span)).count();
            hit += right;
            extra += found.len() - right;
            missed += gold.len() - right;
        }
        let share = |of: usize| 100.0 * hit as f64 / of.max(1) as f64;
        match hit + missed {
            0 => Vec::new(),
            _ => vec![
                Metric::percent("entity precision", share(hit + extra)),
                Metric::percent("entity recall", share(hit + missed)),
                Metric::percent("entity F1", 100.0 * f1(hit, extra, missed)),
            ],
        }
    }

    fn filled(&self, answers: &[Told]) -> Vec<Metric> {
        let [mut first, mut among, mut known] = [0; 3];
        for (entry, answer) in self.entries.iter().zip(answers) {
            let Some(Gold::Word(word)) = &entry.gold else { continue };
            known += 1;
            let Ok(Said::One(Answer::Fillings(masks))) = answer else { continue };
            let place =
                masks.first().and_then(|fillings| fillings.iter().position(|one| one.token.trim() == word.trim()));
            first += usize::from(place == Some(0));
            among += usize::from(place.is_some_and(|place| place < 5));
        }
        match known {
            0 => Vec::new(),
            _ => vec![Metric::count("right", first, known), Metric::count("among the best 5", among, known)],
        }
    }

    fn ranked(&self, answers: &[Told]) -> Vec<Metric> {
        let pair = |(entry, answer): (&Entry, &Told)| {
            let Some(Gold::Number(gold)) = entry.gold else { return None };
            match answer {
                Ok(Said::Alike(cosine)) => Some((gold, *cosine)),
                Ok(Said::One(Answer::Labels(labels))) => Some((gold, f64::from(labels.first()?.score))),
                _ => None,
            }
        };
        let pairs: Vec<(f64, f64)> = self.entries.iter().zip(answers).filter_map(pair).collect();
        match spearman(&pairs) {
            Some(found) => vec![Metric::percent("Spearman", 100.0 * found)],
            None => Vec::new(),
        }
    }
}

fn f1(hit: usize, extra: usize, missed: usize) -> f64 {
    match 2 * hit + extra + missed {
        0 => 0.0,
        all => 2.0 * hit as f64 / all as f64,
    }
}

/// Spearman's coefficient of rank correlation, with mean ranks for equals; `None` where one side does not vary.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let ranks = |values: Vec<f64>| -> Vec<f64> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        let value = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        order.sort_by(|a, b| value(*a).total_cmp(&value(*b)));
        let mut ranks = vec![0.0; values.len()];
        let mut first = 0;
        for equal in order.chunk_by(|a, b| value(*a) == value(*b)) {
            let rank = first as f64 + (equal.len() as f64 - 1.0) / 2.0;
            for index in equal {
                ranks.get_mut(*index).into_iter().for_each(|slot| *slot = rank);
            }
            first += equal.len();
        }
        ranks
    };
    let (a, b) = (ranks(pairs.iter().map(|pair| pair.0).collect()), ranks(pairs.iter().map(|pair| pair.1).collect()));
    let mean = (pairs.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let lengths = (product(&a, &a) * product(&b, &b)).sqrt();
    (lengths > 0.0).then(|| product(&a, &b) / lengths)
}

impl Task for TextTask {
    /// Which text, from zero.
    type Item = usize;
    type Answer = Told;

    const ITEMS: &'static str = "texts";
    const AT_ONCE: usize = 64;

    fn count(&self) -> usize {
        self.entries.len()
    }

    fn items(&self, range: Range<usize>) -> Result<Vec<usize>, EngineError> {
        Ok(range.collect())
    }

    fn ask(&self, engine: &mut dyn Engine, items: &[usize]) -> Result<Vec<Told>, EngineError> {
        let entries: Vec<&Entry> = items.iter().filter_map(|index| self.entries.get(*index)).collect();
        // The vector of a text stands for itself; two are compared.
        let texts: Vec<Text> = entries
            .iter()
            .flat_map(|entry| match &entry.text {
                Text { text, pair: Some(pair) } if self.compares() => {
                    [text, pair].map(|text| Text { text: text.clone(), pair: None }).to_vec()
                }
                text => vec![text.clone()],
            })
            .collect();
        let mut answers = self.reader.answer_all(engine, &texts, &mut |_| ())?.into_iter();
        let mut next = || answers.next().unwrap_or(Err(models::encoder::TextError::Empty));
        Ok(entries
            .iter()
            .map(|entry| match self.compares() && entry.text.pair.is_some() {
                true => match (next(), next()) {
                    (Ok(Answer::Embedding(a)), Ok(Answer::Embedding(b))) => Ok(Said::Alike(cosine(&a, &b))),
                    (Err(error), _) | (_, Err(error)) => Err(error.to_string()),
                    _ => Err("the engine gave no vectors".to_owned()),
                },
                false => next().map(Said::One).map_err(|error| error.to_string()),
            })
            .collect())
    }

    fn name(&self, item: &usize) -> String {
        self.entries.get(*item).map_or_else(String::new, |entry| match &entry.text.pair {
            Some(pair) => format!("{} / {pair}", entry.text.text),
            None => entry.text.text.clone(),
        })
    }

    fn words(&self, answer: &Told) -> String {
        match answer {
            Err(reason) => reason.clone(),
            Ok(Said::Alike(cosine)) => format!("{cosine:.3}"),
            Ok(Said::One(Answer::Labels(labels))) => match (labels.first(), self.reader.config.problem) {
                (Some(label), Problem::Regression) => format!("{:.3}", label.score),
                (Some(label), _) => label.label.clone(),
                (None, _) => String::new(),
            },
            Ok(Said::One(Answer::Entities(entities))) => entities
                .iter()
                .map(|one| format!("{} {}–{}", one.entity, one.start, one.end))
                .collect::<Vec<_>>()
                .join(", "),
            Ok(Said::One(Answer::Fillings(masks))) => {
                masks.iter().filter_map(|mask| Some(mask.first()?.token.clone())).collect::<Vec<_>>().join(", ")
            }
            Ok(Said::One(Answer::Spans(spans))) => spans.first().map_or_else(String::new, |span| span.answer.clone()),
            // The direction of a vector, told by its largest number.
            Ok(Said::One(Answer::Embedding(vector))) => largest(vector),
            Ok(Said::One(Answer::Features(tokens))) => {
                tokens.iter().map(|token| largest(token)).collect::<Vec<_>>().join(" ")
            }
        }
    }

    fn score(&self, answers: &[Told]) -> Vec<Metric> {
        match self.reader.config.task {
            EncoderTask::TextClassification if self.reader.config.problem == Problem::Regression => {
                self.ranked(answers)
            }
            EncoderTask::TextClassification => self.classified(answers),
            EncoderTask::TokenClassification => self.tagged(answers),
            EncoderTask::FillMask => self.filled(answers),
            EncoderTask::SentenceEmbeddings => self.ranked(answers),
            EncoderTask::FeatureExtraction | EncoderTask::QuestionAnswering => Vec::new(),
        }
    }

    fn figures(&self, answers: &[Told]) -> Vec<Figure> {
        let refused = || (0..).zip(answers).filter_map(|(index, found)| Some((index, found.as_ref().err()?)));
        match refused().count() {
            0 => Vec::new(),
            total => vec![Figure::List {
                title: "Texts that cannot be used, counted as wrong".to_owned(),
                items: refused().take(SHOWN).map(|(index, reason)| format!("{}: {reason}", index + 1)).collect(),
                total,
            }],
        }
    }

    /// The first texts that can be used.
    fn cases(&self) -> Result<Vec<Case>, EngineError> {
        let usable = self.entries.iter().filter_map(|entry| self.reader.tokens(&entry.text).ok());
        let tokens: Vec<_> = usable.take(COMPARED).collect();
        let sequences: Vec<Sequence> = tokens.iter().map(|tokens| tokens.sequence()).collect();
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        let config = &self.reader.config;
        let batch = TokenBatch::padded(&sequences, Side::Right, config).map_err(unsuitable)?;
        Ok(vec![(format!("{} x {} texts", batch.batch(), batch.sequence()), inputs(&batch, config)?)])
    }

    /// Random texts of full length.
    fn timed(&self, batch: usize) -> Result<Vec<NamedTensor>, EngineError> {
        let config = &self.reader.config;
        inputs(&random(config, batch, self.sequence, None).map_err(unsuitable)?, config)
    }

    fn notes(&self) -> Vec<String> {
        let times = format!("the times are for {} tokens a text", self.sequence);
        self.reader.tokenizer.warnings().iter().cloned().chain([times]).collect()
    }

    fn shipped(&self) -> Result<Shipped, EngineError> {
        let refused = |reason: String| super::unusable("input_ids", reason);
        let entry = self.entries.first().ok_or_else(|| refused("there is no text".to_owned()))?;
        let tokens = self.reader.tokens(&entry.text).map_err(|error| refused(error.to_string()))?;
        let config = &self.reader.config;
        let batch = TokenBatch::padded(&[tokens.sequence()], Side::Right, config).map_err(unsuitable)?;
        let tokenizer = EncoderTokenizer::files(&self.folder);
        let files = tokenizer.into_iter().chain([self.folder.join("config.json")]);
        let place = |path: PathBuf| Some((format!("tokenizer/{}", path.file_name()?.to_str()?), path.clone()));
        let mut files: BTreeMap<String, PathBuf> = files.filter_map(place).collect();
        files.extend(config.sentence.files.iter().filter_map(|file| {
            Some((format!("tokenizer/{}", file.to_str()?.replace('\\', "/")), self.folder.join(file)))
        }));
        Ok(Shipped {
            example: inputs(&batch, config)?,
            about: format!("the text \"{}\"", entry.text.text),
            labels: matches!(config.task, EncoderTask::TextClassification | EncoderTask::TokenClassification)
                .then(|| config.labels.clone()),
            files,
        })
    }
}

/// Which number of a vector is the largest by its size.
fn largest(vector: &[f32]) -> String {
    let best = vector.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    best.map_or_else(String::new, |(index, value)| format!("{}{index}", if *value < 0.0 { "-" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::spearman;

    /// By SciPy's `spearmanr`.
    #[test]
    fn ranks_of_equals_are_their_mean() {
        let found = spearman(&[(1.0, 2.0), (2.0, 1.0), (2.0, 4.0), (5.0, 9.0), (4.0, 7.0)]).unwrap();
        assert!((found - 0.820_782_681_668_123_4).abs() < 1e-12, "{found}");
        assert_eq!(spearman(&[(1.0, 2.0), (1.0, 3.0)]), None);
    }
}
