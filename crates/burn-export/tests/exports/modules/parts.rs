//! Linear layers, embeddings, distances, and layers that do nothing in inference.

use burn::nn::{
    CosineSimilarityConfig, DropoutConfig, EmbeddingConfig, GaussianNoiseConfig, Identity, LinearConfig,
    PairwiseDistanceConfig, SwiGluConfig,
};
use burn::tensor::{Device, Int, Tensor};

use super::agrees;

#[test]
fn linear_layers_and_gates() {
    let device = Device::flex();
    let dropout = DropoutConfig::new(0.5).init();
    let linear = LinearConfig::new(4, 5).init(&device);
    agrees("Linear", &linear, [0, 4], |linear, x: Tensor<2>| linear.forward(x));
    agrees("Linear rank 1", &linear, [4], |linear, x: Tensor<1>| linear.forward(x));
    agrees("Linear rank 4", &(linear, dropout), [0, 3, 0, 4], |(linear, dropout), x: Tensor<4>| {
        dropout.forward(linear.forward(x))
    });
    agrees("SwiGlu", &SwiGluConfig::new(4, 6).init(&device), [0, 0, 4], |gate, x: Tensor<3>| gate.forward(x));
}

#[test]
fn distances_and_small_parts() {
    let device = Device::flex();
    agrees("CosineSimilarity", &CosineSimilarityConfig::new().init(), [0, 4], |similarity, x| {
        similarity.forward(x.clone(), x.exp())
    });
    agrees("PairwiseDistance", &PairwiseDistanceConfig::new().init(), [0, 4], |distance, x| {
        distance.forward(x.clone(), x.exp())
    });
    agrees("Identity", &Identity::new(), [0, 4], |identity, x: Tensor<2>| identity.forward(x) + 1.0);
    agrees("GaussianNoise", &GaussianNoiseConfig::new(0.5).init(), [0, 4], |noise, x: Tensor<2>| {
        noise.forward(x) + 1.0
    });
    let embedding = EmbeddingConfig::new(5, 3).init(&device);
    agrees("Embedding", &embedding, [0, 4], |embedding, x: Tensor<2>| {
        let ids: Tensor<2, Int> = (x.abs() * 2.0).int().clamp(0, 4);
        embedding.forward(ids)
    });
}
