//! One file out of all parts.

use std::path::{Path, PathBuf};

use artifact::FileError;

use crate::part::{check, write};
use crate::{Footer, Header, PartError, Shard};

/// What was put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// How many parts.
    pub parts: u32,
    /// The end of the file.
    pub footer: Footer,
}

/// Why parts cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file cannot be read or written, or is of another run.
    #[error(transparent)]
    Part(#[from] PartError),
    /// There are none.
    #[error("{} holds no parts of a prediction (part-00000-of-….jsonl)", folder.display())]
    None {
        /// The folder.
        folder: PathBuf,
    },
    /// Files of several counts.
    #[error("{} holds parts of {} and parts of {}; leave those of one run", folder.display(), counts.0, counts.1)]
    Counts {
        /// The folder.
        folder: PathBuf,
        /// Two of the counts.
        counts: (u32, u32),
    },
    /// Parts that are not there.
    #[error("{} of {count} parts are missing in {}: {}", missing.len(), folder.display(), listed(missing))]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// Their numbers.
        missing: Vec<u32>,
        /// How many there should be.
        count: u32,
    },
    /// A file that was cut or changed.
    #[error("{} is cut or was changed; run that part again, which replaces it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Parts of the same run that do not follow one another.
    #[error("{} begins at {begins}, and the part before it ends at {ends}", path.display())]
    Gap {
        /// The file.
        path: PathBuf,
        /// Where it begins.
        begins: u64,
        /// Where the one before ends.
        ends: u64,
    },
}

impl From<FileError> for MergeError {
    fn from(error: FileError) -> Self {
        Self::Part(error.into())
    }
}

/// The first few of the numbers.
fn listed(numbers: &[u32]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = numbers.iter().take(SHOWN).map(u32::to_string).collect();
    shown.join(", ") + if numbers.len() > SHOWN { ", …" } else { "" }
}

/// All parts of a run, each seen to be whole and to follow the one before it.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Of which run they are, and of all that it has.
    pub header: Header,
    paths: Vec<PathBuf>,
}

impl Parts {
    /// The parts in a folder.
    ///
    /// # Errors
    /// When a part is missing, damaged or of another run.
    pub fn read(folder: &Path) -> Result<Self, MergeError> {
        let parts = parts(folder)?;
        let mut first: Option<Header> = None;
        let mut ends = 0;
        for (_, path) in &parts {
            let damaged = || MergeError::Damaged { path: path.clone() };
            let (header, _) = check(path, |_| Ok(()))?.ok_or_else(damaged)?;
            let known = first.get_or_insert_with(|| header.clone());
            if let Some(difference) = known.difference(&header) {
                return Err(PartError::OtherRun { path: path.clone(), difference }.into());
            }
            if header.range.start != ends {
                return Err(MergeError::Gap { path: path.clone(), begins: header.range.start, ends });
            }
            ends = header.range.end;
        }
        let Some(first) = first else { return Err(MergeError::None { folder: folder.to_owned() }) };
        if let Some((_, path)) = parts.last().filter(|_| ends != first.total) {
            return Err(MergeError::Gap { path: path.clone(), begins: first.total, ends });
        }
        let header = Header { shard: None, range: 0..first.total, ..first };
        Ok(Self { header, paths: parts.into_iter().map(|(_, path)| path).collect() })
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.paths.len() as u32
    }

    /// Hands on the line of each item, in order. Gives how many of them got no answer.
    ///
    /// # Errors
    /// When a part cannot be read or was changed meanwhile, or a line not be handed on.
    pub fn items(&self, mut line: impl FnMut(&[u8]) -> Result<(), FileError>) -> Result<u64, MergeError> {
        let mut failed = 0;
        for path in &self.paths {
            let (_, part) = check(path, &mut line)?.ok_or(MergeError::Damaged { path: path.clone() })?;
            failed += part.failed;
        }
        Ok(failed)
    }
}

/// Puts the parts in a folder together, in the order of their items, as one run would have written them. Each part is read twice:
/// nothing is written before all are known to belong together.
///
/// # Errors
/// When a part is missing, damaged or of another run, or the file cannot be written.
pub fn merge(folder: &Path, out: &Path) -> Result<Merged, MergeError> {
    let parts = Parts::read(folder)?;
    let footer = write::<MergeError>(out, &parts.header, |line| parts.items(line))?;
    Ok(Merged { parts: parts.count(), footer })
}

/// The files of all parts, in order.
fn parts(folder: &Path) -> Result<Vec<(Shard, PathBuf)>, MergeError> {
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(FileError::new("read", folder))? {
        let entry = entry.map_err(FileError::new("read", folder))?;
        let shard = entry.file_name().to_str().and_then(Shard::of_file_name);
        parts.extend(shard.map(|shard| (shard, entry.path())));
    }
    parts.sort_by_key(|(shard, _)| (shard.count(), shard.index()));
    let Some((first, _)) = parts.first() else { return Err(MergeError::None { folder: folder.to_owned() }) };
    let count = first.count();
    if let Some((other, _)) = parts.iter().find(|(shard, _)| shard.count() != count) {
        return Err(MergeError::Counts { folder: folder.to_owned(), counts: (count, other.count()) });
    }
    let is_missing = |index: &u32| parts.iter().all(|(shard, _)| shard.index() != *index);
    let missing: Vec<u32> = (0..count).filter(is_missing).collect();
    match missing.is_empty() {
        true => Ok(parts),
        false => Err(MergeError::Missing { folder: folder.to_owned(), missing, count }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the parts of ten items.
    fn run(folder: &Path, count: u32, model: &str) {
        for index in 0..count {
            let shard = Shard::new(index, count).unwrap();
            let range = shard.items(10, 2);
            let header = Header::new([("model".to_owned(), model.to_owned())].into(), shard, range.clone(), 10);
            write::<FileError>(&folder.join(shard.file_name()), &header, |line| {
                for item in range.clone() {
                    line(format!("{{\"item\":{item}}}\n").as_bytes())?;
                }
                Ok(range.filter(|item| *item == 7).count() as u64)
            })
            .unwrap();
        }
    }

    fn merged(count: u32) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), count, "a");
        let out = folder.path().join("all.jsonl");
        let merged = merge(folder.path(), &out).unwrap();
        assert_eq!((merged.parts, merged.footer.items, merged.footer.failed), (count, 10, 1));
        std::fs::read(out).unwrap()
    }

    #[test]
    fn however_many_parts_there_are_the_file_is_the_same() {
        let one = merged(1);
        // Five batches of two are in at most five parts; the others are empty.
        for count in [2, 3, 5, 9] {
            assert_eq!(merged(count), one, "{count}");
        }
        let text = String::from_utf8(one).unwrap();
        assert!(text.lines().nth(1) == Some("{\"item\":0}") && !text.contains("shard"), "{text}");
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let refused = |change: &dyn Fn(&Path)| {
            let folder = tempfile::tempdir().unwrap();
            run(folder.path(), 3, "a");
            change(folder.path());
            let out = folder.path().join("all.jsonl");
            let error = merge(folder.path(), &out).unwrap_err().to_string();
            assert!(!out.exists());
            error
        };
        let part = |folder: &Path, index: u32, count: u32| folder.join(Shard::new(index, count).unwrap().file_name());
        let missing = refused(&|folder| std::fs::remove_file(part(folder, 1, 3)).unwrap());
        assert!(missing.starts_with("1 of 3 parts are missing in ") && missing.ends_with(": 1"), "{missing}");
        assert!(refused(&|folder| run(folder, 4, "a")).contains("holds parts of 3 and parts of 4"));
        let other = refused(&|folder| {
            let elsewhere = tempfile::tempdir().unwrap();
            run(elsewhere.path(), 3, "b");
            std::fs::copy(part(elsewhere.path(), 2, 3), part(folder, 2, 3)).unwrap();
        });
        assert!(other.contains("is of another run: its model is b, and here it is a"), "{other}");
        let edited = refused(&|folder| {
            let text = std::fs::read_to_string(part(folder, 0, 3)).unwrap();
            std::fs::write(part(folder, 0, 3), text.replace("\"item\":1", "\"item\":2")).unwrap();
        });
        assert!(
            edited.ends_with("part-00000-of-00003.jsonl is cut or was changed; run that part again, which replaces it"),
            "{edited}"
        );
        let swapped = refused(&|folder| {
            std::fs::copy(part(folder, 0, 3), part(folder, 1, 3)).unwrap();
        });
        assert!(swapped.contains("begins at 0, and the part before it ends at "), "{swapped}");
        let nothing = refused(&|folder| (0..3).for_each(|index| std::fs::remove_file(part(folder, index, 3)).unwrap()));
        assert!(nothing.contains("holds no parts of a prediction"), "{nothing}");
    }
}
