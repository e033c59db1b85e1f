//! Encoders of every family for every task.

use std::path::Path;

use burn::tensor::{DType, Device, Int, Tensor};
use burn_export::{Axis, ExportError, ExportedModel, OnnxExporter};
use engines::engine::{Engine, EngineError, Signature};
use engines::tensor::NamedTensor;
use models::bert::Sequence;
use models::encoder::{
    AxisNames, Encoder, EncoderConfig, EncoderTask, EncoderTokenizer, Family, Outputs, Pooling, Side, TokenBatch,
};
use models::question_answering::TokenizerError;
use models::weights::{Checkpoint, LoadReport, WeightsError};
use serde_json::{Map, Value, json};

use crate::engine::output;
use crate::network::{Case, Companion, Form, Network};
use crate::texts::{inputs, random, signature, token_batch, unsuitable, unusable};

/// Lengths at which a file is compared with the network, besides the longest.
const LENGTHS: [usize; 3] = [1, 17, 128];

/// Texts at a time.
const BATCHES: [usize; 3] = [1, 2, SEVEN];
const SEVEN: usize = 7;

/// An output of fewer numbers is compared with the same texts in a batch of seven, which is compared with float64: a limit that comes out
/// of the error of a few numbers may be next to nothing by chance.
const FEW: usize = 7;

/// The tokens that are compared at once at most, so that a network for very long texts can be verified in memory.
const MOST_TOKENS: usize = 4096;

/// The numbers that are compared at once at most: logits over a vocabulary are many.
const MOST_NUMBERS: usize = 1 << 25;

/// The longest text that is compared. Attention takes the square of it.
const LONGEST: usize = 2048;

/// How far padding may move an answer, as a share of its largest number: far below what would change it, and above what the order of
/// additions does.
const PADDING: f32 = 1e-3;

/// Where programs look for the way of pooling.
const POOLING: &str = "1_Pooling/config.json";

type Ids = Tensor<2, Int>;

impl Network for Encoder {
    type Config = EncoderConfig;

    const GRAPH: &'static str = "encoder";
    const WHAT: &'static str = "such an encoder";

    fn config(folder: Option<&Path>, weights: Option<&Path>) -> Result<EncoderConfig, EngineError> {
        Self::config_in(folder, weights, &Form::default())
    }

    fn config_or_published(file: Option<&Path>) -> Result<EncoderConfig, EngineError> {
        Self::config_or_published_in(file, &Form::default())
    }

    fn config_in(folder: Option<&Path>, _weights: Option<&Path>, form: &Form) -> Result<EncoderConfig, EngineError> {
        let path = folder.unwrap_or(Path::new("")).join("config.json");
        formed(EncoderConfig::read_file(&path, task(form)?).map_err(EngineError::weights)?, form)
    }

    fn config_or_published_in(file: Option<&Path>, form: &Form) -> Result<EncoderConfig, EngineError> {
        let task = task(form)?;
        let config = match file {
            Some(file) => EncoderConfig::read_file(file, task).map_err(EngineError::weights)?,
            None => EncoderConfig::published(Family::Bert, task.unwrap_or(EncoderTask::FeatureExtraction)),
        };
        formed(config, form)
    }

    fn companions(config: &EncoderConfig, folder: &Path) -> Result<Vec<(String, Companion)>, EngineError> {
        let mut found = vec![("config.json".to_owned(), configuration(config, folder)?)];
        let named = |path: std::path::PathBuf| {
            Some((path.strip_prefix(folder).ok()?.to_str()?.replace('\\', "/"), Companion::Copy(path.clone())))
        };
        found.extend(EncoderTokenizer::files(folder).into_iter().filter_map(named));
        let tokenizer = match EncoderTokenizer::open(folder, config) {
            Ok(tokenizer) => Some(tokenizer),
            // A network can be of use without one.
            Err(TokenizerError::Missing { .. }) => None,
            Err(error) => return Err(EngineError::weights(error)),
        };
        if let Some(tokenizer) = tokenizer.filter(|_| !folder.join("tokenizer.json").is_file()) {
            let text = tokenizer.to_json().map_err(|error| unusable("tokenizer.json", error.to_string()))?;
            found.push(("tokenizer.json".to_owned(), Companion::Text(text)));
        }
        found.extend(special_tokens(folder)?);
        if config.task == EncoderTask::SentenceEmbeddings {
            for file in &config.sentence.files {
                if file.parent().is_some_and(|parent| parent.ends_with("1_Pooling")) && file.ends_with("config.json") {
                    let said = json_object(&folder.join(file))?.unwrap_or_default();
                    found.push((POOLING.to_owned(), pooling(config, said)));
                } else {
                    found.extend(named(folder.join(file)));
                }
            }
            if config.sentence.files.is_empty() {
                let modules = json!([
                    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                ]);
                found.push(("modules.json".to_owned(), Companion::Text(format!("{modules:#}\n"))));
                found.push((POOLING.to_owned(), pooling(config, Map::new())));
            }
        }
        Ok(found)
    }

    /// Padding on either side, and other texts in the batch, must not change what a text gives.
    fn examine(config: &EncoderConfig, engine: &mut dyn Engine) -> Result<(), EngineError> {
        let length = LENGTHS[1].min(config.longest());
        let kept = length.div_ceil(2);
        let texts = random(config, 2, length, None).map_err(unsuitable)?;
        let lists: Vec<&[i64]> = texts.lists(config).map(|(_, ids)| ids).collect();
        let zeros = vec![0; 2 * length];
        let text = |row: usize, count: usize| {
            let part = |list: usize| {
                lists.get(list).copied().unwrap_or(&zeros).get(row * length..row * length + count).unwrap_or_default()
            };
            // The second list is the mask.
            Sequence { input_ids: part(0), token_type_ids: part(2) }
        };
        let (long, short) = (text(0, length), text(1, kept));
        let run = |engine: &mut dyn Engine, sequences: &[Sequence], side: Side| {
            let batch = TokenBatch::padded(sequences, side, config).map_err(unsuitable)?;
            engine.run(&inputs(&batch, config)?)
        };
        let alone = run(engine, &[short], Side::Right)?;
        for (side, word) in [(Side::Right, "right"), (Side::Left, "left")] {
            let together = run(engine, &[long, short], side)?;
            for (one, both) in alone.iter().zip(&together) {
                let apart = apart(one, both, length, kept, side);
                if apart.is_none_or(|apart| apart > PADDING) {
                    return Err(EngineError::Run {
                        engine: engine.name().to_owned(),
                        reason: format!("padding on the {word} changes `{}` of a text", one.name),
                    });
                }
            }
        }
        for (length, batches) in sizes(config).into_iter().filter(|(_, batches)| batches.contains(&SEVEN)) {
            let texts = random(config, SEVEN, length, None).map_err(unsuitable)?;
            let whole = engine.run(&inputs(&texts, config)?)?;
            for batch in batches.into_iter().filter(|batch| numbers(config, *batch, length) < FEW) {
                let some = random(config, batch, length, None).map_err(unsuitable)?;
                let found = engine.run(&inputs(&some, config)?)?;
                let same = |(some, whole): (&NamedTensor, &NamedTensor)| {
                    let (some, whole) = (some.tensor.as_f32()?, whole.tensor.as_f32()?);
                    difference(some, whole.get(..some.len())?, whole)
                };
                if found.iter().zip(&whole).any(|pair| same(pair).is_none_or(|apart| apart > PADDING)) {
                    return Err(EngineError::Run {
                        engine: engine.name().to_owned(),
                        reason: format!("{batch} x {length} tokens give other outputs than in a batch of {SEVEN}"),
                    });
                }
            }
        }
        Ok(())
    }

    fn metadata(config: &EncoderConfig) -> Vec<(&'static str, String)> {
        vec![("encoder.family", config.family.model_type().to_owned()), ("encoder.task", config.task.name().to_owned())]
    }

    fn notes(folder: &Path) -> Vec<String> {
        let Ok(config) = EncoderConfig::read(folder, None) else { return Vec::new() };
        let unusable = EncoderTokenizer::open(folder, &config).err();
        let unusable =
            unusable.map(|error| format!("the network is exported, but it cannot be asked: {error}")).into_iter();
        let longest = config.longest();
        let short = (longest > LONGEST)
            .then(|| format!("of texts up to {longest} tokens, those up to {LONGEST} were compared"));
        unusable.chain(short).collect()
    }

    fn load(
        config: &EncoderConfig,
        checkpoint: &Checkpoint,
        device: &Device,
    ) -> Result<(Self, LoadReport), WeightsError> {
        Self::load(config, checkpoint.clone(), device)
    }

    fn random(config: &EncoderConfig, seed: u64, device: &Device) -> Self {
        Self::random(config, seed, device)
    }

    fn signature(config: &EncoderConfig) -> Signature {
        signature(config)
    }

    fn run(
        &self,
        config: &EncoderConfig,
        inputs: &[NamedTensor],
        device: &Device,
        _precision: DType,
    ) -> Result<Vec<NamedTensor>, EngineError> {
        let (ids, mask, types) = token_batch(inputs, config)?.to_tensors(config, device);
        let Outputs { tokens, rows } = self.forward(ids, mask, types);
        let mut names = config.task.outputs().iter();
        let mut found = Vec::new();
        for (tokens, name) in tokens.into_iter().zip(&mut names) {
            found.push(output(name, tokens)?);
        }
        for (rows, name) in rows.into_iter().zip(&mut names) {
            found.push(output(name, rows)?);
        }
        Ok(found)
    }

    /// Two or three int64 inputs, `[batch_size, sequence_length]`, and the outputs of the task.
    fn export(&self, config: &EncoderConfig, mut exporter: OnnxExporter) -> Result<ExportedModel, ExportError> {
        let [batch, sequence] = config.axes.names();
        let sequence = Axis::dynamic(sequence).range(1..=config.longest());
        for input in config.inputs() {
            exporter = exporter.input(*input, [Axis::dynamic(batch), sequence.clone()]);
        }
        for output in config.task.outputs() {
            exporter = exporter.output(*output);
        }
        let both = |Outputs { tokens, rows }| (tokens, rows);
        match config.family.has_types() {
            true => exporter.export(self, |network, (ids, mask, types): (Ids, Ids, Ids)| {
                both(network.forward(ids, mask, Some(types)))
            }),
            false => exporter.export(self, |network, (ids, mask): (Ids, Ids)| both(network.forward(ids, mask, None))),
        }
    }

    /// Random tokens at every length and batch, with padding on either side.
    fn cases(config: &EncoderConfig) -> Result<Vec<Case>, EngineError> {
        let mut cases = Vec::new();
        for (length, batches) in sizes(config) {
            let compared = |batch: &&usize| numbers(config, **batch, length) >= FEW || !batches.contains(&SEVEN);
            for &batch in batches.iter().filter(compared) {
                let (side, padded) = match batch {
                    1 => (None, ""),
                    2 => (Some(Side::Left), ", padded left"),
                    _ => (Some(Side::Right), ", padded right"),
                };
                let tokens = random(config, batch, length, side).map_err(unsuitable)?;
                let padded = if length > 1 { padded } else { "" };
                cases.push((format!("{batch} x {length} tokens{padded}"), inputs(&tokens, config)?));
            }
        }
        Ok(cases)
    }
}

/// Every length with its batches.
fn sizes(config: &EncoderConfig) -> Vec<(usize, Vec<usize>)> {
    let longest = config.longest().min(LONGEST);
    let lengths = LENGTHS.into_iter().filter(|length| *length < longest).chain([longest]);
    let width = if config.task == EncoderTask::FillMask { config.vocab_size } else { config.hidden_size };
    let fits = |batch: &usize, length: usize| {
        *batch == 1 || (batch * length <= MOST_TOKENS && batch * length * width <= MOST_NUMBERS)
    };
    lengths.map(|length| (length, BATCHES.into_iter().filter(|batch| fits(batch, length)).collect())).collect()
}

/// The numbers of the smallest output.
fn numbers(config: &EncoderConfig, batch: usize, length: usize) -> usize {
    match config.task {
        EncoderTask::TextClassification => batch * config.labels.len(),
        EncoderTask::QuestionAnswering => batch * length,
        _ => usize::MAX,
    }
}

/// The task that was asked for.
fn task(form: &Form) -> Result<Option<EncoderTask>, EngineError> {
    let named = |name: &String| {
        EncoderTask::named(name).ok_or_else(|| EngineError::Weights(format!("{name} is no task of an encoder").into()))
    };
    form.task.as_ref().map(named).transpose()
}

/// The configuration with the axes that were asked for. BERT for question answering has those of the article by default.
fn formed(config: EncoderConfig, form: &Form) -> Result<EncoderConfig, EngineError> {
    let usual = config.family == Family::Bert && config.task == EncoderTask::QuestionAnswering;
    let axes = if form.as_article.unwrap_or(usual) { AxisNames::Article } else { AxisNames::Optimum };
    Ok(EncoderConfig { axes, ..config })
}

/// The configuration for the folder of a file: as it was, unless the file is for another task.
fn configuration(config: &EncoderConfig, folder: &Path) -> Result<Companion, EngineError> {
    let path = folder.join("config.json");
    let class = format!("{}{}", config.family.title(), config.task.class());
    let text = std::fs::read(&path).map_err(artifact::FileError::new("read", &path))?;
    let said: Option<serde_json::Map<String, Value>> = serde_json::from_slice(&text).ok();
    match said {
        Some(mut said) if said.get("architectures") != Some(&json!([class])) && config.sentence.files.is_empty() => {
            said.insert("architectures".to_owned(), json!([class]));
            Ok(Companion::Text(format!("{:#}\n", Value::Object(said))))
        }
        _ => Ok(Companion::Copy(path)),
    }
}

/// A file with a JSON object; `None` if it is not there or holds something else.
fn json_object(path: &Path) -> Result<Option<Map<String, Value>>, EngineError> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read(path).map_err(artifact::FileError::new("read", path))?;
    Ok(serde_json::from_slice(&text).ok())
}

/// How vectors are pooled, in the words of old and new: text-embeddings-inference wants a switch for each way, and
/// sentence-transformers 6 writes the name of the one alone.
fn pooling(config: &EncoderConfig, mut said: Map<String, Value>) -> Companion {
    let switches = [
        ("pooling_mode_cls_token", Pooling::Cls),
        ("pooling_mode_mean_tokens", Pooling::Mean),
        ("pooling_mode_max_tokens", Pooling::Max),
        ("pooling_mode_mean_sqrt_len_tokens", Pooling::MeanSqrtLength),
    ];
    said.entry("word_embedding_dimension").or_insert(json!(config.hidden_size));
    for (switch, way) in switches {
        said.entry(switch).or_insert(json!(config.sentence.poolings.contains(&way)));
    }
    Companion::Text(format!("{:#}\n", Value::Object(said)))
}

/// `special_tokens_map.json`, which transformers 5 leaves out and fastembed asks for: the special tokens of `tokenizer_config.json`.
fn special_tokens(folder: &Path) -> Result<Option<(String, Companion)>, EngineError> {
    const NAME: &str = "special_tokens_map.json";
    const TOKENS: [&str; 7] =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    if folder.join(NAME).is_file() {
        return Ok(None);
    }
    let Some(said) = json_object(&folder.join("tokenizer_config.json"))? else { return Ok(None) };
    let is_token = |token: &&Value| token.is_string() || token.is_object();
    let named = |name: &str| Some((name.to_owned(), said.get(name).filter(is_token)?.clone()));
    let tokens: Map<String, Value> = TOKENS.into_iter().filter_map(named).collect();
    Ok(Some((NAME.to_owned(), Companion::Text(format!("{:#}\n", Value::Object(tokens))))))
}

/// How far the second text of a batch is from the same text alone, as a share of the largest number; `None` where they cannot be
/// compared. Of `length` tokens the text has `kept`.
fn apart(alone: &NamedTensor, together: &NamedTensor, length: usize, kept: usize, side: Side) -> Option<f32> {
    let (one, both) = (alone.tensor.as_f32()?, together.tensor.as_f32()?);
    let second = both.get(both.len() / 2..)?;
    let second = if one.len() == second.len() {
        second
    } else {
        let width = second.len().checked_div(length)?;
        let from = if side == Side::Left { (length - kept) * width } else { 0 };
        second.get(from..from + one.len())?
    };
    difference(one, second, both)
}

/// The largest difference of two lists, as a share of the largest number of a third; `None` where they cannot be compared.
fn difference(one: &[f32], other: &[f32], scale: &[f32]) -> Option<f32> {
    let largest = scale.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let difference = one.iter().zip(other).fold(0.0_f32, |largest, (a, b)| {
        let next = (a - b).abs();
        if next.is_nan() || next > largest { next } else { largest }
    });
    (one.len() == other.len()).then_some(if largest > 0.0 { difference / largest } else { difference })
}
