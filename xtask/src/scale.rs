//! `scale`: jobs for engines that run many programs on many machines.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::write_atomic;
use clap::{Args, Parser, ValueEnum};
use cli::eval::EvalArgs;
use cli::path::{stands_in, writing};
use cli::predict::PredictArgs;
use terminal::program::{print, print_line};

use crate::programs::{Program, Programs};
use crate::workspace;

/// Write a job that predicts or evaluates in parts on several machines.
///
/// The job is a short script to be read and edited. It runs the program that this workspace builds, in this folder, which all machines
/// must see.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask scale slurm --parts 8 -- predict bert-qa --jsonl questions.jsonl --out parts > questions.sbatch
  cargo xtask scale ray --parts 8 --to pictures.py -- predict efficientnet-lite0 --list pictures.txt --out parts
  cargo xtask scale slurm --parts 8 -- eval bert-qa --squad dev-v1.1.json --out parts > questions.sbatch
  cargo xtask scale kubernetes --parts 100 --to job.yaml -- predict mnist --out parts")]
pub struct ScaleArgs {
    /// What runs the parts.
    #[arg(value_enum)]
    engine: Scheduler,
    /// How many parts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99_999))]
    parts: u32,
    /// Where the job is written [default: standard output]
    #[arg(long, value_name = "FILE", value_parser = writing())]
    to: Option<PathBuf>,
    /// The command of a prediction or an evaluation, with --out for the folder of the parts.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What runs the parts.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scheduler {
    /// A job array.
    Slurm,
    /// A driver in Python.
    Ray,
    /// An indexed job.
    Kubernetes,
}

/// The command, to know what it does.
#[derive(Parser)]
enum Words {
    /// A prediction.
    Predict(Box<PredictArgs>),
    /// An evaluation.
    Eval(Box<EvalArgs>),
}

impl Words {
    /// Where the parts go, and how many threads each has.
    fn place(&self) -> (Option<&Path>, Option<usize>) {
        match self {
            Self::Predict(predict) => (predict.out.as_deref(), predict.engines.threads),
            Self::Eval(eval) => (eval.out.as_deref(), eval.measure.threads),
        }
    }
}

/// Writes the job.
///
/// # Errors
/// When the command is neither, or its paths begin elsewhere than the job runs.
pub fn scale(arguments: &ScaleArgs) -> Result<ExitCode> {
    if stands_in().is_some() {
        bail!("a job runs at the workspace's root, {}; write it there", workspace::root().display());
    }
    // A part makes `--out` a folder; the number does not matter here.
    let part = ["--shard".into(), format!("0/{}", arguments.parts).into()];
    let words = std::iter::once("scale".into()).chain(arguments.command.iter().cloned()).chain(part);
    let command = Words::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        // The usage follows behind an empty line.
        let words = text.lines().take_while(|line| !line.is_empty()).flat_map(str::split_whitespace);
        let reason = words.skip_while(|word| *word == "error:").collect::<Vec<_>>().join(" ");
        anyhow::anyhow!("behind `--` stands a prediction or an evaluation without --shard: {reason}")
    })?;
    let (folder, threads) = command.place();
    let folder = folder.context("--out names the folder of the parts")?;
    let program = Programs::for_program(Program::Predict)?.path(Program::Predict)?;
    let mut words = vec![text(&program)?];
    for word in &arguments.command {
        words.push(text(Path::new(word))?);
    }
    let merge = match command {
        Words::Predict(_) => vec![text(&program)?, "predict".to_owned(), "--merge".to_owned(), text(folder)?],
        // The metrics need the data again: the same words, but for where the parts go.
        Words::Eval(_) => merging(&words, &text(folder)?),
    };
    let root = text(&workspace::root())?;
    let job = Job {
        count: arguments.parts,
        threads: threads.unwrap_or(1),
        script: arguments.to.as_deref().unwrap_or(Path::new("FILE")).display().to_string(),
    };
    let job = match arguments.engine {
        Scheduler::Slurm => job.fill(include_str!("scale/slurm.sh"), &shell(&words), &shell(&merge), &quoted(&root)),
        Scheduler::Ray => job.fill(include_str!("scale/ray.py"), &json(&words)?, &json(&merge)?, &json(&root)?),
        Scheduler::Kubernetes => {
            let words: Vec<String> =
                words.into_iter().chain(["--shard".to_owned(), format!("/{}", arguments.parts)]).collect();
            job.fill(include_str!("scale/kubernetes.yaml"), &json(&words)?, &shell(&merge), &json(&root)?)
        }
    };
    match &arguments.to {
        None => print(job)?,
        Some(path) => {
            write_atomic(path, &job)?;
            print_line(format_args!("{} is written; read it, edit it, and submit it", path.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The command of an evaluation with --merge in place of --out.
fn merging(words: &[String], folder: &str) -> Vec<String> {
    let mut merge = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--out" => drop(rest.next()),
            word if word.starts_with("--out=") => {}
            word => merge.push(word.to_owned()),
        }
    }
    merge.extend(["--merge".to_owned(), folder.to_owned()]);
    merge
}

/// What is the same in every job.
struct Job {
    count: u32,
    threads: usize,
    script: String,
}

impl Job {
    fn fill(&self, template: &str, command: &str, merge: &str, root: &str) -> String {
        let values = [
            ("{count}", self.count.to_string()),
            ("{last}", (self.count - 1).to_string()),
            ("{threads}", self.threads.to_string()),
            ("{script}", self.script.clone()),
            ("{merge}", merge.to_owned()),
            ("{root}", root.to_owned()),
            ("{command}", command.to_owned()),
        ];
        values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

fn text(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("`{}` is no text that a script can hold", path.display()),
    }
}

/// Words as a shell reads them.
fn shell(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// As Python and YAML read it as well.
fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_is_merged_with_the_words_of_its_parts() {
        let words = ["infer", "eval", "mnist", "--out", "parts", "--limit", "7"].map(str::to_owned);
        assert_eq!(merging(&words, "parts").join(" "), "infer eval mnist --limit 7 --merge parts");
        let words = ["infer", "eval", "mnist", "--out=parts"].map(str::to_owned);
        assert_eq!(merging(&words, "parts").join(" "), "infer eval mnist --merge parts");
    }

    #[test]
    fn words_are_what_a_shell_makes_of_them() {
        let words = ["predict", "--list", "my pictures.txt", "it's", "", "$HOME", "a\nb"].map(str::to_owned);
        let script = format!("printf '%s\\0' {}", shell(&words));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let read: Vec<String> =
            String::from_utf8(output.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect();
        assert_eq!(read, words);
    }

    #[test]
    fn every_place_of_a_job_is_filled() {
        let job = Job { count: 8, threads: 2, script: "job".to_owned() };
        for template in
            [include_str!("scale/slurm.sh"), include_str!("scale/ray.py"), include_str!("scale/kubernetes.yaml")]
        {
            let text = job.fill(template, "COMMAND", "MERGE", "ROOT");
            for name in ["{count}", "{last}", "{threads}", "{script}", "{merge}", "{root}", "{command}"] {
                assert!(!text.contains(name), "{name}: {text}");
            }
            assert!(text.contains("COMMAND") && text.contains("MERGE") && text.contains("ROOT"), "{text}");
        }
    }
}
