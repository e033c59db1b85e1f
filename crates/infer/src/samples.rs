//! `infer samples`: what a network is asked about, as inputs in files.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::{AtomicFolder, FileError, Outputs};
use catalogue::TaskKind;
use cli::samples::SamplesArgs;
use cli::task::suit;
use engines::engine::{Engine, EngineError, Placement, Signature};
use engines::tensor::{NamedTensor, Tensor};
use evaluation::onnx_file::given::write;
use evaluation::task::Task;
use networks::with_network;
use terminal::plain::line;

use crate::task::{Asked, shape, with_task};

/// The tensor that holds the right class of each item, as `quantize` reads it.
const LABELS: &str = "labels";

/// What an engine would be given. It keeps that and computes nothing.
struct Recorder {
    signature: Signature,
    inputs: Option<Vec<NamedTensor>>,
}

impl Engine for Recorder {
    fn name(&self) -> &'static str {
        "samples"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        self.inputs.get_or_insert_with(|| inputs.to_vec());
        // Nobody reads this: the inputs are there, and that is all that was wanted.
        Err(EngineError::Run {
            engine: self.name().to_owned(),
            reason: "the inputs are written, and not run".to_owned(),
        })
    }

    fn placement(&mut self, _inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        Ok(Placement::default())
    }
}

/// Writes the samples and says how many.
///
/// # Errors
/// When the data cannot be read, or the folder holds something else.
pub fn execute(arguments: &SamplesArgs) -> Result<ExitCode> {
    let network = arguments.network;
    let card = network.card();
    let kind = network.task();
    let squad = arguments.squad.is_some().then_some(("--squad", TaskKind::Questions));
    let given = squad.into_iter().chain(arguments.task.given_with_answers(kind));
    suit(card.name, kind, given).map_err(anyhow::Error::msg)?;
    if kind == TaskKind::Pictures && arguments.task.images.is_empty() && arguments.task.data.is_none() {
        bail!("name pictures with --image, or a folder of them by their classes with --data");
    }
    let weights = arguments.weights.clone().unwrap_or_else(|| card.weights());
    let asked = Asked {
        data: &arguments.task,
        weights: &weights,
        folder: None,
        limit: None,
        squad: arguments.squad.as_deref(),
        sequence: None,
        question: None,
        learnt: true,
    };
    Outputs::of_inputs(asked.files(network)?.into_iter().chain([weights.clone()])).named(&arguments.out)?;
    artifact::check_replaceable(&arguments.out, is_samples)?;
    let folder = AtomicFolder::create(&arguments.out)?;
    let written = with_network!(network, N => {
        let signature = shape::<N>(network, &asked)?;
        with_task!(N, network, &asked, task => samples(&task, &signature, arguments.limit, folder.path())?)
    });
    folder.commit(is_samples)?;
    crate::print(line(format_args!("Wrote {written} samples to {}", arguments.out.display())))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes at most `limit` items of a task, evenly spread; how many.
fn samples<T: Task>(task: &T, signature: &Signature, limit: usize, folder: &Path) -> Result<usize> {
    let all = task.count();
    let count = limit.min(all);
    if count == 0 {
        bail!("there are no {} to write", T::ITEMS);
    }
    for index in 0..count {
        let place = index * all / count;
        let items = task.items(place..place + 1)?;
        let mut recorder = Recorder { signature: signature.clone(), inputs: None };
        let refused = task.ask(&mut recorder, &items).err();
        let Some(mut inputs) = recorder.inputs else {
            let why = refused.map_or_else(String::new, |error| error.to_string());
            bail!("no inputs came of {}: {why}", items.first().map_or_else(String::new, |item| task.name(item)));
        };
        if let Some(class) = items.first().and_then(|item| task.class(item)) {
            let class = i64::try_from(class).context("a class is too large for a label")?;
            inputs.push(NamedTensor::new(LABELS, Tensor::new([1], vec![class])?));
        }
        let name = format!("{index:06}.safetensors");
        write(&folder.join(name), &inputs)?;
    }
    Ok(count)
}

/// Whether a folder holds samples that were written here, and nothing else.
fn is_samples(folder: &Path) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|error| FileError::new("read", folder)(error).to_string())?;
    for entry in entries {
        let path = entry.map_err(|error| FileError::new("read", folder)(error).to_string())?.path();
        let is_sample = path.extension().is_some_and(|ending| ending == "safetensors") && artifact::is_ours(&path);
        if !is_sample {
            return Err(format!("it holds {}, which is no sample that was written here", path.display()));
        }
    }
    Ok(())
}
