//! The MNIST CNN in Burn, where it was trained: the reference for its exported form.

use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor as BurnTensor, TensorData};
use models::mnist_cnn::{CLASSES, IMAGE_SIZE, MnistCnn};
use models::weights::contiguous;

use crate::engine::{Dimension, Engine, EngineError, Placement, PlacementPart, Signature, TensorInfo};
use crate::tensor::{ElementType, Elements, NamedTensor, Tensor};

/// The name of the network's input.
pub const INPUT: &str = "input";

/// The name of the network's output.
pub const OUTPUT: &str = "output";

/// The MNIST CNN on Burn's CPU backend.
pub struct BurnMnist {
    name: &'static str,
    network: MnistCnn,
    device: Device,
    precision: DType,
    signature: Signature,
}

impl BurnMnist {
    /// The network with the weights of a file.
    ///
    /// # Errors
    /// When the file cannot be read or holds other weights.
    pub fn load(weights: impl AsRef<Path>) -> Result<Self, EngineError> {
        let device = Device::flex();
        Ok(Self::new(MnistCnn::load(weights, &device)?, device))
    }

    /// The network as it is; `device` is the network's.
    pub fn new(network: MnistCnn, device: Device) -> Self {
        let batch = || Dimension::Named("batch".to_owned());
        let image = [1, IMAGE_SIZE, IMAGE_SIZE].map(Dimension::Fixed);
        let tensor = |name: &str, shape: Vec<Dimension>| TensorInfo {
            name: name.to_owned(),
            element: Some(ElementType::Float),
            shape,
        };
        let signature = Signature {
            inputs: vec![tensor(INPUT, [batch()].into_iter().chain(image).collect())],
            outputs: vec![tensor(OUTPUT, vec![batch(), Dimension::Fixed(CLASSES)])],
        };
        // The kernels copy weights that are views in every pass: 4.7 MB of them, as long as the arithmetic for one image.
        Self { name: "burn", network: contiguous(network), device, precision: DType::F32, signature }
    }

    /// The same weights, with all arithmetic in float64.
    #[must_use]
    pub fn exact(self) -> Self {
        let network = self.network.map(&mut ToF64);
        Self { name: "burn:f64", network, precision: DType::F64, ..self }
    }
}

impl Engine for BurnMnist {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let failed = |reason: String| EngineError::Run { engine: self.name.to_owned(), reason };
        let [input] = inputs else {
            return Err(failed(format!("the network has 1 input, and {} were given", inputs.len())));
        };
        let refused =
            |reason: String| EngineError::Input { engine: self.name.to_owned(), name: input.name.clone(), reason };
        let &[batch, 1, IMAGE_SIZE, IMAGE_SIZE] = input.tensor.shape() else {
            let shape = input.tensor.shape();
            return Err(refused(format!("its shape is {shape:?} instead of [batch, 1, {IMAGE_SIZE}, {IMAGE_SIZE}]")));
        };
        let (INPUT, Some(pixels)) = (input.name.as_str(), input.tensor.as_f32()) else {
            let found = input.tensor.elements().element_type();
            return Err(refused(format!("the network takes `{INPUT}` of type float; this is of type {found}")));
        };
        let images = TensorData::new(pixels.to_vec(), [batch, 1, IMAGE_SIZE, IMAGE_SIZE]);
        let output = self.network.forward(BurnTensor::from_data(images, (&self.device, self.precision)));
        let elements: Elements = match self.precision {
            DType::F64 => output.try_into_vec_as::<f64>().map(Elements::from),
            _ => output.try_into_vec_as::<f32>().map(Elements::from),
        }
        .map_err(|error| failed(error.to_string()))?;
        let tensor = Tensor::new([batch, CLASSES], elements).map_err(|error| failed(error.to_string()))?;
        Ok(vec![NamedTensor::new(OUTPUT, tensor)])
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
        Ok(Placement { parts: vec![part] })
    }
}

/// Widens every parameter.
struct ToF64;

impl ModuleMapper for ToF64 {
    fn map_float<const D: usize>(&mut self, param: Param<BurnTensor<D>>) -> Param<BurnTensor<D>> {
        param.map(|tensor| tensor.cast(DType::F64))
    }
}
