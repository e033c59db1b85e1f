//! Fetches what the manifests in `datasets/` declare.

use std::io::{IsTerminal, stderr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use artifact::runtime::platform;
use artifact::{Digest, interrupt};
use clap::Parser;
use cli::fetch::FetchArgs;
use fetch::{Fetched, Manifest, Observer, Options, Patience, fetch, is_intact};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use terminal::program::{note, print, print_line};

#[derive(Parser)]
#[command(name = "fetch", version)]
struct Arguments {
    #[command(flatten)]
    fetch: FetchArgs,
}

fn main() -> ExitCode {
    terminal::program::end(execute(&Arguments::parse().fetch).map(|()| ExitCode::SUCCESS))
}

fn execute(arguments: &FetchArgs) -> Result<()> {
    interrupt::exit_in_turn("what is complete is kept, and the same command brings the rest");
    let known = names(&arguments.datasets)?;
    if arguments.list {
        return list(arguments, &known);
    }
    if arguments.from.is_some() && arguments.names.len() > 1 {
        bail!("--from takes the files of one data set: name it, as in `cargo xtask fetch mnist --from FOLDER`");
    }
    let mut results = Vec::new();
    for name in &arguments.names {
        let manifest = manifest(&arguments.datasets, &known, name)?;
        let folder = arguments.datasets.join(name);
        let mut display = Display::new(name, arguments.json);
        let options = Options { platform: platform(), from: arguments.from.as_deref(), patience: Patience::default() };
        let fetched = fetch(&manifest, &folder, &options, &mut display);
        display.bar.finish_and_clear();
        let source = match fetched? {
            Fetched::Present => None,
            Fetched::From(source) => Some(source),
        };
        if !arguments.json {
            match &source {
                Some(source) => print_line(format_args!("{name}: complete and verified, from {source}"))?,
                None => print_line(format_args!("{name}: present and verified"))?,
            }
        }
        results.push(Outcome { name: name.clone(), folder: folder.display().to_string(), source });
    }
    if arguments.json {
        print(serde_json::to_string_pretty(&results)? + "\n")?;
    }
    Ok(())
}

/// One data set after a fetch.
#[derive(Serialize)]
struct Outcome {
    name: String,
    folder: String,
    /// What gave the missing files; nothing if all were there.
    source: Option<String>,
}

/// One line of `--list`.
#[derive(Serialize)]
struct Listed {
    name: String,
    title: String,
    licence: String,
    /// Nothing where the manifest does not know.
    bytes: Option<u64>,
    state: State,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Complete,
    Missing,
    Incomplete,
    OtherPlatformsOnly,
}

fn list(arguments: &FetchArgs, known: &[String]) -> Result<()> {
    let mut all = Vec::new();
    for name in known {
        let manifest = manifest(&arguments.datasets, known, name)?;
        let platform = platform();
        let files: Vec<_> = manifest.files_for(&platform).collect();
        let mut intact = 0;
        for file in &files {
            intact += usize::from(is_intact(&arguments.datasets.join(name), file)?);
        }
        let state = match intact {
            _ if files.is_empty() => State::OtherPlatformsOnly,
            0 => State::Missing,
            count if count == files.len() => State::Complete,
            _ => State::Incomplete,
        };
        let bytes = files.iter().map(|file| file.bytes).sum();
        all.push(Listed { name: name.clone(), title: manifest.title, licence: manifest.licence, bytes, state });
    }
    if arguments.json {
        print(serde_json::to_string_pretty(&all)? + "\n")?;
        return Ok(());
    }
    for one in &all {
        let state = match one.state {
            State::Complete => "here",
            State::Missing => "not fetched",
            State::Incomplete => "incomplete",
            State::OtherPlatformsOnly => "not for this platform",
        };
        let size = one.bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
        let (name, title, licence) = (&one.name, &one.title, &one.licence);
        print_line(format_args!("{name:<20} {size:>11}  {state:<12}  {title} ({licence})"))?;
    }
    Ok(())
}

/// The names of all manifests, sorted.
fn names(datasets: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(datasets)
        .with_context(|| format!("cannot read the folder of manifests, {}", datasets.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    Ok(names)
}

fn manifest(datasets: &Path, known: &[String], name: &str) -> Result<Manifest> {
    if !known.iter().any(|one| one == name) {
        bail!("there is no data set `{name}`; there are: {}", known.join(", "));
    }
    Ok(Manifest::read(datasets.join(format!("{name}.toml")))?)
}

/// Shows progress on a terminal, and what failed everywhere.
struct Display {
    name: String,
    bar: ProgressBar,
    /// The file that the bar is about.
    file: String,
    /// What a source said that did not work; told when another one is asked, since the error at the end tells all.
    failure: Option<String>,
}

impl Display {
    fn new(name: &str, quiet: bool) -> Self {
        let bar = match stderr().is_terminal() && !quiet {
            true => ProgressBar::no_length(),
            false => ProgressBar::hidden(),
        };
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(format!("{name}: checking"));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { name: name.to_owned(), bar, file: String::new(), failure: None }
    }
}

impl Observer for Display {
    fn source(&mut self, source: &str) {
        if let Some(failure) = self.failure.take() {
            self.bar.suspend(|| note(failure));
        }
        self.bar.set_message(format!("{}: asking {source}", self.name));
    }

    fn progress(&mut self, name: &str, bytes: u64, total: Option<u64>) {
        if self.file != name {
            let template = match total {
                Some(_) => "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
                None => "{spinner} {msg} {bytes} {bytes_per_sec}",
            };
            self.bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar.reset();
            total.map_or_else(|| self.bar.unset_length(), |total| self.bar.set_length(total));
            self.bar.set_message(name.to_owned());
            name.clone_into(&mut self.file);
        }
        self.bar.set_position(bytes);
    }

    fn recorded(&mut self, name: &str, sha256: Digest) {
        let data = &self.name;
        self.bar.suspend(|| {
            note(format_args!(
                "{data}: nobody states the SHA-256 of {name}; {sha256} came, and is expected from now on"
            ));
        });
    }

    fn failed(&mut self, source: &str, reason: &str) {
        self.failure = Some(format!("{}: {source} did not work: {reason}", self.name));
    }
}
