//! Networks that nobody here designed: those of Burn's book and of its examples, built again from what is written about
//! them, with random weights. The architectures and sizes are theirs (github.com/tracel-ai/burn, folders `burn-book` and
//! `examples`); the code is ours.

mod images;
mod numbers;
mod text;
