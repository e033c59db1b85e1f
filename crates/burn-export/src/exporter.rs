//! The builder that a user meets.

use burn::module::Module;
use burn::tensor::DType;

use crate::axis::Axis;
use crate::capture::{ModelInputs, ModelOutputs};
use crate::error::ExportError;
use crate::exported::ExportedModel;
use crate::opset::Opset;
use crate::pipeline::{self, Plan};
use crate::report::FailedExport;
use crate::signature::DeclaredInput;

/// Exports a Burn module: name its inputs and outputs, then call [`export`](Self::export).
///
/// Defaults: opset 17, no metadata, integer inputs as int64.
#[derive(Clone, Debug, Default)]
pub struct OnnxExporter {
    plan: Plan,
}

impl OnnxExporter {
    /// An exporter with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of the operator set; the version of the file format follows from it.
    pub fn opset(mut self, opset: Opset) -> Self {
        self.plan.header.opset = opset;
        self
    }

    /// Declares the next input: a name and its axes, in the order in which the closure takes tensors.
    ///
    /// Float tensors become float32, integers int64, booleans bool; [`typed_input`](Self::typed_input) chooses others.
    pub fn input(mut self, name: impl Into<String>, axes: impl IntoIterator<Item = Axis>) -> Self {
        let axes = axes.into_iter().collect();
        self.plan.inputs.push(DeclaredInput { name: name.into(), axes, dtype: None });
        self
    }

    /// Declares the next input with an element type of its own, such as `DType::I32` for token ids or `DType::F16`.
    pub fn typed_input(mut self, name: impl Into<String>, dtype: DType, axes: impl IntoIterator<Item = Axis>) -> Self {
        let axes = axes.into_iter().collect();
        self.plan.inputs.push(DeclaredInput { name: name.into(), axes, dtype: Some(dtype) });
        self
    }

    /// Declares the next output.
    pub fn output(mut self, name: impl Into<String>) -> Self {
        self.plan.outputs.push(name.into());
        self
    }

    /// Adds an entry to the file's metadata. The key `burn_export.axes` is taken: it holds the sizes for which the file was
    /// proven.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.plan.header.metadata.insert(key.into(), value.into());
        self
    }

    /// Names the parameters in the file, from their paths in the module; by default the paths themselves. For networks
    /// whose names should be those of another framework, such as a PyTorch `state_dict`.
    ///
    /// Nodes are named after the modules in these names.
    pub fn rename_parameters(mut self, rename: fn(&str) -> String) -> Self {
        self.plan.rename = Some(rename);
        self
    }

    /// Whether a batch normalisation behind a convolution or a linear layer becomes part of its weights; `true` by default.
    ///
    /// The file is smaller and faster by one operator each, and its weights are no longer those of the module: they are
    /// computed in float64 and rounded, so that results may differ in the last digits.
    pub fn fold_batch_norms(mut self, fold: bool) -> Self {
        self.plan.keep_batch_norms = !fold;
        self
    }

    /// The name of the graph; `main_graph` by default.
    pub fn graph_name(mut self, name: impl Into<String>) -> Self {
        self.plan.header.name = name.into();
        self
    }

    /// A text for people, kept in the file.
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.plan.header.doc = doc.into();
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
    ///         linear.forward(x).slice(0..batch.isqrt())
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
        pipeline::run(&self.plan, module, &forward)
    }
}
