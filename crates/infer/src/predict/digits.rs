//! Which digit an image shows.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cli::predict::PredictArgs;
use models::digits::{Digits, Split};
use networks::digits::picture::digit_from_file;
use networks::digits::predict::predict;

use super::Known;
use super::engines::{conclude, failures};

/// An image to be read.
struct Image {
    pixels: Vec<u8>,
    name: String,
    label: Option<u8>,
}

/// Predicts and prints. The exit status says whether all engines read the same digit.
pub fn execute(arguments: &PredictArgs, known: &Known) -> Result<ExitCode> {
    let image = image(arguments, known)?;
    let mut opened = known.open(arguments)?;
    let prediction = predict(&known.images()?, &mut opened.engines, &image.pixels, image.name, image.label)?;
    match arguments.json {
        true => crate::print(serde_json::to_string_pretty(&prediction)? + "\n")?,
        false => crate::print(failures(&opened.failed) + &prediction.text(&image.pixels))?,
    }
    conclude(&opened.failed, prediction.agree, "the engines read different digits")
}

fn image(arguments: &PredictArgs, known: &Known) -> Result<Image> {
    match arguments.task.images.as_slice() {
        [] => {}
        [path] => {
            let pixels = digit_from_file(path)?;
            return Ok(Image { pixels, name: path.display().to_string(), label: None });
        }
        _ => bail!("a digit is one --image"),
    }
    let folder = arguments.task.data();
    let digits = Digits::read(&folder, Split::Test).with_context(|| {
        let folder = folder.display();
        format!("no usable test images in {folder} (`cargo xtask fetch {}` gets some)", known.card.name)
    })?;
    let index = arguments.index.context("name a test image with --index, or a picture with --image")?;
    match digits.image(index) {
        Some(pixels) => {
            Ok(Image { pixels: pixels.to_vec(), name: format!("test image {index}"), label: digits.label(index) })
        }
        None => bail!("--index {index} is beyond the last of the {} test images, {}", digits.len(), digits.len() - 1),
    }
}
