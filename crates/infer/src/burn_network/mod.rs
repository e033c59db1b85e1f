//! Networks in Burn, as engines: the reference for their exported forms.

mod alexnet;
mod bert;

pub use alexnet::BurnAlexNet;
pub use bert::BurnBert;

use burn::module::{ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor as BurnTensor};

use crate::engine::{EngineError, Placement, PlacementPart};
use crate::tensor::{Elements, NamedTensor, Tensor};

/// The engine's name for each precision.
fn engine_name(precision: DType) -> &'static str {
    match precision {
        DType::F64 => "burn:f64",
        _ => "burn",
    }
}

/// Widens every parameter.
struct ToF64;

impl ModuleMapper for ToF64 {
    fn map_float<const D: usize>(&mut self, param: Param<BurnTensor<D>>) -> Param<BurnTensor<D>> {
        param.map(|tensor| tensor.cast(DType::F64))
    }
}

/// A result of Burn under the name of an output.
fn output<const D: usize>(engine: &str, name: &str, value: BurnTensor<D>) -> Result<NamedTensor, EngineError> {
    let failed = |reason: String| EngineError::Run { engine: engine.to_owned(), reason };
    let shape = value.dims().to_vec();
    let elements: Elements = match value.dtype() {
        DType::F64 => value.try_into_vec_as::<f64>().map(Elements::from),
        _ => value.try_into_vec_as::<f32>().map(Elements::from),
    }
    .map_err(|error| failed(error.to_string()))?;
    let tensor = Tensor::new(shape, elements).map_err(|error| failed(error.to_string()))?;
    Ok(NamedTensor::new(name, tensor))
}

/// Burn has one device for the whole network.
fn whole_on(device: &Device) -> Placement {
    let part = PlacementPart {
        provider: format!("{device:?}"),
        nodes: 0,
        node_share: 1.0,
        time_share: 1.0,
        node_names: Vec::new(),
    };
    Placement { parts: vec![part] }
}
