//! The networks and their weights against PyTorch and torchvision.
//!
//! Expected numbers come from the scripts in `../fixtures`. No test needs Python. The pretrained
//! encoder is fetched once, by `cargo xtask test` or by hand.

mod alexnet;
mod avif;
mod bert;
mod efficientnet_lite0;
mod encoder_tokenizers;
mod encoders;
mod minilm;
mod mnist_cnn;
mod pictures;
mod question_answering;
mod squad;
mod support;
mod tokenizers;
mod weights;
