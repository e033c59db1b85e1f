//! `infer eval`.

mod sharded;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::Outputs;
use catalogue::{Card, NetworkId, TaskKind};
use cli::eval::{EngineArgs, EvalArgs, EvalOnnxArgs, EvalTarget};
use cli::task::{FileTask, suit};
use evaluation::command::{named, unusual};
use evaluation::conclude::{Place, conclude};
use evaluation::measure::Measure;
use evaluation::onnx_file::evaluate as onnx_file;
use evaluation::quantised::evaluate::{Subject, evaluate as of_integers};
use evaluation::repro::ReproArguments;
use networks::evaluate::{Request, evaluate};
use networks::network::Network as _;
use networks::with_network;
use terminal::failure::sentence;
use terminal::program::note;

use self::sharded::Sharded;
use crate::measure::{launcher, measure, outputs, rights, show};
use crate::picture_file::{self, PictureFile};
use crate::predict::engines as predict;
use crate::quantised::{self, Found};
use crate::task::{Asked, picture_files, shape, with_task};
use crate::texts;

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(arguments: &EvalArgs) -> Result<ExitCode> {
    match (arguments.network, &arguments.file.onnx) {
        (Some(EvalTarget::One(network)), _) => one(network, arguments),
        (Some(EvalTarget::All), _) => all(arguments),
        (None, Some(model)) => file(model, arguments),
        (None, None) => bail!("name a network, or a file with --onnx"),
    }
}

/// Evaluates every network, whatever becomes of the others. The exit status says whether all passed.
fn all(arguments: &EvalArgs) -> Result<ExitCode> {
    let EvalArgs { model, weights, out, limit, squad, measure, .. } = arguments;
    if arguments.shard.is_some() || arguments.merge.is_some() {
        bail!("--shard and --merge are for one network");
    }
    let single = model.is_some() || weights.is_some() || out.is_some() || limit.is_some() || squad.is_some();
    if single || measure.json || measure.compare.is_some() || measure.against.is_some() {
        bail!(
            "--json, --compare, --against and the options of files and data are for one network; the reports of all are in their \
             folders below artifacts"
        );
    }
    let mut failed = Vec::new();
    for network in NetworkId::complete() {
        let Card { name, title, .. } = network.card();
        crate::print(format!("\n{title}\n\n"))?;
        let mut own = arguments.clone();
        // Each takes of the data what is for its task; candle has the networks with a configuration alone.
        if own.task.given().iter().any(|(_, kind)| *kind != network.task()) {
            own.task = Default::default();
        }
        if !network.card().has_folder() {
            own.measure.engines.engines.retain(|name| name != "candle");
        }
        match one(network, &own) {
            Ok(code) if code == ExitCode::SUCCESS => {}
            Ok(_) => failed.push(*name),
            Err(error) => {
                note(format_args!("error: {name}: {}", sentence(error.as_ref())));
                failed.push(name);
            }
        }
    }
    match failed.is_empty() {
        true => crate::print("\nAll networks passed.\n")?,
        false => crate::print(format!("\nFAILED: {}.\n", failed.join(", ")))?,
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Evaluates a network.
fn one(network: NetworkId, arguments: &EvalArgs) -> Result<ExitCode> {
    let card = network.card();
    if arguments.measure.against.is_some() && !arguments.measure.bisect {
        bail!("--against is for --bisect, which is not asked for");
    }
    suit(card.name, network.task(), given(arguments, network.task())).map_err(anyhow::Error::msg)?;
    let texts = network.task() == TaskKind::Texts;
    let model = match texts {
        true => texts::model(card, arguments.model.as_deref()),
        false => arguments.model.clone().unwrap_or_else(|| card.model()),
    };
    let configuration = texts.then(|| texts::folder(&model)).flatten();
    let weights = arguments.weights.clone().unwrap_or_else(|| card.weights());
    let integers = quantised::found(&model, &arguments.quantised, card.name, Some(&card.model()))?;
    let usual = if integers.is_some() { card.quantised_evaluation() } else { card.evaluation() };
    let out = arguments.out.clone().unwrap_or_else(|| usual.clone());
    let mut measure = measure(&arguments.measure)?;
    if arguments.squad.is_some() && arguments.measure.threads.is_none() && arguments.shard.is_none() {
        measure.threads = engines::fingerprint::cores();
    }
    let asked = Asked {
        data: &arguments.task,
        weights: &weights,
        limit: arguments.limit,
        squad: arguments.squad.as_deref(),
        sequence: arguments.sequence,
        question: None,
        learnt: false,
        folder: configuration.clone(),
    };
    let read = asked.files(network)?;
    if arguments.shard.is_some() || arguments.merge.is_some() {
        let by_name = network.task() == TaskKind::Pictures;
        // What lies with the weights makes the answers, and is told apart with the model.
        let inputs = match network.task() {
            TaskKind::Questions => arguments.squad.iter().cloned().collect(),
            TaskKind::Texts => arguments.task.data.iter().cloned().collect(),
            TaskKind::Digits | TaskKind::Pictures => read,
        };
        let sharded = Sharded { arguments, name: card.name, inputs, by_name };
        return with_network!(network, N => with_task!(N, network, &asked, task => match arguments.shard {
            Some(shard) => {
                let shape = shape::<N>(network, &asked)?;
                let folder = configuration.as_deref();
                let network = predict::Network { card, signature: &shape, what: N::WHAT, weights: &weights, folder };
                let source = predict::Source { model: &model, network: Some(network), threads: measure.threads };
                sharded.answer(&task, shard, &sharded::engine(arguments, &measure)?, &source)
            }
            None => sharded.merge(&task, arguments.merge.as_deref().unwrap_or(Path::new(""))),
        }));
    }
    let inputs = read.iter().cloned().chain([model.clone(), weights.clone()]);
    let outputs = outputs(&arguments.measure, inputs);
    if let Some(path) = &arguments.predictions {
        outputs.named(path)?;
        Outputs::of_inputs([&out]).named(path)?;
    }
    let launcher = launcher(&arguments.measure)?;
    let place = Place { out: &out, outputs: &outputs, compare: arguments.measure.compare.as_deref() };
    let command = card.command("eval")
        + &words(card, arguments)
        + &measure.words()
        + rights(&arguments.measure)
        + &unusual("--out", &out, &usual);
    let mut files: Vec<_> = arguments.squad.iter().map(|path| ("squad", path.clone())).collect();
    files.extend(arguments.task.data.iter().filter(|_| texts).map(|path| ("data", path.clone())));
    if let Some(Found { subject, .. }) = integers {
        if subject.float.is_none() {
            bail!(
                "{} computes with integers of 8 bits, and is judged by what it loses beside the float model that it was made from: name that \
                 with --float (`{}` makes one)",
                model.display(),
                card.command("export")
            );
        }
        let request = onnx_file::Request {
            model: &model,
            sizes: BTreeMap::new(),
            batch_axis: None,
            inputs: &[],
            only_inputs: true,
            expected: &[],
            tolerance: None,
            measure: &measure,
            every: false,
            launcher: &launcher,
            command,
        };
        let subject = Subject { files, batches: card.batches.to_vec(), ..subject };
        let report = conclude(
            &place,
            card.name,
            &measure,
            ReproArguments::default(),
            || with_network!(network, N => with_task!(N, network, &asked, task => of_integers(&request, subject, Some(&task)))),
        )?;
        return show(&report, &out, &arguments.measure);
    }
    let request = Request {
        card,
        model: &model,
        weights: &weights,
        configuration,
        files,
        measure: &measure,
        launcher: &launcher,
        command,
    };
    let report = conclude(
        &place,
        card.name,
        &measure,
        ReproArguments::default(),
        || with_network!(network, N => with_task!(N, network, &asked, task => evaluate::<N, _>(&request, &task))),
    )?;
    if let Some(path) = &arguments.predictions {
        artifact::write_atomic(path, serde_json::to_string(&report.predictions)? + "\n")?;
    }
    show(&report, &out, &arguments.measure)
}

/// Evaluates an ONNX file, whatever network it is.
fn file(model: &Path, arguments: &EvalArgs) -> Result<ExitCode> {
    let EvalOnnxArgs { shapes, batch_axis, inputs, only_inputs, expected, tolerance, .. } = &arguments.file;
    let task = match arguments.file_task.kind {
        Some(FileTask::ImageClassification) => {
            if arguments.task.data.is_none() && arguments.task.images.is_empty() {
                bail!("name pictures with --image, or a folder of them by their classes with --data");
            }
            suit("the file", TaskKind::Pictures, given(arguments, TaskKind::Pictures)).map_err(anyhow::Error::msg)?;
            let file = PictureFile::read(model, &arguments.file_task, &arguments.task).context("--onnx")?;
            Some(file.task(&arguments.task)?)
        }
        None => match given(arguments, TaskKind::Pictures).first() {
            Some((option, _)) => bail!("{option} is for a file whose --task is told"),
            None if !arguments.task.images.is_empty() => bail!("--image is for a file whose --task is told"),
            None => None,
        },
    };
    // Who names what is right, or how far engines may be from it, has judged the file already.
    let judged = tolerance.is_some() || !expected.is_empty() || arguments.measure.against.is_some();
    let integers = match judged && arguments.quantised.given().is_none() {
        true => None,
        false => quantised::found(model, &arguments.quantised, onnx_file::NAME, None)?,
    };
    let recorded = integers.as_ref().filter(|_| inputs.is_empty() && task.is_none());
    let recorded = recorded.map(|found| found.samples.clone()).unwrap_or_default();
    let inputs = if recorded.is_empty() { inputs } else { &recorded };
    let read = if task.is_some() { picture_files(&arguments.task)? } else { Vec::new() };
    if arguments.shard.is_some() || arguments.merge.is_some() {
        let task = task.context("--shard and --merge are for a file whose --task is told")?;
        let sharded = Sharded { arguments, name: onnx_file::NAME, inputs: read, by_name: true };
        let measure = measure(&arguments.measure)?;
        return match (arguments.shard, &arguments.merge) {
            (Some(shard), _) => {
                let source = predict::Source { model, network: None, threads: measure.threads };
                sharded.answer(&task, shard, &sharded::engine(arguments, &measure)?, &source)
            }
            (None, folder) => sharded.merge(&task, folder.as_deref().unwrap_or(Path::new(""))),
        };
    }
    let out = arguments.out.clone().unwrap_or_else(|| EvalOnnxArgs::OUT.into());
    let measure = measure(&arguments.measure)?;
    let launcher = launcher(&arguments.measure)?;
    let outputs = outputs(
        &arguments.measure,
        inputs.iter().chain(expected).flat_map(|path| held_by(path)).chain([model.to_owned()]).chain(read),
    );
    let place = Place { out: &out, outputs: &outputs, compare: arguments.measure.compare.as_deref() };
    let EngineArgs { engines, providers, provider_options, .. } = &arguments.measure.engines;
    let every = engines.is_empty() && providers.is_empty() && provider_options.is_empty();
    let request = onnx_file::Request {
        model,
        sizes: shapes.iter().map(|shape| (shape.axis.clone(), shape.size)).collect(),
        batch_axis: batch_axis.clone(),
        inputs,
        only_inputs: *only_inputs,
        expected,
        tolerance: *tolerance,
        measure: &measure,
        every,
        launcher: &launcher,
        command: file_command(
            model,
            arguments,
            &Measure {
                // Unless the user chooses, every engine has a try once more.
                engines: if every { Vec::new() } else { measure.engines.clone() },
                ..measure.clone()
            },
        ) + rights(&arguments.measure)
            + &unusual("--out", &out, Path::new(EvalOnnxArgs::OUT)),
    };
    let again = ReproArguments { inputs, tolerance: *tolerance };
    let report = conclude(&place, onnx_file::NAME, &measure, again, || match integers {
        Some(Found { subject, .. }) => of_integers(&request, subject, task.as_ref()),
        None => onnx_file::evaluate(&request, task.as_ref()),
    })?;
    show(&report, &out, &arguments.measure)
}

fn file_command(model: &Path, arguments: &EvalArgs, measure: &Measure) -> String {
    let EvalOnnxArgs { shapes, batch_axis, inputs, only_inputs, expected, tolerance, .. } = &arguments.file;
    let mut command = "cargo xtask eval".to_owned() + &named("--onnx", model);
    command.extend(shapes.iter().map(|shape| format!(" --shape {}={}", shape.axis, shape.size)));
    command.extend(batch_axis.iter().map(|axis| format!(" --batch-axis {axis}")));
    command.extend(inputs.iter().map(|path| named("--inputs", path)));
    command.extend(only_inputs.then_some(" --only-inputs"));
    command.extend(expected.iter().map(|path| named("--expected", path)));
    command.extend(tolerance.iter().map(|share| format!(" --tolerance {share}")));
    command.extend(measure.against.iter().map(|path| named("--against", path)));
    command += &quantised::words(&arguments.quantised);
    command + &picture_file::words(&arguments.file_task, &arguments.task) + &measure.words()
}

/// The options of the task that are given, with what they are for. `--limit` is for all with items of known answers.
fn given(arguments: &EvalArgs, task: TaskKind) -> Vec<(&'static str, TaskKind)> {
    // The length of a sequence is for texts as well.
    let sequence = if task == TaskKind::Texts { task } else { TaskKind::Questions };
    let own = [
        (arguments.squad.is_some(), "--squad", TaskKind::Questions),
        (arguments.sequence.is_some(), "--sequence", sequence),
    ];
    let own = own.into_iter().filter(|(given, _, _)| *given).map(|(_, option, kind)| (option, kind));
    own.chain(arguments.task.given_with_answers(task)).collect()
}

/// The options that name the same files and data, each after a space.
fn words(card: &Card, arguments: &EvalArgs) -> String {
    let EvalArgs { model, weights, limit, squad, sequence, task, .. } = arguments;
    let mut words = String::new();
    words.extend(model.iter().map(|path| unusual("--model", path, &card.model())));
    words.extend(weights.iter().map(|path| unusual("--weights", path, &card.weights())));
    words.extend(task.data.iter().map(|path| named("--data", path)));
    words.extend(task.images.iter().map(|path| named("--image", path)));
    words.extend(task.labels.iter().map(|path| named("--labels", path)));
    words.extend(squad.iter().map(|path| named("--squad", path)));
    words.extend(limit.iter().map(|count| format!(" --limit {count}")));
    words.extend(task.max_answer_tokens.iter().map(|count| format!(" --max-answer-tokens {count}")));
    words.extend(sequence.iter().map(|count| format!(" --sequence {count}")));
    words + &quantised::words(&arguments.quantised)
}

/// The file, or the files of the folder.
fn held_by(path: &Path) -> Vec<PathBuf> {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => vec![path.to_owned()],
    }
}
