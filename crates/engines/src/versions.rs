//! Which versions of the frameworks this program was built with.

/// What cargo resolved.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// The version of a crate in this program; `None` if it has no such crate.
pub fn locked(name: &str) -> Option<&'static str> {
    let mut lines = LOCK.lines();
    let wanted = format!("name = \"{name}\"");
    lines.find(|line| *line == wanted)?;
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// The SHA-256 of a crate's archive, as the registry has it; `None` for a crate that comes from no registry.
pub fn checksum(name: &str, version: &str) -> Option<&'static str> {
    let package = format!("name = \"{name}\"\nversion = \"{version}\"\n");
    let rest = LOCK.get(LOCK.find(&package)? + package.len()..)?;
    let entry = rest.split("\n\n").next()?;
    entry.lines().find_map(|line| line.strip_prefix("checksum = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        assert_eq!(locked("infer"), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(locked("no-such-crate"), None);
        assert!(locked("tract-onnx").is_some() && locked("burn").is_some());
        let burn = checksum("burn", locked("burn").unwrap());
        assert_eq!(burn.map(str::len), Some(64));
        assert_eq!(checksum("burn", "0.0.0"), None);
        assert_eq!(checksum("infer", env!("CARGO_PKG_VERSION")), None);
    }
}
