//! Trains the MNIST CNN with the recipe of the PyTorch example.

fn main() {}
