//! The metrics of an evaluation in parts. A part keeps the answers of one engine and no metric, so that the metrics of all parts together
//! are, to the last bit, those of a single run: they are made once, of all answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::{FileError, Hasher};
use cli::eval::EvalArgs;
use engines::engine_name::EngineName;
use engines::provider::Provider;
use evaluation::measure::Measure;
use evaluation::task::{Figure, Metric, Task};
use serde::{Deserialize, Serialize};
use shards::{Parts, Shard};
use terminal::program::print_line;
use terminal::table::{Table, grouped};

use crate::parts::{Part, digest, single};
use crate::predict::engines::{Opened, Source};

/// What the name of a report ends in where none is given.
const REPORT: &str = "evaluation.json";

/// What is evaluated in parts.
pub struct Sharded<'a> {
    /// The options.
    pub arguments: &'a EvalArgs,
    /// The network, or what is said in its place.
    pub name: &'a str,
    /// The files that the items come from.
    pub inputs: Vec<PathBuf>,
    /// Whether these files are so many that only their names are told apart.
    pub by_name: bool,
}

/// An item of a part.
#[derive(Serialize, Deserialize)]
struct Line<A> {
    item: u64,
    answer: A,
}

/// What all parts come to.
#[derive(Serialize)]
struct Evaluation<'a> {
    network: &'a str,
    items: u64,
    what: &'static str,
    metrics: Vec<Metric>,
    figures: Vec<Figure>,
    /// What makes the run another one than others.
    run: &'a BTreeMap<String, String>,
}

/// The engine of a part: the one that is asked for, or ONNX Runtime on the CPU.
///
/// # Errors
/// When several are asked for, or one that does not run the ONNX file.
pub fn engine(arguments: &EvalArgs, measure: &Measure) -> Result<Vec<EngineName>> {
    let asked = &arguments.measure.engines;
    let names = match asked.engines.is_empty() && asked.providers.is_empty() {
        true => vec![EngineName::Ort(Provider::Cpu)],
        false => measure.engines.clone(),
    };
    single(&names)?;
    Ok(names)
}

impl Sharded<'_> {
    /// What the items are, told apart from others.
    fn items(&self, count: usize) -> Result<String> {
        let digest = match self.by_name {
            false => digest(&self.inputs)?,
            true => {
                let mut names = Hasher::new();
                self.inputs.iter().for_each(|path| names.update((path.display().to_string() + "\n").as_bytes()));
                names.finish().to_string()
            }
        };
        Ok(format!(
            "{count} of {} {digest}",
            if self.by_name { "files whose names have the SHA-256" } else { "SHA-256" }
        ))
    }

    /// Writes the answers to the items of a part, unless they are there, whole.
    ///
    /// # Errors
    /// When an item cannot be read, the engine fails, or the part cannot be written.
    pub fn answer<T: Task>(
        &self,
        task: &T,
        shard: Shard,
        names: &[EngineName],
        source: &Source<'_>,
    ) -> Result<ExitCode> {
        let EvalArgs { out, measure, limit, task: options, .. } = self.arguments;
        let mut opened = Opened::each(names, source, measure.sandbox)?;
        let part = Part::of(shard, out.as_deref(), &opened, source.model.to_owned(), &[])?
            .option("what", Some(format!("an evaluation of {}", self.name)))
            .option("items", Some(self.items(task.count())?))
            .option("threads", Some(source.threads))
            .option("--limit", *limit)
            .option("--max-answer-tokens", options.max_answer_tokens)
            .told(measure.json);
        let total = task.count() as u64;
        let block = T::AT_ONCE.max(1) as u64;
        part.fill(shard.items(total, block), total, |range, lines| {
            let engine = opened.engines.first_mut().context("there is no engine")?;
            for first in range.clone().step_by(block as usize) {
                let block = first..(first + block).min(range.end);
                let items = task.items(block.start as usize..block.end as usize)?;
                let answers = task.ask(engine.as_mut(), &items)?;
                if answers.len() != items.len() {
                    bail!("{} gave {} answers to {} {}", engine.name(), answers.len(), items.len(), T::ITEMS);
                }
                for (item, answer) in block.clone().zip(answers) {
                    lines.put(&Line { item, answer }, true)?;
                }
                lines.reached(&range, block.end);
            }
            Ok(())
        })
    }

    /// Makes the metrics of all parts in `folder`, prints them and writes the report.
    ///
    /// # Errors
    /// When the parts do not belong together or to these items, or the report cannot be written.
    pub fn merge<T: Task>(&self, task: &T, folder: &Path) -> Result<ExitCode> {
        let parts = Parts::read(folder)?;
        let own = self.items(task.count())?;
        match parts.header.run.get("items") {
            Some(items) if *items == own => {}
            Some(items) => bail!("the parts in {} are of other data: {items}, and here it is {own}", folder.display()),
            None => bail!("{} holds parts of a prediction; `predict --merge` puts them together", folder.display()),
        }
        let mut answers: Vec<T::Answer> = Vec::new();
        parts.items(|line| {
            let Line { answer, .. } = serde_json::from_slice(line)
                .map_err(|error| FileError::new("understand the answers in", folder)(error.into()))?;
            answers.push(answer);
            Ok(())
        })?;
        if answers.len() != task.count() {
            bail!("the parts in {} have {} answers to {} {}", folder.display(), answers.len(), task.count(), T::ITEMS);
        }
        let evaluation = Evaluation {
            network: self.name,
            items: answers.len() as u64,
            what: T::ITEMS,
            metrics: task.score(&answers),
            figures: task.figures(&answers),
            run: &parts.header.run,
        };
        let out = self.arguments.out.clone().unwrap_or_else(|| folder.join(REPORT));
        let inside =
            std::fs::read_dir(folder).map_err(FileError::new("read", folder))?.flatten().map(|entry| entry.path());
        let inputs = self.inputs.iter().cloned().chain(inside.filter(|path| *path != out));
        artifact::Outputs::of_inputs(inputs).named(&out)?;
        artifact::write_atomic(&out, serde_json::to_string_pretty(&evaluation)? + "\n")?;
        if let Some(path) = &self.arguments.predictions {
            artifact::Outputs::of_inputs([&out]).named(path)?;
            artifact::write_atomic(path, serde_json::to_string(&task.predictions(&answers))? + "\n")?;
        }
        match self.arguments.measure.json {
            true => print_line(serde_json::to_string(&evaluation)?)?,
            false => crate::print(evaluation.text(parts.count(), &out))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Evaluation<'_> {
    fn text(&self, parts: u32, out: &Path) -> String {
        let engine = self.run.get("engine").map_or("", String::as_str);
        let mut table = Table::new(["metric", engine]);
        self.metrics.iter().for_each(|metric| table.row([metric.name.clone(), metric.text()]));
        let items = grouped(&self.items.to_string());
        let none = if self.metrics.is_empty() { "Nobody knows what is right, so there are no metrics.\n" } else { "" };
        let head = terminal::plain::line(format_args!("{items} {} of {parts} parts", self.what));
        head + &table.render() + none + &terminal::plain::line(format_args!("Report: {}", out.display()))
    }
}
