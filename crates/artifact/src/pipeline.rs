//! What a pipeline has to run again, and why.
//!
//! A [`Stage`] turns files and parameters into files. A [`Lock`] remembers for each stage the SHA-256 of everything that
//! went in and came out. A stage is stale when anything differs, when an output is missing, or when a stage that it
//! comes after is run again.
//!
//! One exception: the bytes of a [`declared`](Stage::declared) stage are fixed by its inputs (a manifest with hashes),
//! so that bringing a lost file back makes nothing else stale.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, FileError, sha256_file, write_atomic};

/// The only version of the lock file that is understood.
const VERSION: u32 = 1;

/// A step of a pipeline. Paths are relative to the folder that is passed to [`Lock::assess`], or absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name, such as `mnist/train`.
    pub name: String,
    /// What it is told, by option.
    pub parameters: BTreeMap<String, Value>,
    /// The files that it reads, by a name that is the same on every machine.
    pub inputs: BTreeMap<String, PathBuf>,
    /// A digest of the program that it runs, if its code matters.
    pub code: Option<Digest>,
    /// The files that it writes, by a name that is the same on every machine.
    pub outputs: BTreeMap<String, PathBuf>,
    /// The stages that it comes after.
    pub after: Vec<String>,
    /// Whether the inputs alone decide the bytes of the outputs, so that running it again changes nothing downstream.
    pub declared: bool,
}

/// What went into a stage and came out when it last succeeded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    parameters: BTreeMap<String, Value>,
    inputs: BTreeMap<String, Digest>,
    code: Option<Digest>,
    outputs: BTreeMap<String, Digest>,
}

/// The records of all stages: the file `pipeline.lock`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    stages: BTreeMap<String, Record>,
}

/// Why a stage has to run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// It has no record.
    NeverRan,
    /// An option differs; `null` stands for one that is not there.
    Parameter {
        /// The option.
        name: String,
        /// Its value when the stage last ran.
        before: Value,
        /// Its value now.
        now: Value,
    },
    /// An input has other bytes, or is not the one it was.
    InputChanged {
        /// The input.
        name: String,
    },
    /// An input is not there.
    InputMissing {
        /// The input.
        name: String,
    },
    /// The program's code or its dependencies changed.
    Code,
    /// An output has other bytes than were written.
    OutputChanged {
        /// The output.
        name: String,
    },
    /// An output is not there.
    OutputMissing {
        /// The output.
        name: String,
    },
    /// A stage before it runs.
    After {
        /// That stage.
        stage: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRan => f.write_str("it has not run yet"),
            Self::Parameter { name, before: Value::Null, now } => write!(f, "{name} is {now} and was not set"),
            Self::Parameter { name, before, now: Value::Null } => write!(f, "{name} was {before} and is not set"),
            Self::Parameter { name, before, now } => write!(f, "{name} is {now}, was {before}"),
            Self::InputChanged { name } => write!(f, "{name} changed"),
            Self::InputMissing { name } => write!(f, "{name} is missing"),
            Self::Code => f.write_str("its code changed"),
            Self::OutputChanged { name } => write!(f, "{name} is not what was written"),
            Self::OutputMissing { name } => write!(f, "{name} is gone"),
            Self::After { stage } => write!(f, "{stage} runs"),
        }
    }
}

/// Why the lock file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It, or a file that a stage reads or writes, could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not a lock file of this version.
    #[error("{} is not a pipeline lock that this version understands ({reason}): remove it, and every stage runs anew", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A stage that succeeded did not leave what it should have.
    #[error("{stage} ended well, but {name} is not there")]
    NoOutput {
        /// The stage.
        stage: String,
        /// The missing file.
        name: String,
    },
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, stages: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads a lock file; one that is not there is empty.
    ///
    /// # Errors
    /// When it cannot be read, or is not a lock file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, LockError> {
        let path = path.as_ref();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(FileError::new("read", path)(error).into()),
        };
        let malformed = |reason: String| LockError::Malformed { path: path.to_owned(), reason };
        let lock: Self = serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        match lock.version {
            VERSION => Ok(lock),
            other => Err(malformed(format!("it has version {other}, not {VERSION}"))),
        }
    }

    /// Writes the lock file in one step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        let text = serde_json::to_string_pretty(self).map_err(|error| FileError::new("write", path)(error.into()))?;
        write_atomic(path, text + "\n")
    }

    /// Why each stage has to run, in the order of `stages`, each of which follows those that it comes after.
    /// No reason at all means that it is up to date.
    ///
    /// # Errors
    /// When a file is there but cannot be read.
    pub fn assess(&self, root: &Path, stages: &[Stage]) -> Result<Vec<Vec<Reason>>, FileError> {
        let mut digests = Digests { root, known: HashMap::new() };
        let mut stale = HashSet::new();
        // Files that a stale declared stage will bring back.
        let mut expected: HashSet<&Path> = HashSet::new();
        let mut all = Vec::new();
        for stage in stages {
            let reasons = self.reasons(stage, &stale, &expected, &mut digests)?;
            if !reasons.is_empty() {
                match stage.declared {
                    true => expected.extend(stage.outputs.values().map(PathBuf::as_path)),
                    false => drop(stale.insert(stage.name.as_str())),
                }
            }
            all.push(reasons);
        }
        Ok(all)
    }

    fn reasons(
        &self,
        stage: &Stage,
        stale: &HashSet<&str>,
        expected: &HashSet<&Path>,
        digests: &mut Digests,
    ) -> Result<Vec<Reason>, FileError> {
        let mut reasons: Vec<Reason> = stage
            .after
            .iter()
            .filter(|before| stale.contains(before.as_str()))
            .map(|before| Reason::After { stage: before.clone() })
            .collect();
        let Some(record) = self.stages.get(&stage.name) else {
            return Ok(vec![Reason::NeverRan]);
        };
        reasons.extend(changed_parameters(&record.parameters, &stage.parameters));
        if record.code != stage.code {
            reasons.push(Reason::Code);
        }
        for (name, path) in &stage.inputs {
            let name = name.clone();
            match digests.of(path)? {
                _ if expected.contains(path.as_path()) && record.inputs.contains_key(&name) => {}
                None => reasons.push(Reason::InputMissing { name }),
                digest if record.inputs.get(&name).copied() == digest => {}
                Some(_) => reasons.push(Reason::InputChanged { name }),
            }
        }
        let gone = record.inputs.keys().filter(|name| !stage.inputs.contains_key(*name));
        reasons.extend(gone.map(|name| Reason::InputChanged { name: name.clone() }));
        for (name, path) in &stage.outputs {
            let name = name.clone();
            match digests.of(path)? {
                None => reasons.push(Reason::OutputMissing { name }),
                digest if record.outputs.get(&name).copied() == digest => {}
                Some(_) => reasons.push(Reason::OutputChanged { name }),
            }
        }
        Ok(reasons)
    }

    /// Remembers that `stage` has just succeeded.
    ///
    /// # Errors
    /// When one of its files is missing or cannot be read.
    pub fn record(&mut self, root: &Path, stage: &Stage) -> Result<(), LockError> {
        let mut digests = Digests { root, known: HashMap::new() };
        let mut of = |files: &BTreeMap<String, PathBuf>| -> Result<BTreeMap<String, Digest>, LockError> {
            files
                .iter()
                .map(|(name, path)| match digests.of(path)? {
                    Some(digest) => Ok((name.clone(), digest)),
                    None => Err(LockError::NoOutput { stage: stage.name.clone(), name: name.clone() }),
                })
                .collect()
        };
        let (inputs, outputs) = (of(&stage.inputs)?, of(&stage.outputs)?);
        let record = Record { parameters: stage.parameters.clone(), inputs, code: stage.code, outputs };
        self.stages.insert(stage.name.clone(), record);
        Ok(())
    }
}

fn changed_parameters(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> Vec<Reason> {
    let names: std::collections::BTreeSet<_> = before.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let of = |all: &BTreeMap<String, Value>| all.get(name).cloned().unwrap_or_default();
            let (before, now) = (of(before), of(now));
            (before != now).then(|| Reason::Parameter { name: name.clone(), before, now })
        })
        .collect()
}

/// The hashes of files, each read once.
struct Digests<'a> {
    root: &'a Path,
    known: HashMap<PathBuf, Option<Digest>>,
}

impl Digests<'_> {
    /// The digest of a file, or `None` if there is no such file.
    fn of(&mut self, path: &Path) -> Result<Option<Digest>, FileError> {
        if let Some(known) = self.known.get(path) {
            return Ok(*known);
        }
        let digest = match sha256_file(self.root.join(path)) {
            Ok(digest) => Some(digest),
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        self.known.insert(path.to_owned(), digest);
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sha256_bytes;

    /// `a` makes `one` of a declared file, `b` makes `two` of `one`, `c` makes `three` of nothing.
    struct Fixture {
        folder: tempfile::TempDir,
        stages: Vec<Stage>,
        lock: Lock,
    }

    fn named(names: &[&str]) -> BTreeMap<String, PathBuf> {
        names.iter().map(|name| ((*name).to_owned(), PathBuf::from(name))).collect()
    }

    fn stage(name: &str, inputs: &[&str], outputs: &[&str], after: &[&str]) -> Stage {
        Stage {
            name: name.to_owned(),
            parameters: [("epochs".to_owned(), Value::from(14))].into(),
            inputs: named(inputs),
            code: Some(sha256_bytes(b"code")),
            outputs: named(outputs),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
            declared: false,
        }
    }

    impl Fixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["manifest", "data", "one", "two", "three"] {
                fs::write(folder.path().join(name), name).unwrap();
            }
            let declared = Stage { declared: true, ..stage("fetch", &["manifest"], &["data"], &[]) };
            let stages = vec![
                declared,
                stage("a", &["data"], &["one"], &["fetch"]),
                stage("b", &["one"], &["two"], &["a"]),
                stage("c", &[], &["three"], &[]),
            ];
            let mut lock = Lock::default();
            for stage in &stages {
                lock.record(folder.path(), stage).unwrap();
            }
            Self { folder, stages, lock }
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join(name), text).unwrap();
        }

        fn remove(&self, name: &str) {
            fs::remove_file(self.folder.path().join(name)).unwrap();
        }

        /// The stale stages with their reasons as text.
        fn stale(&self) -> Vec<(String, String)> {
            let reasons = self.lock.assess(self.folder.path(), &self.stages).unwrap();
            self.stages
                .iter()
                .zip(reasons)
                .filter(|(_, reasons)| !reasons.is_empty())
                .map(|(stage, reasons)| {
                    let words: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                    (stage.name.clone(), words.join("; "))
                })
                .collect()
        }

        fn expect(&self, stale: &[(&str, &str)]) {
            let expected: Vec<_> = stale.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!(self.stale(), expected);
        }
    }

    #[test]
    fn nothing_is_stale_after_everything_ran() {
        Fixture::new().expect(&[]);
    }

    #[test]
    fn an_output_that_is_gone_edited_or_truncated_makes_its_stage_and_the_ones_after_it_stale() {
        let fixture = Fixture::new();
        fixture.remove("one");
        fixture.expect(&[("a", "one is gone"), ("b", "a runs; one is missing")]);
        for text in ["onE", "on", ""] {
            fixture.write("one", text);
            fixture.expect(&[("a", "one is not what was written"), ("b", "a runs; one changed")]);
        }
        fixture.write("one", "one");
        fixture.expect(&[]);
        fixture.remove("two");
        fixture.expect(&[("b", "two is gone")]);
    }

    #[test]
    fn a_declared_file_that_is_lost_is_fetched_and_nothing_else() {
        let fixture = Fixture::new();
        fixture.remove("data");
        fixture.expect(&[("fetch", "data is gone")]);
        fixture.write("data", "damaged");
        fixture.expect(&[("fetch", "data is not what was written")]);
    }

    #[test]
    fn another_manifest_fetches_and_then_other_data_trains() {
        let fixture = Fixture::new();
        fixture.write("manifest", "other data");
        fixture.expect(&[("fetch", "manifest changed")]);
        let mut fixture = fixture;
        fixture.write("data", "other data");
        fixture.lock.record(fixture.folder.path(), &fixture.stages[0]).unwrap();
        fixture.expect(&[("a", "data changed"), ("b", "a runs")]);
    }

    #[test]
    fn a_parameter_or_the_code_makes_the_stage_stale() {
        let mut fixture = Fixture::new();
        fixture.stages[1].parameters = [("epochs".to_owned(), Value::from(3)), ("limit".to_owned(), 9.into())].into();
        fixture.expect(&[("a", "epochs is 3, was 14; limit is 9 and was not set"), ("b", "a runs")]);
        let mut fixture = Fixture::new();
        fixture.stages[2].code = Some(sha256_bytes(b"better code"));
        fixture.expect(&[("b", "its code changed")]);
    }

    #[test]
    fn the_lock_survives_a_file_and_a_damaged_one_is_refused() {
        let fixture = Fixture::new();
        let path = fixture.folder.path().join("pipeline.lock");
        assert_eq!(Lock::read(&path).unwrap(), Lock::default());
        fixture.lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), fixture.lock);
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [&text[..text.len() / 2], &text.replace("\"version\": 1", "\"version\": 2")] {
            fixture.write("pipeline.lock", damaged);
            let error = Lock::read(&path).unwrap_err().to_string();
            assert!(error.contains("remove it, and every stage runs anew"), "{error}");
        }
    }

    #[test]
    fn a_stage_that_left_nothing_is_not_recorded() {
        let mut fixture = Fixture::new();
        fixture.remove("three");
        let error = fixture.lock.record(fixture.folder.path(), &fixture.stages[3]).unwrap_err().to_string();
        assert_eq!(error, "c ended well, but three is not there");
    }
}
