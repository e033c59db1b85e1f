//! What a file from anywhere says of itself.

use serde::{Deserialize, Serialize};

use crate::onnx_file::inputs::Sizes;
use engines::engine::{Signature, TensorInfo};
use engines::session::Metadata;
use terminal::plain::line;

/// What a file takes and gives, and at which sizes it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What the model takes and gives.
    pub signature: Signature,
    /// What its file says about itself.
    pub metadata: Option<Metadata>,
    /// The sizes of the dynamic axes, unless they are swept.
    pub sizes: Sizes,
    /// The dynamic axis that counts items; `None` if there is none.
    pub batch_axis: Option<String>,
}

impl About {
    /// The sizes of the axes that do not count items.
    pub fn other_sizes(&self) -> Sizes {
        let other = |(axis, _): &(&String, &usize)| Some(*axis) != self.batch_axis.as_ref();
        self.sizes.iter().filter(other).map(|(axis, size)| (axis.clone(), *size)).collect()
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        let listed =
            |tensors: &[TensorInfo]| tensors.iter().map(|tensor| line(format_args!("  {tensor}"))).collect::<String>();
        format!("Takes\n{}Gives\n{}", listed(&self.signature.inputs), listed(&self.signature.outputs))
    }
}
