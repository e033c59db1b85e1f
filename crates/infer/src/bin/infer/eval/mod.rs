//! `infer eval`.

mod alexnet;
mod all;
mod bert_qa;
mod engines;
mod mnist;
mod network;
mod onnx;
mod reading;
mod search;
mod standard;
mod trigger;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use artifact::{AtomicFile, Outputs, is_ours, write_atomic};
use cli::eval::{EngineArgs, EvalArgs, EvalNetwork, MeasureArgs, ProviderOption, ScenarioName};
use infer::measured::{Head, Settings};
use infer::memory::fitting;
use infer::scenario::Scenario;
use infer::session::SessionOptions;
use infer::tensor::ElementType;
use infer::worker::remote::Launcher;

/// Evaluates, prints and writes the report. The exit status says whether every engine passed.
pub fn execute(arguments: &EvalArgs) -> Result<ExitCode> {
    match (&arguments.network, &arguments.file.onnx) {
        (Some(EvalNetwork::Mnist(arguments)), _) => mnist::execute(arguments),
        (Some(EvalNetwork::Alexnet(arguments)), _) => alexnet::execute(arguments),
        (Some(EvalNetwork::All(arguments)), _) => all::execute(arguments),
        (Some(EvalNetwork::BertQa(arguments)), _) => bert_qa::execute(arguments),
        (None, Some(model)) => onnx::execute(model, &arguments.file),
        (None, None) => bail!("name a network, or a file with --onnx"),
    }
}

/// What an evaluation may write to, which reads `files` and those that the options of the measurement name.
fn outputs<'a>(measure: &'a MeasureArgs, files: impl IntoIterator<Item = &'a Path>) -> Outputs {
    let named = [&measure.compare, &measure.against].into_iter().flatten().map(PathBuf::as_path);
    Outputs::of_inputs(files.into_iter().chain(named)).force(measure.force)
}

/// Starts the report, for which `outputs` must have room, and for its page. What cannot be written is known before the
/// minutes that an evaluation takes.
fn start_report(outputs: &Outputs, out: &Path) -> Result<AtomicFile> {
    outputs.named(out)?;
    let page = page_of(out);
    if page == out {
        bail!("{} is where the page goes; name the report {}", out.display(), out.with_extension("json").display());
    }
    outputs.neighbour(&page, is_ours)?;
    Ok(AtomicFile::create(out)?)
}

/// Where a report's page goes: `eval.html` beside `eval.json`.
fn page_of(report: &Path) -> PathBuf {
    report.with_extension("html")
}

/// Writes a report's page beside the report.
fn write_page(outputs: &Outputs, report: &Path, page: &str) -> Result<PathBuf> {
    let path = page_of(report);
    outputs.neighbour(&path, is_ours)?;
    write_atomic(&path, page)?;
    Ok(path)
}

/// What starts engines, with the patience that is asked for.
fn launcher(measure: &MeasureArgs) -> Result<Launcher> {
    let patience = Duration::from_secs_f64(measure.timeout);
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    Ok(Launcher { patience, ..launcher })
}

/// MLPerf's scenarios that are asked for.
fn scenarios(asked: &[ScenarioName]) -> Vec<Scenario> {
    let scenario = |name: &ScenarioName| match name {
        ScenarioName::SingleStream => Scenario::SingleStream,
        ScenarioName::Offline => Scenario::Offline,
    };
    asked.iter().map(scenario).collect()
}

/// What holds for all engines of a measurement.
fn settings(measure: &MeasureArgs) -> Settings {
    Settings {
        threads: measure.threads(),
        optimization: SessionOptions::default().optimization,
        seconds: measure.seconds,
    }
}

/// What a reader should know of the sessions.
fn session_note(engines: &EngineArgs) -> Option<String> {
    engines.session_per_size.then(|| {
        "every engine of ONNX Runtime has a session for each size of its inputs, in which the dynamic axes are fixed \
         (--session-per-size), and need not be right with one for all"
            .to_owned()
    })
}

/// Refuses another file where nothing asks for it: Burn is what engines of a network are judged by.
fn refuse_against(measure: &MeasureArgs) -> Result<()> {
    match measure.against.is_some() && !measure.bisect {
        true => bail!("--against is for --bisect, which is not asked for"),
        false => Ok(()),
    }
}

/// A word of a command as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./=:,+@%".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// What is said last where an engine has become slower and that is a failure.
fn slower(measure: &MeasureArgs, head: &Head) -> Option<String> {
    let failed = measure.fail_if_slower && head.is_slower();
    failed.then(|| "FAILED: an engine has become slower than in the earlier report (--fail-if-slower).\n".to_owned())
}

/// The options that repeat a measurement, each after a space.
fn repeating(measure: &MeasureArgs) -> String {
    let EngineArgs { engines, providers, provider_options, session_per_size } = &measure.engines;
    let batches = measure.batches.iter().map(usize::to_string).collect();
    let scenarios = scenarios(&measure.scenario).iter().map(|scenario| scenario.name().to_owned()).collect();
    let lists: [(&str, Vec<String>); 4] = [
        ("--engines", engines.clone()),
        ("--providers", providers.clone()),
        ("--batches", batches),
        ("--scenario", scenarios),
    ];
    let mut options = String::new();
    for (option, values) in lists.iter().filter(|(_, values)| !values.is_empty()) {
        options += &format!(" {option} {}", values.join(","));
    }
    for ProviderOption { provider, key, value } in provider_options {
        options += &format!(" --provider-option {provider}.{key}={value}");
    }
    if *session_per_size {
        options += " --session-per-size";
    }
    options + &format!(" --threads {} --seconds {}", measure.threads(), measure.seconds)
}

/// The batch sizes that this machine can hold, and what is said of the others, at once and in the report.
fn held(batches: &[usize], elements: impl Fn(usize) -> Vec<(ElementType, usize)>) -> (Vec<usize>, Vec<String>) {
    let (fit, unfit) = fitting(batches, elements);
    unfit.iter().for_each(|sentence| eprintln!("warning: {sentence}"));
    (fit, unfit)
}

/// The batch sizes in the order given, each once, the latency of one item first; `usual` if none is given.
fn batches(asked: &[usize], usual: &[usize]) -> Vec<usize> {
    let mut batches = vec![1];
    for &size in if asked.is_empty() { usual } else { asked } {
        if !batches.contains(&size) {
            batches.push(size);
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::{batches, quoted};

    #[test]
    fn words_with_spaces_are_quoted() {
        assert_eq!(quoted("artifacts/a-b.onnx"), "artifacts/a-b.onnx");
        assert_eq!(quoted("a b'c"), r"'a b'\''c'");
    }

    #[test]
    fn one_item_is_always_timed_and_no_size_twice() {
        assert_eq!(batches(&[64, 8, 64], &[1, 2]), [1, 64, 8]);
        assert_eq!(batches(&[1, 8], &[1, 2]), [1, 8]);
        assert_eq!(batches(&[], &[1, 2]), [1, 2]);
    }
}
