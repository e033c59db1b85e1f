//! Where a network's weights come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use artifact::sha256_file;
use models::weights::{Checkpoint, LoadReport};

use crate::provenance;

/// The weights that a file is made from, for the record.
pub struct Source {
    /// The file, or `random weights from seed N`.
    pub weights: PathBuf,
    /// The Hugging Face folder, where there is one.
    pub folder: Option<PathBuf>,
    /// Every file that it was read from.
    pub files: Vec<PathBuf>,
    /// The entries of the file's metadata.
    pub metadata: BTreeMap<String, String>,
    /// What a reader of the result should know first.
    pub notes: Vec<String>,
}

impl Source {
    /// Weights from a checkpoint. What was done to fit it to the network is noted.
    pub fn checkpoint(checkpoint: &Checkpoint, report: &LoadReport, revision: Option<&str>) -> Result<Self> {
        let weights = checkpoint.path().to_owned();
        let mut metadata = provenance::of(&weights, revision)?;
        for shard in checkpoint.files().filter(|file| *file != weights) {
            let name = shard.file_name().unwrap_or_default().to_string_lossy();
            metadata.insert(format!("weights.sha256.{name}"), sha256_file(shard)?.to_string());
        }
        let files = checkpoint.files().map(Path::to_owned).chain([weights.clone()]).collect();
        Ok(Self { weights, folder: None, files, metadata, notes: report.notes() })
    }

    /// Random weights.
    pub fn random(seed: u64, revision: Option<&str>) -> Self {
        let said = format!("random weights from seed {seed}");
        let warning = format!("{said}: what this network computes means nothing");
        let mut metadata = BTreeMap::from([
            ("weights.random_init".to_owned(), seed.to_string()),
            ("warning".to_owned(), warning.clone()),
        ]);
        if let Some(revision) = revision {
            metadata.insert("code.revision".to_owned(), revision.to_owned());
        }
        Self { weights: said.into(), folder: None, files: Vec::new(), metadata, notes: vec![warning] }
    }
}
