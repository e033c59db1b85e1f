//! The file of a part.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use artifact::{AtomicFile, Digest, FileError, GENERATOR, Hasher, is_ours};
use serde::{Deserialize, Serialize};

use crate::Shard;

/// The first line of a file: of which run it is, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The program that wrote it.
    pub generator: String,
    /// What makes one run another one, by name: the hashes of model, inputs and program, the options.
    pub run: std::collections::BTreeMap<String, String>,
    /// The part; `None` where all parts are together.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<Shard>,
    /// What it has: items, or bytes of a file of lines.
    pub range: Range<u64>,
    /// What there is.
    pub total: u64,
}

/// The last line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// Lines between both.
    pub items: u64,
    /// How many of these items got no answer.
    pub failed: u64,
    /// The SHA-256 of all lines before.
    pub sha256: Digest,
}

/// Why the file of a part cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Somebody else's file.
    #[error("{} is there and is no part of a prediction; name another folder with --out", path.display())]
    Stranger {
        /// The file.
        path: PathBuf,
    },
    /// A part of another run.
    #[error("{} is of another run: {difference}; name another folder with --out", path.display())]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// How the runs differ.
        difference: String,
    },
}

/// What there is of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Absent,
    /// All of it, unchanged.
    Whole(Footer),
    /// A file of this run that was cut or changed.
    Damaged,
}

impl Header {
    /// The header of a part.
    pub fn new(run: std::collections::BTreeMap<String, String>, shard: Shard, range: Range<u64>, total: u64) -> Self {
        Self { generator: GENERATOR.to_owned(), run, shard: Some(shard), range, total }
    }

    /// How another run differs, in words; `None` if it is the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let names = self.run.keys().chain(other.run.keys());
        let differs = names.into_iter().find(|name| self.run.get(*name) != other.run.get(*name));
        let told = |header: &Self, name: &str| header.run.get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
        match differs {
            Some(name) => Some(format!("its {name} is {}, and here it is {}", told(other, name), told(self, name))),
            None if self.total != other.total => Some(format!("it is of {} and not of {}", other.total, self.total)),
            None if self.generator != other.generator => {
                Some(format!("it was written by {} and not by {}", other.generator, self.generator))
            }
            None => None,
        }
    }

    fn line(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}

/// What there is of the part that this header tells of.
///
/// # Errors
/// When the file cannot be read, or is of another run or somebody else's.
pub fn state(path: &Path, expected: &Header) -> Result<State, PartError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Absent),
        Err(error) => return Err(FileError::new("open", path)(error).into()),
    };
    let mut reader = BufReader::new(file);
    let mut line = String::new();
    // A first line that is no text is no header.
    let read = reader.read_line(&mut line);
    let header: Option<Header> = read.ok().and_then(|_| serde_json::from_str(&line).ok());
    match header {
        None if is_ours(path) => Ok(State::Damaged),
        None => Err(PartError::Stranger { path: path.to_owned() }),
        Some(header) => match expected.difference(&header) {
            Some(difference) => Err(PartError::OtherRun { path: path.to_owned(), difference }),
            None if header != *expected => Ok(State::Damaged),
            None => Ok(check(path, |_| Ok(()))?.map_or(State::Damaged, |(_, footer)| State::Whole(footer))),
        },
    }
}

/// Reads a file of a part and hands on each of its items; `None` if it is cut or changed.
///
/// # Errors
/// When it cannot be read, or an item not be handed on.
pub fn check(
    path: &Path,
    mut item: impl FnMut(&[u8]) -> Result<(), FileError>,
) -> Result<Option<(Header, Footer)>, FileError> {
    let mut reader = BufReader::new(File::open(path).map_err(FileError::new("open", path))?);
    let mut hasher = Hasher::new();
    let mut header = None;
    let (mut line, mut next) = (Vec::new(), Vec::new());
    let mut items = 0;
    reader.read_until(b'\n', &mut line).map_err(FileError::new("read", path))?;
    loop {
        next.clear();
        reader.read_until(b'\n', &mut next).map_err(FileError::new("read", path))?;
        if next.is_empty() {
            // The last line is the footer.
            let digest = hasher.finish();
            let footer: Option<Footer> = line.ends_with(b"\n").then(|| serde_json::from_slice(&line).ok()).flatten();
            return Ok(header.zip(footer.filter(|footer| footer.sha256 == digest && footer.items == items)));
        }
        hasher.update(&line);
        match header {
            None => match serde_json::from_slice::<Header>(&line) {
                Ok(found) => header = Some(found),
                Err(_) => return Ok(None),
            },
            Some(_) => {
                item(&line)?;
                items += 1;
            }
        }
        std::mem::swap(&mut line, &mut next);
    }
}

/// Writes a file with the lines that `items` gives, which returns how many of them got no answer: whole, or not at all.
///
/// # Errors
/// When the file cannot be written, or `items` fails.
pub fn write<E: From<FileError>>(
    path: &Path,
    header: &Header,
    items: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), FileError>) -> Result<u64, E>,
) -> Result<Footer, E> {
    let mut file = AtomicFile::create(path)?;
    let mut hasher = Hasher::new();
    let mut count = 0;
    let first = header.line().map_err(FileError::new("write", path))?;
    let mut put = |file: &mut AtomicFile, bytes: &[u8]| {
        hasher.update(bytes);
        file.write_all(bytes).map_err(FileError::new("write", path))
    };
    put(&mut file, first.as_bytes())?;
    let failed = items(&mut |line| {
        count += 1;
        put(&mut file, line)
    })?;
    let footer = Footer { items: count, failed, sha256: hasher.finish() };
    let last = serde_json::to_string(&footer).map_err(|error| FileError::new("write", path)(error.into()))?;
    file.write_all(last.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(FileError::new("write", path))?;
    file.commit()?;
    Ok(footer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(model: &str) -> Header {
        let run = [("model".to_owned(), model.to_owned())].into();
        Header::new(run, Shard::new(0, 2).unwrap(), 0..2, 4)
    }

    fn written(path: &Path) -> Footer {
        write::<FileError>(path, &header("a"), |line| {
            line(b"{\"digit\":3}\n")?;
            line(b"{\"error\":\"\"}\n")?;
            Ok(1)
        })
        .unwrap()
    }

    #[test]
    fn what_is_written_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        assert_eq!(state(&path, &header("a")).unwrap(), State::Absent);
        let footer = written(&path);
        assert_eq!((footer.items, footer.failed), (2, 1));
        assert_eq!(state(&path, &header("a")).unwrap(), State::Whole(footer));
        let other = state(&path, &header("b")).unwrap_err().to_string();
        assert!(other.contains("is of another run: its model is a, and here it is b"), "{other}");
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        let footer = written(&path);
        let whole = std::fs::read(&path).unwrap();
        let whole_state = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            state(&path, &header("a")).is_ok_and(|state| state == State::Whole(footer))
        };
        for length in 0..whole.len() {
            assert!(!whole_state(&whole[..length]), "{length}");
        }
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(!whole_state(&bytes), "{at}");
        }
        std::fs::write(&path, b"my thesis\n").unwrap();
        assert!(matches!(state(&path, &header("a")), Err(PartError::Stranger { .. })));
    }

    #[test]
    fn what_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        let failed = write(&path, &header("a"), |_| Err(PartError::Stranger { path: path.clone() }));
        assert!(matches!(failed, Err(PartError::Stranger { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
