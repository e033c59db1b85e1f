//! `bench`: measurements beside others, which no test asserts.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use cli::path::reading;
use terminal::program::note;

use crate::native::{self, BertShape};
use crate::programs::{exit_code, fetch, succeeds};
use crate::workspace;

/// Measure something side by side with others.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench train                      a training step beside Burn's own operations and PyTorch
  cargo xtask bench train --without-python     and without PyTorch
  cargo xtask bench train -- --rounds 30       options of the benchmark itself
  cargo xtask bench train -- --network bert-qa --squad FILE   the same of BERT for question answering
  cargo xtask bench train -- --time-to 0.99    how long until 99 % of the test digits are recognised
  cargo xtask bench train -- --forward 1,64    the forward pass without gradients, at two batch sizes
  cargo xtask bench export                     our files beside PyTorch's own under ONNX Runtime (needs Python)
  cargo xtask bench pytorch                    the article's table: PyTorch and Burn against ONNX, from Rust and Python
  cargo xtask bench pytorch --bert large -- --threads 1 --seconds 30
  cargo xtask bench native                     Burn's native inference beside ONNX Runtime, several sizes and threads
  cargo xtask bench native -- --cases minilm-128,alexnet --threads 1
  cargo xtask bench roundtrip                  AlexNet to ONNX and back into Burn: the same code, answers, and time
  cargo xtask bench harness                    what the harness of `eval` costs beside a bare loop and Python
  cargo xtask bench size                       the export of networks of 1.3 and 3 GB: seconds and memory
  cargo xtask bench backend-tests              ONNX's own tests of operators, each through `eval --onnx`: counts by outcome
  cargo xtask bench int8                       files of `quantize` beside those of Python's onnxruntime.quantization
  cargo xtask bench consumers                  our files in other programs: OpenVINO, OpenCV, rten and others
  cargo xtask bench consumers -- --programs openvino,rten
  cargo xtask bench consumers -- --encoders    folders of `export encoder` in fastembed, and by text-embeddings-inference's rules
  cargo xtask bench bert-large                 BERT-large loaded, exported and asked in three engines: seconds and memory

Results with their dates are kept in docs/benchmarks.md, those of backend-tests in docs/validation.md, those of
consumers in docs/consumers.md.")]
pub struct BenchArgs {
    /// What is measured.
    #[arg(value_enum)]
    benchmark: Benchmark,
    /// A Python that has PyTorch; by default an environment is made below `target`, once, with pip (several gigabytes).
    #[arg(long, value_name = "FILE", value_parser = reading())]
    python: Option<PathBuf>,
    /// Leave out what needs Python.
    #[arg(long, conflicts_with = "python")]
    without_python: bool,
    /// The shape of the BERT in `bench pytorch`.
    #[arg(long, value_enum, default_value_t = BertShape::Base)]
    bert: BertShape,
    /// Options for the benchmark.
    #[arg(last = true)]
    options: Vec<String>,
}

/// A benchmark that stays in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// A training step by its phases; of the MNIST CNN also the time to an accuracy and the forward pass.
    Train,
    /// Our files beside PyTorch's own of the same networks, under ONNX Runtime.
    Export,
    /// The article's table: each network in its native framework and under ONNX Runtime, one item at a time.
    Pytorch,
    /// Burn's native inference beside ONNX Runtime.
    Native,
    /// AlexNet to ONNX and back into Burn, as code that burn-onnx generates.
    Roundtrip,
    /// One image through the harness of `eval`, through a bare loop, and through Python's onnxruntime.
    Harness,
    /// The export of large networks.
    Size,
    /// BERT-large from its weights to an answer, in Burn, candle and ONNX Runtime.
    BertLarge,
    /// Quantised files beside those of Python's onnxruntime.quantization, and both tools.
    Int8,
    /// Our files in other programs, each installed in an environment of its own; writes docs/consumers.md.
    Consumers,
    /// The node tests of ONNX's backend tests, evaluated one by one.
    BackendTests,
}

/// Runs a benchmark.
pub fn bench(arguments: &BenchArgs) -> Result<ExitCode> {
    match arguments.benchmark {
        Benchmark::Train => {
            let questions = arguments.options.iter().any(|option| option.contains("bert-qa"));
            need(if questions { "minilm" } else { "mnist" })?;
            run("step", python(arguments, "crates/train/benches/requirements.txt")?, &arguments.options)
        }
        Benchmark::Export => {
            need("onnxruntime")?;
            match python(arguments, "crates/export/benches/requirements.txt")? {
                Some(python) => run("beside_torch", Some(python), &arguments.options),
                None => bail!("there is nothing to compare with when PyTorch is left out"),
            }
        }
        Benchmark::Pytorch => {
            need("onnxruntime")?;
            let Some(python) = python(arguments, "crates/infer/benches/requirements.txt")? else {
                bail!("PyTorch makes the networks of this benchmark; it cannot be left out");
            };
            let folder = native::prepare(&python, arguments.bert)?;
            let mut options = vec![format!("--folder={}", folder.display())];
            options.extend(arguments.options.iter().cloned());
            run("native", Some(python), &options)
        }
        Benchmark::Native => {
            need("onnxruntime")?;
            let mut options = vec![format!("--folder={}", native::prepare_random()?.display())];
            options.extend(arguments.options.iter().cloned());
            run("inference", None, &options)
        }
        Benchmark::Roundtrip => run("roundtrip", None, &arguments.options),
        Benchmark::Harness => {
            need("onnxruntime")?;
            run("harness", python(arguments, "crates/infer/benches/one_image.txt")?, &arguments.options)
        }
        Benchmark::Size => {
            need("onnxruntime")?;
            run("size", None, &arguments.options)
        }
        Benchmark::BertLarge => {
            need("onnxruntime")?;
            run("bert_large", None, &arguments.options)
        }
        Benchmark::Int8 => {
            need("onnxruntime")?;
            need("mnist")?;
            run("int8", python(arguments, "crates/quantize/benches/requirements.txt")?, &arguments.options)
        }
        Benchmark::Consumers => {
            need("onnxruntime")?;
            need("efficientnet-lite0")?;
            run("consumers", None, &arguments.options)
        }
        Benchmark::BackendTests => {
            need("onnxruntime")?;
            let mut options = vec![format!("--data={}", backend_tests()?.display())];
            options.extend(arguments.options.iter().cloned());
            run("backend_tests", None, &options)
        }
    }
}

fn need(dataset: &str) -> Result<()> {
    match fetch(&[dataset])? {
        true => Ok(()),
        false => bail!("{dataset} cannot be had; the message above says why"),
    }
}

/// The Python for a benchmark with packages of its own, unless the user leaves it out.
fn python(arguments: &BenchArgs, requirements: &str) -> Result<Option<PathBuf>> {
    match (&arguments.python, arguments.without_python) {
        (_, true) => Ok(None),
        (Some(python), _) => Ok(Some(std::path::absolute(python).context("the current folder is gone")?)),
        (None, _) => {
            let name = arguments.benchmark.to_possible_value().map(|value| value.get_name().to_owned());
            environment(&name.unwrap_or_default(), &workspace::root().join(requirements)).map(Some)
        }
    }
}

/// The folder with the node tests of ONNX, out of its package, which is unpacked once and never run.
fn backend_tests() -> Result<PathBuf> {
    let folder = workspace::root().join("target/python/backend-tests");
    let complete = folder.join("complete");
    if !complete.is_file() {
        note(format_args!("Fetching ONNX's tests into {} (once).", folder.display()));
        let requirements = workspace::root().join("crates/infer/benches/backend_tests.txt");
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--upgrade",
            "--no-deps",
            "--only-binary=:all:",
        ]);
        pip.args(["--implementation=cp", "--python-version=3.12", "--abi=cp312", "--platform=manylinux_2_17_x86_64"]);
        pip.args(["--require-hashes", "--requirement"]).arg(requirements).arg("--target").arg(&folder);
        if !succeeds(&mut pip)? {
            bail!("ONNX's tests cannot be fetched; the message above says why");
        }
        artifact::write_atomic(complete, b"")?;
    }
    Ok(folder.join("onnx/backend/test/data/node"))
}

/// Builds and runs the benchmark `name` of whatever crate has it.
fn run(name: &str, python: Option<PathBuf>, options: &[String]) -> Result<ExitCode> {
    let mut command = workspace::cargo();
    // Of the whole workspace, so that Burn has the features that it has everywhere else and is not compiled again.
    command.args(["bench", "--workspace", "--exclude=xtask", "--bench", name, "--"]);
    if let Some(python) = python {
        command.arg("--python").arg(python);
    }
    let status = command.args(options).status().context("cargo cannot be started")?;
    Ok(exit_code(status))
}

/// The Python of an environment with the packages of `requirements`; it is made if it is not there.
fn environment(name: &str, requirements: &Path) -> Result<PathBuf> {
    let folder = workspace::root().join("target/python").join(name);
    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    if complete.is_file() {
        return Ok(python);
    }
    note(format_args!("Making a Python environment in {} (once; it takes minutes).", folder.display()));
    let made = succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?
        && succeeds(Command::new(&python).args(["-m", "pip", "install", "--requirement"]).arg(requirements))?;
    if !made {
        bail!(
            "the Python environment cannot be made (the message above says why); name a Python that has PyTorch with \
             --python FILE, or leave it out with --without-python"
        );
    }
    artifact::write_atomic(complete, b"")?;
    Ok(python)
}
