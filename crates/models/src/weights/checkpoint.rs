//! The named tensors of a weight file, whatever its format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Bytes, DType, TensorData};
use half::{bf16, f16};

use super::recognise::{FileKind, file_kind};
use super::{WeightsError, pytorch, safetensors};
use crate::text_file;

/// The files that a folder may keep its weights in, in order of preference. The index files name shards.
const FOLDER_FILES: [&str; 4] =
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"];

/// The tensors of a weight file by name. Data is read on demand.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    files: BTreeSet<PathBuf>,
    tensors: BTreeMap<String, StoredTensor>,
    left_aside: Vec<String>,
    format: Format,
    metadata: BTreeMap<String, String>,
}

/// What a weight file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Safetensors.
    Safetensors,
    /// An index of files.
    Index,
    /// A zip archive of `torch.save`.
    Zip,
    /// What `torch.save` wrote before: pickles in a row, or a tar archive. It has no checksums.
    Legacy,
    /// No file at all.
    Computed,
}

impl Format {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Index => "index of weight files",
            Self::Zip => "PyTorch",
            Self::Legacy => "PyTorch, legacy",
            Self::Computed => "no file",
        }
    }
}

/// Reads the elements of a tensor, row-major, in its stored type.
pub(super) type ReadBytes = Arc<dyn Fn() -> Result<Bytes, WeightsError> + Send + Sync>;

/// A tensor whose data has not been read yet.
#[derive(Clone)]
pub struct StoredTensor {
    /// The element type in the file.
    pub dtype: DType,
    /// The shape, outermost dimension first, as PyTorch has it.
    pub shape: Vec<usize>,
    pub(super) read: ReadBytes,
}

impl std::fmt::Debug for StoredTensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.dtype, self.shape)
    }
}

impl Checkpoint {
    /// Opens a weight file, an `.index.json` of shards, or a folder that holds one of them.
    ///
    /// The format is recognised by content, not by the file's ending.
    ///
    /// # Errors
    /// When the path cannot be read, the content is malformed or truncated, or the folder holds no weights.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        if path.is_dir() {
            return match FOLDER_FILES.iter().map(|name| path.join(name)).find(|file| file.is_file()) {
                Some(file) => Self::open(file),
                None => Err(WeightsError::NoWeights {
                    path: path.to_owned(),
                    expected: FOLDER_FILES.map(str::to_owned).to_vec(),
                }),
            };
        }
        let whole = BTreeSet::from([path.to_owned()]);
        let mut metadata = BTreeMap::new();
        let (format, (tensors, files)) = match file_kind(path)? {
            FileKind::Safetensors => {
                let (tensors, said) = safetensors::open(path)?;
                metadata = said;
                (Format::Safetensors, (tensors, whole))
            }
            FileKind::Index => (Format::Index, open_shards(path)?),
            FileKind::Zip => (Format::Zip, (pytorch::open(path)?, whole)),
            FileKind::Legacy => (Format::Legacy, (pytorch::open(path)?, whole)),
        };
        Ok(Self { path: path.to_owned(), files, tensors, left_aside: Vec::new(), format, metadata })
    }

    /// Tensors that come from no file; `origin` says from where instead.
    pub(super) fn computed(origin: String, tensors: BTreeMap<String, StoredTensor>) -> Self {
        Self {
            path: origin.into(),
            files: BTreeSet::new(),
            tensors,
            left_aside: Vec::new(),
            format: Format::Computed,
            metadata: BTreeMap::new(),
        }
    }

    /// The file that the tensors come from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that hold the tensors: that one, or the shards that it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// The tensors by name, in alphabetical order.
    pub fn tensors(&self) -> &BTreeMap<String, StoredTensor> {
        &self.tensors
    }

    /// What the file is.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What the file says of itself; safetensors alone can.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The tensors that [`renamed`](Self::renamed) left out.
    pub fn left_aside(&self) -> &[String] {
        &self.left_aside
    }

    /// The same tensors under other names. A tensor whose new name is `None` is left aside.
    ///
    /// # Errors
    /// [`WeightsError::Duplicate`] when two tensors would get the same name.
    pub fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Result<Self, WeightsError> {
        let mut origin: BTreeMap<String, String> = BTreeMap::new();
        let mut tensors = BTreeMap::new();
        let mut rest = self;
        let mut left_aside = std::mem::take(&mut rest.left_aside);
        let tensors_of_file = std::mem::take(&mut rest.tensors);
        for (name, tensor) in tensors_of_file {
            let Some(new) = rename(&name) else {
                left_aside.push(name);
                continue;
            };
            if let Some(first) = origin.insert(new.clone(), name.clone()) {
                return Err(WeightsError::Duplicate { path: rest.path, first, second: name });
            }
            tensors.insert(new, tensor);
        }
        Ok(Self { tensors, left_aside, ..rest })
    }
}

impl StoredTensor {
    /// The elements as float32, row-major; float16, bfloat16 and float64 are converted.
    ///
    /// # Errors
    /// When the data cannot be read or is not floating-point. `name` is for the message.
    pub fn to_f32(&self, name: &str) -> Result<TensorData, WeightsError> {
        let floats = match self.dtype {
            DType::F32 => {
                let bytes = (self.read)()?;
                return Ok(TensorData::from_bytes(bytes, self.shape.clone(), DType::F32));
            }
            DType::F16 => self.convert(|[a, b]| f16::from_le_bytes([a, b]).to_f32())?,
            DType::BF16 => self.convert(|[a, b]| bf16::from_le_bytes([a, b]).to_f32())?,
            DType::F64 => self.convert(|bytes: [u8; 8]| f64::from_le_bytes(bytes) as f32)?,
            dtype => {
                return Err(WeightsError::NotFloat { name: name.to_owned(), dtype: format!("{dtype:?}") });
            }
        };
        Ok(TensorData::new(floats, self.shape.clone()))
    }

    fn convert<const N: usize>(&self, element: impl Fn([u8; N]) -> f32) -> Result<Vec<f32>, WeightsError> {
        let bytes = (self.read)()?;
        let (elements, _) = bytes.as_chunks::<N>();
        Ok(elements.iter().map(|bytes| element(*bytes)).collect())
    }
}

/// The `weight_map` of a Hugging Face index: tensor name to shard file.
#[derive(serde::Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

fn open_shards(path: &Path) -> Result<(BTreeMap<String, StoredTensor>, BTreeSet<PathBuf>), WeightsError> {
    let malformed = |reason: String| WeightsError::Malformed { path: path.to_owned(), reason };
    let text = text_file::read(path).map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
    let index: ShardIndex = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut shards: BTreeMap<&str, BTreeMap<String, StoredTensor>> = BTreeMap::new();
    let mut tensors = BTreeMap::new();
    for (name, shard) in &index.weight_map {
        let plain = Path::new(shard).file_name() == Some(shard.as_ref());
        if !plain {
            return Err(WeightsError::UnsafeShard { path: path.to_owned(), shard: shard.clone() });
        }
        if !shards.contains_key(shard.as_str()) {
            let file = folder.join(shard);
            let opened = match file_kind(&file)? {
                FileKind::Safetensors => safetensors::open(&file)?.0,
                FileKind::Zip | FileKind::Legacy => pytorch::open(&file)?,
                FileKind::Index => return Err(malformed(format!("{shard} is an index itself"))),
            };
            shards.insert(shard, opened);
        }
        let tensor = shards.get(shard.as_str()).and_then(|shard| shard.get(name));
        let tensor = tensor.ok_or_else(|| malformed(format!("{shard} lacks {name}")))?;
        tensors.insert(name.clone(), tensor.clone());
    }
    let files = shards.keys().map(|shard| folder.join(shard)).collect();
    Ok((tensors, files))
}
