//! What a program is made of: its own code, that of the crates that it uses, and the versions of the others.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use artifact::{Digest, FileError, Hasher};

use crate::programs::Program;
use crate::workspace;

/// Crates that move files and words about and compute nothing. A change to them leaves every result as it is.
const WITHOUT_RESULTS: [&str; 3] = ["artifact", "cli", "terminal"];

/// What each package of the programs is made of.
pub struct Code {
    /// By the words of cargo that tell a package: `burn v0.22.1 autodiff,std`.
    dependencies: HashMap<String, BTreeSet<String>>,
}

impl Code {
    /// Asks cargo, once for all `programs`.
    ///
    /// # Errors
    /// When cargo cannot tell.
    pub fn of(programs: &[Program]) -> Result<Self> {
        let mut command = workspace::cargo();
        command.args(["tree", "--quiet", "--edges=normal", "--prefix=depth", "--format={p} {f}"]);
        for program in programs {
            command.args(["--package", program.package()]);
        }
        let output = command.output().context("cargo cannot be started")?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            bail!("cargo cannot tell what the programs depend on: {reason}");
        }
        Ok(Self { dependencies: parse(&String::from_utf8_lossy(&output.stdout)) })
    }

    /// A digest of everything that can change what `program` computes.
    ///
    /// # Errors
    /// When a source file cannot be read.
    pub fn digest(&self, program: Program) -> Result<Digest> {
        let mut hasher = Hasher::new();
        for package in self.closure(program.package()) {
            let name = name(package);
            match local_folder(package) {
                Some(_) if WITHOUT_RESULTS.contains(&name) => {}
                Some(folder) => {
                    for path in sources(&folder)? {
                        let content = fs::read(&path).map_err(FileError::new("read", &path))?;
                        let relative = path.strip_prefix(&folder).unwrap_or(&path);
                        add(&mut hasher, format!("{name}/{}", relative.display()).as_bytes());
                        add(&mut hasher, &content);
                    }
                }
                None => add(&mut hasher, package.as_bytes()),
            }
        }
        Ok(hasher.finish())
    }

    /// The package `root` and all that it depends on.
    fn closure(&self, root: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&str> =
            self.dependencies.keys().map(String::as_str).filter(|one| name(one) == root).collect();
        while let Some(package) = open.pop() {
            if found.insert(package) {
                open.extend(self.dependencies.get(package).into_iter().flatten().map(String::as_str));
            }
        }
        found
    }
}

/// The dependencies in the output of `cargo tree --prefix depth`, such as `0train v0.1.0`, `1burn v0.22.1`.
///
/// A package that comes again is marked with a star and stands there without its dependencies.
fn parse(tree: &str) -> HashMap<String, BTreeSet<String>> {
    let mut dependencies: HashMap<String, BTreeSet<String>> = HashMap::new();
    let mut path: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let package = line.trim_start_matches(|character: char| character.is_ascii_digit());
        let Ok(depth) = line.strip_suffix(package).unwrap_or_default().parse::<usize>() else { continue };
        let package = package.trim_end_matches(" (*)").trim_end();
        dependencies.entry(package.to_owned()).or_default();
        path.truncate(depth);
        if let Some(parent) = path.last().and_then(|parent| dependencies.get_mut(*parent)) {
            parent.insert(package.to_owned());
        }
        path.push(package);
    }
    dependencies
}

/// The name of a package, out of `name v0.1.0 …`.
fn name(package: &str) -> &str {
    package.split(' ').next().unwrap_or_default()
}

/// Each part with its length, so that no two lists of parts look alike.
fn add(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// The folder of a package of this workspace, out of `name v0.1.0 (/path) features`.
fn local_folder(line: &str) -> Option<PathBuf> {
    let (_, rest) = line.split_once(" (")?;
    let (path, _) = rest.rsplit_once(')')?;
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

/// The manifest and all source files of a package, sorted.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![folder.join("Cargo.toml")];
    let mut folders = vec![folder.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(FileError::new("read", &folder))? {
            let path = entry.map_err(FileError::new("read", &folder))?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_cargo_is_understood() {
        let tree = "0train v0.1.0 (/w/train) \n1burn v0.22.1 std\n2libm v0.2.0 \n1serde v1.0.0 std\n\n\
                    0infer v0.1.0 (/w/infer) \n1ort v2.0.0 std\n2libm v0.2.0  (*)\n1serde v1.0.0 std (*)\n";
        let code = Code { dependencies: parse(tree) };
        let names = |root| code.closure(root).into_iter().map(name).collect::<Vec<_>>();
        assert_eq!(names("train"), ["burn", "libm", "serde", "train"]);
        assert_eq!(names("infer"), ["infer", "libm", "ort", "serde"]);
    }

    #[test]
    fn only_packages_with_a_path_are_local() {
        assert_eq!(local_folder("models v0.1.0 (/a b/models) default"), Some(PathBuf::from("/a b/models")));
        assert_eq!(local_folder("serde_derive v1.0.1 (proc-macro) default"), None);
        assert_eq!(local_folder("burn v0.22.1 autodiff,std"), None);
    }
}
