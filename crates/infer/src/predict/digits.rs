//! Which digit an image shows.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cli::predict::PredictArgs;
use models::digits::Split;
use networks::digits::DigitTask;
use networks::digits::picture::digit_from_file;
use networks::digits::predict::predict;
use networks::images::Images;

use super::Known;
use super::engines::{conclude, failures};

/// An image to be read.
struct Image {
    pixels: Vec<u8>,
    name: String,
    label: Option<u8>,
    /// What the classes are called.
    names: Vec<String>,
}

/// Predicts and prints. The exit status says whether all engines read the same digit.
pub fn execute(arguments: &PredictArgs, known: &Known) -> Result<ExitCode> {
    let images = known.images()?;
    let Image { pixels, name, label, names } = image(arguments, known, &images)?;
    let mut opened = known.open(arguments)?;
    let prediction = predict(&images, &mut opened.engines, &pixels, name, label, names)?;
    match arguments.json {
        true => crate::print(serde_json::to_string_pretty(&prediction)? + "\n")?,
        false => crate::print(failures(&opened.failed) + &prediction.text(&pixels))?,
    }
    conclude(&opened.failed, prediction.agree, "the engines read different digits")
}

fn image(arguments: &PredictArgs, known: &Known, images: &Images) -> Result<Image> {
    let folder = arguments.task.data();
    let task = DigitTask::read(&folder, Split::Test, images.clone());
    match arguments.task.images.as_slice() {
        [] => {}
        [path] => {
            // The data set says what the classes are called, if it is there.
            let numbers = || (0..images.classes).map(|class| class.to_string()).collect();
            let names = match task {
                Ok(task) => task.names().to_owned(),
                Err(error) if arguments.task.data.is_some() => return Err(error).context("--data"),
                Err(_) => numbers(),
            };
            return Ok(Image { pixels: digit_from_file(path)?, name: path.display().to_string(), label: None, names });
        }
        _ => bail!("a digit is one --image"),
    }
    let task = task.with_context(|| {
        let folder = folder.display();
        format!("no usable test images in {folder} (`cargo xtask fetch {}` gets some)", known.card.name)
    })?;
    let (digits, names) = (task.digits(), task.names().to_owned());
    let index = arguments.index.context("name a test image with --index, or a picture with --image")?;
    match digits.image(index) {
        Some(pixels) => Ok(Image {
            pixels: pixels.to_vec(),
            name: format!("test image {index}"),
            label: digits.label(index),
            names,
        }),
        None => bail!("--index {index} is beyond the last of the {} test images, {}", digits.len(), digits.len() - 1),
    }
}
