//! From options to what a file of 8-bit integers is judged by.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use artifact::sha256_file;
use cli::eval::QuantisedArgs;
use cli::quantize::QuantizeMetric;
use evaluation::command::named;
use evaluation::quantised::evaluate::Subject;
use evaluation::quantised::fidelity::Metric;
use evaluation::quantised::operators;
use evaluation::quantised::record::Record;
use onnx_model::Survey;

/// Under what `quantize` notes in a model which float model it was made from.
const MADE_FROM: &str = "kiln.quantized_from";

/// Samples of the report beside a file that it is judged on, where the user names none.
pub const SAMPLES: usize = 64;

/// A file of integers with the report beside it.
pub struct Found<'a> {
    /// What is known of it.
    pub subject: Subject<'a>,
    /// The samples that the report names and that are still there.
    pub samples: Vec<PathBuf>,
}

/// What is known of a file of integers; `None` for one of floats, and for what is no model. `usual` is where the float model of a network
/// lies.
///
/// # Errors
/// When an option is given for a file of floats.
pub fn found<'a>(
    model: &Path,
    arguments: &QuantisedArgs,
    network: &'a str,
    usual: Option<&Path>,
) -> Result<Option<Found<'a>>> {
    // What cannot be read is told by whoever opens it.
    let Ok(survey) = Survey::of(model) else { return Ok(None) };
    let operators = operators(&survey);
    if operators.is_empty() {
        if let Some(option) = arguments.given() {
            bail!("{option} is for files of 8-bit integers, and {} has no operator of such", model.display());
        }
        return Ok(None);
    }
    let record = Record::beside(model);
    let mut notes = Vec::new();
    let made_from = survey.metadata.get(MADE_FROM);
    let is_source =
        |path: &Path| made_from.is_none_or(|wanted| sha256_file(path).is_ok_and(|found| found.to_string() == *wanted));
    let float = match (&arguments.float, &record, usual.filter(|path| path.is_file())) {
        (Some(path), ..) => {
            if path.is_file() && !is_source(path) {
                notes.push(format!("the file says that it was made from another float model than {}", path.display()));
            }
            Some(path.clone())
        }
        (None, Some(record), _) => record.float(model).map_err(|why| notes.push(why)).ok(),
        (None, None, Some(path)) if is_source(path) => Some(path.to_owned()),
        (None, None, _) => None,
    };
    let metric = |metric| match metric {
        QuantizeMetric::Agreement => Metric::Agreement,
        QuantizeMetric::Cosine => Metric::Cosine,
        QuantizeMetric::Accuracy => Metric::Accuracy,
    };
    // The accuracy of the report is that of labels in its samples, which are no items of a task.
    let recorded = record.as_ref().and_then(|record| record.metric).filter(|metric| *metric != Metric::Accuracy);
    let is_file = usual.is_none();
    let subject = Subject {
        network,
        is_file,
        operators,
        float,
        metric: arguments.metric.map(metric).or(recorded.filter(|_| is_file)),
        max_drop: arguments
            .max_drop
            .map(|share| share.0)
            .or(record.as_ref().and_then(|record| record.gate).map(|gate| gate.max_drop)),
        tried: record.as_ref().map(|record| record.curve.clone()).unwrap_or_default(),
        batches: Vec::new(),
        files: Vec::new(),
        notes,
    };
    let samples = record.map(|record| record.samples(SAMPLES)).unwrap_or_default();
    Ok(Some(Found { subject, samples }))
}

/// The options that say the same, each after a space.
pub fn words(arguments: &QuantisedArgs) -> String {
    let QuantisedArgs { float, max_drop, metric } = arguments;
    let mut words = String::new();
    words.extend(float.iter().map(|path| named("--float", path)));
    words.extend(max_drop.iter().map(|share| format!(" --max-drop {}", share.0)));
    words.extend(metric.iter().map(|metric| {
        let name = match metric {
            QuantizeMetric::Agreement => "agreement",
            QuantizeMetric::Cosine => "cosine",
            QuantizeMetric::Accuracy => "accuracy",
        };
        format!(" --metric {name}")
    }));
    words
}
