//! What a file is run on: the user's own inputs, those of a task, and made-up ones, at sizes that the model is made for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use engines::engine::{Engine, Signature};
use engines::session::Metadata;
use engines::tensor::NamedTensor;
use onnx_model::{LoadOptions, Model};

use super::domains::Domains;
use super::evaluate::{Request, Told};
use super::given::{inputs, outputs};
use super::inputs::{
    InputsError, Sizes, base_sizes, batch_axis, cycled, dynamic_axes, listed, random_inputs, sizes_of, with_true_axes,
};
use super::ranges::{self, Ranges};
use super::standard::SHARE;
use super::sweep::{MadeFor, cases, label};
use crate::contender::Contender;
use crate::task::{Case, Task};
use crate::verify::Expected;

/// What a file is run on.
pub struct Runs {
    /// What the file takes and gives, with the axes that its inputs show.
    pub signature: Signature,
    /// The sizes of its axes unless others are asked for.
    pub sizes: Sizes,
    /// The axis that counts items.
    pub axis: Option<String>,
    /// The user's own inputs, then those of a task.
    own: Vec<Case>,
    /// The outputs that the user knows to be right, by the labels of their inputs.
    right: Vec<Case>,
    made_for: MadeFor,
    /// Whether nothing is made up.
    only_own: bool,
}

impl Runs {
    /// Reads the user's inputs and outputs, and finds out what else suits a file that takes and gives this.
    ///
    /// # Errors
    /// When an input or output cannot be read or does not suit the file, or an axis is none of its.
    pub fn of<T: Task>(
        request: &Request<'_>,
        task: Option<&T>,
        signature: &Signature,
        file: &Path,
        metadata: Option<&Metadata>,
    ) -> Result<Self> {
        let mut own = given(signature, request.inputs)?;
        let shown = own.first().map(|(_, inputs)| inputs.as_slice()).unwrap_or_default();
        let signature = with_true_axes(signature, shown);
        own.extend(task.map(T::cases).transpose()?.unwrap_or_default());
        let made_for = made_for(file, &signature, metadata);
        Ok(Self {
            right: right(&signature, request)?,
            sizes: sizes(&signature, &request.sizes, own.first(), &made_for.ranges)?,
            axis: counted(&signature, request)?,
            only_own: request.only_inputs,
            signature,
            own,
            made_for,
        })
    }

    /// The sizes with so many items.
    pub fn at(&self, size: usize) -> Sizes {
        let mut sizes = self.sizes.clone();
        sizes.extend(self.axis.clone().map(|axis| (axis, size)));
        sizes
    }

    /// How many items there are unless others are asked for.
    pub fn usual(&self) -> usize {
        self.axis.as_ref().and_then(|axis| self.sizes.get(axis)).copied().unwrap_or(1)
    }

    /// The cases that engines are compared on: the user's own and a task's, then made-up ones of many sizes, up to `largest` items.
    /// Sizes that do not fit in memory are told.
    ///
    /// # Errors
    /// When none can be made up.
    pub fn cases(&self, largest: Option<usize>, told: &mut Told) -> Result<Vec<Case>> {
        let mut all = self.own.clone();
        if !self.only_own {
            let largest = self.axis.as_deref().zip(largest);
            let (random, too_large) = cases(&self.signature, &self.sizes, largest, &self.made_for)?;
            told.undone.extend(too_large);
            all.extend(random);
        }
        Ok(all)
    }

    /// Those of the cases that are made up.
    pub fn made_up(&self, cases: &[Case]) -> Vec<Case> {
        let is_own = |label: &String| self.own.iter().any(|(own, _)| own == label);
        cases.iter().filter(|(label, _)| !is_own(label)).cloned().collect()
    }

    /// The inputs that so many items are timed on: the user's own, repeated; or those of a made-up case, which has been run; or others
    /// of that size.
    ///
    /// # Errors
    /// When the user's own cannot be repeated and nothing is to be made up, or no inputs can be made.
    pub fn timed(&self, made_up: &[Case], size: usize) -> Result<Vec<NamedTensor>, InputsError> {
        let sizes = self.at(size);
        let repeated = self.own.first().and_then(|(_, inputs)| cycled(&self.signature, inputs, &sizes));
        let case = || made_up.iter().find(|(name, _)| *name == label(&sizes)).map(|(_, inputs)| inputs.clone());
        match repeated.or_else(case) {
            Some(inputs) => Ok(inputs),
            None if self.only_own => Err(InputsError::NotRepeated { sizes: label(&sizes) }),
            None => random_inputs(&self.signature, &sizes, 0, &self.made_for.domains),
        }
    }

    /// Whether a made-up case is what so many items are timed on, so that it has been run.
    pub fn has_run(&self, made_up: &[Case], size: usize) -> bool {
        self.own.is_empty() && made_up.iter().any(|(name, _)| *name == label(&self.at(size)))
    }

    /// What engines must give that the user knows to be right; `None` where nothing is known.
    ///
    /// # Errors
    /// When the file gives outputs of other types or shapes for these inputs, or refuses them.
    pub fn right(&self, reference: &mut Contender, tolerance: Option<f64>) -> Result<Option<Expected>> {
        let mut known = Vec::new();
        for (label, outputs) in &self.right {
            let Some((_, inputs)) = self.own.iter().find(|(own, _)| own == label) else { continue };
            // A reference that these inputs end says nothing about what is known already.
            let found = reference.survive(|engine| engine.run(inputs));
            let found = found.with_context(|| format!("--expected: the model does not run on {label}"))?;
            for (right, found) in outputs.iter().flat_map(|right| pair(right, found.as_deref())) {
                if let Some(reason) = unlike(right, found) {
                    bail!("--expected: {reason} ({label})");
                }
            }
            known.push((label.clone(), inputs.clone(), outputs.clone()));
        }
        let share = tolerance.unwrap_or(SHARE);
        let known = (!known.is_empty()).then(|| Expected::given("the outputs of --expected", share, known));
        Ok(known.map(|known| if tolerance.is_some() { known.share(share) } else { known }))
    }
}

/// An output that is right, with what the model gives under its name.
fn pair<'a>(right: &'a NamedTensor, found: Option<&'a [NamedTensor]>) -> Option<(&'a NamedTensor, &'a NamedTensor)> {
    Some((right, found?.iter().find(|found| found.name == right.name)?))
}

/// How the form of an output differs from what the model gives.
fn unlike(right: &NamedTensor, found: &NamedTensor) -> Option<String> {
    let form = |of: &NamedTensor| format!("{} {:?}", of.tensor.elements().element_type(), of.tensor.shape());
    let differs = form(right) != form(found);
    differs.then(|| format!("the output `{}` is {}, and the model gives {}", right.name, form(right), form(found)))
}

/// The inputs that a file is made for; nothing where its graph cannot be read here.
fn made_for(file: &Path, signature: &Signature, metadata: Option<&Metadata>) -> MadeFor {
    let options = LoadOptions { external_data: false, ..LoadOptions::default() };
    let model = Model::load_with(file, &options).ok();
    let ranges = ranges::of(signature, metadata, model.as_ref());
    MadeFor { ranges, domains: model.map(|model| Domains::of(&model)).unwrap_or_default() }
}

/// The inputs that the user gives.
fn given(signature: &Signature, paths: &[PathBuf]) -> Result<Vec<Case>> {
    let read = |path: &PathBuf| Ok((path.display().to_string(), inputs(path, signature).context("--inputs")?));
    paths.iter().map(read).collect()
}

/// The outputs that the user knows to be right, with the labels of their inputs.
fn right(signature: &Signature, request: &Request<'_>) -> Result<Vec<Case>> {
    let (inputs, expected) = (request.inputs, request.expected);
    if !expected.is_empty() && expected.len() != inputs.len() {
        bail!(
            "--expected is given {} times and --inputs {} times; one belongs to the other",
            expected.len(),
            inputs.len()
        );
    }
    let read = |(inputs, path): (&PathBuf, &PathBuf)| {
        Ok((inputs.display().to_string(), outputs(path, signature).context("--expected")?))
    };
    inputs.iter().zip(expected).map(read).collect()
}

/// The sizes of the dynamic axes: as the user says, or those of the user's own inputs, or what the model is made for.
fn sizes(signature: &Signature, asked: &Sizes, given: Option<&Case>, ranges: &Ranges) -> Result<Sizes> {
    let mut sizes = given.map(|(_, inputs)| sizes_of(signature, inputs)).unwrap_or_default();
    sizes.extend(asked.iter().map(|(axis, size)| (axis.clone(), *size)));
    Ok(base_sizes(signature, &sizes, ranges)?)
}

/// The axis that counts items.
fn counted(signature: &Signature, request: &Request<'_>) -> Result<Option<String>> {
    let axes = dynamic_axes(signature);
    let axis = match &request.batch_axis {
        Some(axis) if axes.contains(axis) => Some(axis.clone()),
        Some(axis) => return Err(InputsError::UnknownAxis { axis: axis.clone(), axes }).context("--batch-axis"),
        None => batch_axis(signature),
    };
    if axis.is_none() && !request.measure.batches.is_empty() {
        bail!("--batches needs a dynamic axis that counts items, which --batch-axis names; {}", listed(&axes));
    }
    Ok(axis)
}
