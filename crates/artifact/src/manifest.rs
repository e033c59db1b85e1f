//! What a data set consists of and where it can be had: `datasets/<name>.toml`.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::{Digest, FileError};

/// The largest manifest that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A data set, a weight file or a library: its files, and its sources in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What it is, for people.
    pub title: String,
    /// Under which licence it may be used.
    pub licence: String,
    /// What can be done when no source has it, if that is more than to get the files by hand.
    pub otherwise: Option<String>,
    /// The files, as they lie below the data set's folder.
    #[serde(rename = "file")]
    pub files: Vec<FileEntry>,
    /// Where they can be had; each file is taken from the first source that has it and answers.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// The path below the data set's folder, with `/` between its parts.
    pub name: String,
    /// The only platform that needs the file, such as `linux-x86_64`; all if absent.
    pub platform: Option<String>,
    /// Its size, in bytes.
    pub bytes: Option<u64>,
    /// The most bytes that are taken of a file whose size is not known.
    pub at_most: Option<u64>,
    /// Its SHA-256. Absent, with the size, for a file whose publisher states none: what its first fetch gives over HTTPS is
    /// recorded in the data set's folder, and holds from then on.
    pub sha256: Option<Digest>,
    /// Whether it is a program.
    #[serde(default)]
    pub executable: bool,
}

/// One place that has the files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum Source {
    /// A web server: each file at `base` + its path there + `suffix`.
    Https {
        /// The address of the folder, ending in `/`.
        base: String,
        /// `.gz` if the files are compressed there.
        #[serde(default)]
        suffix: String,
    },
    /// A package of the npm registry, through `npm pack`.
    Npm {
        /// Its name.
        package: String,
        /// Its exact version.
        version: String,
        /// The SHA-256 of the packed archive.
        sha256: Digest,
        /// The folder in the archive that holds the files.
        folder: String,
    },
    /// A wheel of a Python package index, through `pip download`.
    Pip {
        /// The only platform that the wheel serves.
        platform: Option<String>,
        /// The address of the index, where it is not the one that pip asks by itself.
        index: Option<String>,
        /// Its name.
        package: String,
        /// Its exact version.
        version: String,
        /// The SHA-256 of the wheel.
        sha256: Digest,
        /// The wheel's platform tag.
        tag: String,
        /// The folder in the wheel that holds the files.
        folder: String,
        /// The paths, in `folder`, of the files that the wheel has, where it does not have them all.
        #[serde(default)]
        files: Vec<String>,
    },
}

/// Why a manifest could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not a manifest.
    #[error("{} is not a manifest: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// When the file cannot be read, is no manifest, or names a file outside the data set's folder.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ManifestError> {
        let path = path.as_ref();
        let malformed = |reason: String| ManifestError::Malformed { path: path.to_owned(), reason };
        let length = fs::metadata(path).map_err(FileError::new("read", path))?.len();
        if length > MAX_BYTES {
            return Err(malformed(format!("it has {length} bytes; none has more than {MAX_BYTES}")));
        }
        let text = fs::read_to_string(path).map_err(FileError::new("read", path))?;
        let manifest: Self = toml::from_str(&text).map_err(|error| malformed(in_words(&error)))?;
        for file in &manifest.files {
            let inside = Path::new(&file.name).components().all(|part| matches!(part, Component::Normal(_)));
            if !inside || file.name.is_empty() {
                return Err(malformed(format!("`{}` is not a path below the data set's folder", file.name)));
            }
            if file.bytes.is_some() != file.sha256.is_some() {
                return Err(malformed(format!("`{}` has one of `bytes` and `sha256` without the other", file.name)));
            }
            if file.bytes.is_some() == file.at_most.is_some() {
                return Err(malformed(format!("`{}` needs either `bytes` or `at_most`", file.name)));
            }
            let by_tls = |source: &Source| matches!(source, Source::Https { base, .. } if base.starts_with("https://"));
            if file.sha256.is_none() && !manifest.sources.iter().all(by_tls) {
                return Err(malformed(format!(
                    "`{}` has no `sha256`, so every source must begin with https://",
                    file.name
                )));
            }
            if !manifest.sources.is_empty() && !manifest.sources.iter().any(|source| source.has(file)) {
                return Err(malformed(format!("no source has `{}`", file.name)));
            }
        }
        for name in manifest.sources.iter().flat_map(Source::part) {
            if !manifest.files.iter().any(|file| file.source_name() == name) {
                return Err(malformed(format!("a source has `{name}`, which is no file of the manifest")));
            }
        }
        Ok(manifest)
    }

    /// The files that `platform` needs.
    pub fn files_for<'a>(&'a self, platform: &'a str) -> impl Iterator<Item = &'a FileEntry> {
        self.files.iter().filter(move |file| file.platform.as_deref().is_none_or(|only| only == platform))
    }
}

impl FileEntry {
    /// The most bytes that it can have.
    pub fn most_bytes(&self) -> u64 {
        self.bytes.or(self.at_most).unwrap_or(u64::MAX)
    }

    /// The path at its source: the name without the folder of its platform.
    pub fn source_name(&self) -> &str {
        let of_platform =
            self.platform.as_ref().and_then(|platform| self.name.strip_prefix(platform)?.strip_prefix('/'));
        of_platform.unwrap_or(&self.name)
    }
}

impl Source {
    /// Whether the source has the files of `platform`.
    pub fn serves(&self, platform: &str) -> bool {
        match self {
            Self::Pip { platform: Some(only), .. } => only == platform,
            _ => true,
        }
    }

    /// Whether the source has a file.
    pub fn has(&self, file: &FileEntry) -> bool {
        let part = self.part();
        part.is_empty() || part.iter().any(|name| name == file.source_name())
    }

    /// The files that the source names; it has all if it names none.
    fn part(&self) -> &[String] {
        match self {
            Self::Pip { files, .. } => files,
            Self::Https { .. } | Self::Npm { .. } => &[],
        }
    }

    /// The source in a few words.
    pub fn describe(&self) -> String {
        match self {
            Self::Https { base, .. } => base.clone(),
            Self::Npm { package, version, .. } => format!("the npm package {package} {version}"),
            Self::Pip { package, version, index: None, .. } => format!("the Python package {package} {version}"),
            Self::Pip { package, version, index: Some(index), .. } => {
                format!("the Python package {package} {version} of {index}")
            }
        }
    }
}

/// What is wrong with the text of a manifest, and in which line, without the picture of that line.
fn in_words(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let place = text.lines().next().filter(|place| place.contains(" at line "));
    place.map_or_else(|| error.message().to_owned(), |place| format!("{place}: {}", error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, ManifestError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.toml");
        fs::write(&path, text).unwrap();
        Manifest::read(&path)
    }

    fn with_name(name: &str) -> String {
        let digest = "0".repeat(64);
        format!(
            "title = 'T'\nlicence = 'MIT'\n[[file]]\nname = '{name}'\nbytes = 1\nsha256 = '{digest}'\n\
             [[source]]\nkind = 'https'\nbase = 'https://example.org/'\n"
        )
    }

    #[test]
    fn a_manifest_is_read() {
        let manifest = read(&with_name("folder/a")).unwrap();
        assert_eq!(manifest.files[0].source_name(), "folder/a");
        assert_eq!(manifest.sources[0].describe(), "https://example.org/");
    }

    /// The folder of a platform is ours; other folders are those of the source.
    #[test]
    fn a_source_knows_a_file_without_the_folder_of_its_platform() {
        let with_platform = with_name("linux-x86_64/a").replace("bytes = 1", "bytes = 1\nplatform = 'linux-x86_64'");
        assert_eq!(read(&with_platform).unwrap().files[0].source_name(), "a");
        assert_eq!(read(&with_name("linux-x86_64/a")).unwrap().files[0].source_name(), "linux-x86_64/a");
    }

    #[test]
    fn a_name_stays_in_the_folder() {
        for name in ["../a", "/a", "a/../../b", "."] {
            let error = read(&with_name(name)).unwrap_err().to_string();
            assert!(error.contains("is not a path below the data set's folder"), "{error}");
        }
    }

    #[test]
    fn a_file_without_a_hash_comes_from_its_publisher_alone() {
        let with = |entry: &str, base: &str| {
            read(&format!(
                "title = 'T'\nlicence = 'MIT'\n[[file]]\nname = 'a'\n{entry}\n[[source]]\nkind = 'https'\nbase = '{base}'\n"
            ))
        };
        let bounded = "at_most = 9";
        assert_eq!(with(bounded, "https://example.org/").unwrap().files[0].sha256, None);
        let error = with("", "https://example.org/").unwrap_err().to_string();
        assert!(error.contains("needs either `bytes` or `at_most`"), "{error}");
        let error = with(bounded, "http://example.org/").unwrap_err().to_string();
        assert!(error.contains("every source must begin with https://"), "{error}");
        let error = with("bytes = 1", "https://example.org/").unwrap_err().to_string();
        assert!(error.contains("without the other"), "{error}");
    }

    #[test]
    fn packages_may_share_the_files_and_leave_none_out() {
        let digest = "0".repeat(64);
        let file = |name: &str| format!("[[file]]\nname = '{name}'\nbytes = 1\nsha256 = '{digest}'\n");
        let wheel = |package: &str, files: &str| {
            format!(
                "[[source]]\nkind = 'pip'\npackage = '{package}'\nversion = '1.0'\nsha256 = '{digest}'\ntag = 'any'\n\
                 folder = 'lib'\nfiles = [{files}]\n"
            )
        };
        let head = format!("title = 'T'\nlicence = 'MIT'\n{}{}", file("a.so"), file("b.so"));
        let both = read(&format!("{head}{}{}", wheel("one", "'a.so'"), wheel("two", "'b.so'"))).unwrap();
        let has: Vec<Vec<bool>> =
            both.sources.iter().map(|source| both.files.iter().map(|file| source.has(file)).collect()).collect();
        assert_eq!(has, [[true, false], [false, true]]);
        let error = read(&format!("{head}{}", wheel("one", "'a.so'"))).unwrap_err().to_string();
        assert!(error.contains("no source has `b.so`"), "{error}");
        let error = read(&format!("{head}{}", wheel("one", "'a.so', 'b.so', 'c.so'"))).unwrap_err().to_string();
        assert!(error.contains("a source has `c.so`, which is no file of the manifest"), "{error}");
        assert!(read(&format!("{head}{}", wheel("one", ""))).is_ok());
    }

    #[test]
    fn unknown_entries_are_refused() {
        let error = read(&(with_name("a") + "mirror = 'x'\n")).unwrap_err().to_string();
        assert!(error.contains("is not a manifest"), "{error}");
    }
}
