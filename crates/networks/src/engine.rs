//! A network in Burn as an engine: the reference for its exported form.

use burn::tensor::{DType, Device, Tensor as BurnTensor, TensorData};
use burn_export::in_float64;
use engines::engine::{Dimension, Engine, EngineError, Placement, PlacementPart, Signature, TensorInfo};
use engines::tensor::{Elements, NamedTensor, Tensor};
use engines::worker::{FrameworkSpec, Weights};
use models::weights::{Checkpoint, contiguous};

use crate::network::Network;

/// A network on Burn's CPU backend, in float32 or float64.
pub struct BurnEngine<N: Network> {
    network: N,
    config: N::Config,
    device: Device,
    precision: DType,
    signature: Signature,
}

impl<N: Network> BurnEngine<N> {
    /// The network that a worker is asked for.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else.
    pub fn open(spec: &FrameworkSpec) -> Result<Self, EngineError> {
        let device = Device::flex();
        let weights = match &spec.weights {
            Weights::At(path) => Some(path.as_path()),
            Weights::Random(_) => None,
        };
        let config = N::config(spec.folder.as_deref(), weights)?;
        let network = match &spec.weights {
            Weights::Random(seed) => N::random(&config, *seed, &device),
            Weights::At(path) => {
                let checkpoint = Checkpoint::open(path).map_err(EngineError::weights)?;
                N::load(&config, &checkpoint, &device).map_err(EngineError::weights)?.0
            }
        };
        let engine = Self::new(network, config, device);
        Ok(if spec.exact { engine.exact() } else { engine })
    }

    /// The network as it is; `device` is the network's.
    pub fn new(network: N, config: N::Config, device: Device) -> Self {
        let signature = N::signature(&config);
        // The kernels copy weights that are views in every pass: of a small network, as long as its arithmetic takes.
        Self { network: contiguous(network), config, device, precision: DType::F32, signature }
    }

    /// The same weights, with all arithmetic in float64.
    #[must_use]
    pub fn exact(self) -> Self {
        Self { network: in_float64(&self.network), precision: DType::F64, ..self }
    }
}

impl<N: Network> Engine for BurnEngine<N> {
    fn name(&self) -> &str {
        match self.precision {
            DType::F64 => "burn:f64",
            _ => "burn",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let ordered = fitting(self.name(), inputs, &self.signature)?;
        self.network.run(&self.config, &ordered, &self.device, self.precision)
    }

    /// Burn has one device for the whole network.
    fn placement(&mut self, _inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        let part = PlacementPart {
            provider: format!("{:?}", self.device),
            nodes: 0,
            node_share: 1.0,
            time_share: 1.0,
            node_names: Vec::new(),
        };
        Ok(Placement { parts: vec![part], ..Placement::default() })
    }
}

/// The inputs in the order of the signature.
fn fitting(engine: &str, inputs: &[NamedTensor], signature: &Signature) -> Result<Vec<NamedTensor>, EngineError> {
    let refused =
        |name: &str, reason: String| EngineError::Input { engine: engine.to_owned(), name: name.to_owned(), reason };
    if let Some(stranger) = inputs.iter().find(|input| signature.inputs.iter().all(|info| info.name != input.name)) {
        return Err(refused(&stranger.name, "the network has no such input".to_owned()));
    }
    let find = |info: &TensorInfo| {
        let input = inputs.iter().find(|input| input.name == info.name);
        let input = input.ok_or_else(|| refused(&info.name, "it is missing".to_owned()))?;
        let (kind, shape) = (input.tensor.elements().element_type(), input.tensor.shape());
        let fits =
            |(declared, size): (&Dimension, &usize)| !matches!(declared, Dimension::Fixed(fixed) if fixed != size);
        match info.element == Some(kind) && shape.len() == info.shape.len() && info.shape.iter().zip(shape).all(fits) {
            true => Ok(input.clone()),
            false => Err(refused(&info.name, format!("it is {kind} {shape:?}, and the network takes {info}"))),
        }
    };
    signature.inputs.iter().map(find).collect()
}

/// The input of a name as a tensor of Burn, in the arithmetic of the parameters; without values if it is not float32.
pub fn input<const D: usize>(inputs: &[NamedTensor], name: &str, device: &Device, precision: DType) -> BurnTensor<D> {
    let tensor = inputs.iter().find(|input| input.name == name).map(|input| &input.tensor);
    let (shape, values) = match tensor.and_then(|tensor| Some((tensor.shape().to_vec(), tensor.as_f32()?.to_vec()))) {
        Some(found) => found,
        None => (vec![0; D], Vec::new()),
    };
    BurnTensor::from_data(TensorData::new(values, shape), (device, precision))
}

/// A result of Burn under the name of an output.
///
/// # Errors
/// When it cannot be read from the device.
pub fn output<const D: usize>(name: &str, value: BurnTensor<D>) -> Result<NamedTensor, EngineError> {
    let failed = |reason: String| EngineError::Run { engine: "burn".to_owned(), reason };
    let shape = value.dims().to_vec();
    let elements: Elements = match value.dtype() {
        DType::F64 => value.try_into_vec_as::<f64>().map(Elements::from),
        _ => value.try_into_vec_as::<f32>().map(Elements::from),
    }
    .map_err(|error| failed(error.to_string()))?;
    let tensor = Tensor::new(shape, elements).map_err(|error| failed(error.to_string()))?;
    Ok(NamedTensor::new(name, tensor))
}
