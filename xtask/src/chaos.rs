//! `chaos`: the pipeline, killed at random moments again and again, must come out with the bytes of one that nobody disturbed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use artifact::{Digest, sha256_file};
use clap::{Args, Parser};
use terminal::program::{note, print_line};

use crate::programs::Program;
use crate::run::Pipeline;
use crate::stages::Plan;
use crate::workspace;

/// Kill the pipeline at random moments, and compare what comes out in the end.
///
/// It runs once undisturbed. Then it is started and killed (SIGKILL) again and again: sometimes the whole of it, sometimes one of its
/// programs alone. After each kill every output at its place must be whole, and no program of the run may be left. When a run
/// gets through, its weights and its model must be those of the undisturbed one, byte by byte, and the next one begins from nothing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  cargo xtask chaos --kills 50 --seed 1
  cargo xtask chaos --kills 200 -- --epochs 3 --limit 1280     a longer pipeline

The exit status is 0 if nothing was lost. The same seed chooses the same moments and victims.")]
pub struct ChaosArgs {
    /// How often it is killed.
    #[arg(long, value_name = "N", default_value_t = 50)]
    kills: u64,
    /// What moments and victims are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the runs have their folders.
    #[arg(long, value_name = "FOLDER", default_value = "target/chaos")]
    folder: PathBuf,
    /// Options of `run`.
    #[arg(last = true, default_values = ["--epochs=2", "--limit=640", "--test-batch-size=500", "--seconds=0.05"])]
    options: Vec<String>,
}

/// The options of `run`, to know what it writes.
#[derive(Parser)]
struct Words {
    #[command(flatten)]
    pipeline: Pipeline,
}

/// How long the programs of a run may take to follow it.
const FOLLOW: Duration = Duration::from_secs(10);

/// How long a run whose program was killed may take to end.
const NOTICE: Duration = Duration::from_secs(60);

/// Of so many kills one hits a program instead of the run.
const ALONE: u64 = 3;

/// After so many kills it is told how far it is.
const TOLD: u64 = 10;

/// Kills, and compares.
pub fn chaos(arguments: &ChaosArgs) -> Result<ExitCode> {
    let folder = workspace::root().join(&arguments.folder);
    // A folder of its own inside, so that nobody's files are in it.
    let (calm, wild) = (Run::new(&folder, "undisturbed", arguments)?, Run::new(&folder, "killed", arguments)?);
    let started = Instant::now();
    // The first one compiles and fetches, the second one shows how long it takes.
    calm.clear()?;
    ensure!(calm.start()?.wait()?.success(), "the undisturbed run failed; `cargo xtask run` says more");
    let expected = calm.outputs()?;
    let began = Instant::now();
    calm.clear()?;
    ensure!(calm.start()?.wait()?.success(), "the undisturbed run failed");
    let length = began.elapsed();
    ensure!(calm.outputs()? == expected, "two undisturbed runs differ");
    let mut random = Random(arguments.seed);
    let (mut kills, mut whole) = (0, 0);
    wild.clear()?;
    while kills < arguments.kills {
        let mut child = wild.start()?;
        let moment = length.mul_f64(random.share());
        match wait(&mut child, moment)? {
            Some(true) => {
                ensure!(
                    wild.outputs()? == expected,
                    "a run that was killed before gave other bytes than an undisturbed one"
                );
                wild.clear()?;
                whole += 1;
            }
            Some(false) => bail!("a run failed that nobody killed"),
            None => {
                kill(&mut child, &mut random)?;
                kills += 1;
                if kills % TOLD == 0 {
                    note(format_args!("{kills} of {} kills, after {} s", arguments.kills, started.elapsed().as_secs()));
                }
                wild.is_sound(&expected).with_context(|| format!("after {kills} kills"))?;
            }
        }
    }
    ensure!(wild.start()?.wait()?.success(), "the last run, which nobody killed, failed");
    ensure!(wild.outputs()? == expected, "the last run gave other bytes than an undisturbed one");
    let left = wild.leftovers()?;
    ensure!(left.is_empty(), "left behind: {}", left.join(", "));
    print_line(format_args!(
        "{kills} kills (seed {}), {} runs that got through: {} outputs the same as undisturbed, byte by byte; nothing half-written, \
         nothing left behind; {} s",
        arguments.seed,
        whole + 1,
        expected.len(),
        started.elapsed().as_secs()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The pipeline with a folder for its results.
struct Run<'a> {
    folder: PathBuf,
    options: &'a [String],
    /// The files that depend on the seed alone.
    outputs: Vec<PathBuf>,
}

impl<'a> Run<'a> {
    fn new(folder: &Path, name: &str, arguments: &'a ChaosArgs) -> Result<Self> {
        let folder = folder.join(name);
        let options = arguments.options.as_slice();
        let mut words: Vec<String> = vec!["run".to_owned(), format!("--artifacts={}", folder.display())];
        words.extend(options.iter().cloned());
        let Words { pipeline } = Words::try_parse_from(words)?;
        let plan = Plan::new(&pipeline, pipeline.fine_tunes()?)?;
        let certain = |program| matches!(program, Program::Train | Program::Export);
        let tasks = plan.tasks(pipeline.network).into_iter().filter(|task| certain(task.program));
        let outputs = tasks.flat_map(|task| task.stage.outputs.into_values()).map(|path| workspace::root().join(path));
        Ok(Self { folder, options, outputs: outputs.collect() })
    }

    /// Removes what the last run left.
    fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn start(&self) -> Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run").arg("--artifacts").arg(&self.folder).args(self.options).current_dir(workspace::root());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("xtask cannot be started again")
    }

    /// The bytes that a run left, by their hashes.
    fn outputs(&self) -> Result<BTreeMap<PathBuf, Digest>> {
        let of = |path: &PathBuf| Ok((path.strip_prefix(&self.folder)?.to_owned(), sha256_file(path)?));
        self.outputs.iter().map(of).collect()
    }

    /// Every output is absent, or what it should be; and what is JSON is whole.
    fn is_sound(&self, expected: &BTreeMap<PathBuf, Digest>) -> Result<()> {
        for path in self.outputs.iter().filter(|path| path.exists()) {
            let inside = path.strip_prefix(&self.folder)?;
            ensure!(expected.get(inside) == Some(&sha256_file(path)?), "{} is not whole", path.display());
        }
        for path in files(&self.folder)? {
            let is_json = path.extension().is_some_and(|ending| ending == "json" || ending == "lock");
            if is_json && !is_hidden(&path, &self.folder) {
                let text = fs::read_to_string(&path)?;
                serde_json::from_str::<serde_json::Value>(&text)
                    .with_context(|| format!("{} is cut", path.display()))?;
            }
        }
        Ok(())
    }

    /// What is neither an output nor meant to stay.
    fn leftovers(&self) -> Result<Vec<String>> {
        let hidden = files(&self.folder)?.into_iter().filter(|path| is_hidden(path, &self.folder));
        Ok(hidden.map(|path| path.display().to_string()).collect())
    }
}

/// Whether a name between the folder and the file begins with a dot, as those of what is not finished do.
fn is_hidden(path: &Path, folder: &Path) -> bool {
    let inside = path.strip_prefix(folder).unwrap_or(path);
    inside.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
}

/// Every file below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(here) = open.pop() {
        let Ok(entries) = fs::read_dir(&here) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

/// Waits for a while; whether the process succeeded, if it has ended.
fn wait(child: &mut Child, most: Duration) -> Result<Option<bool>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if started.elapsed() >= most {
            return Ok(None);
        }
        sleep(Duration::from_millis(2));
    }
}

/// Kills a run, or one of its programs, and waits until all of them are gone.
fn kill(child: &mut Child, random: &mut Random) -> Result<()> {
    let programs = descendants(child.id())?;
    let victim = programs.get(random.below(programs.len() as u64) as usize).filter(|_| random.below(ALONE) == 0);
    match victim {
        // It may have ended by itself meanwhile.
        Some(program) => {
            Command::new("kill").args(["-KILL", &program.to_string()]).stderr(Stdio::null()).status()?;
        }
        None => child.kill()?,
    }
    if wait(child, NOTICE)?.is_none() {
        note("a run went on for a minute after one of its programs was killed");
        child.kill()?;
        child.wait()?;
    }
    let started = Instant::now();
    while programs.iter().any(|program| Path::new("/proc").join(program.to_string()).join("exe").exists()) {
        ensure!(started.elapsed() < FOLLOW, "programs of a killed run are still there");
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The processes below another one.
fn descendants(ancestor: u32) -> Result<Vec<u32>> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("`chaos` needs /proc")? {
        let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A name may hold blanks and brackets, and ends at the last one; the parent is the second field behind it.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields);
        if let Some(Ok(parent)) = fields.and_then(|fields| fields.split_whitespace().nth(1)).map(str::parse::<u32>) {
            parents.insert(id, parent);
        }
    }
    let is_below = |id: u32| {
        let mut above = parents.get(&id).copied();
        let mut steps = 0;
        while let Some(parent) = above.filter(|parent| *parent != ancestor && steps < parents.len()) {
            above = parents.get(&parent).copied();
            steps += 1;
        }
        above == Some(ancestor)
    };
    Ok(parents.keys().copied().filter(|id| is_below(*id)).collect())
}

/// SplitMix64, by Sebastiano Vigna (public domain).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `most`; 0 if that is 0.
    fn below(&mut self, most: u64) -> u64 {
        self.next().checked_rem(most).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of Vigna's own `splitmix64.c` for the seed 1234567.
    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let mut random = Random(1_234_567);
        let numbers = [random.next(), random.next(), random.next()];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        assert_eq!(Random(1).below(0), 0);
        assert!((0.0..1.0).contains(&Random(7).share()));
    }

    #[test]
    fn a_process_below_this_one_is_found() {
        let mut child = Command::new("sleep").arg("30").spawn().unwrap();
        assert!(descendants(std::process::id()).unwrap().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            is_hidden(Path::new("/a/.b.partial/c"), Path::new("/a"))
                && !is_hidden(Path::new("/.a/b"), Path::new("/.a"))
        );
    }
}
