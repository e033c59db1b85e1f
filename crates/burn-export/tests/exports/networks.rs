//! AlexNet, and BERT for question answering.

use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_export::{Axis, ExportedModel, OnnxExporter, Opset};
use models::alexnet::AlexNet;
use models::bert::{BertConfig, BertForQuestionAnswering, state_dict_name};

use crate::support::{Runner, difference, fused};

type Tokens = (Tensor<2, Int>, Tensor<2, Int>, Tensor<2, Int>);

/// A small network of the same architecture.
fn config() -> BertConfig {
    BertConfig {
        vocab_size: 100,
        hidden_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 3,
        intermediate_size: 40,
        max_position_embeddings: 64,
        ..BertConfig::base()
    }
}

fn export(network: &BertForQuestionAnswering, opset: Opset) -> ExportedModel {
    let ids = || [Axis::dynamic("batch"), Axis::dynamic("sequence").range(1..=64)];
    OnnxExporter::new()
        .opset(opset)
        .rename_parameters(state_dict_name)
        .input("input_ids", ids())
        .input("attention_mask", ids())
        .input("token_type_ids", ids())
        .output("start_logits")
        .output("end_logits")
        .export(network, |network, (ids, mask, types): Tokens| network.forward(ids, mask, types))
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn bert_is_written_as_an_expert_would() {
    let network = BertForQuestionAnswering::random(&config(), 1, &Device::flex());
    insta::assert_snapshot!("bert_opset11", export(&network, Opset::V11).model().to_string());
    insta::assert_snapshot!("bert_opset20", export(&network, Opset::V20).model().to_string());
}

/// A LayerNorm after the embeddings and two in each layer, a Gelu in each layer, and the scale of each attention folded
/// into its product.
#[test]
fn bert_fuses_in_onnx_runtime() {
    let network = BertForQuestionAnswering::random(&config(), 1, &Device::flex());
    for opset in [Opset::V11, Opset::V17, Opset::V20] {
        let bytes = export(&network, opset).to_bytes().unwrap_or_else(|error| panic!("{error}"));
        let model = fused(&bytes);
        let count =
            |names: &[&str]| model.graph.nodes.iter().filter(|node| names.contains(&node.op_type.as_str())).count();
        let norms = count(&["LayerNormalization", "SkipLayerNormalization", "EmbedLayerNormalization"]);
        let gelus = count(&["Gelu", "BiasGelu", "FastGelu"]);
        let found = (norms, gelus, count(&["FusedMatMul"]));
        assert_eq!(found, (5, 2, 2), "opset {opset}:\n{model}");
    }
}

/// The sizes of MiniLM: `cargo xtask bench export` times this graph beside PyTorch's, which has 591 nodes.
#[test]
fn bert_of_six_layers_is_small_and_fuses_whole() {
    let config = BertConfig {
        vocab_size: 1000,
        hidden_size: 384,
        num_hidden_layers: 6,
        num_attention_heads: 12,
        intermediate_size: 1536,
        ..BertConfig::base()
    };
    let model = export(&BertForQuestionAnswering::random(&config, 1, &Device::flex()), Opset::V11);
    assert!(model.report().node_count() <= 400, "{}", model.report());
    let fused = fused(&model.to_bytes().unwrap_or_else(|error| panic!("{error}")));
    let count = |name: &str| fused.graph.nodes.iter().filter(|node| node.op_type == name).count();
    let found = [count("LayerNormalization"), count("Gelu") + count("BiasGelu"), count("FusedMatMul")];
    assert_eq!(found, [13, 6, 6], "{fused}");
    // The scale of the attention is in the product, and not beside it.
    assert_eq!(count("Mul"), 1, "only the mask is multiplied: {fused}");
}

#[test]
fn bert_agrees_at_sizes_that_were_never_traced() {
    let device = Device::flex();
    let network = BertForQuestionAnswering::random(&config(), 2, &device);
    for opset in [Opset::V11, Opset::V14, Opset::V17, Opset::V20] {
        let bytes = export(&network, opset).to_bytes().unwrap_or_else(|error| panic!("{error}"));
        let mut runner = Runner::new(&bytes).unwrap_or_else(|error| panic!("{error}"));
        for [batch, sequence] in [[1, 1], [1, 9], [6, 1], [2, 13], [3, 64]] {
            let tokens = |of: fn(usize) -> usize| {
                let elements = (0..batch * sequence).map(|index| of(index) as i64).collect::<Vec<i64>>();
                TensorData::new(elements, [batch, sequence])
            };
            let ids = tokens(|index| index * 31 % 97);
            // Every third token is padding; the first of a row never is.
            let mask = TensorData::new(
                (0..batch * sequence)
                    .map(|index| i64::from(index % sequence == 0 || index % 3 != 1))
                    .collect::<Vec<i64>>(),
                [batch, sequence],
            );
            let types = tokens(|index| index / 5 % 2);
            let found = runner
                .run(&[("input_ids", &ids), ("attention_mask", &mask), ("token_type_ids", &types)])
                .unwrap_or_else(|error| panic!("{error}"));
            let tensor = |data: TensorData| Tensor::<2, Int>::from_data(data, &device);
            let (start, end) = network.forward(tensor(ids), tensor(mask), tensor(types));
            for (found, expected) in found.iter().zip([start.into_data(), end.into_data()]) {
                let text = difference(found, &expected, 1e-5);
                assert_eq!(text, None, "batch {batch}, sequence {sequence}, opset {opset}");
            }
        }
    }
}

#[test]
fn alexnet_has_the_nineteen_nodes_of_its_layers() {
    let network = AlexNet::random(1, &Device::flex());
    let model = OnnxExporter::new()
        .opset(Opset::V11)
        .input("input", [Axis::dynamic("batch"), Axis::fixed(3), Axis::fixed(224), Axis::fixed(224)])
        .output("output")
        .export(&network, |network, images: Tensor<4>| network.forward(images))
        .unwrap_or_else(|error| panic!("{error}"));
    insta::assert_snapshot!("alexnet_opset11", model.model().to_string());
}
