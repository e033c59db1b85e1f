//! The networks and their weights against PyTorch and torchvision.
//!
//! Expected numbers come from the scripts in `../fixtures`. No test needs Python or a network.

mod alexnet;
mod bert;
mod mnist_cnn;
mod pictures;
mod question_answering;
mod support;
mod weights;
