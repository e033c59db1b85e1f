//! AlexNet in Burn.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor as BurnTensor, TensorData};
use models::alexnet::{AlexNet, IMAGE_SIZE};
use models::weights::Checkpoint;

use super::{ToF64, engine_name, output, whole_on};
use crate::alexnet::{INPUT, OUTPUT, signature};
use crate::engine::{Engine, EngineError, Placement, Signature};
use crate::tensor::NamedTensor;
use crate::worker::Weights;

/// AlexNet on Burn's CPU backend.
pub struct BurnAlexNet {
    network: AlexNet,
    device: Device,
    precision: DType,
    signature: Signature,
}

impl BurnAlexNet {
    /// The network with torchvision's names in a file, or with random weights.
    ///
    /// # Errors
    /// When the file cannot be read or holds other weights.
    pub fn open(weights: &Weights) -> Result<Self, EngineError> {
        let device = Device::flex();
        let network = match weights {
            Weights::Random(seed) => AlexNet::random(*seed, &device),
            Weights::At(path) => {
                let checkpoint = Checkpoint::open(path)?;
                AlexNet::load(&checkpoint, &device)?.0
            }
        };
        Ok(Self::new(network, device))
    }

    /// The network as it is; `device` is the network's.
    pub fn new(network: AlexNet, device: Device) -> Self {
        Self { network, device, precision: DType::F32, signature: signature() }
    }

    /// The same weights, with all arithmetic in float64.
    #[must_use]
    pub fn exact(self) -> Self {
        Self { network: self.network.map(&mut ToF64), precision: DType::F64, ..self }
    }
}

impl Engine for BurnAlexNet {
    fn name(&self) -> &str {
        engine_name(self.precision)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let engine = engine_name(self.precision);
        let [input] = inputs else {
            let reason = format!("the network has 1 input, and {} were given", inputs.len());
            return Err(EngineError::Run { engine: engine.to_owned(), reason });
        };
        let refused =
            |reason: String| EngineError::Input { engine: engine.to_owned(), name: input.name.clone(), reason };
        let &[batch, 3, IMAGE_SIZE, IMAGE_SIZE] = input.tensor.shape() else {
            let shape = input.tensor.shape();
            return Err(refused(format!("its shape is {shape:?} instead of [batch, 3, {IMAGE_SIZE}, {IMAGE_SIZE}]")));
        };
        let (INPUT, Some(pixels)) = (input.name.as_str(), input.tensor.as_f32()) else {
            let found = input.tensor.elements().element_type();
            return Err(refused(format!("the network takes `{INPUT}` of type float; this is of type {found}")));
        };
        let images = TensorData::new(pixels.to_vec(), [batch, 3, IMAGE_SIZE, IMAGE_SIZE]);
        let logits = self.network.forward(BurnTensor::from_data(images, (&self.device, self.precision)));
        Ok(vec![output(engine, OUTPUT, logits)?])
    }

    fn placement(&mut self, _inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        Ok(whole_on(&self.device))
    }
}
