//! The networks in Burn, their weights, and their pre- and post-processing.

pub mod mnist_cnn;
