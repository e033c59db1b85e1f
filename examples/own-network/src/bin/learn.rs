//! Trains the network on four of five flowers. Training is Burn's own; what counts is the file of weights.

use anyhow::Result;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use kiln::Network;
use kiln::weights::{identity_name, state_dict, to_safetensors};
use own_network::CARD;
use own_network::flowers::read;
use own_network::network::FlowerNet;

fn main() -> Result<()> {
    let device = Device::flex().autodiff();
    let flowers = read(None, false)?;
    let measures: Vec<f32> = flowers.iter().flat_map(|flower| flower.1).collect();
    let species: Vec<i64> = flowers.iter().map(|flower| flower.2 as i64).collect();
    let measures = Tensor::<2>::from_data(TensorData::new(measures, [flowers.len(), 4]), &device);
    let species = Tensor::<1, Int>::from_data(TensorData::new(species, [flowers.len()]), &device);
    let mut network = FlowerNet::random(&(), 1, &device);
    let mut optimizer = AdamConfig::new().init();
    for step in 1..=300 {
        let loss =
            CrossEntropyLossConfig::new().init(&device).forward(network.forward(measures.clone()), species.clone());
        if step % 100 == 0 {
            println!("step {step}, loss {:.4}", loss.clone().into_scalar::<f32>());
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(0.02, network, gradients);
    }
    let path = CARD.weights();
    std::fs::write(&path, to_safetensors(&state_dict(&network, identity_name))?)?;
    println!("{}", path.display());
    Ok(())
}
