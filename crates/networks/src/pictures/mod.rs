//! What a picture shows: the classes of ImageNet.

pub mod predict;

use std::ops::Range;
use std::path::{Path, PathBuf};

use engines::engine::{Engine, EngineError};
use engines::tensor::NamedTensor;
use evaluation::task::{Case, Metric, Shipped, Task};
use models::imagenet::{Labels, Preprocessing, top};

use crate::images::Images;

/// Given pictures that are compared with float64 at once.
const REAL: usize = 7;

/// Pictures to label.
pub struct PictureTask {
    files: Vec<PathBuf>,
    labels: Option<Labels>,
    images: Images,
    preprocessing: Preprocessing,
}

/// A picture that was read.
pub struct Picture {
    name: String,
    /// Its normalised pixels.
    pixels: Vec<f32>,
}

impl PictureTask {
    /// The pictures of these files, each read when it is asked for. Without `labels` the classes go by their numbers.
    pub fn new(files: Vec<PathBuf>, labels: Option<Labels>, images: Images, preprocessing: Preprocessing) -> Self {
        Self { files, labels, images, preprocessing }
    }

    fn read(&self, file: &Path) -> Result<Picture, EngineError> {
        let pixels = self.preprocessing.apply_to_file(file).map_err(|error| EngineError::Input {
            engine: "the network".to_owned(),
            name: crate::images::INPUT.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Picture { name: file.display().to_string(), pixels })
    }

    fn called(&self, class: usize) -> String {
        self.labels.as_ref().and_then(|labels| labels.name(class)).unwrap_or_else(|| format!("class {class}"))
    }
}

impl Task for PictureTask {
    type Item = Picture;
    /// The five most probable classes, best first.
    type Answer = Vec<usize>;

    const ITEMS: &'static str = "pictures";
    const AT_ONCE: usize = 16;

    fn count(&self) -> usize {
        self.files.len()
    }

    fn items(&self, range: Range<usize>) -> Result<Vec<Picture>, EngineError> {
        self.files.get(range).unwrap_or_default().iter().map(|file| self.read(file)).collect()
    }

    fn ask(&self, engine: &mut dyn Engine, items: &[Picture]) -> Result<Vec<Vec<usize>>, EngineError> {
        let input = self.images.batch(items.iter().flat_map(|picture| &picture.pixels).copied().collect())?;
        let logits = self.images.outputs(engine, &input)?;
        let best = |row: &[f32]| top(row, 5).into_iter().map(|found| found.class).collect();
        Ok(logits.chunks_exact(self.images.classes).map(best).collect())
    }

    fn name(&self, item: &Picture) -> String {
        item.name.clone()
    }

    fn words(&self, answer: &Vec<usize>) -> String {
        answer.first().map_or_else(String::new, |&class| self.called(class))
    }

    fn also_same(&self, one: &Vec<usize>, other: &Vec<usize>) -> Vec<(&'static str, bool)> {
        let sorted = |classes: &[usize]| {
            let mut classes = classes.to_vec();
            classes.sort_unstable();
            classes
        };
        vec![("same top 5", sorted(one) == sorted(other))]
    }

    fn score(&self, _answers: &[Vec<usize>]) -> Vec<Metric> {
        Vec::new()
    }

    fn cases(&self) -> Result<Vec<Case>, EngineError> {
        let pictures = self.items(0..self.files.len().min(REAL))?;
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        let label = format!("{} pictures", pictures.len());
        let pixels = pictures.into_iter().flat_map(|picture| picture.pixels).collect();
        Ok(vec![(label, vec![self.images.batch(pixels)?])])
    }

    /// The given pictures, from the start again if they are fewer; random ones if there are none.
    fn timed(&self, size: usize) -> Result<Vec<NamedTensor>, EngineError> {
        if self.files.is_empty() {
            return Ok(vec![self.images.random(size)?]);
        }
        let pictures = self.items(0..self.files.len().min(size))?;
        let pixels = pictures.iter().cycle().take(size).flat_map(|picture| &picture.pixels).copied().collect();
        Ok(vec![self.images.batch(pixels)?])
    }

    fn notes(&self) -> Vec<String> {
        match self.files.is_empty() {
            true => vec!["no pictures were given (--image does that), so the inputs are random".to_owned()],
            false => Vec::new(),
        }
    }

    fn shipped(&self) -> Result<Shipped, EngineError> {
        let (picture, about) = match self.files.first() {
            Some(file) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                (self.read(file)?.pixels, format!("the picture {name}"))
            }
            None => (made_up(&self.preprocessing), MADE_UP.to_owned()),
        };
        let labels = self.labels.as_ref().map(|_| (0..self.images.classes).map(|class| self.called(class)).collect());
        Ok(Shipped { example: vec![self.images.batch(picture)?], about, labels, files: Default::default() })
    }
}

/// What the example of a bundle is made of where no picture is given.
const MADE_UP: &str = "a made-up picture, a disc before a slope of colours, since no --image was given";

/// The normalised pixels of a picture that shows nothing real, `[3, size, size]`: a disc before a slope of colours, for an
/// example where there is no photograph. It is the same everywhere.
fn made_up(preprocessing: &Preprocessing) -> Vec<f32> {
    let size = preprocessing.size;
    let radius = size / 4;
    let pixel = |index: usize| {
        let (x, y) = (index % size, index / size);
        let (from_left, from_top) = (x.abs_diff(size / 2), y.abs_diff(size / 2));
        let share = |part: usize| u8::try_from(255 * part / size).unwrap_or(u8::MAX);
        match from_left.pow(2) + from_top.pow(2) < radius.pow(2) {
            true => [230, 120, 40],
            false => [share(x), share(y), share(size - y)],
        }
    };
    let pixels: Vec<[u8; 3]> = (0..size * size).map(pixel).collect();
    preprocessing.normalize(&pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, with ImageNet's means and deviations: the disc in the middle is (230, 120, 40), the corner (0, 0, 255).
    #[test]
    fn the_made_up_picture_is_a_disc_before_a_slope() {
        const SIZE: usize = 224;
        let picture = made_up(&Preprocessing::TORCHVISION);
        let plane = SIZE * SIZE;
        assert_eq!(picture.len(), 3 * plane);
        let at = |place: usize| [0, 1, 2].map(|channel| picture[channel * plane + place]);
        let expected = |rgb: [f32; 3]| {
            let [r, g, b] = rgb.map(|value| value / 255.0);
            [(r - 0.485) / 0.229, (g - 0.456) / 0.224, (b - 0.406) / 0.225]
        };
        assert_eq!(at(SIZE / 2 * SIZE + SIZE / 2), expected([230.0, 120.0, 40.0]));
        assert_eq!(at(0), expected([0.0, 0.0, 255.0]));
    }
}
