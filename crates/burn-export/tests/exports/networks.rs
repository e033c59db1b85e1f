//! The named networks.

use burn::tensor::{Device, Int, Tensor};
use burn_export::{Axis, OnnxExporter, Opset};
use models::bert::{BertConfig, BertForQuestionAnswering};
use models::alexnet::AlexNet;

#[test]
fn bert_dump() {
    let config = BertConfig { num_hidden_layers: 1, ..BertConfig::base() };
    let network = BertForQuestionAnswering::random(&config, 1, &Device::flex());
    let ids = || [Axis::dynamic("batch"), Axis::dynamic("sequence").range(1..=512)];
    for opset in [Opset::V11, Opset::V17, Opset::V20] {
        let model = OnnxExporter::new()
            .opset(opset)
            .input("input_ids", ids())
            .input("attention_mask", ids())
            .input("token_type_ids", ids())
            .output("start_logits")
            .output("end_logits")
            .export(&network, |m, (a, b, c): (Tensor<2, Int>, Tensor<2, Int>, Tensor<2, Int>)| m.forward(a, b, c))
            .unwrap_or_else(|error| panic!("{error}"));
        println!("{}\n{}", model.model(), model.report());
    }
}

#[test]
fn alexnet_dump() {
    let network = AlexNet::random(1, &Device::flex());
    let model = OnnxExporter::new()
        .opset(Opset::V11)
        .input("input", [Axis::dynamic("batch"), Axis::fixed(3), Axis::fixed(224), Axis::fixed(224)])
        .output("output")
        .export(&network, |m, x: Tensor<4>| m.forward(x))
        .unwrap_or_else(|error| panic!("{error}"));
    println!("{}\n{}", model.model(), model.report());
}
