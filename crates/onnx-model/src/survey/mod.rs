//! What a file is, before anything is made of it.
//!
//! [`Survey::of`] walks through the messages of a file one by one and skips the weights: it holds names and counts, and no
//! graph. Whatever a caller does with a file from a stranger, this comes first; a runtime may follow paths that lead out of the
//! folder, and nothing here does.

mod walk;
mod wire;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use artifact::{FileError, lfs};

use crate::confine::{ExternalError, Place};
use crate::external;

/// A file that nothing should open.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// A message is longer than what contains it.
    #[error("this is no ONNX model: it is cut off, or no protobuf")]
    Cut,
    /// What no program writes.
    #[error("this is no sound ONNX model: it has {0}")]
    Structure(&'static str),
    /// More of something than any network has.
    #[error("the model has more than {most} {what}")]
    Count {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        most: u64,
    },
    /// A tensor that contradicts itself.
    #[error("tensor {tensor:?} of {dims} has {found} bytes, and needs {expected}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// Its element type and sizes.
        dims: String,
        /// Bytes that there are.
        found: u64,
        /// Bytes that type and sizes ask for.
        expected: u64,
    },
    /// Values in other files that lie where they must not.
    #[error(transparent)]
    External(#[from] ExternalError),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The same, of a part of it.
    #[error("the model cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// A description of a model, made without reading its weights.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The length of the file.
    pub bytes: u64,
    /// The version of the file format; 0 where the file does not say.
    pub ir_version: i64,
    /// The version of each operator set; the empty name is ONNX's own.
    pub opset_imports: BTreeMap<String, i64>,
    /// The program that made the model.
    pub producer_name: String,
    /// Its version.
    pub producer_version: String,
    /// The name of the main graph.
    pub graph_name: String,
    /// What the model says of itself, by keys; values that are no text are left out.
    pub metadata: BTreeMap<String, String>,
    /// The inputs, each a name and a type such as `float[batch, 3]` or `a sequence`. Before version 4 of the format constants
    /// are among them.
    pub inputs: Vec<(String, String)>,
    /// The outputs.
    pub outputs: Vec<(String, String)>,
    /// How many nodes there are of each operator, in all graphs and functions; foreign ones as `domain.Operator`.
    pub operators: BTreeMap<String, u64>,
    /// Graphs, those inside included.
    pub graphs: u64,
    /// How deep graphs lie in each other; 1 where there is only the main graph.
    pub depth: usize,
    /// Functions that the model defines.
    pub functions: u64,
    /// Tensors with values: initialisers and attributes, wherever they stand.
    pub tensors: u64,
    /// Elements of the initialisers of all graphs.
    pub parameters: u64,
    /// Bytes of their values in the file itself.
    pub tensor_bytes: u64,
    /// Files that hold values of tensors.
    pub data_files: Vec<DataFile>,
    /// Parts that few models have: `training information`, `sparse tensors`.
    pub unusual: Vec<&'static str>,
}

/// A file beside a model that holds values of its tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its name in the model.
    pub location: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Bytes from the first that a tensor holds to the last.
    pub used: u64,
    /// Tensors that name it.
    pub tensors: u64,
}

impl Survey {
    /// Looks at an `.onnx` file: structure, depth and counts, and that every value in another file lies below the model's folder, in
    /// a plain file that is long enough. Weights are skipped.
    ///
    /// Links are refused, with one exception: in the cache of a model hub, where the path that the user gave goes through a
    /// folder `snapshots` and the model is a link into the folder `blobs` beside it, data may be links into that folder, too.
    ///
    /// # Errors
    /// What is wrong with the file. No program should open it then.
    pub fn of(path: impl AsRef<Path>) -> Result<Self, SurveyError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(FileError::new("open", path))?;
        let about = file.metadata().map_err(FileError::new("read", path))?;
        if !about.is_file() {
            return Err(SurveyError::Structure("no bytes: it is no plain file"));
        }
        let mut file = BufReader::new(file);
        if lfs::is_pointer(file.fill_buf().map_err(FileError::new("read", path))?, about.len()) {
            return Err(FileError::new("read", path)(io::Error::other(lfs::REASON)).into());
        }
        let mut wanted = BTreeMap::new();
        let mut survey = walk::walk(file, about.len(), &mut wanted)?;
        let place = Place::of(path);
        for (location, want) in wanted {
            let (_, path, bytes) = external::find(&place, &location, &want)?;
            let used = want.end - want.first;
            survey.data_files.push(DataFile { location, path, bytes, used, tensors: want.tensors });
        }
        Ok(survey)
    }
}
