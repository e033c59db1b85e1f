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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        assert_eq!(locked("infer"), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(locked("no-such-crate"), None);
        assert!(locked("tract-onnx").is_some() && locked("burn").is_some());
    }
}
