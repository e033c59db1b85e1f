//! One of several parts, and the items that it has.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The variables in which schedulers tell the number of a task: Slurm's job arrays and Kubernetes' indexed jobs.
const VARIABLES: [&str; 2] = ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"];

/// One of `count` parts, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// What is no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Another form.
    #[error(
        "it has the form I/N, counted from 0, as in 3/8; or /N, with I in {} or {}",
        VARIABLES[0],
        VARIABLES[1]
    )]
    Form,
    /// No scheduler tells the number.
    #[error("neither {} nor {} is set, so name the part as I/N", VARIABLES[0], VARIABLES[1])]
    NoTask,
    /// The number that a scheduler tells is none.
    #[error("{variable} is `{value}`, which is no part of {count}: they are counted from 0")]
    Task {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// How many parts there are.
        count: u32,
    },
    /// A number beyond the last.
    #[error("there is no part {index} of {count}: they are counted from 0")]
    Beyond {
        /// The number.
        index: u32,
        /// How many parts there are.
        count: u32,
    },
}

impl Shard {
    /// The part `index` of `count`.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn new(index: u32, count: u32) -> Result<Self, ShardError> {
        if index < count { Ok(Self { index, count }) } else { Err(ShardError::Beyond { index, count }) }
    }

    /// Its number, from zero.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many parts there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// The name of its file: `part-00003-of-00008.jsonl`.
    pub fn file_name(self) -> String {
        format!("part-{:05}-of-{:05}.jsonl", self.index, self.count)
    }

    /// The part whose file has this name.
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (index, count) = name.strip_prefix("part-")?.strip_suffix(".jsonl")?.split_once("-of-")?;
        Self::new(index.parse().ok()?, count.parse().ok()?).ok().filter(|shard| shard.file_name() == name)
    }

    /// Which of so many items it has. Parts begin at multiples of `block`, so that the batches in which items run are the same however
    /// many parts there are.
    pub fn items(self, items: u64, block: u64) -> Range<u64> {
        let blocks = items.div_ceil(block.max(1));
        let first = |index: u32| (share(blocks, index, self.count) * block.max(1)).min(items);
        first(self.index)..first(self.index + 1)
    }

    /// Which bytes of a file of lines it has: the lines that begin in its share of the bytes. Of the file only the lines at both ends
    /// are read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn lines(self, file: &mut (impl Read + Seek)) -> io::Result<Range<u64>> {
        let size = file.seek(SeekFrom::End(0))?;
        let mut first = |index: u32| line_at(file, share(size, index, self.count), size);
        Ok(first(self.index)?..first(self.index + 1)?)
    }
}

/// Where the part `index` of so much begins.
fn share(all: u64, index: u32, count: u32) -> u64 {
    let share = u128::from(all) * u128::from(index) / u128::from(count.max(1));
    u64::try_from(share).unwrap_or(all)
}

/// Where the first line begins that begins at `place` or behind it.
fn line_at(file: &mut (impl Read + Seek), place: u64, size: u64) -> io::Result<u64> {
    let Some(before) = place.checked_sub(1) else { return Ok(0) };
    file.seek(SeekFrom::Start(before))?;
    let mut rest = Vec::new();
    let mut reader = BufReader::new(file);
    let mut at = before;
    loop {
        rest.clear();
        let read = reader.by_ref().take(1 << 20).read_until(b'\n', &mut rest)?;
        at += read as u64;
        if read == 0 || rest.ends_with(b"\n") {
            return Ok(at.min(size));
        }
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (index, count) = text.split_once('/').ok_or(ShardError::Form)?;
        let count: u32 = count.parse().ok().filter(|count| *count > 0).ok_or(ShardError::Form)?;
        match index {
            "" => {
                let mut told = VARIABLES.iter().filter_map(|name| Some((*name, std::env::var(name).ok()?)));
                let (variable, value) = told.next().ok_or(ShardError::NoTask)?;
                let index = value.parse().ok().filter(|index| *index < count);
                index.map(|index| Self { index, count }).ok_or(ShardError::Task { variable, value, count })
            }
            index => Self::new(index.parse().map_err(|_| ShardError::Form)?, count),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_is_named_by_two_numbers() {
        let shard: Shard = "3/8".parse().unwrap();
        assert_eq!((shard.to_string(), shard.file_name()), ("3/8".to_owned(), "part-00003-of-00008.jsonl".to_owned()));
        assert_eq!(Shard::of_file_name(&shard.file_name()), Some(shard));
        for name in ["part-3-of-8.jsonl", "part-00008-of-00008.jsonl", "part-00003-of-00008.json", "thesis.jsonl"] {
            assert_eq!(Shard::of_file_name(name), None, "{name}");
        }
        assert_eq!("8/8".parse::<Shard>().unwrap_err().to_string(), "there is no part 8 of 8: they are counted from 0");
        for text in ["8", "a/8", "1/0", "-1/8", "1/8/2", "1/"] {
            assert_eq!(text.parse::<Shard>(), Err(ShardError::Form), "{text}");
        }
    }

    #[test]
    fn parts_begin_at_whole_batches() {
        // 100 items in batches of 16 are 7 batches.
        let ranges: Vec<_> = (0..3).map(|index| Shard { index, count: 3 }.items(100, 16)).collect();
        assert_eq!(ranges, [0..32, 32..64, 64..100]);
        assert_eq!(Shard { index: 4, count: 9 }.items(16, 16), 0..0);
    }

    proptest! {
        #[test]
        fn every_line_is_in_one_part(lines in proptest::collection::vec("[a-c]{0,9}", 0..20), count in 1_u32..9, last in any::<bool>()) {
            let mut text = lines.join("\n");
            text.push_str(if last { "\n" } else { "" });
            let mut found = String::new();
            for index in 0..count {
                let range = Shard { index, count }.lines(&mut Cursor::new(text.as_bytes())).unwrap();
                let part = &text[range.start as usize..range.end as usize];
                prop_assert!(part.is_empty() || range.start == 0 || text[..range.start as usize].ends_with('\n'));
                found += part;
            }
            prop_assert_eq!(found, text);
        }

        #[test]
        fn every_item_is_in_one_part(items in 0_u64..1000, block in 1_u64..40, count in 1_u32..50) {
            let mut next = 0;
            for index in 0..count {
                let range = Shard { index, count }.items(items, block);
                prop_assert_eq!(range.start, next);
                prop_assert!(range.start.is_multiple_of(block) || range.start == items);
                next = range.end;
            }
            prop_assert_eq!(next, items);
        }
    }
}
