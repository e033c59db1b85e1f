//! What a file is, from its first bytes and, for an archive, from the names in it.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use artifact::lfs;
use zip::ZipArchive;

use super::WeightsError;
use crate::contain::contain;

/// How a zip file begins.
pub(super) const ZIP: &[u8] = b"PK\x03\x04";

/// The formats that weights are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Safetensors,
    Index,
    Zip,
    Legacy,
}

/// What saves weights as they can be read here.
const SAVE: &str = "save its weights with torch.save(network.state_dict(), \"weights.pth\") or as safetensors";

/// Safetensors begins with the header's length, eight bytes, then `{`; an index is JSON; what is no other format is for
/// PyTorch's reader.
pub(super) fn file_kind(path: &Path) -> Result<FileKind, WeightsError> {
    let unreadable = |source| WeightsError::Io { path: path.to_owned(), source };
    let other = |what: &'static str, advice: &'static str| {
        Err(WeightsError::OtherFormat { path: path.to_owned(), what: what.to_owned(), advice: advice.to_owned() })
    };
    let mut head = Vec::with_capacity(64);
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    file.take(64).read_to_end(&mut head).map_err(unreadable)?;
    if lfs::is_pointer(&head, length) {
        return Err(unreadable(io::Error::other(lfs::REASON)));
    }
    match head.as_slice() {
        [] => Err(WeightsError::Malformed { path: path.to_owned(), reason: "it is empty".to_owned() }),
        [_, _, _, _, _, _, _, _, b'{', ..] => Ok(FileKind::Safetensors),
        [b'{', ..] | [0xef, 0xbb, 0xbf, b'{', ..] => Ok(FileKind::Index),
        [0x89, b'H', b'D', b'F', ..] => other("an HDF5 file, as Keras writes", SAVE),
        [b'G', b'G', b'U', b'F', ..] => {
            other("a GGUF file of llama.cpp", "take the same network's safetensors, which its publisher often has")
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => other("a NumPy array", SAVE),
        [b'<', ..] => other("a web page", "fetch the file again by its direct address, signed in where that is needed"),
        head if head.starts_with(ZIP) => match contain(|| archive_kind(path)).ok().flatten() {
            Some((what, advice)) => other(what, advice),
            None => Ok(FileKind::Zip),
        },
        _ => Ok(FileKind::Legacy),
    }
}

/// What an archive is, if it is none of `torch.save` and can be opened; else its reader says what is wrong.
fn archive_kind(path: &Path) -> Option<(&'static str, &'static str)> {
    let archive = ZipArchive::new(BufReader::new(File::open(path).ok()?)).ok()?;
    let names: Vec<String> = archive.file_names().flatten().map(|name| name.into_owned()).collect();
    let holds = |part: &str| names.iter().any(|name| name == part || name.ends_with(&format!("/{part}")));
    let has_folder = |part: &str| names.iter().any(|name| name.split('/').rev().skip(1).any(|folder| folder == part));
    if holds("archive_format") || holds("serialized_exported_program.json") {
        return Some((
            "a program that torch.export wrote (.pt2)",
            "save its weights with torch.save(torch.export.load(FILE).state_dict, \"weights.pth\")",
        ));
    }
    if holds("constants.pkl") && has_folder("code") {
        return Some((
            "a TorchScript program",
            "save its weights with torch.save(torch.jit.load(FILE).state_dict(), \"weights.pth\")",
        ));
    }
    if holds("model.weights.h5") {
        return Some(("a Keras archive", SAVE));
    }
    if !names.is_empty() && names.iter().all(|name| name.ends_with(".npy")) {
        return Some(("an archive of NumPy arrays (.npz)", SAVE));
    }
    None
}
