//! A network with one hidden layer, from the measures of a flower to its species.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};
use kiln::weights::{Checkpoint, Initialization, LoadReport, WeightsError, identity_name, load, randomize};
use kiln::{Axis, Case, ElementType, EngineError, ExportError, ExportedModel, NamedTensor};
use kiln::{Network, OnnxExporter, Signature, TensorInfo, input, output, uniform};

/// The species.
pub const SPECIES: [&str; 3] = ["setosa", "versicolor", "virginica"];

/// Length and width of sepals and petals in centimetres, `[batch, 4]`, in; logits `[batch, 3]` out.
#[derive(Module, Debug)]
pub struct FlowerNet {
    hidden: Linear,
    species: Linear,
}

impl FlowerNet {
    fn new(device: &Device) -> Self {
        Self { hidden: LinearConfig::new(4, 16).init(device), species: LinearConfig::new(16, 3).init(device) }
    }

    /// The logits of every species.
    pub fn forward(&self, flowers: Tensor<2>) -> Tensor<2> {
        self.species.forward(relu(self.hidden.forward(flowers)))
    }
}

/// Flowers as the network takes them, from their measures, one flower after the other.
pub fn batch(measures: Vec<f32>) -> NamedTensor {
    NamedTensor::new("measures", kiln::Tensor::new([measures.len() / 4, 4], measures).expect("four a flower"))
}

impl Network for FlowerNet {
    type Config = ();
    const GRAPH: &'static str = "flowers";
    const WHAT: &'static str = "a network for flowers";

    fn load((): &(), checkpoint: &Checkpoint, device: &Device) -> Result<(Self, LoadReport), WeightsError> {
        load(Self::new(device), checkpoint, identity_name)
    }

    fn random((): &(), seed: u64, device: &Device) -> Self {
        randomize(Self::new(device), seed, Initialization::FanIn, identity_name)
    }

    fn signature((): &()) -> Signature {
        let tensor = |name, width: usize| TensorInfo::new(name, ElementType::Float, ["batch".into(), width.into()]);
        Signature { inputs: vec![tensor("measures", 4)], outputs: vec![tensor("logits", 3)] }
    }

    fn run(
        &self,
        (): &(),
        inputs: &[NamedTensor],
        device: &Device,
        precision: DType,
    ) -> Result<Vec<NamedTensor>, EngineError> {
        Ok(vec![output("logits", self.forward(input(inputs, "measures", device, precision)))?])
    }

    fn export(&self, (): &(), exporter: OnnxExporter) -> Result<ExportedModel, ExportError> {
        let flowers = [Axis::dynamic("batch"), Axis::fixed(4)];
        exporter.input("measures", flowers).output("logits").export(self, Self::forward)
    }

    fn cases((): &()) -> Result<Vec<Case>, EngineError> {
        let made_up = |size: usize| batch(uniform(size as u64, size * 4, 0.0, 8.0));
        Ok([1, 2, 7, 64].map(|size| (format!("batch {size}, random"), vec![made_up(size)])).into())
    }
}
