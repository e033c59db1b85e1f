//! Where the tensors of a network lie among the names of a file.
//!
//! A training script may store a `state_dict` under a key (`state_dict`, `model_state_dict`, `model`), Lightning under the
//! field that holds the network, `DataParallel` under `module`, and `torch.compile` puts `_orig_mod` in front of what it
//! compiled. So the names of a network are looked for behind any prefix that they share.

use std::collections::{BTreeMap, HashSet};

use super::{Checkpoint, WeightsError};

/// What `torch.compile` adds to the path of a compiled module.
const COMPILED: &str = "_orig_mod.";

/// The tensors of a checkpoint that may be those of a network, by the network's names.
pub(super) struct Found<'a> {
    /// What stands before the network's names.
    pub(super) prefix: String,
    /// The names behind the prefix, with the whole names in the file.
    pub(super) stored: BTreeMap<String, &'a str>,
    /// Whole names of tensors without the prefix.
    pub(super) elsewhere: Vec<&'a str>,
}

/// Looks for the prefix behind which `names` are, or most of them; none is preferred.
///
/// # Errors
/// [`WeightsError::Ambiguous`] when all of them are behind several prefixes, of which none is empty.
pub(super) fn find<'a>(checkpoint: &'a Checkpoint, names: &HashSet<String>) -> Result<Found<'a>, WeightsError> {
    let known: Vec<(String, &str)> =
        checkpoint.tensors().keys().map(|name| (name.replace(COMPILED, ""), name.as_str())).collect();
    let mut behind: BTreeMap<&str, usize> = BTreeMap::from([("", 0)]);
    for (name, _) in &known {
        let starts = std::iter::once(0).chain(name.match_indices('.').map(|(dot, _)| dot + 1));
        for start in starts.filter(|start| names.contains(&name[*start..])) {
            *behind.entry(&name[..start]).or_default() += 1;
        }
    }
    let complete: Vec<&str> =
        behind.iter().filter(|(_, count)| **count == names.len()).map(|(prefix, _)| *prefix).collect();
    let prefix = match complete.as_slice() {
        [prefix] => *prefix,
        // In alphabetical order, no prefix comes first.
        ["", ..] => "",
        // Of equals, the first: no prefix.
        [] => behind.iter().rev().max_by_key(|(_, count)| **count).map_or("", |(prefix, _)| *prefix),
        several => {
            return Err(WeightsError::Ambiguous {
                path: checkpoint.path().to_owned(),
                prefixes: several.iter().map(|prefix| (*prefix).to_owned()).collect(),
            });
        }
    };
    let mut found = Found { prefix: prefix.to_owned(), stored: BTreeMap::new(), elsewhere: Vec::new() };
    for (name, whole) in &known {
        match name.strip_prefix(prefix) {
            Some(name) => {
                if let Some(first) = found.stored.insert(name.to_owned(), whole) {
                    let (path, first, second) = (checkpoint.path().to_owned(), first.to_owned(), (*whole).to_owned());
                    return Err(WeightsError::Duplicate { path, first, second });
                }
            }
            None => found.elsewhere.push(whole),
        }
    }
    Ok(found)
}

/// A name in the file without the prefix; `None` if it lies elsewhere.
pub(crate) fn behind(prefix: &str, name: &str) -> Option<String> {
    name.replace(COMPILED, "").strip_prefix(prefix).map(str::to_owned)
}

/// Whether a tensor that no parameter takes is part of what PyTorch stores beside parameters without any effect on results:
/// the count of batches that batch normalisation saw, and the constant index buffers of older models.
pub(super) fn has_no_effect(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(last, "num_batches_tracked" | "position_ids" | "token_type_ids")
}
