//! What can be wrong with a weight file.

use std::fmt;
use std::path::PathBuf;

/// Why weights could not be read or did not fit the network.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file or folder could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The content is not what its format promises: truncated or tampered with.
    #[error("{} is not a usable weight file: {reason}; if it was cut off on its way here, fetch it again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is whole, and in a format that weights are not read from.
    #[error("{} is {what}; {advice}", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
        /// How to get weights out of it.
        advice: String,
    },
    /// A tensor has an element type that is not read.
    #[error(
        "{} holds elements of type {dtype}, which are not read; convert them to float32, float16, bfloat16 or float64",
        path.display()
    )]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The type, as the file names it.
        dtype: String,
    },
    /// Tensors are stored with a sign that the reader would drop.
    #[error(
        "{} holds {} that PyTorch negates lazily, which is not read: {}; save {} after tensor.resolve_neg()",
        path.display(), count(names.len(), "tensor"), listed(names), if names.len() == 1 { "it" } else { "them" }
    )]
    Negated {
        /// The file.
        path: PathBuf,
        /// The tensors, as far as their names can be told.
        names: Vec<String>,
    },
    /// The network is there several times.
    #[error(
        "{} holds the network {} times, under {}; save the one that is meant alone, with \
         torch.save(torch.load(FILE, weights_only=True)[KEY], \"weights.pth\")",
        path.display(), prefixes.len(), prefixes.join(" and ")
    )]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// What stands before the names of each.
        prefixes: Vec<String>,
    },
    /// A folder holds none of the known weight files.
    #[error("{} holds none of {}", path.display(), expected.join(", "))]
    NoWeights {
        /// The folder.
        path: PathBuf,
        /// The file names that were looked for.
        expected: Vec<String>,
    },
    /// An index names a shard outside its own folder.
    #[error("{} names the shard {shard:?}, which is not a plain file name", path.display())]
    UnsafeShard {
        /// The index file.
        path: PathBuf,
        /// The offending entry.
        shard: String,
    },
    /// Two names in the file stand for the same parameter.
    #[error("{} holds both {first:?} and {second:?}, which name the same parameter", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// One name.
        first: String,
        /// The other name.
        second: String,
    },
    /// A tensor has an element type that is no number format for weights.
    #[error("tensor {name:?} holds {dtype}, not floating-point numbers")]
    NotFloat {
        /// The tensor.
        name: String,
        /// Its element type.
        dtype: String,
    },
    /// Parameters of the network are absent from the file, or have other shapes there.
    #[error(
        "{} does not fit the network: {}{}",
        path.display(),
        MismatchSummary { missing, misshaped, unexpected },
        PrefixNote(prefix)
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Parameters that the file lacks, by `state_dict` name.
        missing: Vec<String>,
        /// Parameters whose shape differs.
        misshaped: Vec<Misshaped>,
        /// Tensors in the file that no parameter took.
        unexpected: Vec<String>,
        /// What stands before the names of those that did fit, empty if nothing does.
        prefix: String,
    },
    /// The file holds tensors that the network has no place for.
    #[error("{} holds {} that the network has no place for: {}", path.display(), count(names.len(), "tensor"), listed(names))]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// The tensors.
        names: Vec<String>,
    },
}

/// A parameter whose shape in the file is not the network's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misshaped {
    /// The parameter's `state_dict` name.
    pub name: String,
    /// The network's shape, in PyTorch's order.
    pub expected: Vec<usize>,
    /// The file's shape.
    pub found: Vec<usize>,
}

impl fmt::Display for Misshaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} instead of {:?}", self.name, self.found, self.expected)
    }
}

struct MismatchSummary<'a> {
    missing: &'a [String],
    misshaped: &'a [Misshaped],
    unexpected: &'a [String],
}

impl fmt::Display for MismatchSummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            let number = count(self.missing.len(), "missing tensor");
            parts.push(format!("{number} ({})", listed(self.missing)));
        }
        if !self.misshaped.is_empty() {
            let shapes: Vec<String> = self.misshaped.iter().map(Misshaped::to_string).collect();
            let number = count(shapes.len(), "wrong shape");
            parts.push(format!("{number} ({})", listed(&shapes)));
        }
        if !self.unexpected.is_empty() {
            let number = count(self.unexpected.len(), "unexpected tensor");
            parts.push(format!("{number} ({})", listed(self.unexpected)));
        }
        f.write_str(&parts.join("; "))
    }
}

struct PrefixNote<'a>(&'a str);

impl fmt::Display for PrefixNote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(
            f,
            "; names are compared without the {:?} that stands before them in the file; if that is the wrong part, save the \
             right one alone, with torch.save(torch.load(FILE, weights_only=True)[KEY], \"weights.pth\")",
            self.0
        )
    }
}

pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The names; of many, those that differ in numbers only, such as those of layers, stand together:
/// `encoder.layer.*.output.dense.weight (24)`.
pub(super) fn listed(names: &[String]) -> String {
    const ONE_BY_ONE: usize = 16;
    if names.len() <= ONE_BY_ONE {
        return names.join(", ");
    }
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for name in names {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts = name.split('.').map(|part| if number(part) { "*" } else { part });
        let pattern = parts.collect::<Vec<_>>().join(".");
        match alike.iter_mut().find(|(known, _)| *known == pattern) {
            Some((_, members)) => members.push(name),
            None => alike.push((pattern, vec![name])),
        }
    }
    let group = |(pattern, members): (String, Vec<&str>)| match members.as_slice() {
        [one] => (*one).to_owned(),
        many => format!("{pattern} ({})", many.len()),
    };
    alike.into_iter().map(group).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_told_by_their_patterns() {
        let name = |layer: usize| format!("encoder.layer.{layer}.output.weight");
        assert_eq!(listed(&[name(0), name(1)]), format!("{}, {}", name(0), name(1)));
        let mut many: Vec<String> = (0..24).map(name).collect();
        many.insert(3, "pooler.bias".to_owned());
        assert_eq!(listed(&many), "encoder.layer.*.output.weight (24), pooler.bias");
    }
}
