//! A network of one's own: [`FlowerNet`](network::FlowerNet) tells Fisher's irises apart
//! ([`Flowers`](flowers::Flowers)), and Kiln does the rest.
//!
//! The flowers are those of R. A. Fisher, "The use of multiple measurements in taxonomic problems", 1936.

pub mod flowers;
pub mod network;

use kiln::{Card, WeightSource};

/// What the network is called, and where its weights lie.
pub const CARD: Card = Card {
    name: "flowers",
    title: "Flowers",
    about: "Tells three species of irises apart by their measures",
    weights: WeightSource::Own { file: "flowers.safetensors", ways: "`cargo run --release --bin learn` makes them" },
    batches: &[1, 64],
};
