//! The folder for a file and all that belongs to it, as the programs that read such folders look for it.

use std::path::Path;

use anyhow::Result;
use artifact::{AtomicFolder, FileError};
use catalogue::IN_FOLDER;
use networks::network::Companion;

/// What stands in a folder of the layout, by its name or its end.
const KNOWN: [&str; 14] = [
    IN_FOLDER,
    "onnx/model.onnx.data",
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    ".bpe.model",
    "spiece.model",
];

/// Puts what belongs to a file into its folder.
///
/// # Errors
/// When a file cannot be read or written.
pub fn fill(folder: &AtomicFolder, companions: &[(String, Companion)]) -> Result<(), FileError> {
    for (name, companion) in companions {
        match companion {
            Companion::Copy(path) => folder.copy(name, path)?,
            Companion::Text(text) => folder.write(name, text)?,
        }
    }
    Ok(())
}

/// Whether nothing would be lost if another export took the place of a folder: it has an ONNX file in its place, and nothing beside it
/// but what an export puts there.
///
/// # Errors
/// A sentence that says what would be lost.
pub fn is_export(folder: &Path) -> Result<(), String> {
    if !folder.join(IN_FOLDER).is_file() {
        return Err(format!("it has no {IN_FOLDER}, so no export wrote it"));
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        let entries = std::fs::read_dir(&inside).map_err(|error| format!("it cannot be read: {error}"))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            // The modules behind an encoder have folders with a number.
            let numbered = name.starts_with(|first: char| first.is_ascii_digit());
            match path.is_dir() {
                true if numbered || name == "onnx" => folders.push(path),
                false if numbered || KNOWN.iter().any(|known| name.ends_with(known)) => {}
                _ => return Err(format!("it holds {name}, which no export wrote")),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_export_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let write = |name: &str| {
            std::fs::create_dir_all(path.join(name).parent().unwrap()).unwrap();
            std::fs::write(path.join(name), "x").unwrap();
        };
        assert_eq!(is_export(path).unwrap_err(), "it has no onnx/model.onnx, so no export wrote it");
        for name in [IN_FOLDER, "config.json", "tokenizer.json", "1_Pooling/config.json", "2_Dense/model.safetensors"] {
            write(name);
        }
        assert_eq!(is_export(path), Ok(()));
        write("model.safetensors");
        assert_eq!(is_export(path).unwrap_err(), "it holds model.safetensors, which no export wrote");
    }
}
