//! `infer eval bert-qa` without SQuAD: every output against float64, the article's question, and the timing.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use cli::eval::EvalBertQaArgs;
use cli::export::ExportModel;
use infer::engine::EngineError;
use infer::engine_name::EngineName;
use infer::field::Field;
use infer::network::Agreement;
use infer::question_answering::answer::Reader;
use infer::question_answering::check_signature;
use infer::question_answering::evaluate::{agreements, cases, timed};
use infer::tensor::{ElementType, NamedTensor};
use infer::worker::EngineSpec;
use infer::worker::remote::RemoteEngine;
use models::bert::BertConfig;
use models::question_answering::{QaTokenizer, WindowOptions};

use super::network::{self, Network, unusual, weights};
use crate::bert::{model_files, text_side};

/// Questions with the texts that hold their answers: the article's, and the same one with more around it, so that a batch
/// of both has padding.
const QUESTIONS: [(&str, &str); 2] = [
    ("Who was Jim Henson ?", "Jim Henson was a puppeteer"),
    (
        "Who was Jim Henson ?",
        "The Muppets were made for television. Jim Henson was a puppeteer, and he gave a voice to Kermit the Frog until 1990.",
    ),
];

/// Tokens in each sequence that is timed, unless the user says otherwise.
const SEQUENCE: usize = 128;

struct Bert<'a> {
    arguments: &'a EvalBertQaArgs,
    config: BertConfig,
    tokenizer: QaTokenizer,
    files: [PathBuf; 2],
    /// The files of the folder that are read.
    read: Vec<PathBuf>,
    /// Tokens in each sequence that is timed.
    sequence: usize,
}

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(arguments: &EvalBertQaArgs, out: &Path) -> Result<ExitCode> {
    let (tokenizer, config) = text_side(&arguments.hf_dir)?;
    let longest = config.max_position_embeddings;
    let sequence = match arguments.sequence {
        Some(given) if given > longest => bail!("--sequence {given} is more than the {longest} tokens of the network"),
        Some(given) => given,
        None => SEQUENCE.min(longest),
    };
    let files = ["config.json", "model.safetensors"].map(|name| arguments.hf_dir.join(name));
    network::execute(
        &Bert { arguments, config, tokenizer, files, read: model_files(&arguments.hf_dir), sequence },
        &arguments.measure,
        out,
    )
}

impl Bert<'_> {
    fn reader(&self) -> Reader<'_> {
        Reader { tokenizer: &self.tokenizer, config: &self.config, windows: WindowOptions::default() }
    }
}

impl Network for Bert<'_> {
    const NAME: &'static str = "bert-qa";
    const ITEMS: &'static str = "questions";
    const BATCHES: &'static [usize] = &[1, 4];
    const EXPORT: &'static str = "`cargo xtask export bert-qa` makes it";
    const WEIGHTS: &'static str = "no usable weights for Burn (name their Hugging Face folder with --hf-dir)";

    fn model(&self) -> &Path {
        &self.arguments.model
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let [config, weights] = &self.files;
        vec![("config", config), ("weights", weights)]
    }

    fn read(&self) -> Vec<&Path> {
        self.read.iter().map(PathBuf::as_path).collect()
    }

    fn native(&self, seed: Option<u64>, threads: usize, exact: bool) -> EngineSpec {
        let folder = self.arguments.hf_dir.clone();
        EngineSpec::BurnBert { weights: weights(seed, &folder), folder, threads, exact }
    }

    fn elsewhere(&self, framework: &EngineName, seed: Option<u64>, threads: usize) -> Option<EngineSpec> {
        let folder = self.arguments.hf_dir.clone();
        let weights = weights(seed, &folder);
        (*framework == EngineName::Candle).then_some(EngineSpec::CandleBert { folder, weights, threads })
    }

    fn check(&self, engine: &RemoteEngine) -> Result<(), EngineError> {
        check_signature(engine, &self.arguments.model)
    }

    fn elements(&self, batch: usize) -> Vec<(ElementType, usize)> {
        vec![(ElementType::Int64, batch.saturating_mul(3 * self.sequence))]
    }

    fn cases(&self) -> Result<Vec<(String, Vec<NamedTensor>)>> {
        Ok(cases(&self.reader(), &QUESTIONS)?)
    }

    fn timed(&self, batch: usize) -> Result<Vec<NamedTensor>, EngineError> {
        timed(&self.config, batch, self.sequence)
    }

    fn agreements(&self, field: &mut Field) -> Result<Vec<Option<Agreement>>> {
        Ok(agreements(&self.reader(), field, &QUESTIONS)?)
    }

    fn notes(&self) -> Vec<String> {
        vec![format!("the times are for {} tokens a question", self.sequence)]
    }

    fn options(&self) -> String {
        let model = unusual("--model", &self.arguments.model, ExportModel::BertQa.default_out());
        let folder = unusual("--hf-dir", &self.arguments.hf_dir, ExportModel::BertQa.default_weights());
        format!(" --sequence {}{model}{folder}", self.sequence)
    }
}
