//! `infer eval alexnet`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use cli::eval::EvalAlexnetArgs;
use cli::export::ExportModel;
use infer::alexnet::check_signature;
use infer::alexnet::evaluate::Pictures;
use infer::engine::EngineError;
use infer::field::Field;
use infer::network::Agreement;
use infer::progress::Progress;
use infer::tensor::{ElementType, NamedTensor};
use infer::worker::EngineSpec;
use infer::worker::remote::RemoteEngine;
use models::alexnet::IMAGE_SIZE;
use models::imagenet::Labels;

use super::network::{self, Network, named, unusual, weights};
use crate::predict::alexnet::pictures;

struct AlexNet<'a> {
    arguments: &'a EvalAlexnetArgs,
    files: Vec<PathBuf>,
    pictures: Pictures,
    labels: Option<Labels>,
}

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(arguments: &EvalAlexnetArgs) -> Result<ExitCode> {
    let files = pictures(&arguments.images)?;
    let pictures = Pictures::read(files.clone())?;
    // Classes go by their numbers where their names are not there.
    let labels = match arguments.labels.is_file() {
        true => Some(Labels::read(&arguments.labels).context("--labels")?),
        false => None,
    };
    network::execute(&AlexNet { arguments, files, pictures, labels }, &arguments.measure, &arguments.out)
}

impl Network for AlexNet<'_> {
    const NAME: &'static str = "alexnet";
    const ITEMS: &'static str = "pictures";
    const BATCHES: &'static [usize] = &[1, 4, 16];
    const EXPORT: &'static str = "`cargo xtask export alexnet` makes it";
    const WEIGHTS: &'static str = "no usable weights for Burn (`cargo xtask fetch alexnet` gets them; otherwise name a \
                                   file with --weights)";

    fn model(&self) -> &Path {
        &self.arguments.model
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        vec![("weights", &self.arguments.weights)]
    }

    fn read(&self) -> Vec<&Path> {
        self.files.iter().chain([&self.arguments.labels]).map(PathBuf::as_path).collect()
    }

    fn native(&self, seed: Option<u64>, threads: usize, exact: bool) -> EngineSpec {
        EngineSpec::BurnAlexnet { weights: weights(seed, &self.arguments.weights), threads, exact }
    }

    fn check(&self, engine: &RemoteEngine) -> Result<(), EngineError> {
        check_signature(engine, &self.arguments.model)
    }

    fn elements(&self, batch: usize) -> Vec<(ElementType, usize)> {
        vec![(ElementType::Float, batch.saturating_mul(3 * IMAGE_SIZE * IMAGE_SIZE))]
    }

    fn cases(&self) -> Result<Vec<(String, Vec<NamedTensor>)>> {
        Ok(self.pictures.cases()?)
    }

    fn timed(&self, batch: usize) -> Result<Vec<NamedTensor>, EngineError> {
        Ok(vec![self.pictures.timed(batch)?])
    }

    fn agreements(&self, field: &mut Field) -> Result<Vec<Option<Agreement>>> {
        let progress = Progress::new("pictures");
        Ok(self.pictures.agreements(field, self.labels.as_ref(), |share| progress.set(share))?)
    }

    fn notes(&self) -> Vec<String> {
        match self.pictures.is_empty() {
            true => vec!["no pictures were given (--image does that), so the inputs are random".to_owned()],
            false => Vec::new(),
        }
    }

    fn options(&self) -> String {
        let images = self.arguments.images.iter().map(|path| named("--image", path));
        let files = [
            unusual("--model", &self.arguments.model, ExportModel::Alexnet.default_out()),
            unusual("--weights", &self.arguments.weights, ExportModel::Alexnet.default_weights()),
        ];
        images.chain(files).collect()
    }
}
