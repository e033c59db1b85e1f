//! Files beside their place, to be looked at before they take it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use artifact::{AtomicFile, AtomicFolder, Digest, FileError, HashingWriter, Outputs, interrupt};
use bytes::Bytes;

use crate::proto::{EncodeError, Layout};
use crate::{External, ExternalData, LoadOptions, Model, SaveError, SaveOptions, TensorData};

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Where it is, or will be.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its content.
    pub sha256: Digest,
}

/// A model on disk that has not taken its place yet. Dropped without [`commit`](Self::commit), it disappears.
///
/// ```
/// use onnx_model::{Graph, Model, SaveOptions};
///
/// let folder = tempfile::tempdir()?;
/// let target = folder.path().join("net.onnx");
/// let staged = Model::new(17, Graph::new("net")).stage(&target, &SaveOptions::default())?;
/// assert_eq!(Model::load(staged.path())?.opset(), Some(17)); // a runtime may look at it here
/// assert!(!target.exists());
/// let files = staged.commit()?;
/// assert_eq!(files[0].path, target);
/// assert!(target.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Staged {
    place: Place,
    /// The model, then its weights if they have a file of their own; under the paths of their place.
    files: Vec<WrittenFile>,
}

enum Place {
    /// A neighbour of the target.
    One(AtomicFile),
    /// Two files in a folder beside the target: the model names its weights by the name that they keep.
    Two { folder: AtomicFolder, model: PathBuf, data: PathBuf },
}

impl Staged {
    /// Where the model is for now, with its weights beside it: whole, and open to be read.
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::One(file) => file.partial_path(),
            Place::Two { model, .. } => model,
        }
    }

    /// The files: the model, then its weights if they have one of their own. The paths are those after
    /// [`commit`](Self::commit).
    pub fn files(&self) -> &[WrittenFile] {
        &self.files
    }

    /// Puts the files in their place, where they replace what was there.
    ///
    /// # Errors
    /// When that fails; a single file is then as it was.
    pub fn commit(self) -> Result<Vec<WrittenFile>, SaveError> {
        match self.place {
            Place::One(file) => file.commit()?,
            Place::Two { folder, model, data } => {
                let [model_file, data_file] = self.files.as_slice() else { return Ok(self.files) };
                folder.sync()?;
                interrupt::undivided(|| exchange(&folder, (&model, &model_file.path), (&data, &data_file.path)))?;
            }
        }
        Ok(self.files)
    }
}

/// Puts a model and its weights in their places, each from a path to another. No model ever stands beside the weights of another one:
/// what was there is moved aside before, and put back if anything fails.
fn exchange(folder: &AtomicFolder, model: (&Path, &Path), data: (&Path, &Path)) -> Result<(), FileError> {
    let (model_place, data_place) = (artifact::file_place(model.1)?, artifact::file_place(data.1)?);
    let mut aside = Vec::new();
    let put = [("earlier", &model_place), ("earlier.data", &data_place)]
        .into_iter()
        .try_for_each(|(name, place)| {
            let kept = folder.path().join(name);
            match fs::rename(place, &kept) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                result => result.map_err(FileError::new("replace", place))?,
            }
            aside.push((kept, place));
            Ok(())
        })
        .and_then(|()| artifact::rename(data.0, &data_place))
        .and_then(|()| artifact::rename(model.0, &model_place));
    if put.is_err() {
        if !data.0.exists() {
            // New weights without their model; it does no harm if they cannot be removed.
            let _ = fs::remove_file(&data_place);
        }
        for (kept, place) in aside {
            fs::rename(kept, place).map_err(FileError::new("put back", place))?;
        }
    }
    put
}

impl Model {
    /// Writes the model beside `path`, as [`save_with`](Self::save_with) does, but does not put it there yet: for a
    /// caller who looks at the file before anybody else may. The weights are streamed from where they lie.
    ///
    /// # Errors
    /// When a tensor contradicts its shape, or a file cannot be written.
    pub fn stage(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<Staged, SaveError> {
        let path = path.as_ref();
        let layout = Layout::new(self)?;
        let external = match options.external {
            External::Never => false,
            External::Always => true,
            External::WhenNeeded => layout.fits().is_err(),
        };
        if external && let Some(staged) = self.stage_external(path, options)? {
            return Ok(staged);
        }
        layout.fits()?;
        let (file, written) = write(AtomicFile::create(path)?, path, |out| layout.write(out))?;
        Ok(Staged { place: Place::One(file), files: vec![written] })
    }

    /// `None` when no tensor is large enough for a file of its own.
    fn stage_external(&self, path: &Path, options: &SaveOptions) -> Result<Option<Staged>, SaveError> {
        let no_name = || SaveError::Name { path: path.to_path_buf() };
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(no_name)?;
        let location = format!("{name}.data");
        let (light, weights) = self.without_weights(&location, options)?;
        if weights.is_empty() {
            return Ok(None);
        }
        let layout = Layout::new(&light)?;
        layout.fits()?;
        let beside = path.with_file_name(&location);
        Outputs::default().force(options.force).neighbour(&beside, |_| self.replaces(path, &location))?;
        let folder = AtomicFolder::create(path)?;
        let (model, data) = (folder.path().join(name), folder.path().join(&location));
        let create = |name: &str| Ok::<_, FileError>(io::BufWriter::with_capacity(1 << 18, folder.file(name)?));
        let (_, data_file) = write(create(&location)?, &beside, |out| {
            weights.iter().try_for_each(|(gap, bytes)| {
                io::copy(&mut io::Read::take(io::repeat(0), *gap), out)?;
                out.write_all(bytes)
            })
        })?;
        let (_, model_file) = write(create(name)?, path, |out| layout.write(out))?;
        Ok(Some(Staged { place: Place::Two { folder, model, data }, files: vec![model_file, data_file] }))
    }

    /// Whether the model at `path` is an earlier one of the same producer, with its weights at `location`.
    fn replaces(&self, path: &Path, location: &str) -> bool {
        let options = LoadOptions { external_data: false, ..LoadOptions::default() };
        let Ok(earlier) = Self::load_with(path, &options) else { return false };
        let there = |data: &TensorData| matches!(data, TensorData::External(data) if data.location == location);
        earlier.producer_name == self.producer_name
            && earlier.graph.initializers.iter().any(|tensor| there(&tensor.data))
    }

    /// The model with its large tensors in the file `location`, and what goes there: a gap, then bytes, in turn.
    fn without_weights(&self, location: &str, options: &SaveOptions) -> Result<(Self, Vec<(u64, Bytes)>), EncodeError> {
        let mut light = self.clone();
        let mut weights = Vec::new();
        let mut end = 0u64;
        for tensor in &mut light.graph.initializers {
            tensor.validate()?;
            let TensorData::Bytes(bytes) = &tensor.data else { continue };
            let length = bytes.len() as u64;
            if length < options.external_from {
                continue;
            }
            let offset = end.next_multiple_of(options.alignment.max(1));
            weights.push((offset - end, bytes.clone()));
            end = offset + length;
            let (location, length) = (location.to_owned(), Some(length));
            tensor.data = TensorData::External(ExternalData { location, offset, length });
        }
        Ok((light, weights))
    }
}

/// Lets `fill` write to `out`; `path` is what the file is called in what is returned, and in errors.
fn write<W: Write>(
    out: W,
    path: &Path,
    fill: impl FnOnce(&mut HashingWriter<W>) -> io::Result<()>,
) -> Result<(W, WrittenFile), FileError> {
    let mut out = HashingWriter::new(out);
    fill(&mut out).and_then(|()| out.flush()).map_err(FileError::new("write", path))?;
    let (writer, bytes, sha256) = out.finish();
    Ok((writer, WrittenFile { path: path.to_path_buf(), bytes, sha256 }))
}
