//! Paths as a user means them: from where the user stands first, then from the workspace's root.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};

/// The variable in which xtask tells the programs where the user stands; they themselves run at the workspace's root.
pub const STANDS_IN: &str = "KILN_STANDS_IN";

/// Parses the path of something that is read.
pub fn reading() -> impl TypedValueParser<Value = PathBuf> {
    reading_or("")
}

/// Parses the path of something that is read; the default is at the workspace's root.
pub fn reading_or(default: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    parser(default, Path::exists)
}

/// Parses the path of something that is written.
pub fn writing() -> impl TypedValueParser<Value = PathBuf> {
    writing_or("")
}

/// Parses the path of something that is written; the default is at the workspace's root.
pub fn writing_or(default: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    parser(default, |path| path.parent().is_some_and(Path::is_dir))
}

fn parser(default: &'static str, suits: fn(&Path) -> bool) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(move |path| match path == Path::new(default) {
        true => path,
        false => meant(stands_in().as_deref(), path, suits),
    })
}

/// Where the user stands, if that is not where the program runs.
fn stands_in() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os(STANDS_IN)?);
    let runs_in = std::env::current_dir().ok()?;
    (folder != runs_in).then_some(folder)
}

/// A relative path from where the user stands, if it suits there, or else from where the program runs.
fn meant(stands_in: Option<&Path>, path: PathBuf, suits: impl Fn(&Path) -> bool) -> PathBuf {
    let there = stands_in.filter(|_| path.is_relative()).map(|folder| folder.join(&path));
    there.filter(|there| suits(there)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_looked_for_where_the_user_stands_first() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.onnx"), b"").unwrap();
        let read = |path: &str| meant(Some(folder.path()), path.into(), Path::exists);
        assert_eq!(read("mine.onnx"), folder.path().join("mine.onnx"));
        assert_eq!(read("other.onnx"), Path::new("other.onnx"));
        let absolute = folder.path().join("none.onnx");
        assert_eq!(read(absolute.to_str().unwrap()), absolute);
        assert_eq!(meant(None, "mine.onnx".into(), Path::exists), Path::new("mine.onnx"));
    }
}
