//! The builder that a user meets.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::Module;
use burn::tensor::DType;

use crate::axis::{Axis, AxisKind, DynamicAxis};
use crate::capture::{ModelInputs, ModelOutputs};
use crate::error::{ExportError, FailedExport};
use crate::exported::ExportedModel;
use crate::opset::Opset;
use crate::symbolic::AxisId;

/// Exports a Burn module: name its inputs and outputs, then call [`export`](Self::export).
///
/// Defaults: opset 17, no metadata, integer inputs as int64.
#[derive(Clone, Debug)]
pub struct OnnxExporter {
    pub(crate) opset: Opset,
    pub(crate) name: String,
    pub(crate) doc: String,
    inputs: Vec<DeclaredInput>,
    pub(crate) outputs: Vec<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) rename: Option<fn(&str) -> String>,
}

#[derive(Clone, Debug)]
struct DeclaredInput {
    name: String,
    axes: Vec<Axis>,
    dtype: Option<DType>,
}

impl Default for OnnxExporter {
    fn default() -> Self {
        Self {
            opset: Opset::V17,
            name: "main_graph".to_string(),
            doc: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            metadata: BTreeMap::new(),
            rename: None,
        }
    }
}

impl OnnxExporter {
    /// An exporter with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of the operator set; the version of the file format follows from it.
    pub fn opset(mut self, opset: Opset) -> Self {
        self.opset = opset;
        self
    }

    /// Declares the next input: a name and its axes, in the order in which the closure takes tensors.
    ///
    /// Float tensors become float32, integers int64, booleans bool; [`typed_input`](Self::typed_input) chooses others.
    pub fn input(mut self, name: impl Into<String>, axes: impl IntoIterator<Item = Axis>) -> Self {
        let axes = axes.into_iter().collect();
        self.inputs.push(DeclaredInput { name: name.into(), axes, dtype: None });
        self
    }

    /// Declares the next input with an element type of its own, such as `DType::I32` for token ids or `DType::F16`.
    pub fn typed_input(mut self, name: impl Into<String>, dtype: DType, axes: impl IntoIterator<Item = Axis>) -> Self {
        let axes = axes.into_iter().collect();
        self.inputs.push(DeclaredInput { name: name.into(), axes, dtype: Some(dtype) });
        self
    }

    /// Declares the next output.
    pub fn output(mut self, name: impl Into<String>) -> Self {
        self.outputs.push(name.into());
        self
    }

    /// Adds an entry to the file's metadata.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Names the parameters in the file, from their paths in the module; by default the paths themselves. For networks
    /// whose names should be those of another framework, such as a PyTorch `state_dict`.
    ///
    /// Nodes are named after the modules in these names.
    pub fn rename_parameters(mut self, rename: fn(&str) -> String) -> Self {
        self.rename = Some(rename);
        self
    }

    /// The name of the graph; `main_graph` by default.
    pub fn graph_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A text for people, kept in the file.
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = doc.into();
        self
    }

    /// Records `forward` on `module` and writes it as ONNX.
    ///
    /// `forward` is called several times at different sizes, on tensors without values: it must not look at values
    /// (`into_data`, `into_scalar`).
    ///
    /// # Errors
    /// When a declaration does not fit the closure, a size cannot be explained, or an operation has no ONNX form. The
    /// error names the operation, its module path, and what to change.
    pub fn export<M, I, O>(self, module: &M, forward: impl Fn(&M, I) -> O) -> Result<ExportedModel, ExportError>
    where
        M: Module,
        I: ModelInputs,
        O: ModelOutputs,
    {
        self.export_with_report(module, forward).map_err(|failed| failed.error)
    }

    /// As [`export`](Self::export); a failure comes with a report of the stages before it.
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::{Device, Tensor};
    /// use burn_export::{Axis, OnnxExporter, Stage};
    ///
    /// let linear: Linear = LinearConfig::new(4, 8).init(&Device::flex());
    /// let failed = OnnxExporter::new()
    ///     .input("x", [Axis::dynamic("batch"), Axis::fixed(4)])
    ///     .output("y")
    ///     .export_with_report(&linear, |linear, x: Tensor<2>| {
    ///         let [batch, _] = x.dims();
    ///         linear.forward(x).slice(0..batch.min(6))
    ///     })
    ///     .unwrap_err();
    /// assert_eq!(failed.stage(), Stage::Sizes);
    /// eprintln!("{failed}"); // the error, then what was read and recorded
    /// ```
    ///
    /// # Errors
    /// As [`export`](Self::export).
    pub fn export_with_report<M, I, O>(
        self,
        module: &M,
        forward: impl Fn(&M, I) -> O,
    ) -> Result<ExportedModel, FailedExport>
    where
        M: Module,
        I: ModelInputs,
        O: ModelOutputs,
    {
        crate::pipeline::run(&self, module, &forward)
    }

    pub(crate) fn signature(&self) -> Result<Signature, ExportError> {
        let mut names = BTreeSet::new();
        for name in self.inputs.iter().map(|input| &input.name).chain(&self.outputs) {
            if name.is_empty() {
                return Err(ExportError::EmptyName);
            }
            if !names.insert(name) {
                return Err(ExportError::DuplicateName { name: name.clone() });
            }
        }
        let mut axes: Vec<DynamicAxis> = Vec::new();
        let mut inputs = Vec::new();
        for input in &self.inputs {
            let resolved = input
                .axes
                .iter()
                .map(|axis| match &axis.kind {
                    AxisKind::Fixed(size) => Ok(SpecAxis::Fixed(*size)),
                    AxisKind::Dynamic(axis) => resolve(&mut axes, axis, &input.name).map(SpecAxis::Dynamic),
                })
                .collect::<Result<Vec<_>, _>>()?;
            inputs.push(InputSpec { name: input.name.clone(), axes: resolved, dtype: input.dtype });
        }
        Ok(Signature { inputs, axes })
    }
}

fn resolve(axes: &mut Vec<DynamicAxis>, axis: &DynamicAxis, input: &str) -> Result<AxisId, ExportError> {
    if axis.name.is_empty() {
        return Err(ExportError::EmptyName);
    }
    let error = |reason| ExportError::Axis { axis: axis.name.clone(), input: input.to_string(), reason };
    if let Some(position) = axes.iter().position(|known| known.name == axis.name) {
        return match axes.get(position) {
            Some(known) if known == axis => Ok(AxisId(position)),
            _ => Err(error("its range or factor differs from that of the same axis elsewhere")),
        };
    }
    if !axis.is_possible() {
        return Err(error("no size lies in its range"));
    }
    axes.push(axis.clone());
    Ok(AxisId(axes.len() - 1))
}

/// The declared inputs with their axes resolved.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) axes: Vec<DynamicAxis>,
}

/// A declared input.
#[derive(Clone, Debug)]
pub(crate) struct InputSpec {
    pub(crate) name: String,
    pub(crate) axes: Vec<SpecAxis>,
    pub(crate) dtype: Option<DType>,
}

/// An axis of a declared input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SpecAxis {
    Fixed(usize),
    Dynamic(AxisId),
}

impl InputSpec {
    /// The shape at the given sizes of the dynamic axes.
    pub(crate) fn shape_at(&self, sizes: &[i64]) -> Vec<usize> {
        self.axes
            .iter()
            .map(|axis| match axis {
                SpecAxis::Fixed(size) => *size,
                SpecAxis::Dynamic(AxisId(axis)) => {
                    sizes.get(*axis).and_then(|size| usize::try_from(*size).ok()).unwrap_or(1)
                }
            })
            .collect()
    }
}
