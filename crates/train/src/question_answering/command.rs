//! From the options of `train bert-qa` to a run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use artifact::sha256_file;
use catalogue::DATASETS;
use cli::train::{QuestionArgs, QuestionRecipe};
use models::bert::BertConfig;
use models::question_answering::{QaTokenizer, WindowOptions};
use models::weights::Checkpoint;
use terminal::program::{note, print_line};
use terminal::table::grouped;

use crate::device::DeviceKind;
use crate::outputs::{DataHashes, Results, Saved};
use crate::question_answering::adamw::AdamW;
use crate::question_answering::config::Config;
use crate::question_answering::data::{Data, Source};
use crate::question_answering::results::{CONFIG_FILE, network_config};
use crate::question_answering::training::{Encoder, QuestionTraining};
use crate::run::{Options, run};

/// SQuAD's files in their folder, as the manifest declares them.
const SQUAD: [&str; 2] = ["train-v1.1.json", "dev-v1.1.json"];

/// Trains BERT for question answering.
///
/// # Errors
/// When the data or the encoder cannot be used, or the training ends early.
pub fn train(arguments: &QuestionArgs) -> Result<Option<Saved>> {
    let recipe = &arguments.recipe;
    let device = DeviceKind::from(recipe.common.device());
    let (config, device) = (config(recipe, device), device.open()?);
    let (learnt, judged) = files(recipe)?;
    let encoder = encoder(&recipe.encoder)?;
    let mut hashes = DataHashes::new();
    for (name, path) in [("squad", Some(&learnt)), ("dev", judged.as_ref())] {
        hashes.extend(path.map(|path| Ok::<_, anyhow::Error>((name.to_owned(), sha256_file(path)?))).transpose()?);
    }
    hashes.extend(hashes_of(&recipe.encoder, &encoder)?);
    let data = load(recipe, &encoder, &learnt, judged.as_deref())?;
    let options = Options::of(&arguments.run, &arguments.out);
    Ok(run(QuestionTraining::new(&config, &encoder, &data, &device), hashes, &options)?.saved)
}

fn config(recipe: &QuestionRecipe, device: DeviceKind) -> Config {
    Config {
        device,
        seed: recipe.common.seed,
        epochs: recipe.epochs(),
        batch_size: recipe.batch_size(),
        learning_rate: recipe.learning_rate(),
        warm_up: recipe.warm_up,
        optimizer: AdamW { weight_decay: recipe.weight_decay, ..AdamW::default() },
        clip: recipe.clip,
        dropout: recipe.dropout as f32,
        length: recipe.length,
        stride: recipe.stride,
        hold_out: recipe.hold_out(),
        limit: recipe.common.limit,
        dry_run: recipe.common.dry_run,
    }
}

/// What is learnt from, and what is judged by if that is another file.
fn files(recipe: &QuestionRecipe) -> Result<(PathBuf, Option<PathBuf>)> {
    let folder = Path::new(DATASETS).join("squad");
    let [train, dev] = SQUAD.map(|name| folder.join(name));
    let learnt = match &recipe.squad {
        Some(path) => path.clone(),
        None if train.is_file() => train,
        None => bail!(
            "there is no {}: `cargo xtask fetch squad` gets SQuAD 1.1 from its public home; otherwise name a file in its format \
             with --squad FILE",
            train.display()
        ),
    };
    let judged = match (&recipe.dev, &recipe.squad, recipe.hold_out()) {
        (Some(path), ..) => Some(path.clone()),
        (None, None, None) => Some(dev),
        _ => None,
    };
    Ok((learnt, judged))
}

fn encoder(folder: &Path) -> Result<Encoder> {
    let unusable = || {
        format!(
            "no usable encoder in {} (`cargo xtask fetch minilm` gets one; --encoder FOLDER names another)",
            folder.display()
        )
    };
    let path = folder.join(CONFIG_FILE);
    let config = BertConfig::read(&path).with_context(unusable)?;
    let weights = Checkpoint::open(folder).with_context(unusable)?;
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let network = network_config(&read(&path)?).with_context(unusable)?;
    let mut files = vec![(CONFIG_FILE, network)];
    for path in QaTokenizer::files(folder) {
        let name = <QuestionTraining as Results>::BESIDE.iter().find(|name| path.ends_with(name));
        files.extend(name.map(|name| Ok::<_, anyhow::Error>((*name, read(&path)?))).transpose()?);
    }
    Ok(Encoder { config, weights, files })
}

/// The SHA-256 of what the encoder's folder holds and the result depends on.
fn hashes_of(folder: &Path, encoder: &Encoder) -> Result<DataHashes> {
    let tokenizer = QaTokenizer::files(folder);
    let config = folder.join(CONFIG_FILE);
    let files = encoder.weights.files().chain(tokenizer.iter().map(PathBuf::as_path)).chain([config.as_path()]);
    let hash = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok((format!("encoder/{name}"), sha256_file(path)?))
    };
    files.map(hash).collect()
}

fn load(recipe: &QuestionRecipe, encoder: &Encoder, learnt: &Path, judged: Option<&Path>) -> Result<Data> {
    let tokenizer = QaTokenizer::open(&recipe.encoder)?;
    for warning in tokenizer.warnings() {
        note(format_args!("note: {warning}"));
    }
    if tokenizer.size() > encoder.config.vocab_size {
        bail!(
            "{}: the tokenizer has {} tokens, and the network {}",
            recipe.encoder.display(),
            tokenizer.size(),
            encoder.config.vocab_size
        );
    }
    let length = recipe.length.min(encoder.config.max_position_embeddings);
    let options = WindowOptions { length, stride: recipe.stride };
    let source = Source { learnt, judged, hold_out: recipe.hold_out(), limit: recipe.common.limit };
    let data = source.load(&tokenizer, &options)?;
    let count = |number: usize| grouped(&number.to_string());
    print_line(format_args!(
        "To learn from: {} questions in {} windows; to judge by: {} questions{}",
        count(data.summary.learnt - data.summary.left_out),
        count(data.lessons.len()),
        count(data.exam.len()),
        match data.summary.held_out {
            0 => String::new(),
            articles => format!(" of the {articles} articles that are held out"),
        }
    ))?;
    if data.summary.left_out > 0 {
        let left_out = count(data.summary.left_out);
        note(format_args!(
            "note: {left_out} questions are left out: empty, too long, or with an answer outside their context"
        ));
    }
    Ok(data)
}
