//! A case of the operator table under ONNX Runtime, compared with Burn.

use std::collections::BTreeMap;
use std::fmt;

use burn::tensor::{DType, TensorData};
use onnx_model::Model;

use crate::lists::numbers;
use crate::support::{Difference, Runner, RunnerError, difference};
use crate::table::case::{Case, NoFile, OPSETS, SIZES};

/// Where a comparison stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Burn's CPU backend has no such operation.
    BurnPanics,
    /// The exporter refuses it.
    Refused,
    /// ONNX Runtime has no kernel for the operator with these element types.
    NoKernel,
    /// ONNX Runtime refuses the file, or fails when it runs.
    Fails,
    /// The numbers of Burn's result in another type.
    OtherType,
    /// Other results than Burn's.
    Differs,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BurnPanics => "Burn's CPU backend panics",
            Self::Refused => "the exporter refuses it",
            Self::NoKernel => "ONNX Runtime has no kernel",
            Self::Fails => "ONNX Runtime fails",
            Self::OtherType => "the result has another element type than Burn's",
            Self::Differs => "ONNX Runtime gives another result",
        })
    }
}

/// What stopped, and the details.
pub type Stop = (Failure, String);

/// A file loaded by ONNX Runtime.
pub struct Loaded {
    runner: Runner,
    bytes: crate::table::case::Bytes,
}

/// Exports a case and loads its file.
pub fn load(case: &Case<'_>, opset: i64) -> Result<Loaded, Stop> {
    let bytes = case.file(opset).map_err(|error| match error {
        NoFile::BurnPanics(text) => (Failure::BurnPanics, text),
        NoFile::OpsetTooLow(text) | NoFile::Refused(text) => (Failure::Refused, text),
    })?;
    match Runner::new(&bytes) {
        Ok(runner) => Ok(Loaded { runner, bytes }),
        Err(RunnerError::NoKernel(text)) => Err((Failure::NoKernel, text)),
        Err(RunnerError::Other(text)) => Err((Failure::Fails, with_graph(&bytes, text))),
    }
}

/// The text with the graph below it.
fn with_graph(bytes: &[u8], text: String) -> String {
    match Model::decode(bytes.to_vec()) {
        Ok(model) => format!("{text}\n{model}"),
        Err(error) => format!("{text}\n(the file cannot be read back: {error})"),
    }
}

impl Loaded {
    /// Runs the case on these inputs; `differs` says how the result of this place differs from Burn's.
    pub fn compare(
        &mut self,
        case: &Case<'_>,
        data: &[TensorData],
        differs: impl Fn(usize, &TensorData, &TensorData) -> Option<Difference>,
    ) -> Result<(), Stop> {
        let expected = case.native(data).map_err(|text| (Failure::BurnPanics, text))?;
        let names = case.row.arguments.iter().map(|argument| argument.name);
        let named: Vec<(&str, &TensorData)> = names.zip(data).collect();
        let stop = |failure, text| (failure, with_graph(&self.bytes, text));
        let found = self.runner.run(&named).map_err(|text| stop(Failure::Fails, text))?;
        for (position, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let (failure, text) = match differs(position, found, expected) {
                None => continue,
                Some(Difference::Type(text)) => (Failure::OtherType, text),
                Some(Difference::Elements(text)) => (Failure::Differs, text),
            };
            return Err(stop(failure, format!("output {position}: {text}")));
        }
        Ok(())
    }
}

/// Compares a case at every size.
pub fn compare(case: &Case<'_>, opset: i64) -> Result<(), Stop> {
    let mut loaded = load(case, opset)?;
    let tolerance = tolerance(case);
    for (round, sizes) in SIZES.iter().take(if case.names().is_empty() { 1 } else { SIZES.len() }).enumerate() {
        let data = case.inputs(sizes, round as u64);
        let compared = loaded.compare(case, &data, |_, found, expected| difference(found, expected, tolerance));
        compared.map_err(|(failure, text)| (failure, format!("sizes {sizes:?}: {text}")))?;
    }
    Ok(())
}

/// The row's own for f32. Narrower types are as much coarser as several of their roundings are. In f64 only attributes
/// are rounded, which are f32 in ONNX.
pub fn tolerance(case: &Case<'_>) -> f64 {
    match case.float {
        DType::F16 => 16.0 * f64::exp2(-11.0),
        DType::BF16 => 16.0 * f64::exp2(-8.0),
        DType::F64 => 4.0 * f64::exp2(-24.0),
        _ => case.row.tolerance,
    }
}

/// The opsets of a row at which something fails, by how.
#[derive(Default)]
pub struct Failures {
    kinds: BTreeMap<Failure, Vec<i64>>,
    details: Vec<String>,
}

impl Failures {
    /// Runs at each opset that the row exports at.
    pub fn of(name: &str, since: i64, mut run: impl FnMut(i64) -> Result<(), Stop>) -> Self {
        let mut failures = Self::default();
        for opset in OPSETS.into_iter().filter(|opset| *opset >= since) {
            if let Err((failure, text)) = run(opset) {
                failures.kinds.entry(failure).or_default().push(opset);
                failures.details.push(format!("{name} at opset {opset}: {failure}: {text}"));
            }
        }
        failures
    }

    /// `11, 13 | ONNX Runtime has no kernel`, one for each way.
    pub fn lines(&self) -> Vec<String> {
        self.kinds.iter().map(|(failure, opsets)| format!("{} | {failure}", numbers(opsets))).collect()
    }

    /// What was said.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// Whether something differs.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}
