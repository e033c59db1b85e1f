//! Where the files of a data set lie.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{DigitsError, Split};

/// How the names of images and labels go on after that of the part: MNIST's own way, and that of copies.
const IMAGES: [&str; 2] = ["-images-idx3-ubyte", "-images.idx3-ubyte"];
const LABELS: [&str; 2] = ["-labels-idx1-ubyte", "-labels.idx1-ubyte"];

/// A file with the name of a class in each line.
const NAMES: &str = "labels.txt";

/// EMNIST's table: a label and the codes of its characters in each line.
const MAPPING: &str = "mapping.txt";

/// The ending of a packed file.
pub(super) const PACKED: &str = ".gz";

/// The two files of one part of a data set.
pub(super) struct Files {
    pub(super) images: PathBuf,
    pub(super) labels: PathBuf,
    /// Where the names of the classes are, if they are anywhere: a name in each line, or EMNIST's table of characters.
    pub(super) names: [PathBuf; 2],
}

impl Files {
    /// Finds the files of a part. `data` is the folder that they lie in; where it holds several data sets, as that of EMNIST does,
    /// `data` goes on with what the names of one begin with: `gzip/emnist-letters`. What is not there has its name in MNIST.
    ///
    /// # Errors
    /// When `data` is a folder with several data sets.
    pub(super) fn find(data: &Path, split: Split) -> Result<Self, DigitsError> {
        let (folder, wanted) = match (data.is_dir(), data.parent(), data.file_name()) {
            (false, Some(folder), Some(name)) if folder.is_dir() || folder.as_os_str().is_empty() => {
                (folder, Some(format!("{}-", name.to_string_lossy())))
            }
            _ => (data, None),
        };
        let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let found: Vec<String> = fs::read_dir(listed)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        // Of both parts, so that the parts of two data sets are never mixed.
        let mut prefixes: BTreeSet<&str> = found.iter().filter_map(|name| prefix(name)).collect();
        if let Some(wanted) = &wanted {
            prefixes.retain(|prefix| prefix == wanted);
        }
        let names: Vec<&str> = prefixes.into_iter().collect();
        let prefix = match names.as_slice() {
            [] => {
                let [images, labels] = [split.images_file(), split.labels_file()].map(|name| data.join(name));
                return Ok(Self { images, labels, names: [NAMES, MAPPING].map(|name| data.join(name)) });
            }
            // MNIST's own names go before others.
            ["", ..] => "",
            [prefix] => prefix,
            _ => {
                let names = names.iter().map(|name| name.trim_end_matches('-').to_owned()).collect();
                return Err(DigitsError::Several { folder: data.to_owned(), names });
            }
        };
        let place = |endings: [&str; 2], own: &str| {
            let names = split.stems().iter().flat_map(|stem| endings.map(|ending| format!("{prefix}{stem}{ending}")));
            let mut names = names.flat_map(|name| [name.clone(), name + PACKED]);
            let name = names.find(|name| found.contains(name));
            folder.join(name.unwrap_or_else(|| format!("{prefix}{own}")))
        };
        let [images, labels] = [place(IMAGES, split.images_file()), place(LABELS, split.labels_file())];
        let names = [NAMES, MAPPING].map(|name| folder.join(format!("{prefix}{name}")));
        Ok(Self { images, labels, names })
    }
}

/// What stands before the part's name in the name of a file with its images or labels; `None` for any other file.
fn prefix(name: &str) -> Option<&str> {
    let name = name.strip_suffix(PACKED).unwrap_or(name);
    let start = IMAGES.iter().chain(&LABELS).find_map(|ending| name.strip_suffix(ending))?;
    let stems = [Split::Train, Split::Test].map(Split::stems);
    let prefix = stems.into_iter().flatten().find_map(|stem| start.strip_suffix(stem))?;
    (prefix.is_empty() || prefix.ends_with('-')).then_some(prefix)
}
