//! What networks have in common that take images and give a value for each class.

use burn::tensor::{DType, Device, Tensor as BurnTensor, TensorData};
use burn_export::{Axis, ExportError, ExportedModel, OnnxExporter};
use engines::engine::{Dimension, EngineError, Signature, TensorInfo};
use engines::tensor::{ElementType, NamedTensor, Tensor};
use evaluation::random::uniform;
use models::imagenet::Preprocessing;

use crate::engine::output;
use crate::network::Case;

/// The name of the input.
pub const INPUT: &str = "input";

/// The name of the output.
pub const OUTPUT: &str = "output";

/// The smallest and the largest value of a pixel after preprocessing.
pub fn range(preprocessing: &Preprocessing) -> (f32, f32) {
    let Preprocessing { scale, mean, standard_deviation, .. } = preprocessing;
    let values = |byte: f32| {
        let channels = mean.iter().zip(standard_deviation);
        channels.map(move |(mean, deviation)| (byte / scale - mean) / deviation)
    };
    (values(0.0).fold(f32::INFINITY, f32::min), values(255.0).fold(f32::NEG_INFINITY, f32::max))
}

/// Square images in, a float for each class out.
#[derive(Debug, Clone, Copy)]
pub struct Images {
    /// Colours in an image.
    pub channels: usize,
    /// Pixels in a row and rows in an image.
    pub size: usize,
    /// Classes.
    pub classes: usize,
    /// The smallest and the largest value of a normalised pixel.
    pub range: (f32, f32),
}

impl Images {
    /// The images of a network that takes and gives this.
    ///
    /// # Errors
    /// When it takes something else than square images of a fixed size.
    pub fn of(signature: &Signature, range: (f32, f32)) -> Result<Self, EngineError> {
        let fixed = |info: Option<&TensorInfo>| -> Vec<usize> {
            let size = |dimension: &Dimension| match dimension {
                Dimension::Fixed(size) => Some(*size),
                Dimension::Named(_) | Dimension::Unknown => None,
            };
            info.map(|info| info.shape.iter().skip(1).filter_map(size).collect()).unwrap_or_default()
        };
        match (fixed(signature.inputs.first()).as_slice(), fixed(signature.outputs.first()).as_slice()) {
            (&[channels, height, width], &[classes]) if height == width => {
                Ok(Self { channels, size: height, classes, range })
            }
            _ => Err(EngineError::Run {
                engine: "the network".to_owned(),
                reason: "it does not take square images and give a value for each class".to_owned(),
            }),
        }
    }

    /// `input` `[batch, channels, size, size]`, `output` `[batch, classes]`.
    pub fn signature(&self) -> Signature {
        let tensor = |name: &str, sizes: &[usize]| TensorInfo {
            name: name.to_owned(),
            element: Some(ElementType::Float),
            other: None,
            shape: std::iter::once(Dimension::Named("batch".to_owned()))
                .chain(sizes.iter().copied().map(Dimension::Fixed))
                .collect(),
        };
        Signature {
            inputs: vec![tensor(INPUT, &[self.channels, self.size, self.size])],
            outputs: vec![tensor(OUTPUT, &[self.classes])],
        }
    }

    /// The numbers of one image.
    pub fn pixels(&self) -> usize {
        self.channels * self.size * self.size
    }

    /// Images as the network takes them, from their normalised pixels, one image after the other.
    ///
    /// # Errors
    /// When the pixels do not fill whole images.
    pub fn batch(&self, pixels: Vec<f32>) -> Result<NamedTensor, EngineError> {
        let count = pixels.len() / self.pixels();
        let tensor = Tensor::new([count, self.channels, self.size, self.size], pixels);
        let tensor = tensor.map_err(|error| EngineError::Input {
            engine: "the network".to_owned(),
            name: INPUT.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(NamedTensor::new(INPUT, tensor))
    }

    /// Images that are random within the range of normalised pixels.
    ///
    /// # Errors
    /// Never for sizes that memory holds.
    pub fn random(&self, count: usize) -> Result<NamedTensor, EngineError> {
        let (low, high) = self.range;
        self.batch(uniform(count as u64, count * self.pixels(), low, high))
    }

    /// Random images in batches of these sizes.
    ///
    /// # Errors
    /// As [`random`](Self::random).
    pub fn cases(&self, batches: &[usize]) -> Result<Vec<Case>, EngineError> {
        batches.iter().map(|&size| Ok((format!("batch {size}, random"), vec![self.random(size)?]))).collect()
    }

    /// The output of `forward` for the images.
    ///
    /// # Errors
    /// When the result cannot be read.
    pub fn run(
        &self,
        inputs: &[NamedTensor],
        device: &Device,
        precision: DType,
        forward: impl FnOnce(BurnTensor<4>) -> BurnTensor<2>,
    ) -> Result<Vec<NamedTensor>, EngineError> {
        let pixels = inputs.first().and_then(|input| input.tensor.as_f32()).unwrap_or_default().to_vec();
        let shape = [pixels.len() / self.pixels(), self.channels, self.size, self.size];
        let images = BurnTensor::from_data(TensorData::new(pixels, shape), (device, precision));
        Ok(vec![output(OUTPUT, forward(images))?])
    }

    /// The network as ONNX, with a dynamic batch.
    ///
    /// # Errors
    /// When the exporter refuses it.
    pub fn export<M: burn::module::Module>(
        &self,
        network: &M,
        exporter: OnnxExporter,
        forward: impl Fn(&M, BurnTensor<4>) -> BurnTensor<2>,
    ) -> Result<ExportedModel, ExportError> {
        let sizes = [self.channels, self.size, self.size].map(Axis::fixed);
        let [channels, height, width] = sizes;
        let image = [Axis::dynamic("batch"), channels, height, width];
        exporter.input(INPUT, image).output(OUTPUT).export(network, forward)
    }

    /// The values that an engine gives for the classes, image by image.
    ///
    /// # Errors
    /// When the engine fails, or gives something else.
    pub fn outputs(
        &self,
        engine: &mut dyn engines::engine::Engine,
        input: &NamedTensor,
    ) -> Result<Vec<f32>, EngineError> {
        let images = input.tensor.shape().first().copied().unwrap_or(0);
        let outputs = engine.run(std::slice::from_ref(input))?;
        let wrong =
            |found: String| EngineError::Output { engine: engine.name().to_owned(), name: OUTPUT.to_owned(), found };
        let output = outputs.into_iter().find(|output| output.name == OUTPUT);
        let tensor = output.ok_or_else(|| wrong("missing".to_owned()))?.tensor;
        match tensor.as_f32() {
            Some(values) if tensor.shape() == [images, self.classes] => Ok(values.to_vec()),
            _ => {
                let (kind, shape) = (tensor.elements().element_type(), tensor.shape());
                Err(wrong(format!("{kind} {shape:?} instead of float [{images}, {}]", self.classes)))
            }
        }
    }
}
