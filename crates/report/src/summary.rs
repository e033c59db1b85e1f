//! The report in short, as JSON.

use std::path::PathBuf;

use artifact::{Digest, GENERATOR};
use serde::Serialize;

use crate::chapter::{Chapter, Claim, Leader, Recipe};
use crate::collect::{Evidence, Unreadable};

/// What passed, what failed, and who is fastest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The program that wrote this.
    pub generator: String,
    /// Whether everything passed and could be read.
    pub passed: bool,
    /// The networks, in the order of the report.
    pub networks: Vec<Network>,
    /// The files that are no evaluations.
    pub unreadable: Vec<Unreadable>,
}

/// A network in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Network {
    /// Its short name.
    pub id: String,
    /// What a reader calls it.
    pub title: String,
    /// Whether everything passed.
    pub passed: bool,
    /// Each thing that went wrong.
    pub failures: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// What it achieves.
    pub claims: Vec<Claim>,
    /// The fastest engine at the smallest batch.
    pub fastest: Option<Leader>,
    /// The engine that gets through most.
    pub most: Option<Leader>,
    /// What is in a batch.
    pub items: String,
    /// The evaluation, with every sample.
    pub evaluation: PathBuf,
    /// Its SHA-256.
    pub evaluation_sha256: Digest,
    /// How to repeat every figure.
    pub commands: Vec<Recipe>,
}

/// The report in short.
pub fn summary(evidence: &[Evidence]) -> Summary {
    let networks: Vec<Network> = evidence.iter().flatten().map(network).collect();
    let unreadable: Vec<Unreadable> = evidence.iter().filter_map(|one| one.as_ref().err().cloned()).collect();
    Summary {
        generator: GENERATOR.to_owned(),
        passed: unreadable.is_empty() && networks.iter().all(|network| network.passed),
        networks,
        unreadable,
    }
}

fn network(chapter: &Chapter) -> Network {
    Network {
        id: chapter.id.clone(),
        title: chapter.title.clone(),
        passed: chapter.passed,
        failures: chapter.failures.clone(),
        notes: chapter.notes.clone(),
        claims: chapter.claims.clone(),
        fastest: chapter.fastest(),
        most: chapter.most(),
        items: chapter.items.clone(),
        evaluation: chapter.source.clone(),
        evaluation_sha256: chapter.sha256,
        commands: chapter.recipes.clone(),
    }
}

impl Summary {
    /// What passed and what failed, in a sentence.
    pub fn sentence(&self) -> String {
        let failed = self.networks.iter().filter(|network| !network.passed).count() + self.unreadable.len();
        let total = self.networks.len() + self.unreadable.len();
        match (failed, total) {
            (0, 1) => "The evaluation passed.".to_owned(),
            (0, total) => format!("All {total} evaluations passed."),
            (failed, total) => format!("{failed} of {total} evaluations failed."),
        }
    }
}

impl Leader {
    /// The engine, its time, and whether it is ahead for certain: `ort:cpu, 0.135 ms at the median`.
    pub fn sentence(&self, time: &str) -> String {
        let level = self.level_with.as_ref().map(|other| format!("; not clearly ahead of {other}")).unwrap_or_default();
        format!("{}, {time}{level}", self.engine)
    }
}
