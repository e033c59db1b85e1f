//! Named tensors in safetensors files, by which the contenders get their input and give their output.

use std::path::Path;

use anyhow::{Context, Result, bail};
use engines::tensor::{Elements, NamedTensor, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// Reads tensors of type float and int64.
pub fn read(path: &Path) -> Result<Vec<NamedTensor>> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read {} (`cargo xtask bench pytorch` makes it)", path.display()))?;
    let file = SafeTensors::deserialize(&bytes).with_context(|| format!("{}", path.display()))?;
    let mut found = Vec::new();
    for (name, view) in file.iter() {
        let elements: Elements = match view.dtype() {
            Dtype::F32 => {
                view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect::<Vec<_>>().into()
            }
            Dtype::I64 => {
                view.data().as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect::<Vec<_>>().into()
            }
            other => bail!("{}: `{name}` is of the type {other:?}", path.display()),
        };
        found.push(NamedTensor::new(name, Tensor::new(view.shape(), elements)?));
    }
    Ok(found)
}

/// Writes tensors of type float.
pub fn write(path: &Path, tensors: &[NamedTensor]) -> Result<()> {
    let mut bytes = Vec::new();
    for named in tensors {
        let values = named.tensor.as_f32().with_context(|| format!("`{}` is not of type float", named.name))?;
        bytes.push(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
    }
    let views = tensors.iter().zip(&bytes).map(|(named, bytes)| {
        Ok((named.name.as_str(), TensorView::new(Dtype::F32, named.tensor.shape().to_vec(), bytes)?))
    });
    let views: Vec<(&str, TensorView<'_>)> = views.collect::<Result<_>>()?;
    Ok(safetensors::serialize_to_file(views, None, path)?)
}

/// The largest difference of any output, relative to its largest expected value.
pub fn difference(found: &[NamedTensor], expected: &[NamedTensor]) -> Result<f64> {
    let mut largest = 0.0_f64;
    for expected in expected {
        let found = found.iter().find(|found| found.name == expected.name);
        let found = found.with_context(|| format!("the output `{}` is missing", expected.name))?;
        if found.tensor.shape() != expected.tensor.shape() {
            bail!(
                "`{}` has the shape {:?} instead of {:?}",
                expected.name,
                found.tensor.shape(),
                expected.tensor.shape()
            );
        }
        let (found, expected) = (found.tensor.to_f64(), expected.tensor.to_f64());
        let scale = expected.iter().fold(f64::MIN_POSITIVE, |most, value| most.max(value.abs()));
        for (a, b) in found.iter().zip(&expected) {
            let share = (a - b).abs() / scale;
            largest = if share.is_nan() { f64::INFINITY } else { largest.max(share) };
        }
    }
    Ok(largest)
}
