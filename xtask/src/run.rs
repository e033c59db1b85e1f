//! `run`: the stages of a pipeline that are stale, and no others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use artifact::pipeline::{Lock, Reason, Stage};
use artifact::{FileError, claim, interrupt, runtime};
use catalogue::{NetworkId, WeightSource};
use clap::Args;
use cli::eval::{EvalTarget, seconds};
use cli::path::{reading, writing_or};
use cli::train::DigitRecipe;
use terminal::program::{CLOSED, note, print_line};

use crate::programs::{self, Program, Programs, exit_code};
use crate::stages::{Plan, Task};
use crate::workspace;

/// Compiling that takes this long is told apart from the stage.
const TOLD: Duration = Duration::from_secs(2);

/// The name of the lock file in the folder of artifacts.
pub const LOCK_FILE: &str = "pipeline.lock";

/// How long a run that was just killed may hold its folder before anybody is told.
const JUST_ENDED: Duration = Duration::from_secs(1);

/// Fetch, train, export and evaluate a network; skip every stage that is up to date.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask run                          MNIST as in the article: 14 epochs
  cargo xtask run --epochs 1 --limit 6400  a quick look at the whole way
  cargo xtask run --force                  every stage, stale or not
  cargo xtask run alexnet                  torchvision's weights, fetched if they can be had
  cargo xtask run bert-qa --squad FILE     a network for questions, trained here on yours
  cargo xtask run all                      every network
  cargo xtask status                       what would run, and why

A stage runs when its inputs, parameters, code or outputs are not those of its last success. An interrupted training
goes on where it was.")]
pub struct RunArgs {
    #[command(flatten)]
    pub pipeline: Pipeline,
    /// Run every stage.
    #[arg(long)]
    pub force: bool,
}

/// What is run, and where its results go.
#[derive(Args)]
pub struct Pipeline {
    /// The network.
    #[arg(value_enum, default_value = NetworkId::ALL[0].card().name)]
    pub network: EvalTarget,
    /// The folder for results and for the lock of hashes.
    #[arg(long, value_name = "FOLDER", default_value = "artifacts", value_parser = writing_or("artifacts"))]
    pub artifacts: PathBuf,
    /// The least time that the evaluation spends on each measurement, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = seconds)]
    pub seconds: f64,
    /// Questions in a format of SQuAD: train the network for questions on them, in place of fetching one.
    #[arg(long, value_name = "FILE", value_parser = reading())]
    pub squad: Option<PathBuf>,
    #[command(flatten)]
    pub recipe: DigitRecipe,
}

impl Pipeline {
    /// Whether the user asks for networks to be fine-tuned here.
    ///
    /// # Errors
    /// When none of those that are run can be.
    pub fn fine_tunes(&self) -> Result<bool> {
        let fits = match self.network {
            EvalTarget::One(network) => network.card().trained().is_some(),
            EvalTarget::All => true,
        };
        if self.squad.is_some() && !fits {
            bail!("--squad is for a network that answers questions, and {} does not", self.network.name());
        }
        Ok(self.squad.is_some())
    }
}

/// Runs what is stale. Where the weights of a network cannot be fetched, it is trained here if that can be; else another one for the same
/// task is run instead, and the exit status says that it was not what was asked for.
pub fn run(arguments: &RunArgs) -> Result<ExitCode> {
    interrupt::exit_in_turn("what was done is kept, and the same command goes on from there");
    let network = arguments.pipeline.network;
    let fine_tunes = arguments.pipeline.fine_tunes()?;
    let (code, lost) = stages(arguments, network, fine_tunes)?;
    if !fine_tunes && is_fine_tuned_instead(network, &lost) {
        note(format_args!("warning: the weights of {} cannot be fetched, so it is trained here", network.name()));
        return Ok(stages(arguments, network, true)?.0);
    }
    let Some(other) = substitute(network, &lost) else { return Ok(code) };
    note(format_args!("warning: the weights of {} cannot be fetched, so {other} is run instead", network.name()));
    stages(arguments, EvalTarget::One(other), false)?;
    // What was asked for was not done.
    Ok(code)
}

/// Whether a network whose weights could not be fetched is one that can be trained here.
fn is_fine_tuned_instead(target: EvalTarget, lost: &[String]) -> bool {
    let EvalTarget::One(network) = target else { return false };
    let WeightSource::Folder { dataset, fine_tuning: Some(_) } = network.card().weights else { return false };
    lost.contains(&format!("fetch/{dataset}"))
}

/// The network that takes the place of one whose weights could not be fetched.
fn substitute(target: EvalTarget, lost: &[String]) -> Option<NetworkId> {
    let EvalTarget::One(network) = target else { return None };
    let WeightSource::File { dataset, .. } = network.card().weights else { return None };
    lost.contains(&format!("fetch/{dataset}")).then(|| network.substitute()).flatten()
}

/// Runs the stages that are stale. The exit status, and what failed or was left out.
fn stages(arguments: &RunArgs, network: EvalTarget, fine_tunes: bool) -> Result<(ExitCode, Vec<String>)> {
    let started = Instant::now();
    let Pipeline { artifacts, .. } = &arguments.pipeline;
    let root = workspace::root();
    let _guard = exclusive(&root.join(artifacts))?;
    let path = root.join(artifacts).join(LOCK_FILE);
    let mut lock = Lock::read(&path)?;
    let plan = Plan::new(&arguments.pipeline, fine_tunes)?;
    let planned = assess(&lock, &root, &plan.tasks(network))?;
    if planned.iter().all(Vec::is_empty) && !arguments.force {
        print_line(format_args!(
            "Nothing to do: all {} stages are up to date ({}).",
            planned.len(),
            duration(started.elapsed())
        ))?;
        return Ok((ExitCode::SUCCESS, Vec::new()));
    }

    let mut built = HashMap::new();
    // What failed, and what was left out because of it. The networks do not depend on each other.
    let mut lost: Vec<String> = Vec::new();
    let (mut failure, mut evaluated) = (None, false);
    for (index, planned) in planned.iter().enumerate() {
        let tasks = plan.tasks(network);
        // An earlier stage may have brought other bytes than were there when the plan was made.
        let now = assess(&lock, &root, &tasks)?;
        let (Some(task), Some(now)) = (tasks.get(index), now.get(index)) else { continue };
        let name = &task.stage.name;
        // The report is about what there is, an evaluation that failed included.
        let needed = |before: &&String| lost.contains(before) && (task.program != Program::Report || !evaluated);
        if let Some(before) = task.stage.after.iter().find(needed) {
            print_line(format_args!("{name}: left out, since {before} did not succeed"))?;
            lost.push(name.clone());
            continue;
        }
        evaluated |= task.program == Program::Eval;
        let reasons = if planned.is_empty() { now } else { planned };
        match (reasons.is_empty(), arguments.force) {
            (true, false) => {
                print_line(format_args!("{name}: up to date"))?;
                continue;
            }
            (true, true) => print_line(format_args!("{name}: runs because of --force"))?,
            (false, _) => print_line(format_args!("{name}: runs because {}", sentence(reasons)))?,
        }
        let building = Instant::now();
        let programs = match built.entry(task.program.package()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(match task.program {
                Program::Train => Programs::for_training(&arguments.pipeline.recipe.common, false)?,
                program => Programs::for_program(program)?,
            }),
        };
        if building.elapsed() >= TOLD {
            print_line(format_args!("{name}: its program was compiled in {}", duration(building.elapsed())))?;
        }
        let stage_started = Instant::now();
        let code = start(task, programs)?;
        if code == ExitCode::from(CLOSED) {
            // Nobody reads what it prints, nor what would be printed here.
            return Ok((code, lost));
        }
        if code != ExitCode::SUCCESS {
            if has_substitute(task) {
                note(format_args!("warning: {name} failed; the system's own ONNX Runtime library is used instead"));
                continue;
            }
            note(format_args!(
                "error: {name} failed; what else was done is kept, and the same command goes on from there"
            ));
            note("");
            failure.get_or_insert(code);
            lost.push(name.clone());
            continue;
        }
        if task.program == Program::Report && failure.is_some() {
            // It shows what there is, and stays stale.
            continue;
        }
        lock.record(&root, &written(&plan, network, index, task))?;
        lock.write(&path)?;
        print_line(format_args!("{name}: done in {}", duration(stage_started.elapsed())))?;
        print_line("")?;
    }
    match failure {
        None => print_line(format_args!(
            "Done in {}. The results are in {}.",
            duration(started.elapsed()),
            artifacts.display()
        ))?,
        Some(_) => note(format_args!("error: not done, after {}: {}", duration(started.elapsed()), lost.join(", "))),
    }
    Ok((failure.unwrap_or(ExitCode::SUCCESS), lost))
}

/// Why each task is stale.
pub fn assess(lock: &Lock, root: &Path, tasks: &[Task]) -> Result<Vec<Vec<Reason>>> {
    let stages: Vec<Stage> = tasks.iter().map(|task| task.stage.clone()).collect();
    Ok(lock.assess(root, &stages)?)
}

/// Several reasons in one line.
pub fn sentence(reasons: &[Reason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The stage as it is after it ran: fetching settles where the library is.
fn written(plan: &Plan, network: EvalTarget, index: usize, task: &Task) -> Stage {
    plan.tasks(network).get(index).map_or_else(|| task.stage.clone(), |task| task.stage.clone())
}

fn start(task: &Task, programs: &Programs) -> Result<ExitCode> {
    let mut command = programs.told(task.program, &task.arguments)?;
    // This run says how to go on.
    command.env(interrupt::SILENT_VARIABLE, "1");
    programs::run(&mut command).map(exit_code)
}

/// Whether the pipeline can go on without the files of a failed fetch.
fn has_substitute(task: &Task) -> bool {
    task.stage.name == "fetch/onnxruntime" && !runtime::system().is_empty()
}

/// Waits until no other run uses the folder. The operating system ends the claim with the process, however it ends.
fn exclusive(folder: &Path) -> Result<Option<File>> {
    fs::create_dir_all(folder).map_err(FileError::new("create", folder))?;
    if let Some(claim) = claim(folder, JUST_ENDED)? {
        return Ok(Some(claim));
    }
    note(format_args!("Another run uses {}; waiting for it to end.", folder.display()));
    Ok(claim(folder, Duration::MAX)?)
}

/// `0.12 s`, `4.1 s`, `12 min 3 s`.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        ..1.0 => format!("{seconds:.2} s"),
        ..60.0 => format!("{seconds:.1} s"),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_network_steps_in_only_where_weights_cannot_be_fetched() {
        for network in NetworkId::ALL {
            let name = network.card().name;
            let one = EvalTarget::One(network);
            assert_eq!(substitute(one, &[format!("{name}/export"), "fetch/onnxruntime".to_owned()]), None);
            let lost = [format!("fetch/{name}"), format!("{name}/export")];
            let fetched = matches!(network.card().weights, WeightSource::File { .. });
            assert_eq!(substitute(one, &lost).is_some(), fetched && network.substitute().is_some(), "{name}");
            assert_eq!(substitute(EvalTarget::All, &lost), None);
        }
    }
}
