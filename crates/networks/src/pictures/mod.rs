//! What a picture shows: the classes of ImageNet.

pub mod predict;

use std::ops::Range;
use std::path::{Path, PathBuf};

use engines::engine::{Engine, EngineError};
use engines::tensor::NamedTensor;
use evaluation::task::{Case, Figure, Metric, Shipped, Task};
use models::imagenet::{Labels, Preprocessing, top};

use crate::images::Images;

/// Wrong pictures that are listed.
const SHOWN: usize = 20;

/// Classes of which a table of confusions can be read.
const READABLE: usize = 30;

/// Given pictures that are compared with float64 at once.
const REAL: usize = 7;

/// Pictures to label.
pub struct PictureTask {
    files: Vec<PathBuf>,
    /// The class of each, where it is known of all.
    classes: Option<Vec<usize>>,
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
        Self { files, classes: None, labels, images, preprocessing }
    }

    /// The same pictures with what they show: the class of each.
    #[must_use]
    pub fn with_classes(self, classes: Vec<usize>) -> Self {
        Self { classes: Some(classes), ..self }
    }

    /// The pictures with a known class, and what an engine says of each.
    fn known<'a>(&'a self, answers: &'a [Vec<usize>]) -> impl Iterator<Item = (&'a Path, usize, &'a [usize])> {
        let classes = self.classes.iter().flatten();
        let files = self.files.iter().map(PathBuf::as_path);
        files.zip(classes).zip(answers).map(|((file, class), answer)| (file, *class, answer.as_slice()))
    }

    fn read(&self, file: &Path) -> Result<Picture, EngineError> {
        let pixels = self.preprocessing.apply_to_file(file).map_err(|error| EngineError::Input {
            engine: "the network".to_owned(),
            name: self.images.form.input.clone(),
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
        let pixels = items.iter().flat_map(|picture| &picture.pixels).copied().collect();
        let logits = self.images.answers(engine, pixels)?;
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

    /// How many are what the network holds most probable, or among the five most probable.
    fn score(&self, answers: &[Vec<usize>]) -> Vec<Metric> {
        let Some(classes) = &self.classes else { return Vec::new() };
        let among = |first: usize| {
            let right =
                |(_, class, answer): &(&Path, usize, &[usize])| answer.iter().take(first).any(|one| one == class);
            Metric::count(&format!("top-{first}"), self.known(answers).filter(right).count(), classes.len())
        };
        [1, 5].into_iter().filter(|first| *first < self.images.classes).map(among).collect()
    }

    fn figures(&self, answers: &[Vec<usize>]) -> Vec<Figure> {
        if self.classes.is_none() {
            return Vec::new();
        }
        let first = |answer: &[usize]| answer.first().copied().unwrap_or(self.images.classes);
        let wrong = || self.known(answers).filter(|(_, class, answer)| first(answer) != *class);
        let sentence = |(file, class, answer): (&Path, usize, &[usize])| {
            format!("{}: {} for {}", file.display(), self.called(first(answer)), self.called(class))
        };
        let list = Figure::List {
            title: "Pictures that were taken for something else".to_owned(),
            items: wrong().take(SHOWN).map(sentence).collect(),
            total: wrong().count(),
        };
        let names: Vec<String> = (0..self.images.classes).map(|class| self.called(class)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let pairs = self.known(answers).map(|(_, class, answer)| (class, first(answer)));
        let confusion = (names.len() <= READABLE).then(|| Figure::confusion(&names, pairs));
        confusion.into_iter().chain([list]).collect()
    }

    fn cases(&self) -> Result<Vec<Case>, EngineError> {
        let most = self.images.form.batch.unwrap_or(REAL);
        let pictures = self.items(0..self.files.len().min(most))?;
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
