//! Our files imported back into Burn by burn-onnx, as generated Rust: the code is the module compiled here, and with the
//! weights that burn-onnx wrote it gives the outputs of the network that was exported.

/// What burn-onnx 0.22.0 makes of our file of the MNIST CNN. Written by it, and not formatted by us.
#[allow(clippy::all, dead_code)]
mod mnist_cnn {
    include!("mnist_cnn.rs");
}

use std::fs;
use std::path::Path;

use burn::tensor::{Bytes, Device, Distribution, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};
use end_to_end::import::{assert_committed, import};
use models::mnist_cnn::MnistCnn;

#[test]
fn the_mnist_cnn_comes_back_from_every_opset() {
    let device = Device::flex();
    let network = MnistCnn::random(5, &device);
    let folder = tempfile::tempdir().unwrap();
    for opset in Opset::ALL {
        let image = [Axis::dynamic("batch"), Axis::fixed(1), Axis::fixed(28), Axis::fixed(28)];
        let exporter = OnnxExporter::new().opset(opset).input("input", image).output("output");
        let model = exporter.export(&network, |network, images: Tensor<4>| network.forward(images)).unwrap();
        let file = folder.path().join("mnist_cnn.onnx");
        model.save(&file).unwrap();
        let imported = import(&file, &folder.path().join(opset.to_string()));
        assert_committed(&imported.code, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/round_trip/mnist_cnn.rs"));
        let weights = Bytes::from_bytes_vec(fs::read(&imported.weights).unwrap());
        let returned = mnist_cnn::Model::from_bytes(weights, &device);
        for batch in [1, 2, 7, 64] {
            let images = Tensor::<4>::random([batch, 1, 28, 28], Distribution::Default, &device);
            let (found, expected) = (returned.forward(images.clone()), network.forward(images));
            // Both run the same kernels in Burn; only the layout of the linear weights differs.
            let difference: f32 = (found - expected).abs().max().into_scalar();
            assert!(difference < 1e-5, "opset {opset}, batch {batch}: {difference}");
        }
    }
}
