//! `bundle`: a folder ready to ship.

use std::path::PathBuf;

use catalogue::NetworkId;
use clap::Args;

use crate::path::{reading, writing};
use crate::sandbox::SandboxArgs;
use crate::task::{FileTaskArgs, TaskArgs};
use crate::train::positive;

/// Write a folder ready to ship, or check one.
///
/// It holds the ONNX file in the layout of NVIDIA Triton's model repository, labels or tokenizer, an example request with its
/// answer, the evaluation, checksums, and a manifest that binds data, weights, code, evidence and timing by hash.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask bundle mnist                 to artifacts/bundle/mnist
  cargo xtask bundle alexnet --image dog.jpg --max-batch 16
  cargo xtask bundle bert-qa --hf-dir ~/models/my-bert-qa --out ship/bert-qa
  cargo xtask bundle --onnx cats.onnx --task image-classification --labels cats.txt --out ship/cats
  cargo xtask bundle --verify artifacts/bundle/mnist
  cargo xtask bundle mnist --sign private.pem
  cargo xtask bundle --verify artifacts/bundle/mnist --key public.pem

The network must have been exported and evaluated: what did not pass is not shipped. A folder that is there already is
replaced only if it is empty or an unchanged bundle. The exit status of --verify is 0 only
if every file is what the manifest says, nothing is missing or extra, and the example gives its answer; with --key also only
if that key signed exactly these files. OpenSSL makes keys:
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private.pem
  openssl pkey -in private.pem -pubout -out public.pem")]
pub struct BundleArgs {
    /// The network.
    #[arg(value_enum, required_unless_present_any = ["verify", "kind"])]
    pub network: Option<NetworkId>,
    /// What a file from anywhere is for, instead of a network. Its evaluation is artifacts/report/onnx.json unless another is named.
    #[command(flatten)]
    pub file: FileTaskArgs,
    /// Check this bundle whole; write nothing.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["network", "out", "onnx", "evaluation", "images", "weights"], value_parser = reading())]
    pub verify: Option<PathBuf>,
    /// The folder.
    #[command(flatten)]
    pub folder: BundleOptions,
    /// The weights of the file: for questions the Hugging Face folder with configuration and tokenizer [default: where they are
    /// trained or fetched to]
    #[arg(long, visible_alias = "hf-dir", value_name = "PATH", value_parser = reading())]
    pub weights: Option<PathBuf>,
    /// The data of the example: the first digit or picture. Without --image a picture is made up, which the manifest says.
    #[command(flatten)]
    pub task: TaskArgs,
    /// Questions: the question of the example.
    #[arg(long, value_name = "TEXT", default_value = "Who was Jim Henson ?")]
    pub question: String,
    /// Questions: the text that holds the answer.
    #[arg(long, value_name = "TEXT", default_value = "Jim Henson was a puppeteer")]
    pub context: String,
}

/// What goes into a bundle and where it goes, for any network.
#[derive(Debug, Clone, Args)]
pub struct BundleOptions {
    /// Where the bundle goes [default: artifacts/bundle/NETWORK]
    #[arg(long, value_name = "FOLDER", value_parser = writing())]
    pub out: Option<PathBuf>,
    /// The ONNX file [default: artifacts/NETWORK/NETWORK.onnx]
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub onnx: Option<PathBuf>,
    /// The evaluation of that file [default: artifacts/NETWORK/eval.json]
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub evaluation: Option<PathBuf>,
    /// The most items that Triton may put together in a batch.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive)]
    pub max_batch: usize,
    /// Sign the bundle with this private key (P-256, PEM), in the format of OpenSSF model-signing.
    #[arg(long, value_name = "KEY", value_parser = reading(), conflicts_with = "verify")]
    pub sign: Option<PathBuf>,
    /// With --verify: the public key (P-256, PEM) that must have signed the bundle.
    #[arg(long, value_name = "FILE", value_parser = reading(), requires = "verify")]
    pub key: Option<PathBuf>,
    /// What engines may do.
    #[command(flatten)]
    pub sandbox: SandboxArgs,
    /// Print the result as JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// The code's revision, for the record.
    #[arg(long, hide = true)]
    pub revision: Option<String>,
}
