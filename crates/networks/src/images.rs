//! What networks have in common that take images and give a value for each class.

use burn::tensor::{DType, Device, Tensor as BurnTensor};
use burn_export::{Axis, ExportError, ExportedModel, OnnxExporter};
use engines::engine::{Dimension, EngineError, Signature, TensorInfo};
use engines::tensor::{ElementType, NamedTensor, Tensor};
use evaluation::random::uniform;
use models::imagenet::Preprocessing;

use crate::engine::{input, output};
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
#[derive(Debug, Clone)]
pub struct Images {
    /// Colours in an image.
    pub channels: usize,
    /// Pixels in a row and rows in an image.
    pub size: usize,
    /// Classes.
    pub classes: usize,
    /// The smallest and the largest value of a normalised pixel.
    pub range: (f32, f32),
    /// How they are given and named.
    pub form: Form,
}

/// How images are given to a network and its answers are taken; by default as the networks of this workspace have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The name of the input.
    pub input: String,
    /// The name of the output.
    pub output: String,
    /// Whether the colours of a pixel lie side by side, `[batch, size, size, channels]`, as TensorFlow has it, and not in planes,
    /// `[batch, channels, size, size]`.
    pub channels_last: bool,
    /// The images of every run, where a file takes no other number.
    pub batch: Option<usize>,
    /// Whether the outputs are probabilities (or scores) themselves, and not logits.
    pub probabilities: bool,
}

impl Default for Form {
    fn default() -> Self {
        let (input, output) = (INPUT.to_owned(), OUTPUT.to_owned());
        Self { input, output, channels_last: false, batch: None, probabilities: false }
    }
}

impl Images {
    /// Images in the usual form.
    pub fn new(channels: usize, size: usize, classes: usize, range: (f32, f32)) -> Self {
        Self { channels, size, classes, range, form: Form::default() }
    }

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
                Ok(Self::new(channels, height, classes, range))
            }
            _ => Err(EngineError::Run {
                engine: "the network".to_owned(),
                reason: "it does not take square images and give a value for each class".to_owned(),
            }),
        }
    }

    /// `input` `[batch, channels, size, size]`, `output` `[batch, classes]`.
    pub fn signature(&self) -> Signature {
        let image = ["batch".into(), self.channels.into(), self.size.into(), self.size.into()];
        Signature {
            inputs: vec![TensorInfo::new(INPUT, ElementType::Float, image)],
            outputs: vec![TensorInfo::new(OUTPUT, ElementType::Float, ["batch".into(), self.classes.into()])],
        }
    }

    /// The numbers of one image.
    pub fn pixels(&self) -> usize {
        self.channels * self.size * self.size
    }

    /// Images as the network takes them, from their normalised pixels in planes, one image after the other. Where it takes a number
    /// of images alone, they are begun anew until there are as many.
    ///
    /// # Errors
    /// When the pixels do not fill whole images.
    pub fn batch(&self, mut pixels: Vec<f32>) -> Result<NamedTensor, EngineError> {
        if let Some(batch) = self.form.batch.filter(|_| !pixels.is_empty()) {
            pixels = pixels.iter().copied().cycle().take(batch * self.pixels()).collect();
        }
        let (count, plane) = (pixels.len() / self.pixels(), self.size * self.size);
        let mut shape = [count, self.channels, self.size, self.size];
        if self.form.channels_last {
            let place = |index: usize| (index % self.channels) * plane + index / self.channels;
            let image = |image: &[f32]| (0..image.len()).map(|index| image[place(index)]).collect::<Vec<_>>();
            pixels = pixels.chunks_exact(self.pixels()).flat_map(image).collect();
            shape = [count, self.size, self.size, self.channels];
        }
        let tensor = Tensor::new(shape, pixels).map_err(|error| EngineError::Input {
            engine: "the network".to_owned(),
            name: self.form.input.clone(),
            reason: error.to_string(),
        })?;
        Ok(NamedTensor::new(self.form.input.clone(), tensor))
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
        Ok(vec![output(OUTPUT, forward(input(inputs, INPUT, device, precision)))?])
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

    /// The values that an engine gives for the classes, image by image, from normalised pixels in planes.
    ///
    /// # Errors
    /// When the engine fails, or gives something else.
    pub fn answers(&self, engine: &mut dyn engines::engine::Engine, pixels: Vec<f32>) -> Result<Vec<f32>, EngineError> {
        let Some(batch) = self.form.batch else { return self.outputs(engine, &self.batch(pixels)?) };
        let mut values = Vec::new();
        for some in pixels.chunks(batch * self.pixels()) {
            let mut found = self.outputs(engine, &self.batch(some.to_vec())?)?;
            // What filled the batch is no answer.
            found.truncate(some.len() / self.pixels() * self.classes);
            values.append(&mut found);
        }
        Ok(values)
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
        let name = &self.form.output;
        let wrong = |found: String| EngineError::Output { engine: engine.name().to_owned(), name: name.clone(), found };
        let output = outputs.into_iter().find(|output| output.name == *name);
        let tensor = output.ok_or_else(|| wrong("missing".to_owned()))?.tensor;
        match tensor.as_f32() {
            // Some networks leave axes of size 1 where the image was.
            Some(values) if tensor.shape().first() == Some(&images) && values.len() == images * self.classes => {
                Ok(values.to_vec())
            }
            _ => {
                let (kind, shape) = (tensor.elements().element_type(), tensor.shape());
                Err(wrong(format!("{kind} {shape:?} instead of float [{images}, {}]", self.classes)))
            }
        }
    }
}
