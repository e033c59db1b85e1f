//! Workers that crash, hang or talk nonsense cost no more than their own row.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engines::engine::{Engine, EngineError, Signature};
use engines::provider::Provider;
use engines::session::SessionOptions;
use engines::tensor::{NamedTensor, Tensor};
use engines::worker::remote::{Launcher, RemoteEngine};
use engines::worker::sandbox::Sandbox;
use engines::worker::{Answer, EngineSpec, Loaded, Weights, wire};
use networks::NetworkId;
use networks::digits::batch;
use networks::images::Images;

use crate::setting::{Setting, image, text};

fn start(program: impl Into<PathBuf>, setting: &Setting, patience: Duration) -> Result<RemoteEngine, String> {
    let spec = EngineSpec::Framework(networks::burn(NetworkId::Mnist, Weights::At(setting.weights()), None));
    Launcher { program: program.into(), patience, memory: None, sandbox: true }
        .engine(&spec)
        .map_err(|error| error.to_string())
}

fn failure(program: impl Into<PathBuf>, patience: Duration) -> String {
    let start_time = Instant::now();
    let message = start(program, &Setting::new(), patience).unwrap_err();
    assert!(start_time.elapsed() < Duration::from_secs(30), "{message}");
    message
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

const LONG: Duration = Duration::from_secs(300);

#[test]
fn a_worker_does_what_its_engine_does() {
    let setting = Setting::new();
    let mut engine = start(env!("CARGO_BIN_EXE_infer"), &setting, LONG).unwrap();
    let images = Images::of(engine.signature(), (0.0, 1.0)).unwrap();
    let input = [batch(&images, [image(4).as_slice(), image(5).as_slice()]).unwrap()];
    let outputs = engine.run(&input).unwrap();
    assert_eq!(outputs[0].tensor.shape(), [2, 10]);
    engine.prepare(&input).unwrap();
    assert_eq!(engine.block(3).unwrap().len(), 3);
    assert!(engine.usage().unwrap().unwrap().peak_memory > 1 << 20);
    // A refusal is not the end of a worker.
    assert!(engine.run(&[]).unwrap_err().to_string().contains("`input`: it is missing"));
    assert_eq!(engine.run(&input).unwrap(), outputs);
}

/// What `cargo xtask fetch cuda` brought lies beside the library; without it nothing is changed.
#[test]
fn a_worker_finds_nvidias_libraries_that_were_fetched_beside_its_own() {
    let datasets = tempfile::tempdir().unwrap();
    let here = |name: &str| datasets.path().join(name).join(artifact::runtime::platform());
    std::fs::create_dir_all(here("onnxruntime-gpu")).unwrap();
    std::fs::write(here("onnxruntime-gpu").join("libonnxruntime_providers_cuda.so"), "").unwrap();
    let library = here("onnxruntime-gpu").join("libonnxruntime.so.1.31.1");
    let launcher = Launcher { program: fixture("surroundings.sh"), patience: LONG, memory: None, sandbox: true };
    let told = |provider: Option<Provider>| match provider {
        None => launcher.probe(&library).unwrap_err().to_string(),
        Some(provider) => {
            let options = SessionOptions { provider, ..SessionOptions::default() };
            let spec = EngineSpec::Ort { library: library.clone(), model: "any.onnx".into(), options };
            launcher.engine(&spec).unwrap_err().to_string()
        }
    };
    let cuda = here("cuda").display().to_string();
    assert!(!told(None).contains(&cuda), "{}", told(None));
    std::fs::create_dir_all(here("cuda")).unwrap();
    let users = std::env::var("NVIDIA_TF32_OVERRIDE").unwrap_or_default();
    let tensorrts = if users.is_empty() { "0" } else { users.as_str() };
    for (provider, tf32) in
        [(None, users.as_str()), (Some(Provider::Cuda), &users), (Some(Provider::TensorRt), tensorrts)]
    {
        let told = told(provider);
        assert!(told.ends_with(&format!("its process ended with status 3: {cuda}, TF32 {tf32}").trim_end()), "{told}");
    }
}

/// A child begins as its parent; what the parent holds is not the worker's.
#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_a_worker_is_its_own() {
    let setting = Setting::new();
    let held = std::hint::black_box(vec![1_u8; 600 << 20]);
    let mut engine = start(env!("CARGO_BIN_EXE_infer"), &setting, LONG).unwrap();
    let peak = engine.usage().unwrap().unwrap().peak_memory;
    assert!((1 << 20..300 << 20).contains(&peak), "{peak}");
    drop(held);
}

#[test]
fn a_crash_is_told_with_its_signal_and_the_last_words() {
    let message = failure(fixture("crash.sh"), LONG);
    assert_eq!(message, "burn: its process was ended by signal 11: the library found the wrong processor");
}

#[test]
fn a_worker_that_hangs_is_ended() {
    let message = failure(fixture("hang.sh"), Duration::from_millis(300));
    assert_eq!(message, "burn: it gave no answer within 0.3 s and was ended");
}

/// More than a pipe holds: whoever sends it to a worker that does not read waits for ever, unless somebody looks at the clock.
#[test]
fn a_worker_that_does_not_read_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("deaf.sh");
    std::fs::copy(fixture("deaf.sh"), &program).unwrap();
    let signature = Signature { inputs: Vec::new(), outputs: Vec::new() };
    let loaded = Loaded {
        name: "burn".to_owned(),
        signature,
        library: None,
        metadata: None,
        load_ms: 1.0,
        sandbox: Sandbox::Off,
    };
    let answers = std::fs::File::create(folder.path().join("deaf.sh.answers")).unwrap();
    wire::send(answers, &Answer::Loaded(loaded), &[]).unwrap();
    let mut engine = start(&program, &Setting::new(), Duration::from_millis(300)).unwrap();
    let begun = Instant::now();
    let large = NamedTensor::new("x", Tensor::new([1 << 20], vec![0.0_f32; 1 << 20]).unwrap());
    let error = engine.run(std::slice::from_ref(&large)).unwrap_err();
    assert_eq!(error.to_string(), "burn: it did not read its inputs within 0.3 s and was ended");
    assert!(matches!(error, EngineError::Gone { hung: true, .. }));
    // It stays ended, and is not waited for again.
    assert!(engine.run(&[large]).unwrap_err().to_string().starts_with("burn: its process was ended by signal 9"));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Who waits for the end of what a process prints waits for all that it started as well.
#[test]
fn a_worker_that_leaves_a_process_behind_is_not_waited_for() {
    let begun = Instant::now();
    assert_eq!(failure(fixture("orphan.sh"), LONG), "burn: its process ended with status 4: out of luck");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

/// The whole command, with an engine that answers once and never reads again.
#[test]
fn an_engine_that_does_not_read_costs_its_own_row() {
    let setting = Setting::new();
    let program = setting.path("infer");
    std::fs::copy(env!("CARGO_BIN_EXE_infer"), &program).unwrap();
    let deaf = setting.path("tract-engine");
    std::fs::copy(fixture("deaf.sh"), &deaf).unwrap();
    let real = start(env!("CARGO_BIN_EXE_infer"), &setting, LONG).unwrap();
    let loaded = Loaded { name: "tract".to_owned(), ..real.loaded().clone() };
    let answers = std::fs::File::create(setting.path("tract-engine.answers")).unwrap();
    wire::send(answers, &Answer::Loaded(loaded), &[]).unwrap();
    let mut command = std::process::Command::new(&program);
    command.current_dir(setting.workspace()).args([
        "eval",
        "--seconds",
        "0.02",
        "--shape",
        "batch=64",
        "--timeout",
        "5",
    ]);
    command.args(["--engines", "ort:cpu,tract", "--onnx"]).arg(setting.model());
    let begun = Instant::now();
    let output = command.arg("--out").arg(setting.path("onnx.json")).output().unwrap();
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("FAILED: tract: it did not read its inputs within 5 s and was ended."), "{shown}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(setting.path("onnx.json")).unwrap()).unwrap();
    assert_eq!(report["engines"][1]["verification"]["passed"], true);
    assert!(!report["timing"][0]["engines"].as_array().unwrap().is_empty());
}

#[test]
fn a_program_that_is_no_worker_is_told_apart() {
    // It answers, endlessly, with its argument.
    assert!(failure("yes", LONG).starts_with("burn: its process "), "noise");
    let message = failure("no/such/program", LONG);
    assert!(message.starts_with("burn: its process cannot be started: "), "{message}");
}

/// A worker may hold no more than it was given: here less than the weights of AlexNet, which are 244 MB.
#[test]
fn a_network_that_does_not_fit_in_memory_costs_its_own_row() {
    let spec = EngineSpec::Framework(networks::burn(NetworkId::Alexnet, Weights::Random(1), None));
    let launcher = Launcher {
        program: env!("CARGO_BIN_EXE_infer").into(),
        patience: LONG,
        memory: Some(100 << 20),
        sandbox: true,
    };
    let message = launcher.engine(&spec).unwrap_err().to_string();
    assert!(message.starts_with("burn: ") && message.contains("memory allocation of"), "{message}");
}
