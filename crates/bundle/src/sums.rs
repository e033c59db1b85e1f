//! `SHA256SUMS`, as `sha256sum --check` reads it.

use std::collections::BTreeMap;
use std::path::Path;

use artifact::{Digest, FileError, sha256_file};

/// The hash of each file by its path inside the folder, with `/` between the parts.
pub type Sums = BTreeMap<String, Digest>;

/// The text of the file: a line for each, in order.
pub fn text(sums: &Sums) -> String {
    sums.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect()
}

/// Reads the text. A line may mark a file as binary by a star, as `sha256sum --binary` does.
///
/// # Errors
/// A sentence with the line that is none.
pub fn parse(text: &str) -> Result<Sums, String> {
    let mut sums = Sums::new();
    for (number, line) in (1..).zip(text.lines()) {
        let entry = line.split_once([' ']).and_then(|(digest, rest)| {
            let path = rest.strip_prefix([' ', '*'])?;
            Some((path.to_owned(), digest.parse::<Digest>().ok()?))
        });
        let Some((path, digest)) = entry else {
            return Err(format!("line {number} is no checksum and path"));
        };
        if sums.insert(path.clone(), digest).is_some() {
            return Err(format!("line {number} names {path} once more"));
        }
    }
    Ok(sums)
}

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// Every plain file with its hash and size.
    pub files: BTreeMap<String, (Digest, u64)>,
    /// What is neither folder nor plain file, such as a link: nothing that could be shipped.
    pub odd: Vec<String>,
    /// Folders that hold nothing.
    pub empty: Vec<String>,
}

/// Reads and hashes everything below `folder`. Links are not followed.
///
/// # Errors
/// When something cannot be read.
pub fn contents(folder: &Path) -> Result<Contents, FileError> {
    let mut contents = Contents::default();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((here, prefix)) = open.pop() {
        let mut holds_nothing = true;
        for entry in std::fs::read_dir(&here).map_err(FileError::new("read", &here))? {
            holds_nothing = false;
            let entry = entry.map_err(FileError::new("read", &here))?;
            let path = entry.path();
            let about = std::fs::symlink_metadata(&path).map_err(FileError::new("read", &path))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if about.is_dir() {
                open.push((path, format!("{name}/")));
            } else if about.is_file() {
                contents.files.insert(name, (sha256_file(&path)?, about.len()));
            } else {
                contents.odd.push(name);
            }
        }
        if holds_nothing {
            contents.empty.push(prefix);
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_is_no_sum_is_told() {
        let digest = artifact::sha256_bytes(b"x");
        let sums = Sums::from([("a b.txt".to_owned(), digest), ("c/d".to_owned(), digest)]);
        assert_eq!(parse(&text(&sums)).unwrap(), sums);
        assert_eq!(parse(&format!("{digest} *c/d\n")).unwrap().len(), 1);
        assert_eq!(parse("abc  x\n").unwrap_err(), "line 1 is no checksum and path");
        assert!(parse(&format!("{digest}  x\n{digest}  x\n")).unwrap_err().contains("once more"));
    }
}
