//! The flowers: which species is it?

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use kiln::{Engine, EngineError, Figure, Metric, NamedTensor, Shipped, Task};

use crate::network::{SPECIES, batch};

/// A flower: its line in the file, from 1, what was measured, and the place of its species in [`SPECIES`].
pub type Flower = (usize, [f32; 4], usize);

/// Flowers that are told apart.
pub struct Flowers(pub Vec<Flower>);

/// Every fifth flower of a file, which training leaves out, or the others. Each line but the first has measures and species.
pub fn read(path: Option<&Path>, held_out: bool) -> Result<Vec<Flower>> {
    let path = path.unwrap_or(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/iris.csv")));
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let flower = |line: usize, text: &str| {
        let (measures, species) = text.rsplit_once(',')?;
        let measures: Vec<f32> = measures.split(',').map_while(|number| number.parse().ok()).collect();
        Some((line, measures.try_into().ok()?, SPECIES.iter().position(|name| *name == species)?))
    };
    let lines = (1..).zip(text.lines()).skip(1).filter(|(line, _)| (line % 5 == 0) == held_out);
    let wrong = |line| format!("{}:{line} is not four measures and a species", path.display());
    lines.map(|(line, text)| flower(line, text).with_context(|| wrong(line))).collect()
}

impl Task for Flowers {
    type Item = Flower;
    type Answer = usize;
    const ITEMS: &'static str = "flowers";

    fn count(&self) -> usize {
        self.0.len()
    }

    fn items(&self, range: Range<usize>) -> Result<Vec<Flower>, EngineError> {
        Ok(self.0[range].to_vec())
    }

    fn ask(&self, engine: &mut dyn Engine, items: &[Flower]) -> Result<Vec<usize>, EngineError> {
        let logits = engine.run(&[batch(items.iter().flat_map(|flower| flower.1).collect())])?;
        let largest = |row: &[f32]| (0..3).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0);
        Ok(logits[0].tensor.as_f32().unwrap_or_default().chunks_exact(3).map(largest).collect())
    }

    fn name(&self, (line, _, species): &Flower) -> String {
        format!("line {line}, {}", SPECIES[*species])
    }

    fn words(&self, answer: &usize) -> String {
        SPECIES[*answer].to_owned()
    }

    fn score(&self, answers: &[usize]) -> Vec<Metric> {
        let right = self.0.iter().zip(answers).filter(|((.., species), answer)| species == *answer).count();
        vec![Metric::count("correct", right, answers.len())]
    }

    fn figures(&self, answers: &[usize]) -> Vec<Figure> {
        vec![Figure::confusion(&SPECIES, self.0.iter().zip(answers).map(|(flower, answer)| (flower.2, *answer)))]
    }

    fn timed(&self, size: usize) -> Result<Vec<NamedTensor>, EngineError> {
        Ok(vec![batch(self.0.iter().cycle().take(size).flat_map(|flower| flower.1).collect())])
    }

    fn shipped(&self) -> Result<Shipped, EngineError> {
        let (example, about) = (self.timed(1)?, "the first flower that training left out".to_owned());
        Ok(Shipped { example, about, labels: Some(SPECIES.map(str::to_owned).into()), files: Default::default() })
    }
}
