//! The module as an engine, in float32 or float64.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor as BurnTensor, TensorData};
use engines::each;
use engines::engine::{Engine, EngineError, Placement, Signature};
use engines::tensor::{Elements, NamedTensor, Tensor};

use super::{VerifyError, sizes};
use crate::capture::panic::caught;
use crate::capture::{InputSource, ModelInputs, ModelOutputs, OutputSink};
use crate::error::ExportError;
use crate::exported::ExportedModel;
use crate::signature::InputSpec;

/// Burn beside the file.
pub(super) struct Beside<'a, M, F> {
    model: &'a ExportedModel,
    module: M,
    forward: &'a F,
    exact: bool,
    signature: Signature,
    run: fn(&M, &F, InputSource<'_>) -> Result<Vec<TensorData>, ExportError>,
    /// Why the last run failed.
    pub(super) failure: Option<VerifyError>,
}

/// Widens every parameter of real numbers.
struct ToF64;

impl ModuleMapper for ToF64 {
    fn map_float<const D: usize>(&mut self, param: Param<BurnTensor<D>>) -> Param<BurnTensor<D>> {
        param.map(|tensor| tensor.cast(DType::F64))
    }
}

impl<'a, M: Module, F> Beside<'a, M, F> {
    /// The module as it is, on the CPU and in inference form.
    pub(super) fn native<I, O>(model: &'a ExportedModel, module: &M, forward: &'a F) -> Self
    where
        I: ModelInputs,
        O: ModelOutputs,
        F: Fn(&M, I) -> O,
    {
        let run = |module: &M, forward: &F, mut source: InputSource<'_>| {
            let arguments = I::take(&mut source)?;
            source.finish()?;
            let mut sink = OutputSink::of_values();
            forward(module, arguments).give(&mut sink)?;
            Ok(sink.into_values())
        };
        // Running statistics are shared by clones: only a copy in inference form may be moved or mapped.
        let module = module.valid().to_device(&Device::flex());
        let signature = sizes::signature(model);
        Self { model, module, forward, exact: false, signature, run, failure: None }
    }

    /// The same weights, with all arithmetic in float64.
    pub(super) fn exact<I, O>(model: &'a ExportedModel, module: &M, forward: &'a F) -> Self
    where
        I: ModelInputs,
        O: ModelOutputs,
        F: Fn(&M, I) -> O,
    {
        let native = Self::native(model, module, forward);
        Self { module: native.module.map(&mut ToF64), exact: true, ..native }
    }

    /// What `forward` makes of the inputs.
    pub(super) fn compute(&self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, VerifyError> {
        let values: Vec<TensorData> = inputs.iter().map(|input| self.data(&input.tensor)).collect();
        let device = Device::flex();
        let shape_of = |spec: &InputSpec| {
            let input = inputs.iter().find(|input| input.name == spec.name);
            input.map(|input| input.tensor.shape().to_vec()).unwrap_or_default()
        };
        let computed = caught(|| {
            let source = InputSource::new(&self.model.signature.inputs, &device, &shape_of).with_values(values);
            (self.run)(&self.module, self.forward, source)
        });
        let outputs = computed.map_err(|panic| VerifyError::Panicked {
            case: sizes::label(inputs),
            message: panic.message,
            place: panic.place,
        })??;
        let names = self.model.model.graph.outputs.iter().map(|output| &output.name);
        let (declared, returned) = (names.len(), outputs.len());
        if declared != returned {
            return Err(ExportError::OutputCount { declared, returned }.into());
        }
        names.zip(outputs).map(|(name, data)| named(name, data)).collect()
    }

    /// An input in the precision of this engine.
    fn data(&self, tensor: &Tensor) -> TensorData {
        let shape = tensor.shape().to_vec();
        let data = each!(
            tensor.elements(),
            elements => TensorData::new(elements.clone(), shape),
            // No module of Burn's takes text.
            _texts => TensorData::new(tensor.to_f64(), shape)
        );
        if self.exact && data.dtype().is_float() { data.convert_dtype(DType::F64) } else { data }
    }
}

/// A result under the name of an output.
fn named(name: &str, data: TensorData) -> Result<NamedTensor, VerifyError> {
    let shape = data.shape().to_vec();
    let elements: Elements = match data.dtype() {
        DType::F32 | DType::Flex32 => data.iter::<f32>().collect::<Vec<_>>().into(),
        DType::F64 => data.iter::<f64>().collect::<Vec<_>>().into(),
        DType::F16 => data.iter::<half::f16>().collect::<Vec<_>>().into(),
        // Integers that Burn makes by itself are int64 in a file, and on the CPU backend int32.
        DType::I64 | DType::I32 => data.iter::<i64>().collect::<Vec<_>>().into(),
        DType::I8 => data.iter::<i8>().collect::<Vec<_>>().into(),
        DType::U8 => data.iter::<u8>().collect::<Vec<_>>().into(),
        DType::Bool(_) => data.iter::<bool>().collect::<Vec<_>>().into(),
        other => return Err(VerifyError::ElementType { name: name.to_string(), dtype: format!("{other:?}") }),
    };
    let tensor = Tensor::new(shape, elements).map_err(|error| VerifyError::Inputs(error.into()))?;
    Ok(NamedTensor::new(name, tensor))
}

impl<M: Module, F> Engine for Beside<'_, M, F> {
    fn name(&self) -> &str {
        if self.exact { "burn:f64" } else { "burn" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        self.compute(inputs).map_err(|error| {
            let reason = error.to_string();
            self.failure = Some(error);
            EngineError::Run { engine: self.name().to_owned(), reason }
        })
    }

    /// It is not asked for: nothing here is timed.
    fn placement(&mut self, _inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        Ok(Placement { parts: Vec::new() })
    }
}
