//! Workers that crash, hang or talk nonsense cost no more than their own row.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engines::engine::Engine;
use engines::provider::Provider;
use engines::session::SessionOptions;
use engines::worker::remote::{Launcher, RemoteEngine};
use engines::worker::{EngineSpec, Weights};
use networks::NetworkId;
use networks::digits::batch;
use networks::images::Images;

use crate::setting::{Setting, image};

fn start(program: impl Into<PathBuf>, setting: &Setting, patience: Duration) -> Result<RemoteEngine, String> {
    let spec = EngineSpec::Framework(networks::burn(NetworkId::Mnist, Weights::At(setting.weights()), None));
    Launcher { program: program.into(), patience, memory: None }.engine(&spec).map_err(|error| error.to_string())
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
    let launcher = Launcher { program: fixture("surroundings.sh"), patience: LONG, memory: None };
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
    let launcher = Launcher { program: env!("CARGO_BIN_EXE_infer").into(), patience: LONG, memory: Some(100 << 20) };
    let message = launcher.engine(&spec).unwrap_err().to_string();
    assert!(message.starts_with("burn: ") && message.contains("memory allocation of"), "{message}");
}
