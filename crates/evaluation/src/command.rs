//! The commands that repeat an evaluation.

use std::path::Path;

use crate::measure::Measure;

/// A word of a command as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./=:,+@%".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// An option that names a file, after a space.
pub fn named(option: &str, path: &Path) -> String {
    format!(" {option} {}", quoted(&path.display().to_string()))
}

/// An option that names a file, unless the file is where it usually is.
pub fn unusual(option: &str, path: &Path, usual: &Path) -> String {
    if path == usual { String::new() } else { named(option, path) }
}

impl Measure {
    /// The options that measure in the same way, each after a space.
    pub fn words(&self) -> String {
        let scenarios = self.scenarios.iter().map(|scenario| scenario.name().to_owned()).collect();
        let lists: [(&str, Vec<String>); 3] = [
            ("--engines", self.engines.iter().map(ToString::to_string).collect()),
            ("--batches", self.batches.iter().map(usize::to_string).collect()),
            ("--scenario", scenarios),
        ];
        let mut options = String::new();
        for (option, values) in lists.iter().filter(|(_, values)| !values.is_empty()) {
            options += &format!(" {option} {}", values.join(","));
        }
        for (provider, key, value) in &self.provider_options {
            options += &format!(" --provider-option {}.{key}={value}", provider.name());
        }
        if self.session_per_size {
            options += " --session-per-size";
        }
        options + &format!(" --threads {} --seconds {}", self.threads, self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_with_spaces_are_quoted() {
        assert_eq!(quoted("artifacts/a-b.onnx"), "artifacts/a-b.onnx");
        assert_eq!(quoted("a b'c"), r"'a b'\''c'");
    }
}
