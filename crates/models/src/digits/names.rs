//! The names of classes.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Classes, DigitsError};
use crate::imagenet::Labels;
use crate::text_file;

/// The names in a file with one in each line.
pub(super) fn listed(path: &Path, classes: Classes) -> Result<Vec<String>, DigitsError> {
    let labels = Labels::read(path, classes.count).map_err(|error| refused(path, classes, error.to_string()))?;
    Ok((0..classes.count).filter_map(|class| labels.name(class)).collect())
}

/// The characters in EMNIST's table, whose lines are a label and the codes of its characters: `1 65 97` is `Aa`.
pub(super) fn mapped(path: &Path, classes: Classes) -> Result<Vec<String>, DigitsError> {
    let text = text_file::read(path).map_err(|source| DigitsError::Io { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&text);
    let entry = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u32>().ok());
        let label = usize::try_from(numbers.next()??).ok()?;
        let name: Option<String> = numbers.map(|code| char::from_u32(code?)).collect();
        Some((label, name.filter(|name| !name.is_empty())?))
    };
    let mut names = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (label, name) =
            entry(line).ok_or_else(|| refused(path, classes, format!("{line:?} is no label with codes")))?;
        names.insert(label, name);
    }
    let name = |label| names.get(&label).cloned().ok_or_else(|| refused(path, classes, format!("{label} is missing")));
    classes.labels().map(name).collect()
}

fn refused(path: &Path, classes: Classes, reason: String) -> DigitsError {
    DigitsError::Names { path: path.to_owned(), classes, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of EMNIST's own files.
    #[test]
    fn classes_are_called_what_files_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.txt");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("1 65 97\n2 66 98\n3 67 99\n");
        let letters = Classes { first: 1, count: 3 };
        assert_eq!(mapped(&path, letters).unwrap(), ["Aa", "Bb", "Cc"]);
        write("0 48\n1 49 \n\n");
        assert_eq!(mapped(&path, Classes { first: 0, count: 2 }).unwrap(), ["0", "1"]);
        let error = mapped(&path, letters).unwrap_err().to_string();
        assert!(error.contains("names.txt does not name the classes 1 to 3: 2 is missing"), "{error}");
        write("0 48\nA 49\n");
        assert!(mapped(&path, letters).unwrap_err().to_string().contains("\"A 49\" is no label with codes"));
        write("T-shirt/top\nTrouser\n");
        assert_eq!(listed(&path, Classes { first: 0, count: 2 }).unwrap(), ["T-shirt/top", "Trouser"]);
        assert!(listed(&path, letters).unwrap_err().to_string().contains("2 labels, not 3"));
    }
}
