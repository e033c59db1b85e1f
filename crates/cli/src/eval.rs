//! `eval`: validates an exported network on real data and times it against Burn.

use std::path::PathBuf;
use std::str::FromStr;

use catalogue::NetworkId;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use shards::Shard;

use crate::path::{reading, writing};
use crate::quantize::{QuantizeMetric, Share};
use crate::sandbox::SandboxArgs;
use crate::task::{FileTaskArgs, TaskArgs};
use crate::train::{positive, threads};

/// Validate an ONNX file on real data, beside Burn, and time both.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask eval mnist                   all 10,000 test digits, then the timing
  cargo xtask eval mnist --limit 1000 --batches 1,32 --seconds 1
  cargo xtask eval mnist --engines ort:cpu,ort:openvino,tract --provider-option openvino.num_streams=1
  cargo xtask eval mnist --out new.json --compare artifacts/mnist/eval.json --fail-if-slower
  cargo xtask eval mnist --engines tract --bisect      the node where tract departs, if it does
  cargo xtask eval alexnet --image photographs/
  cargo xtask eval bert-qa --squad dev-v1.1.json --limit 100
  cargo xtask eval encoder --model out/sst2 --hf-dir ~/models/sst2 --data dev.jsonl
  cargo xtask eval bert-qa --squad dev-v1.1.json --shard 3/8 --out parts     the answers of the fourth of eight parts
  cargo xtask eval bert-qa --squad dev-v1.1.json --merge parts               the metrics of all of them
  cargo xtask eval all --image photographs/
  cargo xtask eval --onnx model.onnx --shape batch=8 --engines ort:cpu,tract
  cargo xtask eval --onnx model.onnx --batches 1,8,64 --compare earlier.json --fail-if-slower
  cargo xtask eval --onnx cats.onnx --task image-classification --data photographs/    photographs/CLASS/PICTURE
  cargo xtask eval --onnx model.onnx --inputs test_data_set_0 --expected test_data_set_0
  cargo xtask eval --onnx new.onnx --against old.onnx --bisect    where two files part ways
  cargo xtask eval --onnx cats.int8.onnx --float cats.onnx --max-drop 1%    a file of integers beside its float model
  cargo xtask eval mnist --model artifacts/mnist/mnist.int8.onnx

The exit status is 0 only if every engine ran where it was asked to, gives Burn's result for every item, and deviates no
further from the network in float64 than float32 does. `cargo xtask report` makes a page of the report.")]
#[command(arg_required_else_help = true)]
pub struct EvalArgs {
    /// The network, or all of them with the files in their usual places.
    #[arg(value_name = "NETWORK", conflicts_with = "onnx", required_unless_present = "onnx")]
    pub network: Option<EvalTarget>,
    /// The ONNX file of the network, of an encoder also the folder that `export` wrote [default: artifacts/NETWORK/NETWORK.onnx]
    #[arg(long, value_name = "PATH", requires = "network", conflicts_with = "onnx", value_parser = reading())]
    pub model: Option<PathBuf>,
    /// The weights that the ONNX file was made from, for Burn: a file, or a Hugging Face folder with configuration and tokenizer
    /// [default: where they are trained or fetched to]
    #[arg(long, visible_alias = "hf-dir", value_name = "PATH", requires = "network", conflicts_with = "onnx", value_parser = reading())]
    pub weights: Option<PathBuf>,
    /// Digits, questions and texts: only the first N.
    #[arg(long, value_name = "N", value_parser = positive, requires = "network", conflicts_with = "onnx")]
    pub limit: Option<usize>,
    /// Questions: SQuAD 1.1 or 2.0 in its own format, for exact match and F1 by the official definition.
    #[arg(long, value_name = "FILE", requires = "network", conflicts_with = "onnx", value_parser = reading())]
    pub squad: Option<PathBuf>,
    /// Questions: where Burn's answers go, as SQuAD's official script reads them: JSON from question identifier to text.
    #[arg(long, value_name = "FILE", requires = "squad", value_parser = writing())]
    pub predictions: Option<PathBuf>,
    /// Ask one engine about one part of the items, I of N counted from 0, and keep its answers in the folder of --out; nothing is timed or
    /// compared. /N takes I from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX. A part that is there and whole is left.
    #[arg(long, value_name = "I/N", group = "parts", requires = "out", conflicts_with_all = ["predictions"])]
    pub shard: Option<Shard>,
    /// Make the metrics of the parts in a folder, with the same options; to the last bit those of one part of one. The report goes to
    /// --out [default: FOLDER/evaluation.json]
    #[arg(long, value_name = "FOLDER", group = "parts", value_parser = reading())]
    pub merge: Option<PathBuf>,
    /// Questions and texts: tokens in each sequence that is timed [default: 128, or as many as the network takes if that is fewer]
    #[arg(long, value_name = "N", value_parser = positive, requires = "network", conflicts_with = "onnx")]
    pub sequence: Option<usize>,
    /// The data.
    #[command(flatten)]
    pub task: TaskArgs,
    /// A file from anywhere instead.
    #[command(flatten)]
    pub file: EvalOnnxArgs,
    /// What the file is for.
    #[command(flatten)]
    pub file_task: FileTaskArgs,
    /// What a file of 8-bit integers is compared with.
    #[command(flatten)]
    pub quantised: QuantisedArgs,
    /// Where the report goes, as JSON with every sample [default: artifacts/NETWORK/eval.json, of a file of integers
    /// artifacts/NETWORK/eval.int8.json, with --onnx artifacts/report/onnx.json]
    #[arg(long, value_name = "FILE", value_parser = writing())]
    pub out: Option<PathBuf>,
    /// How it is measured.
    #[command(flatten)]
    pub measure: MeasureArgs,
}

/// Options for a file that computes with 8-bit integers.
///
/// Such a file is not judged by the limits of float32, but by what it loses beside the float model that it was made from. What is not
/// said here comes from the report that `quantize` wrote beside the file.
#[derive(Debug, Clone, Default, Args)]
pub struct QuantisedArgs {
    /// A file of 8-bit integers: the float model that it was made from, to compare and time it with [default: the one that the report
    /// beside the file names, of a network its usual file]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["against", "tolerance", "expected"], value_parser = reading())]
    pub float: Option<PathBuf>,
    /// A file of 8-bit integers: how much worse than the float model it may be: a share, as in 0.01, or per cent, as in 1%
    /// [default: that of the report beside the file, or 1%]
    #[arg(long, value_name = "SHARE")]
    pub max_drop: Option<Share>,
    /// A file of 8-bit integers: what --max-drop is a drop of [default: the measures of the task where answers are known, otherwise that
    /// of the report beside the file, or agreement for one row of values an item, and cosine for others]
    #[arg(long, value_enum)]
    pub metric: Option<QuantizeMetric>,
}

impl QuantisedArgs {
    /// The first of these options that is given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (self.float.is_some(), "--float"),
            (self.max_drop.is_some(), "--max-drop"),
            (self.metric.is_some(), "--metric"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, option)| option)
    }
}

/// What is evaluated by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvalTarget {
    /// One network.
    One(NetworkId),
    /// Every network.
    All,
}

impl EvalTarget {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::One(network) => network.card().name,
            Self::All => "all",
        }
    }
}

impl ValueEnum for EvalTarget {
    fn value_variants<'a>() -> &'a [Self] {
        const TARGETS: [EvalTarget; NetworkId::ALL.len() + 1] = {
            let mut targets = [EvalTarget::All; NetworkId::ALL.len() + 1];
            let mut index = 0;
            while index < NetworkId::ALL.len() {
                targets[index] = EvalTarget::One(NetworkId::ALL[index]);
                index += 1;
            }
            targets
        };
        &TARGETS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::One(network) => network.to_possible_value(),
            Self::All => Some(PossibleValue::new("all").help("Every network")),
        }
    }
}

/// Options for an ONNX file from anywhere.
///
/// The reference is ONNX Runtime on the CPU with no optimisation of the graph, on the same file or on the one that --against
/// names. In float64 it says how far float32 deviates, and an engine may deviate 16 times as far.
#[derive(Debug, Clone, Args)]
pub struct EvalOnnxArgs {
    /// Compare and time every engine on this ONNX file, whatever network it is. The options below are for it.
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub onnx: Option<PathBuf>,
    /// The size of a dynamic axis. If not given it is that of --inputs, the least that the exporter says, at least 16 pixels and twice
    /// the strides for an image, or 1. An axis without a name is INPUT.INDEX, as in `x.0`. May be repeated.
    #[arg(long = "shape", value_name = "AXIS=SIZE", requires = "onnx")]
    pub shapes: Vec<AxisSize>,
    /// The dynamic axis that counts items, which --batches and the scenarios change.
    ///
    /// [default: `batch`, `batch_size` or `N`, or the first axis of the first input if that is dynamic]
    #[arg(long, value_name = "AXIS", requires = "onnx")]
    pub batch_axis: Option<String>,
    /// Inputs of your own, which are validated besides random ones in the range of the operators that take them, and whose sizes are the default for --shape: a .safetensors file with a tensor for each
    /// input by its name, or a folder with ONNX's input_0.pb, input_1.pb, …. May be repeated.
    #[arg(long = "inputs", value_name = "PATH", requires = "onnx", value_parser = reading())]
    pub inputs: Vec<PathBuf>,
    /// Validate and time the inputs of --inputs alone, and make up none.
    #[arg(long, requires = "inputs")]
    pub only_inputs: bool,
    /// The outputs that you know to be right for the inputs of --inputs, one PATH for each in the same order: a .safetensors file with
    /// a tensor for each output by its name, or a folder with ONNX's output_0.pb, output_1.pb, …. Every engine is compared with them,
    /// too; the limit is --tolerance, or 1e-3 of the largest value.
    #[arg(long = "expected", value_name = "PATH", requires = "inputs", value_parser = reading())]
    pub expected: Vec<PathBuf>,
    /// Let engines deviate from the reference by this share of the largest value of an output, however far float32 deviates.
    ///
    /// [default: 16 times as far as float32 deviates from float64, and at most 2 % of the largest value in a file with float16; 1e-3 where an operator has no float64 under ONNX Runtime]
    #[arg(long, value_name = "SHARE", value_parser = share, requires = "onnx")]
    pub tolerance: Option<f64>,
}

impl EvalOnnxArgs {
    /// Where the report goes unless the user says otherwise.
    pub const OUT: &str = "artifacts/report/onnx.json";
}

/// How long an engine may take for an answer unless the user says otherwise, in seconds.
pub const TIMEOUT: u64 = 600;

/// The engines that are asked for.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// What runs the file, separated by commas: tract, and ort: with a provider, as in ort:cpu; for BERT and RoBERTa also candle, which
    /// runs the weights. Burn, where it has the network, is always there to compare with. [default: ort:cpu; with --onnx every
    /// engine that works here and can load the file]
    #[arg(long, visible_alias = "engine", value_name = "NAME,…", value_delimiter = ',')]
    pub engines: Vec<String>,
    /// ONNX Runtime's execution providers, separated by commas: cpu, cuda, tensorrt, dnnl, openvino, xnnpack, or any other that
    /// ONNX Runtime takes by its name, such as coreml, qnn or webgpu. The same as --engines with ort: before each.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub providers: Vec<String>,
    /// An option of a provider, by the name that ONNX Runtime's documentation gives it. May be repeated. cuda computes without
    /// TF32, which deviates further than float32 does, unless cuda.use_tf32=1.
    #[arg(long = "provider-option", value_name = "PROVIDER.OPTION=VALUE")]
    pub provider_options: Vec<ProviderOption>,
    /// Give every engine of ONNX Runtime a session for each size of its inputs, in which the dynamic axes are fixed, for
    /// providers that are right at one size alone, such as xnnpack and dnnl of Debian 13. It takes as many times the memory.
    #[arg(long)]
    pub session_per_size: bool,
}

/// How a network is measured.
#[derive(Debug, Clone, Args)]
pub struct MeasureArgs {
    /// What runs the ONNX file.
    #[command(flatten)]
    pub engines: EngineArgs,
    /// Threads inside one operation, for every engine that is timed but tract, which has one.
    ///
    /// [default: 1; with --squad all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// The batch sizes to time, separated by commas. The latency of one item is always timed.
    ///
    /// [default: those that are usual for the network; with --onnx the size that --shape gives]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = positive)]
    pub batches: Vec<usize>,
    /// The least time to spend on each batch size, in seconds; up to twice as long where that brings an engine the runs that
    /// a percentile takes (p90 29, p99 299).
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = seconds)]
    pub seconds: f64,
    /// Run MLPerf's scenarios as well, each engine for --seconds: one item after another for the latency, or all at once for
    /// the throughput. MLPerf itself asks for 600 seconds; a shorter run says so.
    #[arg(long, value_enum, value_name = "NAME,…", value_delimiter = ',')]
    pub scenario: Vec<ScenarioName>,
    /// Compare the times with those of an earlier report. Only a change beyond the noise counts.
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub compare: Option<PathBuf>,
    /// Fail if an engine has become slower than in the report that --compare names.
    #[arg(long, requires = "compare")]
    pub fail_if_slower: bool,
    /// How long an engine may take to load, or to answer, before it counts as hung and is ended, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT as f64, value_parser = timeout)]
    pub timeout: f64,
    /// Where an engine deviates too far, find the first node whose output departs from that of the graph as it is,
    /// under ONNX Runtime with no optimisation, and the smallest part of the inputs that shows it, with as few values other
    /// than zero as a search of seconds finds. These inputs are put beside the report, as a file for `--onnx FILE --inputs`.
    #[arg(long)]
    pub bisect: bool,
    /// Take another ONNX file for the reference: an export of the same weights that is right. Its nodes are what --bisect
    /// compares with, and with --onnx its outputs are what engines are judged by. Without it the file is its own reference,
    /// which shows where an engine departs from the file.
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub against: Option<PathBuf>,
    /// Succeed where no engine failed, even if their agreement proves nothing: where an output is zero, empty or no number on all
    /// inputs, or its limit is above a tenth of its largest value.
    #[arg(long)]
    pub accept_unproven: bool,
    /// What engines may do.
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    /// Print the report as JSON instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// One of MLPerf's scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScenarioName {
    /// One item after another.
    SingleStream,
    /// All items at once.
    Offline,
}

/// An option of an execution provider: `openvino.num_streams=1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderOption {
    /// The provider.
    pub provider: String,
    /// The option.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl FromStr for ProviderOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').and_then(|(name, value)| {
            let (provider, key) = name.split_once('.')?;
            Some([provider, key, value].map(str::to_owned))
        });
        match parts {
            Some([provider, key, value]) if !provider.is_empty() && !key.is_empty() && !text.contains('\0') => {
                Ok(Self { provider, key, value })
            }
            _ => Err("it has the form PROVIDER.OPTION=VALUE".to_owned()),
        }
    }
}

/// The size of a dynamic axis: `batch=8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisSize {
    /// The axis.
    pub axis: String,
    /// Its size, at least 1.
    pub size: usize,
}

impl FromStr for AxisSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once('=') {
            Some((axis, size)) if !axis.is_empty() => Ok(Self { axis: axis.to_owned(), size: positive(size)? }),
            _ => Err("it has the form AXIS=SIZE".to_owned()),
        }
    }
}

/// A number above zero and at most one.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1.0 => Ok(number),
        Ok(_) => Err("it must be above 0 and at most 1".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A duration above zero.
///
/// # Errors
/// When it is none, or is longer than an hour.
pub fn seconds(text: &str) -> Result<f64, String> {
    duration(text, 3600.0)
}

/// A duration above zero and at most a day.
fn timeout(text: &str) -> Result<f64, String> {
    duration(text, 86_400.0)
}

fn duration(text: &str, most: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= most => Ok(number),
        Ok(_) => Err(format!("it must be above 0 and at most {most}")),
        Err(error) => Err(error.to_string()),
    }
}
