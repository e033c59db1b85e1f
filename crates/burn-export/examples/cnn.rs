//! A small convolutional network from its weights to a file that was verified: one dynamic axis, names, metadata, the graph as
//! text.
//!
//! ```sh
//! cargo run --release -p burn-export --features verify --example cnn -- FOLDER
//! ```

use std::error::Error;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Tensor};
use burn_export::{Axis, OnnxExporter, Opset, Sizes};
use burn_store::{ModuleSnapshot, SafetensorsStore};

/// Three colours in, the probabilities of ten classes out.
#[derive(Module, Debug)]
struct Classifier {
    conv: Conv2d,
    norm: BatchNorm,
    pool: AdaptiveAvgPool2d,
    dropout: Dropout,
    head: Linear,
}

impl Classifier {
    fn new(device: &Device) -> Self {
        Self {
            conv: Conv2dConfig::new([3, 16], [3, 3]).init(device),
            norm: BatchNormConfig::new(16).init(device),
            pool: AdaptiveAvgPool2dConfig::new([4, 4]).init(),
            dropout: DropoutConfig::new(0.5).init(),
            head: LinearConfig::new(16 * 4 * 4, 10).init(device),
        }
    }

    /// `[batch, 3, 34, 34]` to `[batch, 10]`.
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let features = relu(self.norm.forward(self.conv.forward(images)));
        let features: Tensor<2> = self.pool.forward(features).flatten(1, 3);
        softmax(self.head.forward(self.dropout.forward(features)), 1)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(|| std::env::temp_dir().join("burn-export"), Into::into);
    std::fs::create_dir_all(&folder)?;
    let weights = folder.join("cnn.safetensors");
    // What a training would have left. A network on an autodiff device is exported in inference form.
    let trained = Classifier::new(&Device::flex().autodiff());
    trained.save_into(&mut SafetensorsStore::from_file(&weights).overwrite(true))?;

    let mut network = Classifier::new(&Device::flex());
    network.load_from(&mut SafetensorsStore::from_file(&weights))?;
    let model = OnnxExporter::new()
        .opset(Opset::V13)
        .graph_name("classifier")
        .doc("An example of burn-export.")
        .input("image", [Axis::dynamic("batch"), Axis::fixed(3), Axis::fixed(34), Axis::fixed(34)])
        .output("probability")
        .metadata("classes", "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck")
        .export(&network, Classifier::forward)?;
    println!("{}\n{}\n", model.model(), model.report());
    println!("{}", model.verify(&network, Classifier::forward, Sizes::chosen())?);
    for file in model.save(folder.join("cnn.onnx"))? {
        println!("{}: {} bytes, SHA-256 {}", file.path.display(), file.bytes, file.sha256);
    }
    Ok(())
}
