//! Recurrent layers: one operator each, of any length.

use burn::module::Module;
use burn::nn::activation::ActivationConfig;
use burn::nn::gru::{BiGruConfig, GruConfig};
use burn::nn::{BiLstm, RnnConfig, RnnState};
use burn::nn::{BiLstmConfig, BiRnnConfig, Embedding, EmbeddingConfig, Linear, LinearConfig, LstmConfig, LstmState};
use burn::tensor::{Device, Int, Tensor};
use burn_export::{Axis, OnnxExporter};

use super::agrees;

#[test]
fn recurrent_layers_of_any_length() {
    let device = Device::flex();
    for shape in [[0, 3, 3], [0, 0, 3]] {
        for bias in [true, false] {
            let rnn = RnnConfig::new(3, 4, bias).init(&device);
            agrees("Rnn", &rnn, shape, |rnn, x: Tensor<3>| rnn.forward(x, None).0);
            let lstm = LstmConfig::new(3, 4, bias).init(&device);
            agrees("Lstm", &lstm, shape, |lstm, x: Tensor<3>| lstm.forward(x, None).0);
            for after in [true, false] {
                let gru = GruConfig::new(3, 4, bias).with_reset_after(after).init(&device);
                agrees("Gru", &gru, shape, |gru, x: Tensor<3>| gru.forward(x, None));
            }
        }
    }
}

#[test]
fn recurrent_layers_of_both_directions() {
    let device = Device::flex();
    for shape in [[0, 3, 3], [0, 0, 3]] {
        let rnn = BiRnnConfig::new(3, 4, true).init(&device);
        agrees("BiRnn", &rnn, shape, |rnn, x: Tensor<3>| rnn.forward(x, None).0);
        agrees("BiRnn's state", &rnn, shape, |rnn, x: Tensor<3>| rnn.forward(x, None).1.hidden);
        let gru = BiGruConfig::new(3, 4, true).init(&device);
        agrees("BiGru", &gru, shape, |gru, x: Tensor<3>| gru.forward(x, None).0);
        agrees("BiGru's state", &gru, shape, |gru, x: Tensor<3>| gru.forward(x, None).1);
        let lstm = BiLstmConfig::new(3, 4, true).init(&device);
        agrees("BiLstm", &lstm, shape, |lstm, x: Tensor<3>| lstm.forward(x, None).0);
        agrees("BiLstm's memory", &lstm, shape, |lstm, x: Tensor<3>| lstm.forward(x, None).1.cell);
    }
}

#[test]
fn layouts_directions_and_functions() {
    let device = Device::flex();
    // The length first, then the batch.
    let lstm = LstmConfig::new(3, 4, true).with_batch_first(false).with_reverse(true).init(&device);
    agrees("length first, reverse", &lstm, [0, 0, 3], |lstm, x: Tensor<3>| lstm.forward(x, None).0);
    let rnn =
        RnnConfig::new(3, 4, true).with_reverse(true).with_hidden_activation(ActivationConfig::Relu).init(&device);
    agrees("relu", &rnn, [0, 0, 3], |rnn, x: Tensor<3>| rnn.forward(x, None).0);
    let coupled = LstmConfig::new(3, 4, true).with_input_forget(true).init(&device);
    agrees("coupled", &coupled, [0, 0, 3], |lstm, x: Tensor<3>| lstm.forward(x, None).0);
    let bidirectional = BiGruConfig::new(3, 4, false).with_batch_first(false).init(&device);
    agrees("length first, both", &bidirectional, [0, 0, 3], |gru, x: Tensor<3>| gru.forward(x, None).0);
}

#[test]
fn states_go_in_and_out() {
    let device = Device::flex();
    let lstm = LstmConfig::new(3, 4, true).init(&device);
    agrees("a given state", &lstm, [0, 0, 3], |lstm, x: Tensor<3>| {
        let state = x.clone().mean_dim(1).squeeze_dim::<2>(1).repeat_dim(1, 2).narrow(1, 0, 4);
        let (all, last) = lstm.forward(x, Some(LstmState::new(state.clone().neg(), state)));
        let ends = Tensor::stack::<3>(vec![last.cell, last.hidden], 1);
        Tensor::cat(vec![all, ends], 1)
    });
    let gru = GruConfig::new(3, 4, true).init(&device);
    agrees("decoder", &gru, [0, 0, 3], |gru, x: Tensor<3>| {
        let encoded = gru.forward(x.clone(), None);
        let [batch, length, _] = encoded.dims();
        let last = encoded.slice([0..batch, length - 1..length]).squeeze_dim::<2>(1);
        gru.forward(x, Some(last))
    });
    let rnn = RnnConfig::new(3, 4, true).init(&device);
    agrees("one after the other", &rnn, [0, 0, 3], |rnn, x: Tensor<3>| {
        let (_, state) = rnn.forward(x.clone(), None);
        rnn.forward(x, Some(RnnState::new(state.hidden.tanh()))).0
    });
}

/// Words in, a tag for each out.
#[derive(Module, Debug)]
struct Tagger {
    words: Embedding,
    layers: Vec<BiLstm>,
    tags: Linear,
}

#[test]
fn a_tagger_has_as_many_nodes_as_an_expert_would_write() {
    let device = Device::flex();
    let tagger = Tagger {
        words: EmbeddingConfig::new(50, 8).init(&device),
        layers: vec![BiLstmConfig::new(8, 6, true).init(&device), BiLstmConfig::new(12, 6, true).init(&device)],
        tags: LinearConfig::new(12, 5).init(&device),
    };
    for length in [Axis::fixed(128), Axis::dynamic("length")] {
        let exporter = OnnxExporter::new().input("words", [Axis::dynamic("batch"), length]).output("tags");
        let model = exporter
            .export(&tagger, |tagger: &Tagger, words: Tensor<2, Int>| {
                let states = tagger.words.forward(words);
                let states = tagger.layers.iter().fold(states, |states, layer| layer.forward(states, None).0);
                tagger.tags.forward(states)
            })
            .unwrap_or_else(|error| panic!("{error}"));
        let nodes = &model.model().graph.nodes;
        assert!(nodes.len() <= 30, "{} nodes:\n{}", nodes.len(), model.model());
        assert_eq!(nodes.iter().filter(|node| node.op_type == "LSTM").count(), 2);
    }
}
