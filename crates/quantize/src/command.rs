//! `cargo xtask quantize`, from the options to the files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use artifact::{GENERATOR, Outputs, sha256_file};
use cli::quantize::{Calibration, QuantizeArgs, QuantizeMetric};
use engines::libraries::Libraries;
use engines::provider::Provider;
use engines::usage::Usage;
use engines::worker::remote::Launcher;
use onnx_model::{Model, Survey};
use terminal::plain::line;
use terminal::program::{note, print, print_line};
use terminal::progress::Progress;

use crate::arithmetic::WeightBits;
use crate::calibrate::Seen;
use crate::error::QuantizeError;
use crate::gate::{self, Found, Harm, Point};
use crate::graph::id;
use crate::products::Products;
use crate::range::Method;
use crate::ranges_file::{self, RangesFile};
use crate::recipe::{Recipe, describe, recipe};
use crate::report::{Gate, Mark, Report};
use crate::samples::{Files, Samples, find, spread};
use crate::workbench::Workbench;
use crate::writer::{Format, Ranges};
use crate::{prepare, raise};
use evaluation::quantised::fidelity::{Comparison, Metric};

/// The input that says which positions are padding, unless the user names another.
const MASK: &str = "attention_mask";

/// The most that simplifying may change, as a share of the signal: float32 rounds to 6e-8 of a value, and this is its square with room
/// for the depth of a network.
const MOST_NOISE: f64 = 1e-8;

/// Seconds for the time of each point of the trade-off.
const POINT_SECONDS: f64 = 0.5;

/// Quantises, prints and writes the model and the report. The exit status says whether the result is good enough.
///
/// # Errors
/// When the model or the samples cannot be used, or a file cannot be written.
pub fn execute(arguments: &QuantizeArgs) -> Result<ExitCode> {
    let samples = Files(match find(&arguments.inputs)? {
        all if arguments.limit.is_some() => spread(&all, arguments.limit.unwrap_or(0)),
        all => all,
    });
    run(arguments, &samples, samples.0.clone())
}

/// [`execute`] on samples from anywhere, which were read out of `files`.
///
/// # Errors
/// As [`execute`].
pub fn run(arguments: &QuantizeArgs, samples: &dyn Samples, files: Vec<PathBuf>) -> Result<ExitCode> {
    let start = Instant::now();
    let out_path = arguments.out();
    if arguments.max_drop.is_some() && samples.count() == 0 {
        bail!("--max-drop is judged on samples, and there are none: name files or folders with --inputs");
    }
    let report_path = arguments.report.clone().unwrap_or_else(|| out_path.with_extension("json"));
    let outputs = Outputs::of_inputs(files.iter().cloned().chain([arguments.model.clone()]));
    let failed_out = failed_name(&out_path);
    outputs.named(&out_path)?;
    outputs.named(&failed_out)?;
    match arguments.report {
        Some(_) => outputs.named(&report_path)?,
        None => outputs.neighbour(&report_path, artifact::is_ours)?,
    }
    let launcher = launcher(arguments)?;
    let library = Libraries::find(&catalogue::datasets(), launcher.clone())?.for_provider(&Provider::Cpu)?;
    let (model, float_mark) = load(&arguments.model)?;
    let subject = || arguments.model.display().to_string();
    let mut notes = Vec::new();
    let mut prepared = model;
    prepare::require_float(&prepared).with_context(subject)?;
    prepare::simplify(&mut prepared).with_context(subject)?;
    let mut recipe = recipe(arguments, &prepared, &mut notes)?;
    if recipe.is_static && arguments.per_token {
        bail!(
            "--per-token is for --method dynamic: a static model has its steps from samples, the same for every input"
        );
    }
    let opset = prepared.opset();
    if recipe.is_static && recipe.format == Format::Qdq && recipe.weights.per_channel {
        raise::raise(&mut prepared).with_context(subject)?;
    }
    let raised_to_opset = prepared.opset().filter(|_| prepared.opset() != opset);
    let nodes = recipe.nodes(&prepared);
    if nodes.is_empty() {
        let reason = match recipe.is_static {
            true => "no Conv, Gemm or MatMul of float32 with a constant weight (--keep leaves none, if it is given)",
            false => "no MatMul or Gemm of float32 with a constant matrix",
        };
        return Err(QuantizeError::Nothing { reason: reason.to_owned() }).with_context(subject);
    }
    let mask = match &arguments.mask {
        Some(name) if prepared.graph.inputs.iter().all(|input| input.name != *name) => {
            bail!("--mask {name}: the model has no input of that name")
        }
        Some(name) => Some(name.clone()),
        None => prepared.graph.inputs.iter().find(|input| input.name == MASK).map(|input| input.name.clone()),
    };
    let given = arguments.ranges.as_deref().filter(|path| path.exists()).map(RangesFile::read).transpose()?;
    if recipe.is_static && samples.count() == 0 && given.is_none() {
        let how = "name files or folders with --inputs, ranges with --ranges, or take --method dynamic";
        return Err(QuantizeError::NoData(how.to_owned())).with_context(subject);
    }
    let mut bench = Workbench::new(&launcher, library, samples, mask)?;
    let mut seen = Seen::default();
    if samples.count() > 0 {
        let progress = Progress::new("samples");
        let mut wanted = recipe.wanted(&prepared, samples.count());
        if given.is_some() {
            wanted.ranges.clear();
        }
        seen = bench.observe(&prepared, &wanted, |share| progress.set(share))?;
        recipe.products = Products::new(seen.moments());
        let noise = bench.compare_file(&arguments.model, true)?.noise;
        if noise > MOST_NOISE {
            bail!(
                "{}: simplified, the model gives something else than before (noise {noise:e} of the signal), and nothing was written; \
                 that is a mistake of this program",
                arguments.model.display()
            );
        }
    }
    let mut calibration = None;
    if recipe.is_static {
        calibration = Some(match given {
            Some(given) => {
                given.require_for(&float_mark.sha256, &arguments.model)?;
                recipe.ranges = given.ranges;
                format!("read from {}", arguments.ranges.as_deref().unwrap_or(Path::new("")).display())
            }
            None => choose_ranges(arguments, &mut recipe, &prepared, &seen, &mut bench)?,
        });
        if let Some(path) = arguments.ranges.as_deref().filter(|path| !path.exists()) {
            let file = RangesFile {
                generator: GENERATOR.to_owned(),
                model_sha256: float_mark.sha256,
                method: calibration.clone().unwrap_or_default(),
                samples: seen.samples(),
                ranges: recipe.ranges.clone(),
            };
            ranges_file::write(path, &file)?;
        }
    }
    let metric = match samples.count() {
        0 => None,
        _ => Some(match arguments.metric {
            Some(QuantizeMetric::Agreement) => Metric::Agreement,
            Some(QuantizeMetric::Cosine) => Metric::Cosine,
            Some(QuantizeMetric::Accuracy) => Metric::Accuracy,
            None => bench.first_outputs()?.map_or(Metric::Cosine, |outputs| Metric::suiting(&outputs)),
        }),
    };
    if recipe.is_static && samples.count() > 0 && arguments.seconds > 0.0 {
        notes.extend(settle_stems(arguments, &mut recipe, &prepared, &mut bench)?);
    }
    let nodes: Vec<(String, String)> = nodes.into_iter().filter(|(node, _)| !recipe.kept.contains(node)).collect();
    if nodes.is_empty() {
        let reason = "the model is faster in float";
        return Err(QuantizeError::Nothing { reason: reason.to_owned() }).with_context(subject);
    }
    let judged = judge(arguments, &recipe, &prepared, &nodes, metric, &mut bench)?;
    let mut written = recipe.write(&prepared, &judged.in_float)?;
    describe(&mut written, &float_mark, &recipe, calibration.as_deref());
    if samples.count() == 0 {
        // It must at least be a model that a runtime loads.
        bench.compare(&written, true)?;
    }
    let times = match arguments.seconds > 0.0 && samples.count() > 0 {
        true => bench.time(&arguments.model, &written, arguments.seconds)?,
        false => None,
    };
    let out = if judged.holds { &out_path } else { &failed_out };
    let saved = written.save(out)?;
    let quantized =
        Mark { path: out.clone(), bytes: saved.iter().map(|file| file.bytes).sum(), sha256: sha256_file(out)? };
    let engine_memory = bench.peak_memory();
    drop(bench);
    let mut in_float: Vec<String> = judged.in_float.iter().chain(&recipe.kept).cloned().collect();
    in_float.sort();
    let report = Report {
        generator: GENERATOR.to_owned(),
        float: float_mark,
        quantized,
        method: if recipe.is_static { "static" } else { "dynamic" }.to_owned(),
        format: match recipe.format {
            Format::Qdq if recipe.is_static => "qdq",
            _ => "qoperator",
        }
        .to_owned(),
        calibration,
        weight_bits: if recipe.weights.bits == WeightBits::Eight { 8 } else { 7 },
        per_channel: recipe.weights.per_channel,
        raised_to_opset,
        inputs: files,
        samples: samples.count(),
        quantized_nodes: nodes.len() - judged.in_float.len(),
        in_float,
        metric,
        comparison: judged.comparison,
        gate: arguments.max_drop.map(|share| Gate { max_drop: share.0, holds: judged.holds }),
        sensitivity: judged.sensitivity,
        curve: judged.curve,
        times,
        ranges: recipe.ranges,
        seconds: start.elapsed().as_secs_f64(),
        peak_memory: [Usage::of_this_process().map_or(0, |usage| usage.peak_memory), engine_memory],
        notes,
    };
    artifact::write_atomic(&report_path, serde_json::to_string_pretty(&report)? + "\n")?;
    match arguments.json {
        true => print_line(serde_json::to_string(&report)?)?,
        false => print(report.text() + &line(format_args!("Report: {}", report_path.display())))?,
    }
    Ok(if judged.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where a file goes that is not good enough: `cats.onnx` becomes `cats.not-good-enough.onnx`.
fn failed_name(out: &Path) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let ending = out.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    out.with_file_name(format!("{stem}.not-good-enough{ending}"))
}

/// What starts engines. That they are not confined is said aloud.
fn launcher(arguments: &QuantizeArgs) -> Result<Launcher> {
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    if arguments.sandbox.no_sandbox {
        note("warning: the processes of engines are not confined (--no-sandbox)");
    }
    Ok(Launcher { sandbox: !arguments.sandbox.no_sandbox, ..launcher })
}

/// Reads the model, which may come from a stranger.
fn load(path: &Path) -> Result<(Model, Mark)> {
    let survey = Survey::of(path).with_context(|| path.display().to_string())?;
    let bytes = survey.data_files.iter().map(|file| file.bytes).sum::<u64>() + survey.bytes;
    let model = Model::load(path).with_context(|| path.display().to_string())?;
    Ok((model, Mark { path: path.to_owned(), bytes, sha256: sha256_file(path)? }))
}

/// The methods by their names.
fn methods(arguments: &QuantizeArgs) -> Vec<(String, Method)> {
    let percentile = (format!("percentile {}", arguments.percentile), Method::Percentile(arguments.percentile));
    let [minmax, entropy, mse] = [("minmax", Method::MinMax), ("entropy", Method::Entropy), ("mse", Method::Mse)]
        .map(|(name, method)| (name.to_owned(), method));
    match arguments.calibration {
        Calibration::Minmax => vec![minmax],
        Calibration::Percentile => vec![percentile],
        Calibration::Entropy => vec![entropy],
        Calibration::Mse => vec![mse],
        Calibration::Auto => vec![minmax, percentile, entropy, mse],
    }
}

/// Chooses the ranges: by the method that is asked for, or by the one with the least noise in the outputs.
fn choose_ranges(
    arguments: &QuantizeArgs,
    recipe: &mut Recipe,
    model: &Model,
    seen: &Seen,
    bench: &mut Workbench<'_>,
) -> Result<String> {
    let methods = methods(arguments);
    let single = methods.len() == 1;
    let mut best: Option<(f64, String, Ranges)> = None;
    for (name, method) in methods {
        recipe.ranges = seen.ranges(method);
        if single {
            return Ok(name);
        }
        let noise = bench.compare(&recipe.write(model, &BTreeSet::new())?, false)?.noise;
        if best.as_ref().is_none_or(|(least, ..)| noise < *least) {
            best = Some((
                noise,
                format!("{name}, the one of four with the least noise"),
                std::mem::take(&mut recipe.ranges),
            ));
        }
    }
    let Some((_, name, ranges)) = best else { bail!("no method of calibration was tried") };
    recipe.ranges = ranges;
    Ok(name)
}

/// Leaves the convolutions that take an input of the model in float where it is faster and nearer to the float model so: they have few
/// channels, which integer kernels are not made for, and every value after them suffers from their noise. What is said of it.
fn settle_stems(
    arguments: &QuantizeArgs,
    recipe: &mut Recipe,
    model: &Model,
    bench: &mut Workbench<'_>,
) -> Result<Option<String>> {
    let graph = &model.graph;
    let takes_input = |node: &onnx_model::Node| {
        graph.inputs.iter().any(|input| node.inputs.first() == Some(&input.name)) && node.op_type == "Conv"
    };
    let quantised: BTreeSet<String> = recipe.nodes(model).into_iter().map(|(node, _)| node).collect();
    let stems = graph.nodes.iter().filter(|node| takes_input(node) && quantised.contains(id(node)));
    let stems: BTreeSet<String> = stems.map(|node| id(node).to_owned()).collect();
    if stems.is_empty() || stems.len() == quantised.len() {
        return Ok(None);
    }
    let (in_integers, in_float) = (recipe.write(model, &BTreeSet::new())?, recipe.write(model, &stems)?);
    if bench.compare(&in_float, false)?.noise >= bench.compare(&in_integers, false)?.noise {
        return Ok(None);
    }
    let mut share = |written: &Model| {
        let times = bench.time(&arguments.model, written, POINT_SECONDS.min(arguments.seconds))?;
        anyhow::Ok(times.map(|times| times.share.value))
    };
    let (Some(with), Some(without)) = (share(&in_integers)?, share(&in_float)?) else { return Ok(None) };
    if without >= with {
        return Ok(None);
    }
    let listed = stems.iter().cloned().collect::<Vec<_>>().join(", ");
    recipe.kept.extend(stems);
    Ok(Some(format!("{listed} stays in float, which is faster and nearer: {without:.3} of the time and not {with:.3}")))
}

/// What the gate let through.
struct Judged {
    in_float: BTreeSet<String>,
    holds: bool,
    comparison: Option<Comparison>,
    sensitivity: Vec<Harm>,
    curve: Vec<Point>,
}

/// Compares the quantised model with the float model, and searches for one that holds the gate if this does not.
fn judge(
    arguments: &QuantizeArgs,
    recipe: &Recipe,
    model: &Model,
    nodes: &[(String, String)],
    metric: Option<Metric>,
    bench: &mut Workbench<'_>,
) -> Result<Judged> {
    let mut judged =
        Judged { in_float: BTreeSet::new(), holds: true, comparison: None, sensitivity: Vec::new(), curve: Vec::new() };
    let Some(metric) = metric else { return Ok(judged) };
    let all = bench.compare(&recipe.write(model, &BTreeSet::new())?, false)?;
    judged.comparison = Some(all);
    if metric == Metric::Accuracy && all.labelled == 0 {
        bail!("--metric accuracy: no sample has labels, the tensor `labels` of a .safetensors file");
    }
    let Some(most) = arguments.max_drop.map(|share| share.0) else { return Ok(judged) };
    if all.drop(metric) <= most {
        return Ok(judged);
    }
    let progress = Progress::new("sensitivity");
    for (index, (node, operator)) in nodes.iter().enumerate() {
        let others: BTreeSet<String> =
            nodes.iter().map(|(other, _)| other).filter(|other| *other != node).cloned().collect();
        let noise = bench.compare(&recipe.write(model, &others)?, true)?.noise;
        judged.sensitivity.push(Harm { node: node.clone(), operator: operator.clone(), noise });
        progress.set((index + 1) as f64 / nodes.len() as f64);
    }
    drop(progress);
    judged.sensitivity.sort_by(|one, other| other.noise.total_cmp(&one.noise));
    let Found { in_float, holds, curve } = gate::search(&judged.sensitivity, metric, most, |in_float| {
        let written = recipe.write(model, in_float)?;
        let comparison = bench.compare(&written, false)?;
        let times = match arguments.seconds > 0.0 {
            true => bench.time(&arguments.model, &written, POINT_SECONDS.min(arguments.seconds))?,
            false => None,
        };
        anyhow::Ok(Point {
            in_float: in_float.len(),
            comparison,
            drop: comparison.drop(metric),
            time_share: times.map(|times| times.share.value),
            bytes: written.graph.initializer_bytes(),
        })
    })?;
    judged.comparison = curve.iter().find(|point| point.in_float == in_float.len()).map(|point| point.comparison);
    Ok(Judged { in_float, holds, curve, ..judged })
}
