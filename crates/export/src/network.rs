//! From a network in Burn to a file that was verified.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use artifact::{AtomicFolder, Outputs};
use burn::tensor::Device;
use burn_export::{OnnxExporter, Opset};
use catalogue::IN_FOLDER;
use engines::fingerprint::Machine;
use engines::runtime::Runtime;
use engines::session::{Session, SessionOptions};
use engines::signature::require;
use evaluation::verify::{Expected, Verification};
use models::weights::Checkpoint;
use networks::engine::BurnEngine;
use networks::network::Network;
use onnx_model::Model;
use terminal::failure::advised;
use terminal::progress::Progress;

use crate::source::Source;
use crate::summary::{Clock, Content, Seconds, Summary};
use crate::{Metadata, Request};
use crate::{keep, layout};

/// How often the weights in float32 fit into what an export holds at its peak, with the verification in float64.
const COPIES: f64 = 3.0;

/// A network with its configuration, and where its weights come from.
struct Loaded<N: Network> {
    network: N,
    config: N::Config,
    source: Source,
}

/// Exports a network, lets the file be verified, and keeps it if it passed.
///
/// # Errors
/// When the weights cannot be used, the network cannot be exported, or the file computes something else.
pub fn export<N: Network>(request: &Request<'_>, runtime: &Runtime) -> Result<Summary> {
    let mut clock = Clock::start();
    let Loaded { network, config, source } = load::<N>(request)?;
    let load = clock.lap();
    let Request { card, out, save, opset, .. } = request;
    Outputs::of_inputs(&source.files).named(out)?;
    let folder = request.folder.map(open_folder).transpose()?;
    let staging = folder.as_ref().map_or_else(|| out.to_path_buf(), |folder| folder.path().join(IN_FOLDER));
    let progress = Progress::new("exporting");
    let mut metadata = source.metadata.clone();
    metadata.extend(N::metadata(&config).into_iter().map(|(key, value)| (key.to_owned(), value)));
    let model = model(&network, &config, *opset, &metadata)?;
    let export = clock.lap();
    let staged = model.stage(&staging, save)?;
    drop(progress);
    let mut content = Content::of(&model, staged.files())?;
    content.data.iter_mut().for_each(|data| data.path = out.with_file_name(data.path.file_name().unwrap_or_default()));
    // The verification needs the memory.
    drop(model);
    let write = clock.lap();
    let verification = keep::if_verified(staged, out, |path| verify(network, &config, path, &metadata, runtime))?;
    if let Some(folder) = folder {
        if let Some(origin) = &source.folder {
            layout::fill(&folder, &N::companions(&config, origin)?)?;
        }
        folder.commit(layout::is_export)?;
    }
    Ok(Summary {
        network: card.name.to_owned(),
        model: out.to_path_buf(),
        content,
        weights: source.weights,
        notes: source.notes,
        runtime: format!("ONNX Runtime {}", runtime.version()),
        verification,
        seconds: Seconds { load, export, write, verify: clock.lap() },
    })
}

/// Starts the folder for a file and all that belongs to it.
fn open_folder(place: &Path) -> Result<AtomicFolder> {
    artifact::check_replaceable(place, layout::is_export)?;
    Ok(AtomicFolder::create(place)?)
}

/// The network with weights from a file or a seed.
fn load<N: Network>(request: &Request<'_>) -> Result<Loaded<N>> {
    let Request { card, weights, random, revision, .. } = *request;
    let device = Device::flex();
    if let Some(seed) = random {
        let config = N::config_or_published_in(request.config, request.form)?;
        require_room::<N>(&config, &device)?;
        let network = N::random(&config, seed, &device);
        return Ok(Loaded { network, config, source: Source::random(seed, revision) });
    }
    let ways = format!("no usable weights ({})", card.ways_to_weights());
    let advice = |error: &dyn std::error::Error, path: &Path| anyhow!(advised(error, path, &ways));
    let folder = networks::evaluate::folder(card, weights);
    let config = N::config_in(folder.as_deref(), Some(weights), request.form).map_err(|error| match &folder {
        Some(folder) => advice(&error, &folder.join("config.json")),
        None => advice(&error, weights),
    })?;
    let checkpoint = match Checkpoint::open(weights) {
        Ok(checkpoint) => checkpoint,
        Err(error @ models::weights::WeightsError::NoWeights { .. }) => return Err(error).context(ways),
        Err(error) => return Err(advice(&error, weights)),
    };
    let (network, report) = N::load(&config, &checkpoint, &device)?;
    let mut source = Source::checkpoint(&checkpoint, &report, revision)?;
    if let Some(folder) = folder {
        source.notes.extend(N::notes(&folder));
        source.files.extend(std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()));
        source.folder = Some(folder);
    }
    Ok(Loaded { network, config, source })
}

/// Refuses a shape whose export would not fit in the memory of this machine.
fn require_room<N: Network>(config: &N::Config, device: &Device) -> Result<()> {
    const GIBIBYTE: f64 = (1 << 30) as f64;
    let parameters = N::parameters(config, device);
    let (needed, memory) = (COPIES * 4.0 * parameters as f64, Machine::this().memory);
    match memory {
        Some(memory) if needed > memory as f64 => bail!(
            "a network of this shape has {} million parameters; to export it takes {:.0} GiB, and there are {:.0} GiB",
            parameters / 1_000_000,
            needed / GIBIBYTE,
            memory as f64 / GIBIBYTE
        ),
        _ => Ok(()),
    }
}

/// The network as ONNX.
fn model<N: Network>(network: &N, config: &N::Config, opset: Opset, metadata: &Metadata) -> Result<Model> {
    let mut exporter = OnnxExporter::new().opset(opset).graph_name(N::GRAPH);
    for (key, value) in metadata {
        exporter = exporter.metadata(key, value);
    }
    Ok(network.export(config, exporter)?.into_model())
}

/// Runs the file at `path` under ONNX Runtime and judges it by what the network computes.
///
/// The network is gone before the runtime loads the file: of a large one, the weights in float32 and float64 and the
/// runtime's own copies would not fit in memory together.
fn verify<N: Network>(
    network: N,
    config: &N::Config,
    path: &Path,
    metadata: &Metadata,
    runtime: &Runtime,
) -> Result<Verification> {
    let expected = {
        let progress = Progress::new("verifying");
        let mut native = BurnEngine::new(network.clone(), config.clone(), Device::flex());
        let mut exact = BurnEngine::new(network, config.clone(), Device::flex()).exact();
        Expected::of(&mut native, &mut exact, N::cases(config)?, |share| progress.set(share))?
    };
    expected.require_finite("the network").map_err(|error| anyhow!("{error}; nothing is kept"))?;
    let mut session = Session::open(runtime, path, SessionOptions::default())?;
    require(&session, path, &N::signature(config), N::WHAT)?;
    check_metadata(&session, metadata)?;
    N::examine(config, &mut session)?;
    Ok(expected.judge(&mut session)?)
}

/// Refuses a file that does not say what it was made to say.
fn check_metadata(session: &Session, metadata: &Metadata) -> Result<()> {
    let read = session.metadata()?.entries;
    match metadata.iter().find(|(key, value)| read.get(*key) != Some(value)) {
        Some((key, value)) => bail!("the file's metadata lost `{key}`, which is {value}"),
        None => Ok(()),
    }
}
