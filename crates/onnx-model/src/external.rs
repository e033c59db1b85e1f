//! Values in files beside the model, named by a file from strangers.
//!
//! A model says in plain text which file holds its weights, and that text is not to be trusted: it may point out of
//! the model's folder, at a link, at a device, or beyond the end (CVE-2022-25882, CVE-2024-27318, CVE-2026-27489,
//! CVE-2026-34445, CVE-2026-34446, CVE-2026-34447). Only plain files with one name inside the model's folder are read,
//! each of them once, and only as much of them as the tensors of the model account for.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use artifact::FileError;
use bytes::Bytes;

use crate::{Attribute, Graph, Tensor, TensorData};

/// External data that was not read.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// The location leads out of the model's folder, or is written in a way that could.
    #[error("tensor {tensor:?} names the file {location:?}, which is not below the model's folder")]
    Outside {
        /// The tensor.
        tensor: String,
        /// The location in the model.
        location: String,
    },
    /// The location is a link, or a file with several names, or no plain file.
    #[error("tensor {tensor:?} names the file {location:?}, which is {kind}; only plain files are read")]
    Kind {
        /// The tensor.
        tensor: String,
        /// The location in the model.
        location: String,
        /// What it is.
        kind: &'static str,
    },
    /// The values would lie beyond the end of the file.
    #[error(
        "tensor {tensor:?} wants {length} bytes from byte {offset} of {location:?}, which has {available} bytes in all"
    )]
    Beyond {
        /// The tensor.
        tensor: String,
        /// The location in the model.
        location: String,
        /// The first byte.
        offset: u64,
        /// The number of bytes.
        length: u64,
        /// Bytes of the file.
        available: u64,
    },
    /// The length that the model states is not what type and shape ask for.
    #[error("tensor {tensor:?} needs {expected} bytes, and the model says that {location:?} has {stated} for it")]
    Length {
        /// The tensor.
        tensor: String,
        /// The location in the model.
        location: String,
        /// Bytes that type and shape ask for.
        expected: u64,
        /// Bytes that the model states.
        stated: u64,
    },
    /// The weights together exceed what the caller allows.
    #[error("the external data takes {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes that would be read.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What one file is asked for: the tensors of the model, in bytes of the file.
#[derive(Default)]
struct Wanted {
    /// The first tensor that names the file, for messages.
    tensor: String,
    first: u64,
    end: u64,
}

/// Reads every external tensor of `graph` and of its subgraphs from files below `folder`.
pub fn read(graph: &mut Graph, folder: &Path, limit: u64) -> Result<(), ExternalError> {
    let mut wanted = BTreeMap::<String, Wanted>::new();
    visit(graph, &mut |tensor| note(tensor, &mut wanted))?;
    let bytes = wanted.values().map(|want| want.end - want.first).fold(0u64, u64::saturating_add);
    if bytes > limit {
        return Err(ExternalError::TooLarge { bytes, limit });
    }
    let mut contents = BTreeMap::new();
    for (location, want) in &wanted {
        contents.insert(location.clone(), (want.first, contents_of(folder, location, want)?));
    }
    visit(graph, &mut |tensor| {
        let TensorData::External(file) = &tensor.data else { return Ok(()) };
        let (Some((first, bytes)), Some(length)) = (contents.get(&file.location), tensor.byte_len()) else {
            return Ok(());
        };
        // Both were checked when the range was noted, so the difference and the sum stand.
        let start = (file.offset - first) as usize;
        tensor.data = TensorData::Bytes(bytes.slice(start..start + length as usize));
        Ok(())
    })
}

/// Calls `act` on every tensor of the graph, its nodes and its subgraphs.
fn visit(
    graph: &mut Graph,
    act: &mut impl FnMut(&mut Tensor) -> Result<(), ExternalError>,
) -> Result<(), ExternalError> {
    graph.initializers.iter_mut().try_for_each(&mut *act)?;
    for attribute in graph.nodes.iter_mut().flat_map(|node| node.attributes.values_mut()) {
        match attribute {
            Attribute::Tensor(tensor) => act(tensor)?,
            Attribute::Tensors(tensors) => tensors.iter_mut().try_for_each(&mut *act)?,
            Attribute::Graph(graph) => visit(graph, act)?,
            Attribute::Graphs(graphs) => {
                for graph in graphs {
                    visit(graph, act)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Adds the range of an external tensor to what its file is asked for.
fn note(tensor: &Tensor, wanted: &mut BTreeMap<String, Wanted>) -> Result<(), ExternalError> {
    let TensorData::External(file) = &tensor.data else { return Ok(()) };
    let (name, location) = (tensor.name.clone(), file.location.clone());
    let expected = tensor.byte_len().unwrap_or(u64::MAX);
    if let Some(stated) = file.length.filter(|stated| *stated != expected) {
        return Err(ExternalError::Length { tensor: name, location, expected, stated });
    }
    let Some(end) = file.offset.checked_add(expected) else {
        let (offset, length) = (file.offset, expected);
        return Err(ExternalError::Beyond { tensor: name, location, offset, length, available: 0 });
    };
    let want = wanted.entry(location).or_insert(Wanted { tensor: name, first: file.offset, end });
    want.first = want.first.min(file.offset);
    want.end = want.end.max(end);
    Ok(())
}

fn contents_of(folder: &Path, location: &str, want: &Wanted) -> Result<Bytes, ExternalError> {
    let (mut file, path) = open(folder, location, &want.tensor)?;
    let available = file.metadata().map_err(FileError::new("read", &path))?.len();
    let length = want.end - want.first;
    if want.end > available {
        return Err(ExternalError::Beyond {
            tensor: want.tensor.clone(),
            location: location.to_owned(),
            offset: want.first,
            length,
            available,
        });
    }
    let too_large = |_| FileError::new("read", &path)(io::Error::from(io::ErrorKind::OutOfMemory));
    let size =
        usize::try_from(length).map_err(|_| ExternalError::TooLarge { bytes: length, limit: usize::MAX as u64 })?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(too_large)?;
    file.seek(SeekFrom::Start(want.first)).map_err(FileError::new("read", &path))?;
    let read = file.take(length).read_to_end(&mut bytes).map_err(FileError::new("read", &path))?;
    if read != size {
        let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read");
        return Err(FileError::new("read", &path)(cut).into());
    }
    Ok(bytes.into())
}

/// Opens a location for reading, once it is known to be a plain file below `folder`.
fn open(folder: &Path, location: &str, tensor: &str) -> Result<(File, PathBuf), ExternalError> {
    let outside = || ExternalError::Outside { tensor: tensor.to_owned(), location: location.to_owned() };
    let kind = |kind| ExternalError::Kind { tensor: tensor.to_owned(), location: location.to_owned(), kind };
    // Backslashes and colons separate on other systems: a file that means something else there is refused here too.
    if location.is_empty() || location.contains(['\\', ':', '\0']) {
        return Err(outside());
    }
    let mut path = folder.to_path_buf();
    for component in Path::new(location).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => continue,
            _ => return Err(outside()),
        }
        let about = fs::symlink_metadata(&path).map_err(FileError::new("open", &path))?;
        if about.is_symlink() {
            return Err(kind("a symbolic link"));
        }
    }
    let before = fs::symlink_metadata(&path).map_err(FileError::new("open", &path))?;
    if !before.is_file() {
        return Err(kind("no plain file"));
    }
    let file = options().open(&path).map_err(FileError::new("open", &path))?;
    // Asked of the open file and not of the path, which may name another file by now.
    let about = file.metadata().map_err(FileError::new("open", &path))?;
    if !about.is_file() {
        return Err(kind("no plain file"));
    }
    if names(&about) > 1 {
        return Err(kind("a file with several names (hard links)"));
    }
    Ok((file, path))
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    // A link or a pipe put there since the check is not followed, and not waited for.
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

#[cfg(unix)]
fn names(about: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(about)
}

#[cfg(not(unix))]
fn names(_about: &fs::Metadata) -> u64 {
    1
}
