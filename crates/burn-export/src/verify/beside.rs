//! The module as an engine, in float32 or float64.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Element, Tensor as BurnTensor, TensorData};
use engines::each;
use engines::engine::{Engine, EngineError, Placement, Signature, TensorInfo};
use engines::tensor::{ElementType, Elements, NamedTensor, Tensor};
use half::{bf16, f16};

use super::{VerifyError, sizes};
use crate::capture::panic::caught;
use crate::capture::{InputSource, ModelInputs, ModelOutputs, OutputSink};
use crate::elements::data_type;
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

/// The type of the integers that Burn makes by itself on the CPU.
pub(super) fn own_integer() -> DType {
    Device::flex().settings().int_dtype.into()
}

/// The module in inference form with every parameter of real numbers in float64.
///
/// A clone of a module shares the running statistics of its batch normalisations, and a mapping changes them in place; the module
/// in inference form has its own.
pub fn in_float64<M: Module>(module: &M) -> M {
    module.valid().map(&mut ToF64)
}

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
        Self { module: in_float64(&native.module), exact: true, ..native }
    }

    /// What `forward` makes of the inputs.
    pub(super) fn compute(&self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, VerifyError> {
        let specs = &self.model.signature.inputs;
        let values: Vec<TensorData> = specs.iter().zip(inputs).map(|(spec, input)| self.data(spec, input)).collect();
        let device = Device::flex();
        let shape_of = |spec: &InputSpec| {
            let input = inputs.iter().find(|input| input.name == spec.name);
            input.map(|input| input.tensor.shape().to_vec()).unwrap_or_default()
        };
        let computed = caught(|| {
            let source = InputSource::new(specs, &device, &shape_of).with_values(values);
            (self.run)(&self.module, self.forward, source)
        });
        let outputs = computed.map_err(|panic| VerifyError::Panicked {
            case: sizes::label(inputs),
            message: panic.message,
            place: panic.place,
        })??;
        let infos = &self.signature.outputs;
        let (declared, returned) = (infos.len(), outputs.len());
        if declared != returned {
            return Err(ExportError::OutputCount { declared, returned }.into());
        }
        infos.iter().zip(&outputs).map(|(info, data)| named(info, data)).collect()
    }

    /// An input in the precision of this engine. Integers whose type is not declared are of Burn's own type, as those are that
    /// `forward` makes: Burn computes with no two types.
    fn data(&self, spec: &InputSpec, input: &NamedTensor) -> TensorData {
        let shape = input.tensor.shape().to_vec();
        let data = each!(
            input.tensor.elements(),
            elements => TensorData::new(elements.clone(), shape),
            // No module of Burn's takes text.
            _texts => TensorData::new(input.tensor.to_f64(), shape)
        );
        match data.dtype() {
            dtype if self.exact && dtype.is_float() => data.convert_dtype(DType::F64),
            dtype if spec.dtype.is_none() && dtype.is_int() => data.convert_dtype(own_integer()),
            _ => data,
        }
    }
}

/// A result under the name of an output.
fn named(info: &TensorInfo, data: &TensorData) -> Result<NamedTensor, VerifyError> {
    let unknown = || VerifyError::ElementType { name: info.name.clone(), dtype: format!("{:?}", data.dtype()) };
    let dtype = data_type(data.dtype(), || info.name.clone()).ok();
    let own = dtype.and_then(|dtype| ElementType::try_from(dtype).ok()).ok_or_else(unknown)?;
    let element = match (own, info.element) {
        // Integers that Burn makes by itself are int64 in a file, and on the CPU backend int32.
        (ElementType::Int32, Some(ElementType::Int64)) => ElementType::Int64,
        // Truths that the CPU backend has selected or gathered call themselves bytes.
        (ElementType::Uint8, Some(ElementType::Bool)) => ElementType::Bool,
        (own, _) => own,
    };
    let tensor = Tensor::new(data.shape().to_vec(), elements(data, element).ok_or_else(unknown)?);
    Ok(NamedTensor::new(&info.name, tensor.map_err(|error| VerifyError::Inputs(error.into()))?))
}

/// The elements in this type; Burn has no text.
fn elements(data: &TensorData, element: ElementType) -> Option<Elements> {
    fn all<E: Element>(data: &TensorData) -> Elements
    where
        Elements: From<Vec<E>>,
    {
        data.iter::<E>().collect::<Vec<E>>().into()
    }
    Some(match element {
        ElementType::Float => all::<f32>(data),
        ElementType::Double => all::<f64>(data),
        ElementType::Float16 => all::<f16>(data),
        ElementType::Bfloat16 => all::<bf16>(data),
        ElementType::Int64 => all::<i64>(data),
        ElementType::Int32 => all::<i32>(data),
        ElementType::Int16 => all::<i16>(data),
        ElementType::Int8 => all::<i8>(data),
        ElementType::Uint64 => all::<u64>(data),
        ElementType::Uint32 => all::<u32>(data),
        ElementType::Uint16 => all::<u16>(data),
        ElementType::Uint8 => all::<u8>(data),
        ElementType::Bool => all::<bool>(data),
        ElementType::String => return None,
    })
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
        Ok(Placement::default())
    }
}
