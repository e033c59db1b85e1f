//! Samples: inputs of a model, one after the other.

use std::path::{Path, PathBuf};

use artifact::FileError;
use engines::engine::{EngineError, Signature};
use engines::tensor::{Elements, NamedTensor, Tensor};
use evaluation::onnx_file::given::{GivenError, fitting, inputs, named};

/// A sample that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// It does not suit the model, or is no such file.
    #[error(transparent)]
    Given(#[from] GivenError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nothing is there.
    #[error("{} holds no samples: no .safetensors or .npy files, and no folders with input_0.pb", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// It cannot be made.
    #[error(transparent)]
    Made(#[from] EngineError),
    /// A file of NumPy's is not.
    #[error("{} cannot be read as NumPy's: {reason}", path.display())]
    Numpy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Inputs of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What it is called in messages.
    pub name: String,
    /// An input for each that the model takes.
    pub inputs: Vec<NamedTensor>,
    /// The right class of each item, where it is known.
    pub labels: Option<Vec<i128>>,
}

/// The tensor of a file that holds the right classes.
const LABELS: &str = "labels";

/// Samples by their numbers.
pub trait Samples {
    /// How many there are.
    fn count(&self) -> usize;

    /// One of them.
    ///
    /// # Errors
    /// When it cannot be read, or does not suit the model.
    fn get(&self, index: usize, signature: &Signature) -> Result<Sample, SampleError>;
}

/// Samples in files.
#[derive(Debug, Clone, Default)]
pub struct Files(pub Vec<PathBuf>);

impl Samples for Files {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn get(&self, index: usize, signature: &Signature) -> Result<Sample, SampleError> {
        let path = self.0.get(index).ok_or_else(|| SampleError::Empty { path: PathBuf::new() })?;
        read(path, signature)
    }
}

/// Finds the samples that paths name: those of a folder by name.
///
/// # Errors
/// When a folder cannot be read, or holds none.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, SampleError> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() || is_test_data(path) {
            found.push(path.clone());
            continue;
        }
        let mut samples = Vec::new();
        for entry in std::fs::read_dir(path).map_err(FileError::new("read", path))? {
            let path = entry.map_err(FileError::new("read", path))?.path();
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            if ["safetensors", "npy"].contains(&&*ending) || is_test_data(&path) {
                samples.push(path);
            }
        }
        if samples.is_empty() {
            return Err(SampleError::Empty { path: path.clone() });
        }
        samples.sort();
        found.append(&mut samples);
    }
    Ok(found)
}

/// A folder as ONNX's own tests have them.
fn is_test_data(path: &Path) -> bool {
    path.join("input_0.pb").is_file()
}

/// So many of them, evenly spread; all if there are no more.
pub fn spread<T: Clone>(samples: &[T], limit: usize) -> Vec<T> {
    let count = samples.len();
    let places = (0..limit.min(count)).map(|index| index * count / limit.min(count).max(1));
    places.filter_map(|place| samples.get(place).cloned()).collect()
}

/// Reads a sample: an input for each that the model takes, and the labels where a `.safetensors` file has a tensor of that name.
///
/// # Errors
/// When it cannot be read, or does not suit the model.
pub fn read(path: &Path, signature: &Signature) -> Result<Sample, SampleError> {
    let name = path.display().to_string();
    if path.extension().is_none_or(|ending| ending != "npy") {
        let inputs = inputs(path, signature)?;
        let labels =
            if path.is_dir() { None } else { named(path, LABELS)?.and_then(|labels| labels.tensor.to_whole()) };
        return Ok(Sample { name, inputs, labels });
    }
    let wrong = |reason: String| SampleError::Numpy { path: path.to_owned(), reason };
    let [input] = signature.inputs.as_slice() else {
        return Err(wrong(format!("it holds one tensor, and the model takes {}", signature.inputs.len())));
    };
    let bytes = std::fs::read(path).map_err(FileError::new("read", path))?;
    let tensor = numpy(&bytes).map_err(wrong)?;
    Ok(Sample { name, inputs: fitting(path, input, &[NamedTensor::new(&input.name, tensor)])?, labels: None })
}

/// A tensor out of a file of NumPy's format, version 1 to 3.
fn numpy(bytes: &[u8]) -> Result<Tensor, String> {
    let cut = || "it is cut off".to_owned();
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("it does not begin as such a file does")?;
    let (version, rest) = rest.split_first().ok_or_else(cut)?;
    let rest = rest.get(1..).ok_or_else(cut)?;
    let (length, rest) = match version {
        1 => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        other => return Err(format!("its format has the version {other}")),
    };
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is no text")?;
    let value = |key: &str| {
        let (_, rest) = header.split_once(&format!("'{key}':"))?;
        Some(rest.trim_start())
    };
    let kind = value("descr").and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.split_once('\''));
    let kind = kind.map(|(kind, _)| kind).ok_or("its header names no single type")?;
    if value("fortran_order").is_none_or(|rest| rest.starts_with("True")) {
        return Err("its elements lie column by column; save numpy.ascontiguousarray of it".to_owned());
    }
    let shape = value("shape").and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.split_once(')'));
    let (shape, _) = shape.ok_or("its header has no shape")?;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty()).map(str::parse::<usize>);
    let shape: Vec<usize> = sizes.collect::<Result<_, _>>().map_err(|_| "its shape has no numbers")?;
    fn all<const N: usize, T>(data: &[u8], element: impl Fn([u8; N]) -> T) -> Result<Elements, String>
    where
        Elements: From<Vec<T>>,
    {
        match data.as_chunks::<N>() {
            (elements, []) => Ok(elements.iter().map(|bytes| element(*bytes)).collect::<Vec<T>>().into()),
            _ => Err("its elements are no whole number".to_owned()),
        }
    }
    let elements = match kind {
        "<f4" => all(data, f32::from_le_bytes)?,
        "<f8" => all(data, f64::from_le_bytes)?,
        "<i8" => all(data, i64::from_le_bytes)?,
        "<i4" => all(data, i32::from_le_bytes)?,
        "|i1" => all(data, i8::from_le_bytes)?,
        "|u1" => all(data, u8::from_le_bytes)?,
        "|b1" => all(data, |[byte]: [u8; 1]| byte != 0)?,
        other => return Err(format!("its type {other} is not handled")),
    };
    Tensor::new(shape, elements).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `numpy.save` (2.4.6) writes for `numpy.arange(6, dtype="<f4").reshape(2, 3)`.
    fn saved(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        let padded = format!("{header:<117}\n");
        bytes.extend((padded.len() as u16).to_le_bytes());
        bytes.extend(padded.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn tensors_of_numpy_are_read() {
        let data: Vec<u8> = (0..6).flat_map(|value| (value as f32).to_le_bytes()).collect();
        let bytes = saved("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", &data);
        let tensor = numpy(&bytes).unwrap();
        assert_eq!((tensor.shape(), tensor.to_f64()), (&[2, 3][..], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
        let scalar = numpy(&saved("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", &[7])).unwrap();
        assert_eq!((scalar.shape(), scalar.to_f64()), (&[][..], vec![7.0]));
        let flat = saved("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", &data);
        assert!(numpy(&flat).unwrap_err().contains("column by column"));
        for length in 0..bytes.len() {
            assert!(numpy(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_few_are_spread_over_all() {
        assert_eq!(spread(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 3), [0, 3, 6]);
        assert_eq!(spread(&[0, 1], 5), [0, 1]);
        assert!(spread::<u8>(&[], 5).is_empty());
    }
}
