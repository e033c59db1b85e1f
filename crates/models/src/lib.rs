//! The networks in Burn, their weights, and their pre- and post-processing.

pub mod alexnet;
pub mod bert;
mod contain;
pub mod digits;
pub mod efficientnet_lite0;
pub mod encoder;
pub mod imagenet;
pub mod mnist_cnn;
pub mod picture;
pub mod question_answering;
mod text_file;
pub mod weights;
