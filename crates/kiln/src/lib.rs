//! A network of your own with the commands of ours: export, eval, predict, report and bundle.
//!
//! Declare what the network is ([`Network`]), what it is for ([`Task`]), and what it is called and where its weights lie
//! ([`Card`]). [`main!`](crate::main!) makes a program of the three:
//!
//! - `export` writes an ONNX file, and keeps it only if it computes what the network computes in float64;
//! - `eval` runs every engine in a process of its own, on made-up inputs and on the task's items, and times them;
//! - `predict` shows what the engines make of the items, side by side;
//! - `report` writes one page over the evaluations;
//! - `bundle` writes a folder ready to ship, or checks one.
//!
//! `examples/own-network` is such a program, whole.

mod predict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use artifact::interrupt;
use clap::{CommandFactory, FromArgMatches};
use cli::own::{OwnArgs, OwnBundleArgs, OwnCommand, OwnEvalArgs};
use engines::engine_name::Framework;
use engines::worker::serve::{Rights, serve};
use engines::worker::{EngineSpec, Opened, Origin};
use evaluation::command::{named, unusual};
use evaluation::conclude::{Place, conclude};
use evaluation::repro::ReproArguments;
use infer::bundle::{check, ship};
use infer::measure::{launcher, measure, outputs, rights, show};
use networks::evaluate::{Request, evaluate, folder};
use terminal::program::end;

pub use burn_export::{Axis, ExportError, ExportedModel, OnnxExporter};
pub use catalogue::{Card, WeightSource};
pub use engines::engine::{Dimension, Engine, EngineError, Signature, TensorInfo};
pub use engines::tensor::{ElementType, Elements, NamedTensor, Tensor};
pub use evaluation::random::uniform;
pub use evaluation::task::{Figure, Metric, Shipped, Task, Thumbnail};
pub use models::imagenet::Preprocessing;
pub use models::weights;
pub use networks::classifier::Classifier;
pub use networks::engine::{BurnEngine, input, output};
pub use networks::images::Images;
pub use networks::network::{Case, Network};

/// Makes the program of a network: the network's type, its [`Card`], and what reads the task from the path that `--data` names,
/// `fn(Option<&Path>) -> anyhow::Result<impl Task>`.
#[macro_export]
macro_rules! main {
    ($network:ty, $card:expr, $task:expr) => {
        fn main() -> ::std::process::ExitCode {
            // SAFETY: no other thread has been started yet.
            unsafe { $crate::prepare() };
            $crate::program::<$network, _>(&$card, $task)
        }
    };
}

/// Forbids ONNX Runtime to report usage. For the start of `main`, before [`program`].
///
/// # Safety
/// No other thread may run: the environment of a process is not guarded against C code that reads it meanwhile.
pub unsafe fn prepare() {
    // SAFETY: the caller promises that there is no other thread.
    unsafe { engines::runtime::forbid_telemetry() };
}

/// Does what the words of the command line say, and says how it ended. `task` reads the items from the path that `--data` names.
pub fn program<N: Network, T: Task>(
    card: &'static Card,
    task: impl Fn(Option<&Path>) -> anyhow::Result<T>,
) -> ExitCode {
    let command = OwnArgs::command().name(card.name).about(card.about);
    let command = match command.try_get_matches().and_then(|matches| OwnArgs::from_arg_matches(&matches)) {
        Ok(arguments) => arguments.command,
        Err(error) => error.exit(),
    };
    if !matches!(command, OwnCommand::Worker { .. }) {
        interrupt::exit_at_once("nothing was written; the same command starts anew");
    }
    end(match command {
        OwnCommand::Export(options) => {
            let chosen = export::Chosen { weights: options.weights.as_deref(), ..export::Chosen::default() };
            export::export::<N>(card, &options, &chosen).map(|()| ExitCode::SUCCESS)
        }
        OwnCommand::Eval(arguments) => eval::<N, T>(card, &arguments, task),
        OwnCommand::Predict(arguments) => {
            let weights = arguments.weights.clone().unwrap_or_else(|| card.weights());
            signature::<N>(card, &weights).and_then(|signature| {
                predict::execute(card, &arguments, &signature, N::WHAT, &task(arguments.data.as_deref())?)
            })
        }
        OwnCommand::Bundle(arguments) => bundle::<N, T>(card, &arguments, task),
        OwnCommand::Report(arguments) => report::report(&arguments),
        OwnCommand::Worker { memory, no_sandbox } => {
            let open = |spec: &EngineSpec| open::<N>(card, spec);
            serve(Rights { memory, sandbox: !no_sandbox }, &open).map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
    })
}

fn eval<N: Network, T: Task>(
    card: &'static Card,
    arguments: &OwnEvalArgs,
    task: impl Fn(Option<&Path>) -> anyhow::Result<T>,
) -> anyhow::Result<ExitCode> {
    let OwnEvalArgs { data, model, weights, out, measure: options } = arguments;
    let measure = measure(options)?;
    let given = |path: &Option<PathBuf>, usual: PathBuf| path.clone().unwrap_or(usual);
    let (model, weights) = (given(model, card.model()), given(weights, card.weights()));
    let out = given(out, card.evaluation());
    let command = card.command("eval")
        + &unusual("--model", &model, &card.model())
        + &unusual("--weights", &weights, &card.weights())
        + &data.as_ref().map(|path| named("--data", path)).unwrap_or_default()
        + &measure.words()
        + rights(options)
        + &unusual("--out", &out, &card.evaluation());
    let request = Request {
        card,
        model: &model,
        weights: &weights,
        configuration: None,
        files: data.iter().map(|path| ("data", path.clone())).collect(),
        measure: &measure,
        launcher: &launcher(options)?,
        command,
    };
    let inputs = data.iter().cloned().chain([model.clone(), weights.clone()]);
    let place = Place { out: &out, outputs: &outputs(options, inputs), compare: options.compare.as_deref() };
    let evaluate = || evaluate::<N, T>(&request, &task(data.as_deref())?);
    let report = conclude(&place, card.name, &measure, ReproArguments::default(), evaluate)?;
    show(&report, &out, options)
}

fn bundle<N: Network, T: Task>(
    card: &'static Card,
    arguments: &OwnBundleArgs,
    task: impl Fn(Option<&Path>) -> anyhow::Result<T>,
) -> anyhow::Result<ExitCode> {
    let options = &arguments.folder;
    if let Some(folder) = &arguments.verify {
        return check(folder, options);
    }
    let weights = arguments.weights.clone().unwrap_or_else(|| card.weights());
    let shipped = || Ok(task(arguments.data.as_deref())?.shipped()?);
    ship(&card.into(), options, Some((&signature::<N>(card, &weights)?, N::WHAT)), shipped)
}

/// What the network with these weights takes and gives.
fn signature<N: Network>(card: &Card, weights: &Path) -> anyhow::Result<Signature> {
    let config = N::config(folder(card, weights).as_deref(), Some(weights).filter(|path| path.exists()))?;
    Ok(N::signature(&config))
}

/// Opens the network in Burn, in a worker.
fn open<N: Network>(card: &Card, spec: &EngineSpec) -> Result<Opened, EngineError> {
    match spec {
        EngineSpec::Framework(network) if network.framework == Framework::Burn && network.network == card.name => {
            engines::threads::limit_for(network)?;
            let engine = Box::new(BurnEngine::<N>::open(network)?);
            Ok(Opened { engine, origin: Origin::Crate("Burn", "burn"), metadata: None })
        }
        _ => Err(spec.not_here()),
    }
}
