//! `infer predict mnist`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cli::predict::PredictMnistArgs;
use infer::burn_mnist::BurnMnist;
use infer::mnist::picture::digit_from_file;
use infer::mnist::predict::predict;
use infer::mnist::{check_signature, test_digits};
use infer::runtime::Runtime;
use infer::session::{Session, SessionOptions};
use infer::threads;

/// An image to be read.
struct Image {
    pixels: Vec<u8>,
    name: String,
    label: Option<u8>,
}

/// Predicts and prints. The exit status says whether both engines read the same digit.
pub fn execute(arguments: &PredictMnistArgs) -> Result<ExitCode> {
    threads::limit(1).context("cannot start the worker threads")?;
    let image = image(arguments)?;
    let runtime = Runtime::load(&Path::new(crate::DATASETS).join("onnxruntime"))?;
    let mut burn = BurnMnist::load(&arguments.weights).context("no usable weights (`cargo xtask train` makes them)")?;
    let mut ort = Session::open(&runtime, &arguments.model, SessionOptions::default())
        .context("no usable model (`cargo xtask export mnist` makes it)")?;
    check_signature(&ort, &arguments.model)?;
    let prediction = predict(&mut [&mut burn, &mut ort], &image.pixels, image.name, image.label)?;
    match arguments.json {
        true => crate::print(&(serde_json::to_string_pretty(&prediction)? + "\n"))?,
        false => crate::print(&prediction.text(&image.pixels))?,
    }
    if !prediction.agree {
        bail!("the engines read different digits");
    }
    Ok(ExitCode::SUCCESS)
}

fn image(arguments: &PredictMnistArgs) -> Result<Image> {
    if let Some(path) = &arguments.image {
        let pixels = digit_from_file(path)?;
        return Ok(Image { pixels, name: path.display().to_string(), label: None });
    }
    let folder = arguments.data.display();
    let digits = test_digits(&arguments.data)
        .with_context(|| format!("no usable MNIST in {folder} (`cargo xtask fetch mnist` gets it)"))?;
    let index = arguments.index.unwrap_or_default();
    match digits.image(index) {
        Some(pixels) => {
            Ok(Image { pixels: pixels.to_vec(), name: format!("test image {index}"), label: digits.label(index) })
        }
        None => bail!("--index {index} is beyond the last of the {} test images, {}", digits.len(), digits.len() - 1),
    }
}
