//! How far a quantised model is from the float model.

use engines::tensor::{NamedTensor, Tensor};
use serde::{Deserialize, Serialize};

/// What a result is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// The share of items whose largest output is the float model's.
    Agreement,
    /// The mean cosine between the outputs of an item and the float model's.
    Cosine,
    /// The share of items whose largest output is at the place of their label.
    Accuracy,
}

impl Metric {
    /// The one that suits outputs: agreement where each is a row of values for an item, cosine otherwise.
    pub fn suiting(outputs: &[NamedTensor]) -> Self {
        let floats = || outputs.iter().filter(|output| output.tensor.as_f32().is_some());
        let row = |output: &NamedTensor| matches!(output.tensor.shape(), [_, width] if *width > 1);
        if floats().count() > 0 && floats().all(row) { Self::Agreement } else { Self::Cosine }
    }

    /// What a reader calls it, with its article.
    pub fn words(self) -> &'static str {
        match self {
            Self::Agreement => "the agreement",
            Self::Cosine => "the cosine",
            Self::Accuracy => "the accuracy",
        }
    }
}

/// The outputs of a quantised model beside those of the float model, item by item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The items: rows of the first axis.
    pub items: usize,
    /// The items whose largest value is at the same place in every output.
    pub agreeing: usize,
    /// The mean cosine of an item's outputs with the float model's.
    pub cosine: f64,
    /// The noise in the outputs as a share of the signal: the squared differences by the squares.
    pub noise: f64,
    /// Items whose right class is known.
    pub labelled: usize,
    /// How many of them the float model has right, and how many this one.
    pub correct: [usize; 2],
    /// Outputs that were compared, over all samples.
    #[serde(skip)]
    outputs: usize,
    #[serde(skip)]
    cosines: usize,
}

impl Comparison {
    /// Compares the outputs for one sample. Where a mask of zeros and ones is given, places at its zeros do not count.
    pub fn add(&mut self, float: &[NamedTensor], found: &[NamedTensor], mask: Option<&Tensor>) {
        let mut agreeing: Vec<bool> = Vec::new();
        for expected in float {
            let Some(found) = found.iter().find(|found| found.name == expected.name) else { continue };
            let (Some(wanted), Some(got)) = (rows(&expected.tensor, mask), rows(&found.tensor, mask)) else { continue };
            let (mut noise, mut signal) = (0.0, 0.0);
            agreeing.resize(wanted.len().max(agreeing.len()), true);
            for (index, (wanted, got)) in wanted.iter().zip(&got).enumerate() {
                if let Some(agrees) = agreeing.get_mut(index) {
                    *agrees &= largest(wanted) == largest(got);
                }
                let pairs = || wanted.iter().zip(got).filter(|(wanted, _)| wanted.is_finite());
                let sum = |of: &dyn Fn(f64, f64) -> f64| {
                    pairs().map(|(wanted, got)| of(f64::from(*wanted), f64::from(*got))).sum::<f64>()
                };
                let (squares, others, product) =
                    (sum(&|wanted, _| wanted * wanted), sum(&|_, got| got * got), sum(&|wanted, got| wanted * got));
                noise += sum(&|wanted, got| (wanted - got).powi(2));
                signal += squares;
                let cosine =
                    if squares == others && others == product { 1.0 } else { product / (squares * others).sqrt() };
                let cosine = if cosine.is_finite() { cosine } else { 0.0 };
                self.cosine = mean(self.cosine, self.cosines, cosine);
                self.cosines += 1;
            }
            let share = if noise == 0.0 { 0.0 } else { noise / signal };
            self.noise = mean(self.noise, self.outputs, if share.is_nan() { f64::INFINITY } else { share });
            self.outputs += 1;
        }
        self.items += agreeing.len();
        self.agreeing += agreeing.iter().filter(|agrees| **agrees).count();
    }

    /// Counts what both models have right in their first output.
    pub fn judge(&mut self, float: &[NamedTensor], found: &[NamedTensor], labels: &[i128]) {
        self.labelled += labels.len();
        for (outputs, correct) in [float, found].into_iter().zip(&mut self.correct) {
            let answers = outputs.first().and_then(|output| rows(&output.tensor, None)).unwrap_or_default();
            let right = |(answer, label): &(&Vec<f32>, &i128)| {
                largest(answer).and_then(|place| i128::try_from(place).ok()) == Some(**label)
            };
            *correct += answers.iter().zip(labels).filter(right).count();
        }
    }

    /// The signal to the noise, in decibels; infinite without noise.
    pub fn signal_to_noise(&self) -> f64 {
        -10.0 * self.noise.log10()
    }

    /// How many bits the outputs are right to: the logarithm to the base 2 of the signal's amplitude as a multiple of the noise's.
    pub fn bits(&self) -> f64 {
        -0.5 * self.noise.log2()
    }

    /// How much is lost of a metric, from 0 to 1; nothing where the result is better.
    pub fn drop(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Agreement if self.items == 0 => 1.0,
            Metric::Agreement => 1.0 - self.agreeing as f64 / self.items as f64,
            Metric::Cosine => 1.0 - self.cosine,
            Metric::Accuracy => {
                let [float, found] = self.correct.map(|correct| correct as f64 / self.labelled.max(1) as f64);
                if self.labelled == 0 { 1.0 } else { (float - found).max(0.0) }
            }
        }
    }
}

fn mean(mean: f64, count: usize, value: f64) -> f64 {
    mean + (value - mean) / (count + 1) as f64
}

/// The place of the largest value, the first of several.
fn largest(row: &[f32]) -> Option<usize> {
    let better = |best: Option<(usize, f32)>, (place, value): (usize, &f32)| match best {
        Some((_, most)) if *value <= most || value.is_nan() => best,
        _ => Some((place, *value)),
    };
    row.iter().enumerate().fold(None, better).map(|(place, _)| place)
}

/// The values of each item, without those that a mask leaves out; `None` if they are no floats.
fn rows(tensor: &Tensor, mask: Option<&Tensor>) -> Option<Vec<Vec<f32>>> {
    let elements = tensor.as_f32()?;
    let items = tensor.shape().first().copied().unwrap_or(1).max(1);
    let width = (elements.len() / items).max(1);
    let kept = mask.filter(|mask| tensor.shape().starts_with(mask.shape())).and_then(Tensor::to_whole);
    let keep = |place: usize| match &kept {
        Some(kept) => kept.get(place * kept.len() / elements.len().max(1)).is_none_or(|kept| *kept != 0),
        None => true,
    };
    let row = |(item, row): (usize, &[f32])| {
        row.iter().enumerate().filter(|(place, _)| keep(item * width + place)).map(|(_, value)| *value).collect()
    };
    Some(elements.chunks(width).enumerate().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(shape: [usize; 2], values: Vec<f32>) -> Vec<NamedTensor> {
        vec![NamedTensor::new("y", Tensor::new(shape, values).unwrap())]
    }

    #[test]
    fn items_are_compared_one_by_one() {
        let mut comparison = Comparison::default();
        let float = named([2, 2], vec![1.0, 0.0, 0.0, 2.0]);
        comparison.add(&float, &float, None);
        assert_eq!((comparison.items, comparison.agreeing, comparison.cosine, comparison.noise), (2, 2, 1.0, 0.0));
        // The first item turns by a right angle, the second doubles: noise 1 + 1 and 4, signal 1 and 4.
        comparison.add(&float, &named([2, 2], vec![0.0, 1.0, 0.0, 4.0]), None);
        assert_eq!((comparison.items, comparison.agreeing, comparison.cosine), (4, 3, 0.75));
        assert!((comparison.noise - (6.0 / 5.0) / 2.0).abs() < 1e-12, "{comparison:?}");
        assert_eq!(comparison.drop(Metric::Agreement), 0.25);
        assert_eq!(comparison.drop(Metric::Cosine), 0.25);
        // A hundredth of the signal is noise: 20 dB, and log2(10) bits.
        comparison.noise = 0.01;
        assert!(
            (comparison.signal_to_noise() - 20.0).abs() < 1e-12 && (comparison.bits() - 10_f64.log2()).abs() < 1e-12
        );
    }

    #[test]
    fn labels_tell_what_each_model_has_right() {
        let mut comparison = Comparison::default();
        assert_eq!(comparison.drop(Metric::Accuracy), 1.0);
        let (float, found) = (named([2, 2], vec![1.0, 0.0, 0.0, 2.0]), named([2, 2], vec![1.0, 0.0, 3.0, 2.0]));
        comparison.judge(&float, &found, &[0, 1]);
        assert_eq!((comparison.labelled, comparison.correct), (2, [2, 1]));
        assert_eq!(comparison.drop(Metric::Accuracy), 0.5);
        comparison.judge(&found, &float, &[0, 1]);
        assert_eq!(comparison.drop(Metric::Accuracy), 0.0);
    }

    #[test]
    fn padding_does_not_count_and_what_is_not_finite_is_the_worst() {
        let mask = Tensor::new([1, 2], vec![1_i64, 0]).unwrap();
        let mut comparison = Comparison::default();
        comparison.add(&named([1, 2], vec![1.0, 5.0]), &named([1, 2], vec![1.0, -9.0]), Some(&mask));
        assert_eq!((comparison.noise, comparison.cosine), (0.0, 1.0));
        comparison.add(&named([1, 2], vec![1.0, 5.0]), &named([1, 2], vec![f32::NAN, 5.0]), None);
        assert_eq!((comparison.noise, comparison.cosine), (f64::INFINITY, 0.5));
    }
}
