//! Our files in other people's programs: which of them load the files, and whether they compute what Burn computes.
//!
//! ```sh
//! cargo xtask bench consumers
//! cargo xtask bench consumers -- --programs openvino,rten
//! ```
//!
//! `cargo xtask bench consumers -- --encoders` tries the folders of `export encoder` in the programs that embed texts with them.
//!
//! Each program has an environment of its own below `target/consumers`, with the versions of `programs.rs`, and runs as a process
//! of its own. What a run found is kept, so that programs may be tried one by one; the document is written from all of it.

mod document;
mod encoders;
mod environment;
mod exchange;
mod networks;
mod programs;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use engines::engine::Engine;
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::tensor::NamedTensor;
use evaluation::onnx_file::compare::difference;
use evaluation::onnx_file::standard::SHARE;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::networks::{Exported, Network};
use crate::programs::{Kind, PROGRAMS, Program};

/// Tries our files in other programs, and writes what came out.
#[derive(Parser)]
struct Arguments {
    /// The programs; all by default.
    #[arg(long, value_delimiter = ',')]
    programs: Vec<String>,
    /// Try folders of `export encoder` instead: fastembed, and what text-embeddings-inference wants of a folder.
    #[arg(long)]
    encoders: bool,
    /// The document.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/consumers.md"))]
    out: PathBuf,
    /// Seconds that a program may take for one file.
    #[arg(long, default_value_t = 300)]
    patience: u64,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a program made of the files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The versions and the notes that it was tried with: others make it stale.
    pub(crate) packages: Vec<String>,
    /// `2026-11-30`.
    pub(crate) date: String,
    /// Why it could not be installed.
    pub(crate) absent: Option<String>,
    pub(crate) files: Vec<FoundFile>,
}

/// What it made of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FoundFile {
    pub(crate) network: String,
    pub(crate) opset: i64,
    /// The batches that were tried in order, with the first reason against each.
    pub(crate) cases: Vec<(String, Outcome)>,
}

/// Whether a case came out right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// Within a thousandth of the largest value of each output; how far off.
    Right(f64),
    /// An answer, and not the right one.
    Wrong(String),
    /// No answer.
    Refused(String),
}

fn main() -> Result<()> {
    // SAFETY: no other thread has been started yet.
    unsafe { engines::runtime::forbid_telemetry() };
    let arguments = Arguments::parse();
    let strangers = arguments.programs.iter().find(|name| PROGRAMS.iter().all(|program| program.name != **name));
    if let Some(stranger) = strangers {
        let known: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
        bail!("there is no program `{stranger}` here; there are {}", known.join(", "));
    }
    let root = std::path::absolute(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")))?;
    let runtime = Runtime::load(&root.join("datasets/onnxruntime"))?;
    let folder = root.join("target/consumers");
    if arguments.encoders {
        return encoders::check(&root, &folder.join("encoders"), &runtime);
    }
    let networks = networks::export(&root, &folder.join("files"))?;
    let results = folder.join("results");
    for program in &PROGRAMS {
        if !arguments.programs.is_empty() && arguments.programs.iter().all(|name| name != program.name) {
            continue;
        }
        eprintln!("{} {}…", program.name, program.version());
        let found = match environment::make(program, &root) {
            Ok(environment) => {
                let mut files = Vec::new();
                for (network, exported) in
                    networks.iter().flat_map(|(network, files)| files.iter().map(move |file| (network, file)))
                {
                    let out = folder.join("outputs").join(program.name);
                    let cases = tried(program, &environment, network, exported, &out, &runtime, arguments.patience)?;
                    let opset = exported.opset;
                    eprintln!("  {} at opset {opset}: {}", network.name, document::cell(&cases));
                    files.push(FoundFile { network: network.name.to_owned(), opset, cases });
                }
                Found { packages: program.packages(), date: document::today()?, absent: None, files }
            }
            Err(error) => {
                let absent = Some(environment::last_words(&format!("{error:#}")));
                eprintln!("  not installed: {}", absent.as_deref().unwrap_or_default());
                Found { packages: program.packages(), date: document::today()?, absent, files: Vec::new() }
            }
        };
        let path = results.join(format!("{}.json", program.name));
        artifact::write_atomic(&path, serde_json::to_string_pretty(&found)?)?;
    }
    let found = PROGRAMS.iter().map(|program| Ok((program, read(&results, program)?))).collect::<Result<Vec<_>>>()?;
    artifact::write_atomic(&arguments.out, document::text(&networks, &found))?;
    println!("{}", arguments.out.display());
    Ok(())
}

/// What an earlier run found with the same versions.
fn read(results: &Path, program: &Program) -> Result<Option<Found>> {
    let path = results.join(format!("{}.json", program.name));
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let found: Found =
        serde_json::from_str(&text).with_context(|| format!("{} is damaged; remove it", path.display()))?;
    Ok(Some(found).filter(|found| found.packages == program.packages()))
}

/// All cases of a file in a program.
fn tried(
    program: &Program,
    environment: &Environment,
    network: &Network,
    exported: &Exported,
    out: &Path,
    runtime: &Runtime,
    patience: u64,
) -> Result<Vec<(String, Outcome)>> {
    let labels = || network.cases.iter().map(|case| case.label.clone());
    let all = |reason: &str| Ok(labels().map(|label| (label, Outcome::Refused(reason.to_owned()))).collect());
    if out.exists() {
        std::fs::remove_dir_all(out).with_context(|| format!("{} cannot be emptied", out.display()))?;
    }
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    if let Err(reason) = environment.run(&exported.path, &network.manifest, out, patience)? {
        return all(&reason);
    }
    match program.kind {
        Kind::Runs => {
            let heard = exchange::read_outputs(out)?;
            Ok(network
                .cases
                .iter()
                .map(|case| (case.label.clone(), judged(&case.expected, heard.get(&case.label))))
                .collect())
        }
        // What it wrote is judged by what ONNX Runtime computes with it.
        Kind::Rewrites => {
            let mut session = match Session::open(runtime, out.join("rewritten.onnx"), SessionOptions::default()) {
                Ok(session) => session,
                Err(error) => return all(&environment::last_words(&error.to_string())),
            };
            let mut outcome = |case: &networks::Case| {
                let outputs = session.run(&case.inputs).map_err(|error| environment::last_words(&error.to_string()));
                (case.label.clone(), judged(&case.expected, Some(&outputs)))
            };
            Ok(network.cases.iter().map(&mut outcome).collect())
        }
    }
}

/// Whether the outputs are those of Burn.
fn judged(expected: &[NamedTensor], found: Option<&Result<Vec<NamedTensor>, String>>) -> Outcome {
    let outputs = match found {
        None => return Outcome::Refused("it says nothing of this case".to_owned()),
        Some(Err(reason)) => return Outcome::Refused(reason.clone()),
        Some(Ok(outputs)) => outputs,
    };
    let mut worst = 0.0f64;
    for output in expected {
        let found = outputs.iter().find(|found| found.name == output.name).map(|found| &found.tensor);
        let differs = difference(output, found);
        if !differs.same_form {
            let of =
                |tensor: &engines::tensor::Tensor| format!("{} {:?}", tensor.elements().element_type(), tensor.shape());
            let (is, should) = (found.map_or_else(|| "absent".to_owned(), of), of(&output.tensor));
            return Outcome::Wrong(format!("`{}` is {is} instead of {should}", output.name));
        }
        if !differs.within(SHARE) {
            return Outcome::Wrong(format!(
                "`{}` is off by {:.1} % of its largest value",
                output.name,
                100.0 * differs.max_relative.min(10.0)
            ));
        }
        worst = worst.max(differs.max_relative);
    }
    Outcome::Right(worst)
}
