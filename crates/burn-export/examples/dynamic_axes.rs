//! Several dynamic axes: sizes become formulas over their names, the file is verified at sizes of ours and written with test
//! data, and a branch on a size is refused.
//!
//! ```sh
//! cargo run --release -p burn-export --features verify --example dynamic_axes -- FOLDER
//! ```

use std::error::Error;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::interpolate::{Interpolate2d, Interpolate2dConfig, InterpolateMode};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};
use burn_export::{Axis, OnnxExporter, Sizes};

/// Finds edges at half the size, and marks where on the image they lie.
#[derive(Module, Debug)]
struct Edges {
    conv: Conv2d,
    up: Interpolate2d,
}

impl Edges {
    fn new(device: &Device) -> Self {
        let up = Interpolate2dConfig::new().with_scale_factor(Some([2.0, 2.0])).with_mode(InterpolateMode::Nearest);
        Self { conv: Conv2dConfig::new([1, 1], [3, 3]).with_stride([2, 2]).init(device), up: up.init() }
    }

    /// `[batch, 1, height, width]` to the edges, enlarged, and for each image column its number.
    fn forward(&self, image: Tensor<4>) -> (Tensor<4>, Tensor<1, Int>) {
        let [_, _, _, width] = image.dims();
        // A constant that follows an axis: the file computes it by `Range`.
        let columns = Tensor::arange(0..width as i64, &image.device());
        (self.up.forward(relu(self.conv.forward(image))), columns)
    }
}

/// The axes of an image. A kernel of three needs three rows and columns.
fn image() -> [Axis; 4] {
    [Axis::dynamic("batch"), Axis::fixed(1), Axis::dynamic("height").range(3..), Axis::dynamic("width").range(3..)]
}

fn main() -> Result<(), Box<dyn Error>> {
    let network = Edges::new(&Device::flex());
    let exporter = || OnnxExporter::new().input("image", image());
    let model = exporter().output("edges").output("columns").export(&network, Edges::forward)?;
    println!("{}", model.model());
    let sizes = || Sizes::default().at([("height", 31), ("width", 90)]).at([("batch", 5)]);
    println!("{}", model.verify(&network, Edges::forward, sizes())?);
    let folder = std::env::args_os().nth(1).map_or_else(|| std::env::temp_dir().join("burn-export-edges"), Into::into);
    for set in model.save_with_tests(folder, &network, Edges::forward, sizes())? {
        println!("{}", set.display());
    }

    // The same network with a branch on a size: no graph could take both ways.
    let refused = exporter().output("edges").export_with_report(&network, |network, image: Tensor<4>| {
        let [_, _, height, _] = image.dims();
        let (edges, _) = network.forward(image);
        if height > 6 { edges } else { edges.neg() }
    });
    match refused {
        Ok(_) => Err("a branch on a size was exported".into()),
        Err(failed) => {
            println!("{failed}");
            Ok(())
        }
    }
}
