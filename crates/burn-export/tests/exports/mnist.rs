//! The MNIST CNN as PyTorch's exporter would write it.

use burn::tensor::{Device, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};
use models::mnist_cnn::MnistCnn;

fn export(opset: Opset) -> burn_export::ExportedModel {
    let network = MnistCnn::random(1, &Device::flex());
    OnnxExporter::new()
        .opset(opset)
        .input("input", [Axis::dynamic("batch"), Axis::fixed(1), Axis::fixed(28), Axis::fixed(28)])
        .output("output")
        .metadata("test", "mnist")
        .export(&network, |network, images: Tensor<4>| network.forward(images))
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn dump() {
    let model = export(Opset::V11);
    println!("{}", model.model());
    println!("{}", model.report());
    std::fs::write("/tmp/c_mnist.onnx", model.to_bytes().unwrap()).unwrap();
}
