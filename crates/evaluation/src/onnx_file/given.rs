//! Inputs that a user gives, and such as are handed to one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use artifact::{FileError, GENERATOR, write_atomic};
use onnx_model::{DataType, Element};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::narrow;
use engines::engine::{Container, Dimension, Signature, TensorInfo};
use engines::tensor::{ElementType, Elements, NamedTensor, Tensor};
use engines::worker::wire::to_bytes;

/// Why a file or folder holds no inputs or outputs of a model.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file of another kind.
    #[error("{} holds no {what}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// `inputs` or `outputs`.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An input or output that the model does not have like that.
    #[error("{}: the {what} `{name}` {reason}", path.display())]
    Unfit {
        /// The file or folder.
        path: PathBuf,
        /// `input` or `output`.
        what: &'static str,
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More or fewer files than the model has outputs.
    #[error("{} holds {found} files output_N.pb, and the model gives {}", path.display(), outputs.join(", "))]
    Count {
        /// The folder.
        path: PathBuf,
        /// The files in it.
        found: usize,
        /// The names of the model's outputs.
        outputs: Vec<String>,
    },
}

/// Reads an input for each that the model takes: out of a `.safetensors` file by their names, or out of a folder with
/// `input_0.pb`, `input_1.pb`, … in the order of the model, as ONNX's own test data has them. The tensors of a sequence or of an
/// optional input `x` are called `x[0]`, `x[1]`, …; there may be none.
///
/// # Errors
/// When one is missing, or of another element type or shape than the model declares.
pub fn inputs(path: &Path, signature: &Signature) -> Result<Vec<NamedTensor>, GivenError> {
    let given = if path.is_dir() { test_data(path, "input", &signature.inputs)? } else { safetensors(path, "inputs")? };
    let found: Vec<Vec<NamedTensor>> =
        signature.inputs.iter().map(|info| fitting(path, info, &given)).collect::<Result<_, _>>()?;
    Ok(found.concat())
}

/// Reads a tensor of this name out of a `.safetensors` file; `None` if it has none.
///
/// # Errors
/// When it is no such file.
pub fn named(path: &Path, name: &str) -> Result<Option<NamedTensor>, GivenError> {
    Ok(safetensors(path, "tensors")?.into_iter().find(|tensor| tensor.name == name))
}

/// Reads the outputs of a model: out of a `.safetensors` file by their names, or out of a folder with `output_0.pb`,
/// `output_1.pb`, … in the order of the model. Those of types that are not handled are left out.
///
/// # Errors
/// When there are more or fewer than the model gives, of other names, or of another element type than it declares. Shapes are
/// not compared, since what a model declares of those of its outputs may be wrong.
pub fn outputs(path: &Path, signature: &Signature) -> Result<Vec<NamedTensor>, GivenError> {
    let declared = &signature.outputs;
    let given = if path.is_dir() {
        let found = (0..).take_while(|index| path.join(format!("output_{index}.pb")).is_file()).count();
        if found != declared.len() {
            let outputs = declared.iter().map(|info| info.name.clone()).collect();
            return Err(GivenError::Count { path: path.to_owned(), found, outputs });
        }
        test_data(path, "output", declared)?
    } else {
        safetensors(path, "outputs")?
    };
    let unfit = |name: &str, reason: String| {
        Err(GivenError::Unfit { path: path.to_owned(), what: "output", name: name.to_owned(), reason })
    };
    let names = || declared.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ");
    let is_of = |info: &TensorInfo, given: &NamedTensor| match info.container {
        Some(_) => given.name == Container::length(&info.name) || given.name.starts_with(&format!("{}[", info.name)),
        None => info.name == given.name,
    };
    if let Some(other) = given.iter().find(|given| !declared.iter().any(|info| is_of(info, given))) {
        return unfit(&other.name, format!("is none of the model, which gives {}", names()));
    }
    let mut right = Vec::new();
    for info in declared.iter().filter(|info| info.is_handled()) {
        if let Some(container) = info.container {
            let absent = given.iter().any(|given| {
                given.name == Container::length(&info.name)
                    && given.tensor.to_whole().is_some_and(|length| length == [-1])
            });
            let tensors = tensors(path, "output", info, container, &given)?;
            right.extend(container.named(&info.name, (!absent).then_some(tensors)));
            continue;
        }
        match given.iter().find(|given| given.name == info.name) {
            None => return unfit(&info.name, "is missing".to_owned()),
            Some(found) if Some(found.tensor.elements().element_type()) != info.element => {
                let element = found.tensor.elements().element_type();
                return unfit(&info.name, format!("is {element}, and the model gives {info}"));
            }
            Some(found) => right.push(found.clone()),
        }
    }
    Ok(right)
}

/// Writes inputs as a `.safetensors` file that [`inputs`] reads: whole, or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, inputs: &[NamedTensor]) -> Result<(), FileError> {
    let wrong = |reason: String| FileError::new("write", path)(std::io::Error::other(reason));
    let unfit = |error: safetensors::SafeTensorError| wrong(error.to_string());
    let bytes: Vec<Vec<u8>> = inputs.iter().map(|input| to_bytes(input.tensor.elements())).collect();
    let mut views = Vec::new();
    for (NamedTensor { name, tensor }, bytes) in inputs.iter().zip(&bytes) {
        let dtype = match tensor.elements().element_type() {
            ElementType::Float => Dtype::F32,
            ElementType::Double => Dtype::F64,
            ElementType::Float16 => Dtype::F16,
            ElementType::Bfloat16 => Dtype::BF16,
            ElementType::Int64 => Dtype::I64,
            ElementType::Int32 => Dtype::I32,
            ElementType::Int16 => Dtype::I16,
            ElementType::Int8 => Dtype::I8,
            ElementType::Uint64 => Dtype::U64,
            ElementType::Uint32 => Dtype::U32,
            ElementType::Uint16 => Dtype::U16,
            ElementType::Uint8 => Dtype::U8,
            ElementType::Bool => Dtype::BOOL,
            ElementType::String => return Err(wrong(format!("`{name}` is text, which no .safetensors file holds"))),
        };
        views.push((name, TensorView::new(dtype, tensor.shape().to_vec(), bytes).map_err(unfit)?));
    }
    let origin = HashMap::from([("generator".to_owned(), GENERATOR.to_owned())]);
    write_atomic(path, safetensors::serialize(views, Some(origin)).map_err(unfit)?)
}

/// What is given of the input that the model declares as `info`: one tensor, or those of a sequence or optional input.
///
/// # Errors
/// When it is missing, or of another element type or shape.
pub fn fitting(path: &Path, info: &TensorInfo, given: &[NamedTensor]) -> Result<Vec<NamedTensor>, GivenError> {
    if let Some(container) = info.container {
        let tensors = tensors(path, "input", info, container, given)?;
        let places = tensors.into_iter().enumerate();
        return Ok(places
            .map(|(index, tensor)| NamedTensor::new(Container::place(&info.name, index), tensor))
            .collect());
    }
    let wrong =
        |reason: String| GivenError::Unfit { path: path.to_owned(), what: "input", name: info.name.clone(), reason };
    if info.element.is_none() {
        return Err(wrong(format!("is of the type {}, which is not handled", info.kind())));
    }
    let Some(found) = given.iter().find(|given| given.name == info.name) else {
        let mut names: Vec<&str> = given.iter().map(|given| given.name.as_str()).collect();
        names.sort_unstable();
        return Err(wrong(format!("is missing; there is {}", names.join(", "))));
    };
    let (element, shape) = (found.tensor.elements().element_type(), found.tensor.shape());
    let fits = shape.len() == info.shape.len()
        && shape.iter().zip(&info.shape).all(|(&size, declared)| match declared {
            Dimension::Fixed(fixed) => size == *fixed,
            // Exporters give one name to axes of two sizes.
            Dimension::Named(_) | Dimension::Unknown => true,
        });
    match info.element == Some(element) && fits {
        true => Ok(vec![found.clone()]),
        false => Err(wrong(format!("is {element} {shape:?}, and the model takes {info}"))),
    }
}

/// The tensors that are given of a container, in order.
fn tensors(
    path: &Path,
    what: &'static str,
    info: &TensorInfo,
    container: Container,
    given: &[NamedTensor],
) -> Result<Vec<Tensor>, GivenError> {
    let at = |index: usize| given.iter().find(|given| given.name == Container::place(&info.name, index));
    let found: Vec<Tensor> = (0..).map_while(at).map(|found| found.tensor.clone()).collect();
    match found.iter().map(|found| found.elements().element_type()).find(|found| *found != container.element()) {
        None => Ok(found),
        Some(other) => Err(GivenError::Unfit {
            path: path.to_owned(),
            what,
            name: info.name.clone(),
            reason: format!("holds {other}, and the model has {}", info.kind()),
        }),
    }
}

fn safetensors(path: &Path, what: &'static str) -> Result<Vec<NamedTensor>, GivenError> {
    let wrong = |reason: String| GivenError::Content { path: path.to_owned(), what, reason };
    let bytes = std::fs::read(path).map_err(FileError::new("read", path))?;
    let file =
        SafeTensors::deserialize(&bytes).map_err(|error| wrong(format!("it is no .safetensors file ({error})")))?;
    let one = |(name, view): (String, TensorView<'_>)| {
        let dtype = match view.dtype() {
            Dtype::F32 => DataType::F32,
            Dtype::F64 => DataType::F64,
            Dtype::F16 => DataType::F16,
            Dtype::BF16 => DataType::BF16,
            Dtype::I64 => DataType::I64,
            Dtype::I32 => DataType::I32,
            Dtype::I16 => DataType::I16,
            Dtype::I8 => DataType::I8,
            Dtype::U64 => DataType::U64,
            Dtype::U32 => DataType::U32,
            Dtype::U16 => DataType::U16,
            Dtype::U8 => DataType::U8,
            Dtype::BOOL => DataType::Bool,
            other => return Err(wrong(format!("`{name}` is of the type {other:?}, which is not handled"))),
        };
        let dims: Vec<u64> = view.shape().iter().map(|&size| size as u64).collect();
        let tensor = onnx_model::Tensor::new(name.as_str(), dtype, dims, view.data().to_vec());
        Ok(NamedTensor::new(
            &name,
            tensor.map_err(|error| error.to_string()).and_then(|tensor| read(&tensor)).map_err(wrong)?,
        ))
    };
    file.tensors().into_iter().map(one).collect()
}

/// The tensors of `input_0.pb`, … or `output_0.pb`, …; those of types that are not handled are left out.
fn test_data(folder: &Path, what: &'static str, declared: &[TensorInfo]) -> Result<Vec<NamedTensor>, GivenError> {
    let mut found = Vec::new();
    for (index, info) in declared.iter().enumerate().filter(|(_, info)| info.is_handled()) {
        let path = folder.join(format!("{what}_{index}.pb"));
        let bytes = std::fs::read(&path).map_err(FileError::new("read", &path))?;
        let kind = if info.container.is_some() { "sequence or optional value" } else { "tensor" };
        let wrong = |reason: String| GivenError::Content { path: path.clone(), what: kind, reason };
        found.extend(of_test_data(bytes, info).map_err(wrong)?);
    }
    Ok(found)
}

/// What a file of ONNX's test data holds.
fn of_test_data(bytes: Vec<u8>, info: &TensorInfo) -> Result<Vec<NamedTensor>, String> {
    use onnx_model::Tensor as Stored;
    let tensors = match info.container {
        None => {
            let tensor = Stored::decode(bytes).map_err(|error| error.to_string())?;
            return Ok(vec![NamedTensor::new(&info.name, as_declared(read(&tensor)?, info))]);
        }
        Some(Container::Sequence(_)) => Stored::decode_sequence(bytes).map(Some),
        Some(Container::Optional(_) | Container::OptionalSequence(_)) => Stored::decode_optional(bytes),
    };
    let tensors = tensors.map_err(|error| error.to_string())?;
    let tensors = tensors.map(|tensors| tensors.iter().map(read).collect::<Result<Vec<_>, _>>()).transpose()?;
    Ok(info.container.map(|container| container.named(&info.name, tensors)).unwrap_or_default())
}

/// The tensor as the model declares it: ONNX's own test data keep a bfloat16 as the whole number of its bits.
fn as_declared(tensor: Tensor, info: &TensorInfo) -> Tensor {
    let numbers = match (info.element, tensor.elements()) {
        (Some(ElementType::Bfloat16), Elements::U16(bits)) => bits.iter().copied().map(half::bf16::from_bits).collect(),
        _ => return tensor,
    };
    // As many elements as before fill the same shape.
    Tensor::new(tensor.shape(), Elements::BF16(numbers)).unwrap_or(tensor)
}

/// The values of a tensor of a file.
fn read(tensor: &onnx_model::Tensor) -> Result<Tensor, String> {
    fn values<E: Element>(tensor: &onnx_model::Tensor) -> Result<Elements, String>
    where
        Elements: From<Vec<E>>,
    {
        tensor.to_vec::<E>().map(Elements::from).map_err(|error| error.to_string())
    }
    let elements = match tensor.dtype {
        DataType::F32 => values::<f32>(tensor)?,
        DataType::F64 => values::<f64>(tensor)?,
        DataType::F16 => values::<half::f16>(tensor)?,
        DataType::BF16 => values::<half::bf16>(tensor)?,
        DataType::I64 => values::<i64>(tensor)?,
        DataType::I32 => values::<i32>(tensor)?,
        DataType::I16 => values::<i16>(tensor)?,
        DataType::I8 => values::<i8>(tensor)?,
        DataType::U64 => values::<u64>(tensor)?,
        DataType::U32 => values::<u32>(tensor)?,
        DataType::U16 => values::<u16>(tensor)?,
        DataType::U8 => values::<u8>(tensor)?,
        DataType::Bool => values::<bool>(tensor)?,
        DataType::String => tensor.to_texts().map_err(|error| error.to_string())?.into(),
        other => match narrow::values(tensor) {
            Some(values) => values.into(),
            None => return Err(format!("`{}` is of the type {}, which is not handled", tensor.name, other.name())),
        },
    };
    let shape: Vec<usize> = tensor.dims.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
    Tensor::new(shape, elements).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature() -> Signature {
        let input = |name: &str, element, shape: Vec<Dimension>| TensorInfo {
            name: name.to_owned(),
            element,
            other: None,
            container: None,
            shape,
        };
        let batch = || Dimension::Named("batch".to_owned());
        Signature {
            inputs: vec![
                input("x", Some(ElementType::Float), vec![batch(), Dimension::Fixed(2)]),
                input("ids", Some(ElementType::Int64), vec![batch(), Dimension::Unknown]),
            ],
            outputs: Vec::new(),
        }
    }

    /// A folder with `x` and `ids` of these shapes, both ways.
    fn written(x: [usize; 2], ids: [usize; 2]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let floats: Vec<u8> = (0..x[0] * x[1]).flat_map(|value| (value as f32).to_le_bytes()).collect();
        let integers: Vec<u8> = (0..ids[0] * ids[1]).flat_map(|value| (value as i64).to_le_bytes()).collect();
        let view = |dtype, shape: [usize; 2], bytes| TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
        let tensors = [("x", view(Dtype::F32, x, &floats)), ("ids", view(Dtype::I64, ids, &integers))];
        safetensors::serialize_to_file(tensors, None, &folder.path().join("inputs.safetensors")).unwrap();
        folder
    }

    #[test]
    fn inputs_go_by_their_names() {
        let folder = written([3, 2], [3, 5]);
        let found = inputs(&folder.path().join("inputs.safetensors"), &signature()).unwrap();
        assert_eq!((found[0].name.as_str(), found[0].tensor.shape()), ("x", &[3, 2][..]));
        assert_eq!(found[0].tensor.to_f64(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((found[1].name.as_str(), found[1].tensor.shape()), ("ids", &[3, 5][..]));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let named = |name: &str, tensor| NamedTensor::new(name, tensor);
        let given = [
            named("float", Tensor::new([2, 1], vec![1.5_f32, -0.1]).unwrap()),
            named("double", Tensor::new([2], vec![0.1_f64, f64::INFINITY]).unwrap()),
            named("half", Tensor::new([1], vec![half::f16::from_f32(0.5)]).unwrap()),
            named("long", Tensor::new([], vec![-3_i64]).unwrap()),
            named("int", Tensor::new([1, 2], vec![-3_i32, i32::MAX]).unwrap()),
            named("small", Tensor::new([1], vec![-3_i8]).unwrap()),
            named("byte", Tensor::new([1], vec![200_u8]).unwrap()),
            named("brain", Tensor::new([1], vec![half::bf16::from_f32(0.5)]).unwrap()),
            named("short", Tensor::new([1], vec![i16::MIN]).unwrap()),
            named("unsigned long", Tensor::new([1], vec![u64::MAX]).unwrap()),
            named("unsigned", Tensor::new([1], vec![u32::MAX]).unwrap()),
            named("unsigned short", Tensor::new([1], vec![u16::MAX]).unwrap()),
            named("flags", Tensor::new([2], vec![true, false]).unwrap()),
            named("none", Tensor::new([0, 3], Vec::<f32>::new()).unwrap()),
        ];
        let taken = |input: &NamedTensor| TensorInfo {
            name: input.name.clone(),
            element: Some(input.tensor.elements().element_type()),
            other: None,
            container: None,
            shape: input.tensor.shape().iter().map(|&size| Dimension::Fixed(size)).collect(),
        };
        let signature = Signature { inputs: given.iter().map(taken).collect(), outputs: Vec::new() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/inputs.safetensors");
        write(&path, &given).unwrap();
        assert_eq!(inputs(&path, &signature).unwrap(), given);
        let error = write(&folder.path().join("new/inputs.safetensors/below"), &given).unwrap_err().to_string();
        assert!(error.starts_with("cannot "), "{error}");
    }

    #[test]
    fn what_does_not_fit_the_model_is_a_sentence() {
        let message = |folder: &tempfile::TempDir| {
            let error = inputs(&folder.path().join("inputs.safetensors"), &signature()).unwrap_err().to_string();
            error.rsplit_once("inputs.safetensors").unwrap().1.to_owned()
        };
        assert_eq!(
            message(&written([3, 4], [3, 5])),
            ": the input `x` is float [3, 4], and the model takes x: float [batch, 2]"
        );
        // One name may stand for two sizes.
        assert!(inputs(&written([3, 2], [4, 5]).path().join("inputs.safetensors"), &signature()).is_ok());
        let folder = written([3, 2], [3, 5]);
        let missing = inputs(folder.path(), &signature()).unwrap_err().to_string();
        assert!(missing.contains("input_0.pb"), "{missing}");
        std::fs::write(folder.path().join("inputs.safetensors"), b"text").unwrap();
        assert!(message(&folder).contains("it is no .safetensors file"), "{}", message(&folder));
    }

    #[test]
    fn outputs_are_those_of_the_model() {
        let output = |name: &str, element, other: Option<&str>| TensorInfo {
            name: name.to_owned(),
            element,
            other: other.map(str::to_owned),
            container: None,
            shape: vec![Dimension::Unknown; 2],
        };
        let outputs_of = |infos: Vec<TensorInfo>| Signature { inputs: Vec::new(), outputs: infos };
        let (x, ids) = (output("x", Some(ElementType::Float), None), output("ids", Some(ElementType::Int64), None));
        let folder = written([3, 2], [3, 5]);
        let path = folder.path().join("inputs.safetensors");
        let found = outputs(&path, &outputs_of(vec![ids.clone(), x.clone()])).unwrap();
        assert_eq!(found.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["ids", "x"]);
        let message = |infos: Vec<TensorInfo>| {
            let error = outputs(&path, &outputs_of(infos)).unwrap_err().to_string();
            error.rsplit_once("inputs.safetensors").unwrap().1.to_owned()
        };
        assert_eq!(message(vec![x.clone()]), ": the output `ids` is none of the model, which gives x");
        let more = output("z", Some(ElementType::Bool), None);
        assert_eq!(message(vec![x.clone(), ids.clone(), more]), ": the output `z` is missing");
        let other = output("ids", Some(ElementType::Int32), None);
        assert_eq!(
            message(vec![x.clone(), other]),
            ": the output `ids` is int64, and the model gives ids: int32 [?, ?]"
        );
        let none = outputs(folder.path(), &outputs_of(vec![x.clone(), ids])).unwrap_err().to_string();
        assert!(none.ends_with("holds 0 files output_N.pb, and the model gives x, ids"), "{none}");
        // 1.5 in bfloat16 are the bits 0x3fc0. TensorProto by its field numbers: dims (1), data_type (2) of uint16, raw_data (9).
        std::fs::write(folder.path().join("output_0.pb"), [0x08, 1, 0x10, 4, 0x4a, 2, 0xc0, 0x3f]).unwrap();
        let brain = output("brain", Some(ElementType::Bfloat16), None);
        let found = outputs(folder.path(), &outputs_of(vec![brain])).unwrap();
        assert_eq!(found[0].tensor.elements(), &Elements::from(vec![half::bf16::from_f32(1.5)]));
        // What is not handled is not read.
        let text = output("words", None, Some("string"));
        std::fs::write(folder.path().join("output_0.pb"), b"text").unwrap();
        assert!(outputs(folder.path(), &outputs_of(vec![text])).unwrap().is_empty());
        let unread = outputs(folder.path(), &outputs_of(vec![x])).unwrap_err().to_string();
        assert!(unread.contains("output_0.pb holds no tensor"), "{unread}");
    }
}
