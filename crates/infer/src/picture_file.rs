//! An ONNX file from anywhere that says what a picture shows.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cli::task::{Colours, FileTaskArgs, Resize, TaskArgs};
use evaluation::command::named;
use models::imagenet::{CLASSES, CROP, Crop, Labels, Preprocessing, RESIZE};
use networks::images::{Form, Images, range};
use networks::pictures::PictureTask;
use onnx_model::{DataType, Dim, Graph, LoadOptions, Model, Survey, TensorType, ValueInfo};

use crate::task::{pictures, pictures_in};

/// The largest picture that is made for a network, in pixels of its height or width: 800 MB as floats.
const LARGEST: usize = 8192;

/// What is known of such a file.
pub struct PictureFile {
    /// What it takes and gives.
    pub images: Images,
    /// What is done to a picture.
    pub preprocessing: Preprocessing,
    /// The names of its classes.
    pub labels: Option<Labels>,
}

impl PictureFile {
    /// Reads what a file declares, without a runtime, and fits the user's options to it.
    ///
    /// # Errors
    /// When the file cannot be read, or takes and gives something else than pictures and values for classes.
    pub fn read(model: &Path, options: &FileTaskArgs, data: &TaskArgs) -> Result<Self> {
        // A hostile file leads nowhere outside of its folder.
        Survey::of(model).with_context(|| model.display().to_string())?;
        let load = LoadOptions { external_data: false, ..LoadOptions::default() };
        let model = Model::load_with(model, &load).with_context(|| model.display().to_string())?;
        let Taken { size, input, channels_last, batch } = taken(&model.graph)?;
        let size = match (size, options.size) {
            (Some(size), Some(asked)) if size != asked => {
                bail!("--size {asked}: the file takes pictures of {size} x {size} pixels")
            }
            (size, asked) => size.or(asked).unwrap_or(CROP),
        };
        let pixels = batch.unwrap_or(1).checked_mul(size).and_then(|row| row.checked_mul(size));
        if size > LARGEST || pixels.is_none_or(|pixels| pixels > LARGEST * LARGEST) {
            bail!(
                "the file takes {} pictures of {size} x {size} pixels at once; {LARGEST} x {LARGEST} in all is the most",
                batch.unwrap_or(1)
            );
        }
        let given = given(&model, data.labels.as_deref())?;
        let form = Form { input, output: given.output, channels_last, batch, probabilities: given.probabilities };
        let preprocessing = preprocessing(size, options);
        let usual = data.labels();
        let path = data.labels.clone().or_else(|| (given.classes == CLASSES && usual.is_file()).then_some(usual));
        let labels = path.map(|path| Labels::read(&path, given.classes).context("--labels")).transpose()?;
        let images = Images { form, ..Images::new(3, size, given.classes, range(&preprocessing)) };
        Ok(Self { images, preprocessing, labels })
    }

    /// The pictures of the user's options as a task: those of a folder whose classes are known, or any.
    ///
    /// # Errors
    /// When there are none, or a folder is no class.
    pub fn task(self, data: &TaskArgs) -> Result<PictureTask> {
        let Self { images, preprocessing, labels } = self;
        let (files, classes) = match (&data.data, data.images.as_slice()) {
            (Some(_), [_, ..]) => bail!("--data and --image both name pictures; give one of them"),
            (Some(folder), []) => {
                labelled(folder, labels.as_ref(), images.classes).map(|(files, all)| (files, Some(all)))?
            }
            (None, paths) => (pictures(paths)?, None),
        };
        let task = PictureTask::new(files, labels, images, preprocessing);
        Ok(match classes {
            Some(classes) => task.with_classes(classes),
            None => task,
        })
    }
}

/// The options that make the same inputs, each after a space.
pub fn words(options: &FileTaskArgs, data: &TaskArgs) -> String {
    let FileTaskArgs { kind, size, resize, mean, deviation, scale } = options;
    let mut words = if kind.is_some() { " --task image-classification".to_owned() } else { String::new() };
    words.extend(size.iter().map(|size| format!(" --size {size}")));
    words.extend(resize.iter().map(|resize| format!(" --resize {resize}")));
    words.extend(mean.iter().map(|mean| format!(" --mean {mean}")));
    words.extend(deviation.iter().map(|deviation| format!(" --std {deviation}")));
    words.extend(scale.iter().map(|scale| format!(" --scale {scale}")));
    words.extend(data.data.iter().map(|path| named("--data", path)));
    words.extend(data.images.iter().map(|path| named("--image", path)));
    words.extend(data.labels.iter().map(|path| named("--labels", path)));
    words
}

/// The way from a picture to numbers; torchvision's where the user says nothing.
fn preprocessing(size: usize, options: &FileTaskArgs) -> Preprocessing {
    let usual = Preprocessing::TORCHVISION;
    let colours = |given: Option<Colours>, usual: [f32; 3]| given.map_or(usual, |Colours(colours)| colours);
    let crop = match options.resize {
        Some(Resize::Shorter(shorter)) => Crop::ResizeThenCrop { shorter },
        Some(Resize::Central(padding)) => Crop::CentralSquare { padding },
        None => Crop::ResizeThenCrop { shorter: (size * RESIZE + CROP / 2) / CROP },
    };
    Preprocessing {
        crop,
        size,
        scale: options.scale.unwrap_or(usual.scale),
        mean: colours(options.mean, usual.mean),
        standard_deviation: colours(options.deviation, usual.standard_deviation),
    }
}

/// The input of a file.
struct Taken {
    /// The height and width, where the file fixes them.
    size: Option<usize>,
    input: String,
    channels_last: bool,
    batch: Option<usize>,
}

/// The input, which must be pictures in three colours.
fn taken(graph: &Graph) -> Result<Taken> {
    let is_weight = |input: &&ValueInfo| graph.initializers.iter().any(|tensor| tensor.name == input.name);
    let inputs: Vec<&ValueInfo> = graph.inputs.iter().filter(|input| !is_weight(input)).collect();
    let [input] = inputs.as_slice() else {
        bail!("--task image-classification is for a file with one input, and this one has {}", inputs.len());
    };
    let shape = match &input.ty {
        Some(TensorType { dtype: DataType::F32, shape: Some(shape) }) => shape.as_slice(),
        Some(TensorType { dtype: DataType::F32, shape: None }) => &[],
        Some(other) => bail!("the input `{}` is {other}; --task image-classification gives float pictures", input.name),
        None => bail!("the file does not say what its input `{}` is", input.name),
    };
    let (batch, channels_last, height, width) = match shape {
        [batch, Dim::Known(3) | Dim::Symbol(_) | Dim::Unknown, height, width] if !matches!(width, Dim::Known(3)) => {
            (batch, false, height, width)
        }
        [batch, Dim::Known(3), height, width] => (batch, false, height, width),
        [batch, height, width, Dim::Known(3)] => (batch, true, height, width),
        _ => bail!(
            "the input `{}` is no batch of pictures in three colours, [batch, 3, height, width] or [batch, height, width, 3]",
            input.name
        ),
    };
    let size = match (fixed(height), fixed(width)) {
        (Some(height), Some(width)) if height != width => {
            bail!("the file takes pictures of {height} x {width} pixels; --task image-classification makes squares")
        }
        (height, width) => height.or(width),
    };
    Ok(Taken { size, input: input.name.clone(), channels_last, batch: fixed(batch) })
}

/// The output of a file.
struct Given {
    output: String,
    classes: usize,
    probabilities: bool,
}

/// The output: a value for each class, the first where there are several such.
fn given(model: &Model, labels: Option<&Path>) -> Result<Given> {
    let types = model.check().unwrap_or_default();
    for output in &model.graph.outputs {
        let Some(TensorType { dtype: DataType::F32, shape }) = types.get(&output.name).or(output.ty.as_ref()) else {
            continue;
        };
        let classes = match shape.as_deref() {
            Some([_, classes, rest @ ..]) if rest.iter().all(|dim| fixed(dim) == Some(1)) => fixed(classes),
            None => None,
            Some(_) => continue,
        };
        let named = || labels.and_then(Labels::count);
        let classes = classes.or_else(named).with_context(|| {
            format!(
                "the file does not say how many values its output `{}` has; --labels with their names does",
                output.name
            )
        })?;
        return Ok(Given {
            output: output.name.clone(),
            classes,
            probabilities: are_probabilities(&model.graph, &output.name),
        });
    }
    bail!("the file has no output with a float for each class, [batch, classes]")
}

/// Whether a value comes out of a softmax or a sigmoid, whatever was done to its shape since.
fn are_probabilities<'a>(graph: &'a Graph, mut value: &'a str) -> bool {
    // As many steps as there are nodes: in a file that is none, values may be made of each other.
    for _ in &graph.nodes {
        let maker = graph.nodes.iter().find(|node| node.outputs.iter().any(|output| output == value));
        match maker.map(|node| (node.op_type.as_str(), node.inputs.first())) {
            Some(("Softmax" | "Sigmoid", _)) => return true,
            Some(("Identity" | "Reshape" | "Flatten" | "Squeeze" | "Cast", Some(input))) => value = input,
            _ => return false,
        }
    }
    false
}

fn fixed(dim: &Dim) -> Option<usize> {
    match dim {
        Dim::Known(size) => usize::try_from(*size).ok().filter(|size| *size > 0),
        Dim::Symbol(_) | Dim::Unknown => None,
    }
}

/// The pictures of `folder/class/`, with the class of each. A folder is a class by its number or by its name among the labels; or, as
/// torchvision has it, by its place in the alphabet where there is a folder for every class.
fn labelled(folder: &Path, labels: Option<&Labels>, classes: usize) -> Result<(Vec<PathBuf>, Vec<usize>)> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("--data: cannot read {}", folder.display()))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    folders.sort();
    if folders.is_empty() {
        bail!("--data: {} holds no folders of pictures, one for each class", folder.display());
    }
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let class = |path: &Path| {
        let name = name(path);
        let number = name.parse().ok().filter(|class| *class < classes);
        labels.and_then(|labels| labels.class(&name)).or(number)
    };
    let all: Option<Vec<usize>> = folders.iter().map(|path| class(path)).collect();
    let all = match all {
        Some(all) => all,
        None if folders.len() == classes => (0..classes).collect(),
        None => {
            let stranger = folders.iter().find(|path| class(path).is_none()).map(|path| name(path)).unwrap_or_default();
            bail!(
                "--data: the folder `{stranger}` is no class: name folders by the numbers of classes, from 0 to {}, or as \
                 --labels names them",
                classes - 1
            )
        }
    };
    let (mut files, mut shown) = (Vec::new(), Vec::new());
    for (folder, class) in folders.iter().zip(all) {
        let found = pictures_in(folder)?;
        shown.extend(std::iter::repeat_n(class, found.len()));
        files.extend(found);
    }
    match files.is_empty() {
        true => bail!("--data: the folders of {} hold no pictures", folder.display()),
        false => Ok((files, shown)),
    }
}
