//! Recurrent layers, which export at a fixed length.

use burn::nn::gru::{BiGruConfig, GruConfig};
use burn::nn::{BiLstmConfig, BiRnnConfig, LstmConfig, RnnConfig};
use burn::tensor::{Device, Tensor};

use super::agrees;

#[test]
fn recurrent_layers_of_fixed_length() {
    let device = Device::flex();
    agrees("Rnn", &RnnConfig::new(3, 4, true).init(&device), [0, 3, 3], |rnn, x: Tensor<3>| rnn.forward(x, None).0);
    agrees("Lstm", &LstmConfig::new(3, 4, true).init(&device), [0, 3, 3], |lstm, x: Tensor<3>| lstm.forward(x, None).0);
    agrees("Gru", &GruConfig::new(3, 4, true).init(&device), [0, 3, 3], |gru, x: Tensor<3>| gru.forward(x, None));
}

#[test]
fn recurrent_layers_of_both_directions() {
    let device = Device::flex();
    agrees("BiRnn", &BiRnnConfig::new(3, 4, true).init(&device), [0, 3, 3], |rnn, x: Tensor<3>| rnn.forward(x, None).0);
    agrees("BiGru", &BiGruConfig::new(3, 4, true).init(&device), [0, 3, 3], |gru, x: Tensor<3>| gru.forward(x, None).0);
    agrees("BiLstm", &BiLstmConfig::new(3, 4, true).init(&device), [0, 3, 3], |lstm, x: Tensor<3>| {
        lstm.forward(x, None).0
    });
}
