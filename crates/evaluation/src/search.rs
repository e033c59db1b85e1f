//! The search for the node at which an engine departs.

use std::path::{Path, PathBuf};

use crate::bisect::{BisectError, Departure, Side, Trigger, bisect};
use crate::contender::Contender;
use crate::verify::{Expected, OutputError, Verification};
use anyhow::{Context, Result};
use engines::engine::{Engine, EngineError, Signature};
use engines::engine_name::EngineName;
use engines::session::{Optimization, SessionOptions};
use engines::tensor::NamedTensor;
use engines::worker::EngineSpec;
use onnx_model::Model;
use terminal::progress::Progress;

use crate::starter::Starter;

/// A difference of this share of the largest value is never a departure: 16 units in the last place of float32, which
/// sums in another order come to.
const LEAST: f64 = 16.0 * f32::EPSILON as f64 / 2.0;

/// ONNX Runtime on the CPU with the graph as it is: what a file means.
pub struct ReferenceSession {
    library: PathBuf,
    options: SessionOptions,
}

impl ReferenceSession {
    /// With as many threads as the engines that it judges.
    pub fn new(starter: &Starter) -> Result<Self> {
        let options = SessionOptions {
            threads: starter.measure.threads,
            optimization: Optimization::None,
            ..SessionOptions::default()
        };
        Ok(Self { library: starter.libraries.borrow_mut().for_provider(&options.provider)?, options })
    }

    /// The engine for a file that is not timed, with all the cores.
    pub fn fast_spec(&self, model: &Path) -> EngineSpec {
        let options = SessionOptions { threads: engines::fingerprint::cores(), ..self.options.clone() };
        EngineSpec::Ort { library: self.library.clone(), model: model.to_owned(), options }
    }

    /// The engine for a file.
    pub fn spec(&self, model: &Path) -> EngineSpec {
        EngineSpec::Ort { library: self.library.clone(), model: model.to_owned(), options: self.options.clone() }
    }
}

/// Two files whose nodes are compared: the one that engines run, and the one that is right. They may be the same.
struct Search<'a> {
    starter: &'a Starter<'a>,
    plain: ReferenceSession,
    model: Model,
    against: Model,
    /// What the models take.
    pub signature: Signature,
}

impl<'a> Search<'a> {
    /// Loads both files with their weights.
    pub fn new(starter: &'a Starter, against: &Path, signature: Signature) -> Result<Self> {
        let load = |path: &Path| {
            let mut model = Model::load(path).with_context(|| format!("{} cannot be bisected", path.display()))?;
            model.graph.sort();
            Ok::<_, anyhow::Error>(model)
        };
        let (model, against) = (load(starter.model)?, load(against)?);
        Ok(Self { starter, plain: ReferenceSession::new(starter)?, model, against, signature })
    }

    /// The first node at which an engine departs on these inputs, which make it wrong at the output `worst`, by more than
    /// `tolerance` of its largest value; `None` if no node does.
    pub fn departure(
        &self,
        engine: &EngineName,
        inputs: &[NamedTensor],
        worst: &OutputError,
        tolerance: f64,
    ) -> Result<Option<Departure>, BisectError> {
        let _progress = Progress::new(&format!("bisecting {engine}"));
        let suspect = |path: &Path| self.starter.spec(engine, path);
        let reference = |path: &Path| Ok::<_, EngineError>(self.plain.spec(path));
        let trigger = Trigger {
            signature: self.signature.clone(),
            inputs: inputs.to_vec(),
            tolerance,
            output: worst.output.clone(),
            limit: worst.limit,
        };
        bisect(
            self.starter.launcher,
            &Side { model: &self.model, engine: &suspect },
            &Side { model: &self.against, engine: &reference },
            &trigger,
        )
    }
}

/// A file with engines that were judged by the framework.
pub struct Bisection<'a> {
    /// What starts them.
    pub starter: &'a Starter<'a>,
    /// Their names.
    pub names: &'a [EngineName],
    /// What they were judged by.
    pub expected: &'a Expected,
    /// How they did, in the order of their names.
    pub verifications: &'a [Option<Verification>],
    /// The name of a network that can be exported anew, for a hint.
    pub network: Option<&'a str>,
}

impl Bisection<'_> {
    /// Finds where each engine departs that deviates too far from the framework, and writes it into its row. The reference is
    /// `against`, or the file itself, under ONNX Runtime with the graph as it is; it must be right itself. Gives what a
    /// reader should know where no node can be named: what was found out before stays, whatever becomes of the search.
    pub fn bisect(&self, subjects: &mut [Contender], against: Option<&Path>) -> Vec<String> {
        self.search(subjects, against).unwrap_or_else(|error| {
            vec![format!("nothing was bisected: {}", terminal::failure::sentence(error.as_ref()))]
        })
    }

    fn search(&self, subjects: &mut [Contender], against: Option<&Path>) -> Result<Vec<String>> {
        let deviates = |found: &Option<Verification>| found.as_ref().is_some_and(|found| !found.passed);
        if !self.verifications.iter().any(deviates) {
            return Ok(vec!["no engine deviates too far, so there is nothing to bisect".to_owned()]);
        }
        // The models are loaded once more, with more outputs; these engines have done their work.
        subjects.iter_mut().for_each(Contender::stop);
        let file = against.unwrap_or(self.starter.model);
        let plain = ReferenceSession::new(self.starter)?;
        let mut reference = self.starter.launcher.engine(&plain.spec(file))?;
        let judged = self.expected.judge(&mut reference)?;
        let signature = reference.signature().clone();
        drop(reference);
        if let Some((_, worst)) = judged.failure() {
            return Ok(vec![self.no_reference(file, against.is_some(), worst.absolute)]);
        }
        let search = Search::new(self.starter, file, signature)?;
        let mut notes = Vec::new();
        for ((name, subject), found) in self.names.iter().zip(subjects).zip(self.verifications) {
            let Some((case, worst)) = found.as_ref().and_then(Verification::failure) else { continue };
            let Some(inputs) = self.expected.inputs(&case.label) else { continue };
            let tolerance = self.expected.share_of(&case.label, &worst.output).max(LEAST);
            match search.departure(name, inputs, worst, tolerance) {
                Ok(Some(departure)) => subject.row.departure = Some(departure),
                Ok(None) => notes.push(format!(
                    "{name} deviates, but no node by itself departs by more than {tolerance:.1e} of its largest value"
                )),
                Err(error) => notes.push(format!("{name} cannot be bisected: {}", terminal::failure::sentence(&error))),
            }
        }
        Ok(notes)
    }

    fn no_reference(&self, file: &Path, given: bool, error: f64) -> String {
        let file = file.display();
        let deviates = format!("with its graph as it is, under ort:cpu, {file} deviates by {error:.2e} itself");
        match self.network.filter(|_| !given) {
            None => format!("{deviates}: no reference for --bisect"),
            Some(network) => format!(
                "{deviates}, so the file differs from Burn's weights and not an engine from the file; to find its node: \
                 `cargo xtask export {network}` with the same weights and --out OTHER, then --bisect --against OTHER"
            ),
        }
    }
}
