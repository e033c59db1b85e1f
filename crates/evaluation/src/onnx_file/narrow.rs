//! Inputs and outputs of 8-bit floats and 4-bit integers, which are given and compared as floats.
//!
//! No engine's interface takes them everywhere, and every value of theirs is one of `float`. A model with such ends gets a `Cast` at
//! each: what is inside stays as it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use artifact::interrupt::TemporaryFolder;
use onnx_model::{Attribute, DataType, Graph, Model, Node, Survey, TensorData, ValueInfo};

/// The types that are cast.
const NARROW: [DataType; 6] =
    [DataType::F8E4M3FN, DataType::F8E4M3FNUZ, DataType::F8E5M2, DataType::F8E5M2FNUZ, DataType::I4, DataType::U4];

/// A file that has floats at its ends.
pub struct Ends {
    path: PathBuf,
    /// What was cast.
    cast: Vec<(String, DataType)>,
    /// Where it lies, if it had to be written.
    _folder: Option<TemporaryFolder>,
}

impl Ends {
    /// The file itself, or one that has a cast at each narrow end that the survey of it tells of, which lasts as long as this.
    ///
    /// # Errors
    /// When that file cannot be made or written.
    pub fn of(file: &Path, survey: &Survey) -> Result<Self> {
        let as_it_is = || Self { path: file.to_owned(), cast: Vec::new(), _folder: None };
        let is_narrow = |(_, ty): &(String, String)| {
            let element = ty.split('[').next().unwrap_or_default();
            NARROW.iter().any(|dtype| dtype.name() == element)
        };
        if !survey.inputs.iter().chain(&survey.outputs).any(is_narrow) {
            return Ok(as_it_is());
        }
        let Some((wide, cast)) = with_wide_ends(&Model::load(file)?) else { return Ok(as_it_is()) };
        let folder = TemporaryFolder::new().context("no place for the model with wide ends")?;
        let path = folder.path().join("wide.onnx");
        wide.save(&path)?;
        Ok(Self { path, cast, _folder: Some(folder) })
    }

    /// The file to run.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is said of the ends.
    pub fn note(&self) -> Option<String> {
        let listed: Vec<String> =
            self.cast.iter().map(|(name, dtype)| format!("`{name}` ({})", dtype.name())).collect();
        (!listed.is_empty()).then(|| {
            format!("given and compared as float, with a Cast between that and the model: {}", listed.join(", "))
        })
    }
}

/// A model whose ends are floats, with what those are in the model itself; `None` if it has no narrow ends.
pub fn with_wide_ends(model: &Model) -> Option<(Model, Vec<(String, DataType)>)> {
    let narrow = |value: &ValueInfo| value.ty.as_ref().map(|ty| ty.dtype).filter(|dtype| NARROW.contains(dtype));
    let own: Vec<&str> = model.graph.initializers.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = model.graph.inputs.iter().filter(|input| !own.contains(&input.name.as_str()));
    let ends = |values: &mut dyn Iterator<Item = &ValueInfo>| -> Vec<(String, DataType)> {
        values.filter_map(|value| Some((value.name.clone(), narrow(value)?))).collect()
    };
    let (inputs, outputs) = (ends(&mut inputs.into_iter()), ends(&mut model.graph.outputs.iter()));
    if inputs.is_empty() && outputs.is_empty() {
        return None;
    }
    let mut wide = model.clone();
    let graph = &mut wide.graph;
    graph.value_infos.retain(|info| inputs.iter().chain(&outputs).all(|(name, _)| *name != info.name));
    for (name, _) in inputs.iter().chain(&outputs) {
        rename(graph, name, &inner(name));
        let mut declared = graph.inputs.iter_mut().chain(&mut graph.outputs).filter(|value| value.name == *name);
        declared.by_ref().for_each(|value| value.ty.iter_mut().for_each(|ty| ty.dtype = DataType::F32));
    }
    let cast = |from: &str, to: &str, dtype: DataType| {
        let node = Node::new("Cast").named(format!("{to}.cast")).input(from).output(to).attribute("to", dtype);
        // Infinity stays what it is.
        if dtype.bits() == Some(8) { node.attribute("saturate", 0_i64) } else { node }
    };
    let before = inputs.iter().map(|(name, dtype)| cast(name, &inner(name), *dtype));
    let after = outputs.iter().map(|(name, _)| cast(&inner(name), name, DataType::F32));
    graph.nodes = before.chain(std::mem::take(&mut graph.nodes)).chain(after).collect();
    Some((wide, inputs.into_iter().chain(outputs).collect()))
}

/// What a value is called between the casts.
fn inner(name: &str) -> String {
    format!("{name}.narrow")
}

/// Gives a value another name wherever nodes refer to it.
fn rename(graph: &mut Graph, from: &str, to: &str) {
    for node in &mut graph.nodes {
        for name in node.inputs.iter_mut().chain(&mut node.outputs).filter(|name| *name == from) {
            to.clone_into(name);
        }
        for attribute in node.attributes.values_mut() {
            match attribute {
                Attribute::Graph(inside) => rename(inside, from, to),
                Attribute::Graphs(inside) => inside.iter_mut().for_each(|graph| rename(graph, from, to)),
                _ => {}
            }
        }
    }
}

/// The values of a tensor of a narrow type; `None` if it is of another.
pub fn values(tensor: &onnx_model::Tensor) -> Option<Vec<f32>> {
    let (true, TensorData::Bytes(bytes)) = (NARROW.contains(&tensor.dtype), &tensor.data) else { return None };
    let count = tensor.dims.iter().try_fold(1_u64, |count, size| count.checked_mul(*size))?;
    let halves = || bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]).take(usize::try_from(count).unwrap_or(0));
    Some(match tensor.dtype {
        DataType::U4 => halves().map(f32::from).collect(),
        // The fourth bit is the sign.
        DataType::I4 => halves().map(|half| f32::from(((half << 4) as i8) >> 4)).collect(),
        dtype => bytes.iter().map(|byte| float8(*byte, dtype)).collect(),
    })
}

/// An 8-bit float by ONNX's description: a sign, an exponent and 2 or 3 bits of mantissa. The types `…FNUZ` have no infinity and no
/// negative zero, which is their only NaN; E4M3FN has no infinity either.
fn float8(byte: u8, dtype: DataType) -> f32 {
    let unsigned = matches!(dtype, DataType::F8E4M3FNUZ | DataType::F8E5M2FNUZ);
    let (bits, bias) = match dtype {
        DataType::F8E4M3FN => (3, 7),
        DataType::F8E4M3FNUZ => (3, 8),
        DataType::F8E5M2 => (2, 15),
        _ => (2, 16),
    };
    let (exponent, mantissa) = (i32::from((byte & 0x7f) >> bits), f32::from(byte & ((1 << bits) - 1)));
    let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
    match (dtype, byte & 0x7f) {
        (_, 0) if unsigned && byte == 0x80 => f32::NAN,
        (DataType::F8E4M3FN, 0x7f) | (DataType::F8E5M2, 0x7d..) => f32::NAN,
        (DataType::F8E5M2, 0x7c) => sign * f32::INFINITY,
        _ if exponent == 0 => sign * mantissa * 2.0_f32.powi(1 - bias - bits),
        _ => sign * (1.0 + mantissa * 2.0_f32.powi(-bits)) * 2.0_f32.powi(exponent - bias),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onnx_model::{Dim, Tensor};

    /// From ONNX's page on float8: the largest values, the least above zero, and those that are no numbers.
    #[test]
    fn floats_of_8_bits_are_those_of_onnx() {
        let all = |dtype, bytes: [u8; 4]| bytes.map(|byte| float8(byte, dtype));
        let [largest, least, minus, nan] = all(DataType::F8E4M3FN, [0x7e, 0x01, 0xb8, 0xff]);
        assert_eq!((largest, least, minus, nan.is_nan()), (448.0, 2.0_f32.powi(-9), -1.0, true));
        let [largest, least, one, nan] = all(DataType::F8E4M3FNUZ, [0x7f, 0x01, 0x40, 0x80]);
        assert_eq!((largest, least, one, nan.is_nan()), (240.0, 2.0_f32.powi(-10), 1.0, true));
        let [largest, least, infinity, nan] = all(DataType::F8E5M2, [0x7b, 0x01, 0xfc, 0x7e]);
        assert_eq!((largest, least, infinity, nan.is_nan()), (57344.0, 2.0_f32.powi(-16), f32::NEG_INFINITY, true));
        let [largest, least, one, nan] = all(DataType::F8E5M2FNUZ, [0x7f, 0x01, 0x40, 0x80]);
        assert_eq!((largest, least, one, nan.is_nan()), (57344.0, 2.0_f32.powi(-17), 1.0, true));
    }

    /// By hand: two elements in a byte, the first in the lower half.
    #[test]
    fn integers_of_4_bits_lie_two_in_a_byte() {
        let tensor = |dtype| Tensor::new("x", dtype, [3], vec![0x8f_u8, 0x07]).unwrap();
        assert_eq!(values(&tensor(DataType::U4)).unwrap(), [15.0, 8.0, 7.0]);
        assert_eq!(values(&tensor(DataType::I4)).unwrap(), [-1.0, -8.0, 7.0]);
        assert_eq!(values(&Tensor::vector("x", &[1_i64])), None);
    }

    #[test]
    fn narrow_ends_become_floats_and_what_is_inside_stays() {
        let value = |name: &str, dtype| ValueInfo::new(name, dtype, [Dim::from("n")]);
        let graph = Graph::new("net")
            .input(value("x", DataType::I4))
            .input(value("f", DataType::F32))
            .output(value("y", DataType::F8E5M2))
            .node(Node::new("Cast").input("x").output("wide").attribute("to", DataType::F32))
            .node(Node::new("Add").inputs(["wide", "f"]).output("sum"))
            .node(Node::new("Cast").input("sum").output("y").attribute("to", DataType::F8E5M2));
        let (wide, ends) = with_wide_ends(&Model::new(21, graph.clone())).unwrap();
        assert_eq!(ends, [("x".to_owned(), DataType::I4), ("y".to_owned(), DataType::F8E5M2)]);
        let types = wide.check().unwrap();
        let typed = ["x", "x.narrow", "f", "y.narrow", "y"].map(|name| types[name].to_string());
        assert_eq!(typed, ["float[n]", "int4[n]", "float[n]", "float8e5m2[n]", "float[n]"]);
        assert!(with_wide_ends(&Model::new(21, Graph { outputs: Vec::new(), inputs: Vec::new(), ..graph })).is_none());
    }
}
