//! A reference that dies costs what it would have told, and nothing that was measured.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engines::engine_name::EngineName;
use engines::worker::remote::Launcher;
use evaluation::measure::Measure;
use evaluation::onnx_file::evaluate as onnx_file;
use evaluation::report::Report;
use networks::digits::DigitTask;
use networks::evaluate::{Request, evaluate};
use networks::images::Images;
use networks::network::Network;
use networks::{MnistCnn, NetworkId};

use crate::setting::Setting;

/// A program whose workers die after so many bytes of requests, beside a tract that does not.
fn mortal(setting: &Setting, bytes: usize) -> Launcher {
    let program = setting.path("mortal");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mortal.sh"), &program).unwrap();
    std::fs::write(setting.path("mortal.bytes"), bytes.to_string()).unwrap();
    let infer = Path::new(env!("CARGO_BIN_EXE_infer"));
    for (name, program) in [("mortal.program", infer), ("tract-engine", &infer.with_file_name("tract-engine"))] {
        let link = setting.path(name);
        if !link.exists() {
            symlink(program, link).unwrap();
        }
    }
    Launcher { program, patience: Duration::from_secs(120), memory: None, sandbox: true }
}

fn measure(setting: &Setting) -> Measure {
    Measure {
        engines: vec![EngineName::Tract],
        provider_options: Vec::new(),
        session_per_size: false,
        threads: 1,
        batches: vec![1, 2],
        seconds: 0.02,
        scenarios: Vec::new(),
        timeout: Duration::from_secs(120),
        bisect: true,
        against: None,
        datasets: setting.workspace().join("datasets"),
    }
}

/// The reference is told to be gone, nothing passed, and tract has its times.
fn is_what_there_is(report: &Report) {
    let text = report.text();
    assert!(!report.head.passed, "{text}");
    assert!(report.engines[0].row.lost && report.engines[0].row.error.is_some(), "{text}");
    assert!(text.contains("FAILED: ") && text.contains("its process ended with status 9") && !text.contains("Passed."));
    let tract = &report.engines[1];
    assert_eq!((tract.row.error.as_deref(), &tract.agreement), (None, &None), "{text}");
    for batch in &report.head.timing {
        let times = batch.engines.iter().find(|times| times.series.engine == "tract").unwrap();
        assert!(times.series.latency_ms.samples > 0, "{text}");
    }
    assert_eq!(report.head.timing.len(), 2, "{text}");
    assert!(serde_json::to_string(report).is_ok());
}

/// 31 KB go there and back to see whether the file runs, 6 KB to see whether it gives the same again; then it dies.
#[test]
fn of_a_file_whose_reference_dies_there_is_a_report() {
    let setting = Setting::new();
    let (launcher, measure, model) = (mortal(&setting, 42_000), measure(&setting), setting.model());
    let inputs: [PathBuf; 0] = [];
    let request = onnx_file::Request {
        model: &model,
        sizes: BTreeMap::new(),
        batch_axis: None,
        inputs: &inputs,
        only_inputs: false,
        expected: &inputs,
        tolerance: None,
        measure: &measure,
        every: false,
        launcher: &launcher,
        command: String::new(),
    };
    let report = onnx_file::evaluate(&request, None::<&DigitTask>).unwrap();
    is_what_there_is(&report);
    let told =
        report.head.undone.iter().filter(|told| told.starts_with("no engine was judged, since nothing says what"));
    assert_eq!(told.count(), 1, "{:?}", report.head.undone);
    assert!(report.engines[1].verification.is_none());
}

/// At once, before any item, and in the middle of the exact results.
#[test]
fn of_a_network_whose_framework_dies_there_is_a_report() {
    let setting = Setting::new();
    for bytes in [20, 12_000] {
        let (launcher, measure) = (mortal(&setting, bytes), measure(&setting));
        let (model, weights) = (setting.model(), setting.weights());
        let request = Request {
            card: NetworkId::Mnist.card(),
            model: &model,
            weights: &weights,
            configuration: None,
            files: Vec::new(),
            measure: &measure,
            launcher: &launcher,
            command: String::new(),
        };
        let images = Images::of(&MnistCnn::signature(&10), (0.0, 1.0)).unwrap();
        let task = DigitTask::read(setting.folder.path(), models::digits::Split::Test, images).unwrap();
        let report = evaluate::<MnistCnn, _>(&request, &task).unwrap();
        is_what_there_is(&report);
        assert!(report.predictions.is_empty() && report.figures.is_empty());
        // What tract says of the digits is scored all the same.
        assert_eq!(report.engines[1].metrics[0].of, Some(crate::setting::DIGITS));
    }
}
