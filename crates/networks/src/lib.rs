//! The networks of this workspace in Burn, as engines and as what is exported, with the tasks that they are for.

pub mod alexnet;
pub mod bert_qa;
pub mod classifier;
pub mod digits;
pub mod efficientnet_lite0;
pub mod encoder;
pub mod engine;
pub mod evaluate;
pub mod images;
pub mod mnist;
pub mod network;
mod open;
pub mod pictures;
pub mod questions;
pub mod texts;

pub use catalogue::NetworkId;
pub use models::alexnet::AlexNet;
pub use models::bert::BertForQuestionAnswering;
pub use models::efficientnet_lite0::EfficientNetLite0;
pub use models::encoder::Encoder;
pub use models::mnist_cnn::MnistCnn;
pub use open::{burn, open};
