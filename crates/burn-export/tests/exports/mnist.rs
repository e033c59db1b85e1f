//! The MNIST CNN as PyTorch's exporter would write it.

use burn::tensor::{Device, Tensor, TensorData};
use burn_export::{Axis, ExportedModel, OnnxExporter, Opset};
use models::mnist_cnn::MnistCnn;

use crate::support::{Runner, difference, uniform};

fn export(opset: Opset) -> (MnistCnn, ExportedModel) {
    let network = MnistCnn::random(1, &Device::flex());
    let model = OnnxExporter::new()
        .opset(opset)
        .input("input", [Axis::dynamic("batch"), Axis::fixed(1), Axis::fixed(28), Axis::fixed(28)])
        .output("output")
        .metadata("dataset", "mnist")
        .export(&network, |network, images: Tensor<4>| network.forward(images))
        .unwrap_or_else(|error| panic!("{error}"));
    (network, model)
}

/// The ten nodes that `torch.onnx.export(…, opset_version=11, dynamo=False)` writes, under the names of the
/// `state_dict`.
#[test]
fn the_graph_is_the_one_that_torch_writes() {
    let (_, model) = export(Opset::V11);
    let operators: Vec<&str> = model.model().graph.nodes.iter().map(|node| node.op_type.as_str()).collect();
    let expected = ["Conv", "Relu", "Conv", "Relu", "MaxPool", "Flatten", "Gemm", "Relu", "Gemm", "LogSoftmax"];
    assert_eq!(operators, expected);
    assert_eq!(model.model().ir_version, 6);
    insta::assert_snapshot!(model.model().to_string());
}

#[test]
fn the_same_module_gives_the_same_bytes() {
    let bytes = || export(Opset::V17).1.to_bytes().unwrap_or_else(|error| panic!("{error}"));
    assert!(bytes() == bytes());
}

#[test]
fn onnx_runtime_agrees_at_every_batch_size() {
    for opset in [Opset::V11, Opset::V13, Opset::V21, Opset::V28] {
        let (network, model) = export(opset);
        let bytes = model.to_bytes().unwrap_or_else(|error| panic!("{error}"));
        let mut runner = Runner::new(&bytes).unwrap_or_else(|error| panic!("{error}"));
        for batch in [1, 2, 7, 64] {
            let images = uniform(batch as u64, &[batch, 1, 28, 28]);
            let found = runner.run(&[("input", &images)]).unwrap_or_else(|error| panic!("{error}"));
            let expected: TensorData = network.forward(Tensor::from_data(images, &Device::flex())).into_data();
            assert_eq!(difference(&found[0], &expected, 1e-5), None, "batch {batch}, opset {opset}");
        }
    }
}

#[test]
fn the_report_names_every_stage() {
    insta::assert_snapshot!(export(Opset::V11).1.report().to_string());
}
