//! Values in files beside the model: each file is read once, and only as much of it as the tensors of the model account for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use artifact::FileError;
use bytes::Bytes;

use crate::confine::{ExternalError, Place};
use crate::{Attribute, Graph, Tensor, TensorData};

/// What one file is asked for: the tensors of the model, in bytes of the file.
#[derive(Default)]
pub struct Wanted {
    /// The first tensor that names the file, for messages.
    pub tensor: String,
    /// The first byte.
    pub first: u64,
    /// After the last byte.
    pub end: u64,
    /// How many tensors name the file.
    pub tensors: u64,
}

/// Reads every external tensor of `graph` and of its subgraphs from files in their place.
pub fn read(graph: &mut Graph, place: &Place, limit: u64) -> Result<(), ExternalError> {
    let mut wanted = BTreeMap::<String, Wanted>::new();
    visit(graph, &mut |tensor| note(tensor, &mut wanted))?;
    let bytes = wanted.values().map(|want| want.end - want.first).fold(0u64, u64::saturating_add);
    if bytes > limit {
        return Err(ExternalError::TooLarge { bytes, limit });
    }
    let mut contents = BTreeMap::new();
    for (location, want) in &wanted {
        contents.insert(location.clone(), (want.first, contents_of(place, location, want)?));
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
pub fn note(tensor: &Tensor, wanted: &mut BTreeMap<String, Wanted>) -> Result<(), ExternalError> {
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
    let want = wanted.entry(location).or_insert(Wanted { tensor: name, first: file.offset, end, tensors: 0 });
    want.first = want.first.min(file.offset);
    want.end = want.end.max(end);
    want.tensors += 1;
    Ok(())
}

/// The file of a location, which has all that it is asked for: where it is, and how long.
pub fn find(place: &Place, location: &str, want: &Wanted) -> Result<(File, PathBuf, u64), ExternalError> {
    let (file, path) = place.open(location, &want.tensor)?;
    let available = file.metadata().map_err(FileError::new("read", &path))?.len();
    if want.end > available {
        return Err(ExternalError::Beyond {
            tensor: want.tensor.clone(),
            location: location.to_owned(),
            offset: want.first,
            length: want.end - want.first,
            available,
        });
    }
    Ok((file, path, available))
}

fn contents_of(place: &Place, location: &str, want: &Wanted) -> Result<Bytes, ExternalError> {
    let (mut file, path, _) = find(place, location, want)?;
    let length = want.end - want.first;
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
